package notify

import "time"

// Outcome is what came of sending a message.
type Outcome int

// Outcomes.
const (
	Delivered Outcome = iota
	Failed            // it, or the way to it, is at fault: again later
	Throttled         // it is asked too much: again later, and everything else as well
	Rejected          // it will never take this message
	Gone              // it will never take any message
	Unable            // this side could not try, such as for a secret that cannot be read
)

// String is the outcome as metrics name it.
func (o Outcome) String() string {
	return [...]string{"delivered", "failed", "throttled", "rejected", "gone", "unable"}[o]
}

// Result is what a target answered.
type Result struct {
	Outcome    Outcome
	Status     int           // HTTP or SMTP status; 0: none
	Detail     string        // for people; no secrets
	RetryAfter time.Duration // what it asked for; 0: nothing
}
