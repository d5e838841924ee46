package chmodel

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/stretchr/testify/require"

	ch "tidemark/sinks/clickhouse"
)

// point is a write of one checkpoint.
func point(offset uint64) *ch.Checkpoints {
	p := &ch.Checkpoints{}
	p.Add(ch.Checkpoint{Source: "s", Offset: offset})
	return p
}

// visible returns which of the checkpoints 1 to 3 a read shows.
func visible(t *testing.T, m *Model) (offsets []uint64) {
	t.Helper()
	for offset := range uint64(4) {
		_, found, err := m.Checkpoint(t.Context(), "s", offset)
		require.NoError(t, err)
		if found {
			offsets = append(offsets, offset)
		}
	}
	return offsets
}

func TestAPowerCutLosesOnlyWhatWasNotAcknowledged(t *testing.T) {
	m := New()
	fault := Unanswered
	m.OnWrite = func() Fault { return fault }
	require.ErrorIs(t, m.WriteCheckpoints(t.Context(), point(1)), ErrFault)
	require.ErrorIs(t, m.WriteCheckpoints(t.Context(), point(2)), ErrFault)
	fault = None
	require.NoError(t, m.WriteCheckpoints(t.Context(), point(3)))
	require.Equal(t, []uint64{1, 2, 3}, visible(t, m))
	require.Equal(t, 1, m.PowerCut(func(unsynced int) int { return unsynced - 1 }))
	require.Equal(t, []uint64{1, 3}, visible(t, m))
}

func TestAReplicaThatLags(t *testing.T) {
	m := New()
	require.NoError(t, m.WriteCheckpoints(t.Context(), point(1)))
	require.NoError(t, m.WriteCheckpoints(t.Context(), point(2)))
	m.Lag(1)
	require.Equal(t, []uint64{1}, visible(t, m))
	_, err := m.WindowCounters(t.Context(), "s", nil)
	var refused *clickhouse.Exception
	require.ErrorAs(t, err, &refused, "a sequential read fails where an acknowledged write is missing")
	m.CatchUp()
	require.Equal(t, []uint64{1, 2}, visible(t, m))

	m.OnWrite = func() Fault { return Unanswered }
	m.Lag(0)
	require.ErrorIs(t, m.WriteCheckpoints(t.Context(), point(3)), ErrFault)
	require.Equal(t, []uint64{1, 2}, visible(t, m))
	_, err = m.WindowCounters(t.Context(), "s", nil)
	require.NoError(t, err, "what was not acknowledged need not be there")
}

func TestLateAndSlowWrites(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := New()
		m.Delay = func() time.Duration { return time.Minute }
		fault := Late
		m.OnWrite = func() Fault { return fault }
		require.ErrorIs(t, m.WriteCheckpoints(t.Context(), point(1)), ErrFault)
		require.Empty(t, visible(t, m))
		require.Equal(t, 1, m.StillToCome())
		time.Sleep(time.Minute + time.Second)
		require.Equal(t, []uint64{1}, visible(t, m))
		require.Zero(t, m.StillToCome())

		require.ErrorIs(t, m.WriteCheckpoints(t.Context(), point(2)), ErrFault)
		m.PowerCut(func(int) int { return 0 })
		time.Sleep(time.Minute + time.Second)
		require.Empty(t, visible(t, m), "neither is synced")

		fault = Slow
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		began := time.Now()
		require.ErrorIs(t, m.WriteCheckpoints(ctx, point(3)), context.DeadlineExceeded)
		require.Equal(t, time.Hour, time.Since(began))
		require.Equal(t, []uint64{3}, visible(t, m))
	})
}

func TestFaultsLookLikeClickHousesOwn(t *testing.T) {
	for fault, code := range map[Fault]int32{ReadOnly: 242, TooManyParts: 252, OutOfMemory: 241} {
		m := New()
		m.OnWrite = func() Fault { return fault }
		var e *clickhouse.Exception
		require.ErrorAs(t, m.WriteCheckpoints(t.Context(), point(1)), &e, fault.String())
		require.Equal(t, code, e.Code)
		require.ErrorIs(t, fault.Err(), ErrFault)
	}
}
