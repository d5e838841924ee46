package clickhouse_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"tidemark/sinks/clickhouse"
)

// rowsOf are the counters of a source that the client loads, by metric.
func rowsOf(ctx context.Context, t *testing.T, c *clickhouse.Client) map[string]uint64 {
	t.Helper()
	rows, err := c.OpenCounters(ctx, "telemetry/0@x", 0)
	require.NoError(t, err)
	got := map[string]uint64{}
	for i, v := range rows.Value {
		got[rows.Metric.At(i)] = v
	}
	return got
}

// write writes a counter, and the checkpoint after it.
func write(ctx context.Context, t *testing.T, c *clickhouse.Client, value, offset uint64) {
	t.Helper()
	var b clickhouse.Batch
	counter(&b.Counters, clickhouse.Day, "acme", day+86400, "", "events", value, offset)
	require.NoError(t, c.Write(ctx, &b))
	var p clickhouse.Checkpoints
	p.Add(clickhouse.Checkpoint{Source: "telemetry/0@x", Offset: offset, LogTime: day * 1000, Catalogue: "c"})
	require.NoError(t, c.WriteCheckpoints(ctx, &p))
}

func TestGenerations(t *testing.T) {
	both(t, func(t *testing.T, ctx context.Context, c *clickhouse.Client) {
		next := c.OfGeneration(1)
		write(ctx, t, c, 3, 9)
		require.Empty(t, rowsOf(ctx, t, next), "another generation's rows are not loaded")
		_, found, err := next.LastCheckpoint(ctx, "telemetry/0@x")
		require.NoError(t, err)
		require.False(t, found)
		require.NoError(t, c.MarkGeneration(ctx, 1, clickhouse.Building, "d"))
		live := func() uint16 {
			n, err := next.LiveGeneration(ctx)
			require.NoError(t, err)
			return n
		}
		require.Zero(t, live())

		sources := []string{"telemetry/0@x"}
		write(ctx, t, next, 2, 8)
		switched, err := next.SwitchTo(ctx, "d", 0, sources)
		require.NoError(t, err)
		require.False(t, switched, "it has a record less")
		require.Zero(t, live())
		write(ctx, t, next, 7, 9)
		var unacknowledged clickhouse.Batch // rows without a checkpoint are read, too
		counter(&unacknowledged.Counters, clickhouse.Day, "acme", day+86400, "", "events", 4, 12)
		require.NoError(t, c.Write(ctx, &unacknowledged))
		switched, err = next.SwitchTo(ctx, "d", 0, sources)
		require.NoError(t, err)
		require.False(t, switched, "the other has rows ahead of its checkpoint")
		write(ctx, t, next, 8, 13)
		switched, err = next.SwitchTo(ctx, "d", 0, sources)
		require.NoError(t, err)
		require.True(t, switched)
		require.EqualValues(t, 1, live())
		require.Equal(t, map[string]uint64{"events": 8}, rowsOf(ctx, t, next))
		require.Equal(t, map[string]uint64{"events": 4}, rowsOf(ctx, t, c))

		require.NoError(t, c.MarkGeneration(ctx, 0, clickhouse.Live, ""))
		all, err := c.Generations(ctx)
		require.NoError(t, err)
		require.Len(t, all, 2)
		require.Equal(t, clickhouse.Generation{Number: 0, State: clickhouse.Live, Since: all[0].Since, Catalogue: "c"}, all[0])
		require.Equal(t, clickhouse.Generation{Number: 1, State: clickhouse.Retired, Since: all[1].Since, Catalogue: "c"}, all[1])
	})
}
