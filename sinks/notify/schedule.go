package notify

import (
	"time"

	"github.com/cespare/xxhash/v2"
)

// schedule is how long after the attempt before each attempt is made, as Standard Webhooks has it: three days in all.
var schedule = [...]time.Duration{
	0, 5 * time.Second, 5 * time.Minute, 30 * time.Minute, 2 * time.Hour, 5 * time.Hour, 10 * time.Hour, 14 * time.Hour, 20 * time.Hour, 24 * time.Hour,
}

const (
	// jitter is by how much of itself a pause is longer or shorter, so that what failed together does not come back together.
	jitter = 0.1
	// giveUp is when a message is dead however few attempts were made: a target may be down for so long that the breaker let
	// hardly any through. It is longer than the schedule with the longest jitter.
	giveUp = 96 * time.Hour
	// maxRetryAfter bounds what a target can ask for.
	maxRetryAfter = 24 * time.Hour
)

// backoff returns the pause after the failed attempt, counted from 1, of a message; false if there is no further attempt. It is a
// function of the message, so that a restart does not change it. asked is what the target asked for, or 0.
func backoff(message string, attempt int, asked time.Duration) (time.Duration, bool) {
	if attempt >= len(schedule) {
		return 0, false
	}
	pause := schedule[attempt]
	spread := float64(xxhash.Sum64String(message+string(rune('0'+attempt)))%2001)/1000 - 1 //nolint:gosec // -1 to 1; an attempt is a small number
	pause += time.Duration(float64(pause) * jitter * spread)
	return max(pause, min(asked, maxRetryAfter)), true
}
