package views_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

// metrics.md rows 12 and 13: progress, elapsed share, pace and the milestone, upwards and downwards. It is the 10th of March,
// 12:00.
func TestGoals(t *testing.T) {
	f := newFixture(t)
	goal := func(n int, id, defined, by, measure, start, target, starts, due, direction string) string {
		return fmt.Sprintf("('goal', 'acme', '%s', '%s 00:00:00', 'defined', 0, %d, 'signals/0@S', %d, %s, "+
			"{'name': 'N', '%s': '%s', 'start': '%s', 'direction': '%s', 'starts_at': '%sT00:00:00.000Z', 'due_at': '%sT00:00:00.000Z'})",
			id, defined, n+1, n, target, by, measure, start, direction, starts, due)
	}
	f.insert(t, "facts",
		goal(0, "otif", "2026-01-01", "kpi", "otif", "0.8", "0.99", "2026-01-01", "2026-05-01", "up"), // replaced by the next
		goal(1, "otif", "2026-01-02", "kpi", "otif", "0.8", "0.9", "2026-01-01", "2026-05-10", "up"),
		goal(2, "cycle", "2026-01-01", "kpi", "cycle", "10", "5", "2026-01-01", "2026-03-01", "down"),
		goal(3, "storage", "2026-01-01", "meter", "storage_gb", "100", "50", "2026-02-28", "2026-03-20", "down"),
		goal(4, "users", "2026-01-01", "metric", "active_users", "0", "2", "2026-03-01", "2026-03-30", "up"),
		goal(5, "later", "2026-01-01", "kpi", "otif", "0", "1", "2026-04-01", "2026-05-01", "up"),
		goal(6, "none", "2026-01-01", "metric", "no_such_column", "0", "1", "2026-03-01", "2026-05-01", "up"),
		goal(7, "late", "2026-01-01", "meter", "storage_gb", "100", "65", "2026-02-28", "2026-03-04", "down"))
	kpiReports(f, t, `
		acme otif  2025-12-01 2026-01-01 2026-01-02 0.7
		acme otif  2026-01-01 2026-02-01 2026-02-02 0.95
		acme otif  2026-01-01 2026-02-01 2026-02-03 0.85
		acme otif  2026-02-01 2026-03-01 2026-03-02 0.86
		acme cycle 2026-01-01 2026-02-01 2026-02-02 8
		acme cycle 2026-02-01 2026-03-01 2026-03-02 11
	`)
	readings(f, t, `
		acme storage_gb 2026-03-01 00:00:00 90
		acme storage_gb 2026-03-05 00:00:00 60
	`)
	f.insert(t, "member_sets", activeOn("acme", 1, 1)...)
	f.insert(t, "member_sets", activeOn("acme", 2, 4)...)
	f.exec(t, "INSERT INTO counters_all (* EXCEPT generation) VALUES ('day', 'acme', '2026-03-01', '', 'events', 'telemetry/0@T', 1, 1)")
	// otif: (0.86-0.8)/(0.9-0.8) = 0.6; January reached the target until it was corrected. 68.5 of 129 days have passed.
	// cycle: (11-10)/(5-10) = -0.2, due. storage: (60-100)/(50-100) = 0.8 after 10.5 of 20 days. users: 2 of 2 with the window that
	// ends on the 5th. late: 60 is below 65 on the 5th, a day late.
	require.Equal(t, golden(`
		cycle   | kpi    | down | 11 | 2026-03-01 | -0.2 | 1     | -0.2  | \N | missed
		late    | meter  | down | 60 | 2026-03-05 | 1.1429 | 1   | 1.1429 | 2026-03-05 | attained late
		later   | kpi    | up   | \N | \N | \N | 0     | \N    | \N | not started
		none    | metric | up   | \N | \N | \N | 0.1557 | \N    | \N | unknown
		otif    | kpi    | up   | 0.86 | 2026-03-01 | 0.6 | 0.531 | 1.1299 | \N | on track
		storage | meter  | down | 60 | 2026-03-05 | 0.8 | 0.525 | 1.5238 | \N | on track
		users   | metric | up   | 2 | 2026-03-10 | 1  | 0.3276 | 3.0526 | 2026-03-05 | attained
	`), f.rows(t, `SELECT goal_id, measured_by, direction, round(current_value, 4), toDate(current_at), round(progress, 4), round(elapsed_share, 4), round(pace, 4), toDate(attained_at), state
		FROM goals ORDER BY goal_id`))
	require.Equal(t, golden(`
		cycle | 1 | 0 | 0 | 1 | 0 | 0 | 0 | 0  | -0.2
		late  | 1 | 0 | 1 | 0 | 0 | 0 | 0 | 0  | 1.1429
		none  | 1 | 0 | 0 | 0 | 0 | 0 | 1 | \N | \N
		otif  | 1 | 0 | 0 | 0 | 1 | 0 | 0 | \N | 0.6
		users | 1 | 1 | 0 | 0 | 0 | 0 | 0 | 1  | 1
	`), f.rows(t, `SELECT goal_id, goals, attained, attained_late, missed, on_track, behind, unknown, attainment, round(progress_median, 4)
		FROM segment_goals WHERE segment = '' AND goal_id IN ('cycle', 'late', 'none', 'otif', 'users') ORDER BY goal_id`))
	require.Equal(t, golden(`
		2026-01-01 | 0.7  | -1  | 0      | \N     | false
		2026-02-01 | 0.85 | 0.5 | 0.2403 | 2.0806 | false
		2026-03-01 | 0.86 | 0.6 | 0.4574 | 1.3119 | false
	`), f.rows(t, "SELECT toDate(at), value, round(progress, 4), round(elapsed_share, 4), round(pace, 4), is_attained FROM goal_progress WHERE goal_id = 'otif' ORDER BY at"))
}
