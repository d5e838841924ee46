package views_test

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// metrics.md row 39: the previous period, and the segment's median and percentile, beside the value.
func TestBenchmarks(t *testing.T) {
	f := newFixture(t)
	f.insert(t, "account_changes",
		"('a', '2026-01-01 00:00:00', 'accounts/0@A', 1, 0, {'segment': 'smb', 'seats': '4'})",
		"('b', '2026-01-01 00:00:00', 'accounts/0@A', 2, 0, {'segment': 'smb', 'seats': '1'})",
		"('c', '2026-01-01 00:00:00', 'accounts/0@A', 3, 0, {'segment': 'smb'})",
		"('d', '2026-01-01 00:00:00', 'accounts/0@A', 4, 0, {'segment': 'ent'})")
	f.insert(t, "counters", eventsOn("a", map[int]int{9: 10, -15: 20, -20: 7})...) // from February 11th on; before that 7
	f.insert(t, "counters", eventsOn("b", map[int]int{9: 5})...)
	f.insert(t, "counters", eventsOn("d", map[int]int{9: 1000})...)
	f.insert(t, "member_sets", activeOn("a", 1, 8, 9)...)
	f.insert(t, "member_sets", activeOn("b", 1, 9)...)
	require.Equal(t, golden(`
		a | 3 | 30   | 7 | 5    | 100 | 1 | 1 | 50 | 2 | 0.25 | 0.625 | 0
		b | 3 | 5    | 0 | 5    | 50  | 1 | 1 | 50 | 1 | 1    | 0.625 | 100
		c | 3 | 0    | 0 | 5    | 0   | 0 | 1 | 0  | 0 | \N   | 0.625 | \N
		d | 1 | 1000 | 0 | 1000 | \N  | 0 | 0 | \N | 0 | \N   | \N    | \N
	`), f.rows(t, `SELECT account_id, peers, events, events_previous, events_median, events_percentile, active_users, active_users_median, active_users_percentile,
		active_days, seat_utilization, seat_utilization_median, seat_utilization_percentile FROM benchmarks_28d WHERE window_end = '2026-03-11' ORDER BY account_id`))
}
