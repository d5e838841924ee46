package notify

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// After five failures in a row nothing is sent for half a minute, after each that follows for twice as long, five minutes at
// most; the oracle reads that off the list of results.
func TestBreakerLeavesAFailingTargetAlone(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var b breaker
		var results []bool
		now := start
		for range rapid.IntRange(1, 40).Draw(t, "results") {
			now = latest(now, b.ready()).Add(time.Duration(rapid.IntRange(0, 60).Draw(t, "later")) * time.Second)
			ok := rapid.IntRange(0, 9).Draw(t, "ok") == 0
			results = append(results, ok)
			failures := 0
			for i := len(results) - 1; i >= 0 && !results[i]; i-- {
				failures++
			}
			if ok {
				b.success()
			} else {
				b.failure(now)
			}
			if failures < 5 {
				require.Zero(t, b.ready())
				require.Zero(t, b.state(now))
				continue
			}
			pause := min(30*time.Second<<min(failures-5, 10), 5*time.Minute)
			require.Equal(t, now.Add(pause), b.ready(), "after %d failures", failures)
			require.Equal(t, 2, b.state(now))
			require.Equal(t, 1, b.state(now.Add(pause)))
		}
	})
}

// What was on its way when the target was found to fail tells nothing new.
func TestABatchThatFailsIsOneFailure(t *testing.T) {
	var b breaker
	for range together {
		b.failure(start)
	}
	require.Equal(t, start.Add(breakerFirst), b.ready())
	q := newQueue("x", Rate{}, oneByOne)
	for range together {
		q.health(Result{Outcome: Throttled}, start)
	}
	require.Equal(t, start.Add(throttleFirst), q.pausedUntil)
	require.Equal(t, throttleFirst, q.throttle)
}
