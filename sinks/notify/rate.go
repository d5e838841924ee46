package notify

import "time"

// bucket is a token bucket: burst tokens at most, one more every interval. A message takes one.
type bucket struct {
	burst  int
	every  time.Duration // 0: no limit
	tokens float64
	last   time.Time
}

func newBucket(r Rate) bucket {
	if r.PerMinute == 0 {
		return bucket{}
	}
	return bucket{burst: r.Burst, every: time.Minute / time.Duration(r.PerMinute), tokens: float64(r.Burst)}
}

// refill adds the tokens that time brought.
func (b *bucket) refill(now time.Time) {
	if b.every > 0 && now.After(b.last) {
		if !b.last.IsZero() {
			b.tokens = min(float64(b.burst), b.tokens+float64(now.Sub(b.last))/float64(b.every))
		}
		b.last = now
	}
}

// available is how many messages may be sent at once.
func (b *bucket) available() int {
	if b.every == 0 {
		return int(^uint(0) >> 1)
	}
	return int(b.tokens + 1e-9) // a sum of fractions may fall short of a whole one by a hair
}

// next is when there is a token again, if there is none now.
func (b *bucket) next(now time.Time) time.Time {
	return now.Add(time.Duration((1-b.tokens)*float64(b.every)) + time.Microsecond)
}

func (b *bucket) take() {
	if b.every > 0 {
		b.tokens = max(0, b.tokens-1)
	}
}
