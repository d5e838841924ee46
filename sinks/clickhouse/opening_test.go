package clickhouse_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"tidemark/sinks/clickhouse"
)

// TestSourcesThatRecoverTogetherLoadTogether has sources of an instance load their open windows at the same time, in one query:
// each gets its own, by its own watermark. One that gives up takes nothing from the others.
func TestSourcesThatRecoverTogetherLoadTogether(t *testing.T) {
	both(t, func(t *testing.T, ctx context.Context, c *clickhouse.Client) {
		sources := []string{"telemetry/0@x", "telemetry/1@x", "telemetry/2@x", "telemetry/3@x"}
		var b clickhouse.Batch
		for i, source := range sources {
			for minute := range int64(6) {
				b.Counters.Append(clickhouse.Minute, "acme", day+60*minute, "", "events", source, uint64(10*i)+uint64(minute)+1, 7)
			}
		}
		require.NoError(t, c.Write(ctx, &b))
		gone, leave := context.WithCancel(ctx)
		leave()
		_, err := c.OpenCounters(gone, "telemetry/9@x", 0) // the first to come, and the first to go
		require.ErrorIs(t, err, context.Canceled)

		var group errgroup.Group
		loaded := make([]*clickhouse.Counters, len(sources))
		for i, source := range sources {
			group.Go(func() (err error) {
				loaded[i], err = c.OpenCounters(ctx, source, (day+60*int64(i))*1000+30_000)
				return err
			})
		}
		require.NoError(t, group.Wait())
		for i, rows := range loaded {
			var want []uint64
			for minute := i; minute < 6; minute++ {
				want = append(want, uint64(10*i+minute+1))
			}
			require.ElementsMatch(t, want, rows.Value, sources[i])
		}
	})
}
