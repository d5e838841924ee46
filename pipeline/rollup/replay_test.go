package rollup

import (
	"testing"

	"github.com/stretchr/testify/require"

	"tidemark/sinks/clickhouse"
)

// TestRowsAheadOfTheCommitAreWrittenAgain: rows that are newer than the commit may be there because of a write that was
// never acknowledged, and may be lost with the next power cut. A replay does not count them twice, but it writes them.
func TestRowsAheadOfTheCommitAreWrittenAgain(t *testing.T) {
	s := newState(t)
	s.Resume(7, noon, &clickhouse.Counters{
		Tier: []int8{int8(clickhouse.Minute)}, AccountID: clickhouse.WordsOf("acme"), WindowStart: []int64{noon / 1000}, Feature: clickhouse.WordsOf(""),
		Metric: clickhouse.WordsOf("events"), Source: clickhouse.WordsOf("telemetry/0@id"), Value: []uint64{2}, AppliedOffset: []uint64{8},
	})
	const nobody = 0 // a user would be new to the window's sets, and that alone would have it written
	require.True(t, s.Fold(use(s, nobody, noon), []byte("acme"), 7))
	require.True(t, s.Fold(use(s, nobody, noon), []byte("acme"), 8))
	c := s.Take(9).Counters
	found := false
	for i := range c.Value {
		if c.Tier[i] == int8(clickhouse.Minute) && c.Metric.At(i) == "events" {
			found = true
			require.Equal(t, uint64(2), c.Value[i])
			require.Equal(t, uint64(8), c.AppliedOffset[i])
		}
	}
	require.True(t, found, "the row is written")
}
