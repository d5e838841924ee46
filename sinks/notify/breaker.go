package notify

import "time"

const (
	// breakerFailures is how many messages in a row must fail for the target, not the message, to be thought at fault.
	breakerFailures = 5
	// breakerFirst and breakerLongest bound the time for which a target is left alone; it doubles with each failed probe.
	breakerFirst   = 30 * time.Second
	breakerLongest = 5 * time.Minute
)

// breaker keeps a target that fails from being asked again and again. It is closed (all may be sent), open (nothing may), or
// half open (one may, and decides).
type breaker struct {
	failures int           // in a row
	open     time.Duration // 0: closed
	until    time.Time     // the end of open
}

// ready is when something may be sent; zero: now.
func (b *breaker) ready() time.Time {
	if b.open == 0 {
		return time.Time{}
	}
	return b.until
}

// success closes it and says whether it was not closed.
func (b *breaker) success() (opened bool) {
	opened = b.open > 0
	*b = breaker{}
	return opened
}

func (b *breaker) failure(now time.Time) {
	b.failures++
	switch {
	case b.open > 0 && now.Before(b.until): // it was on its way before
		return
	case b.open > 0:
		b.open = min(2*b.open, breakerLongest)
	case b.failures >= breakerFailures:
		b.open = breakerFirst
	default:
		return
	}
	b.until = now.Add(b.open)
}

// state is 0 closed, 1 half open, 2 open.
func (b *breaker) state(now time.Time) int {
	switch {
	case b.open == 0:
		return 0
	case now.Before(b.until):
		return 2
	default:
		return 1
	}
}
