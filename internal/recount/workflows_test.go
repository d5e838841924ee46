package recount

import (
	"cmp"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestWorkflowRuns(t *testing.T) {
	step := func(user, event, at string) written {
		return written{topic: "telemetry", value: `{"type":"track","event":"` + event + `","userId":"` + user +
			`","context":{"groupId":"acme"},"messageId":"` + user + event + at + `","timestamp":"` + at + `"}`}
	}
	log := []written{
		// u1 completes in 40 minutes, out of order in the log and with a second
		// start inside the run; then starts again and leaves.
		step("u1", "Report Published", "2026-02-20T10:40:00Z"),
		step("u1", "Report Started", "2026-02-20T10:10:00Z"),
		step("u1", "Report Started", "2026-02-20T10:00:00Z"),
		step("u1", "Report Configured", "2026-02-20T10:20:00Z"),
		step("u1", "Report Started", "2026-02-20T10:50:00Z"),
		// u2 publishes before configuring, and configures 24 hours after the start.
		step("u2", "Report Started", "2026-02-20T11:00:00Z"),
		step("u2", "Report Published", "2026-02-20T11:10:00Z"),
		step("u2", "Report Configured", "2026-02-21T11:00:00Z"),
		// u3's second start comes when the first run's time is over.
		step("u3", "Report Started", "2026-02-20T12:00:00Z"),
		step("u3", "Report Started", "2026-02-21T12:00:00Z"),
		// u4 never starts.
		step("u4", "Report Configured", "2026-02-20T12:00:00Z"),
		step("u4", "Report Published", "2026-02-20T12:00:00Z"),
	}
	r := recountLog(t, log)
	at := func(s string) int64 { return clock(t, s).UnixMilli() }
	runs := r.Runs()
	slices.SortFunc(runs, func(a, b Run) int { return cmp.Compare(a.Started, b.Started) })
	var got [][2]int64
	for _, run := range runs {
		got = append(got, [2]int64{run.Started, run.Completed})
	}
	require.Equal(t, [][2]int64{
		{at("2026-02-20T10:00:00Z"), at("2026-02-20T10:40:00Z")},
		{at("2026-02-20T10:50:00Z"), 0},
		{at("2026-02-20T11:00:00Z"), 0},
		{at("2026-02-20T12:00:00Z"), 0},
		{at("2026-02-21T12:00:00Z"), 0},
	}, got)

	key := RunKey{WindowKey{Day, "acme", at("2026-02-20T00:00:00Z")}, "report_published"}
	now := at("2026-02-21T10:50:00Z") // the run of 10:50 has all of its 24 hours
	require.Equal(t, RunCounts{Started: 4, Completed: 1, TaskMS: 40 * 60_000}, r.RunCounts(now)[key])
	require.Equal(t, RunCounts{Started: 4, Completed: 1, Abandoned: 1, TaskMS: 40 * 60_000}, r.RunCounts(now + 1)[key])
}
