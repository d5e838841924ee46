package pipeline

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tidemark/pipeline/source"
	"tidemark/pipeline/worker"
)

// TestASourceThatStandsStillIsBehind by the time for which it has, as nothing else is known of records that cannot be fetched.
func TestASourceThatStandsStillIsBehind(t *testing.T) {
	seen := observations{standing: map[string]standing{}}
	at := time.Unix(1_800_000_000, 0)
	stands := func(position uint64, high int64) time.Duration {
		at = at.Add(time.Minute)
		return seen.stands(worker.Status{ID: source.ID{Topic: "telemetry", Partition: 3}, Position: position}, high, at)
	}
	require.Zero(t, stands(5, 5), "it is at the end")
	require.Zero(t, stands(5, 9), "seen for the first time")
	require.Equal(t, time.Minute, stands(5, 9))
	require.Equal(t, 2*time.Minute, stands(5, 20))
	require.Zero(t, stands(6, 20), "it goes on")
	require.Equal(t, time.Minute, stands(6, 20))
	require.Zero(t, stands(20, 20))
	require.Empty(t, seen.standing, "nothing is kept of it")
}
