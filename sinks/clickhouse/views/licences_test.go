package views_test

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// metrics.md rows 8, 10 and 11: utilization of the seats as of the window's end, how near the limit is and when it is reached.
func TestLicences(t *testing.T) {
	f := newFixture(t)
	f.insert(t, "account_changes",
		"('a', '2026-01-01 00:00:00', 'accounts/0@A', 1, 0, {'segment': 'smb', 'seats': '100'})",
		"('a', '2026-03-01 00:00:00', 'accounts/0@A', 2, 0, {'seats': '10'})",
		"('a', '2026-03-10 12:00:00', 'accounts/0@A', 3, 0, {'seats': '20'})",
		"('silent', '2026-01-01 00:00:00', 'accounts/0@A', 4, 0, {'segment': 'smb', 'seats': '10'})",
		"('unknown', '2026-01-01 00:00:00', 'accounts/0@A', 5, 0, {})")
	// Since February 11th there are two more users every fourth day: 1 on the 11th to 14th, 3, 5, ... 13 from March 7th on.
	for week := range 7 {
		for user := range 2 * week {
			f.insert(t, "member_sets", activeOn("a", 2+user, -17+4*week)...)
		}
		f.insert(t, "member_sets", activeOn("a", 1, -17+4*week)...)
	}
	f.insert(t, "member_sets", "('day', 'a', '2026-03-09', '', 'users', 99, 'telemetry/0@T')", "('day', 'unknown', '2026-03-09', '', 'active_users', 99, 'telemetry/0@T')")
	require.Equal(t, golden(`
		a       | 2026-03-01 | 0 |  9 | 10  | 0.9  | 1    | 0.9 | false
		silent  | 2026-03-01 | 0 |  0 | 10  | 0    | 10   | \N  | true
		unknown | 2026-03-01 | 0 |  0 | \N  | \N   | \N   | \N  | \N
		a       | 2026-03-10 | 1 | 13 | 10  | 1.3  | -3   | 1   | false
		a       | 2026-03-11 | 1 | 13 | 20  | 0.65 | 7    | \N  | false
	`), f.rows(t, `SELECT account_id, toDate(window_end), users, active_users, seats, seat_utilization, seats_unused, limit_level, is_under_used
		FROM licences_28d WHERE window_end = '2026-03-01' OR account_id = 'a' AND window_end IN ('2026-03-10', '2026-03-11') ORDER BY window_end, account_id`))
	// The windows of the 28 days to March 10th have 1, 1, 1, 1, 3, 3, ... 13. By least squares over blocks of four, with x = 0..27:
	// sum((x - 13.5) * y) = 896, sum((x - 13.5)^2) = 1827. Seven seats are left.
	require.Equal(t, golden(`0.490421 | 2026-03-25`),
		f.rows(t, "SELECT round(active_users_per_day, 6), toDate(seats_reached_at) FROM licences_28d WHERE account_id = 'a' AND window_end = '2026-03-11'"))
	require.Equal(t, golden(`
		    | 1 |  1 | \N | \N | \N    | 0 | 0
		smb | 2 | 13 | 30 | 17 | 0.325 | 0 | 1
	`), f.rows(t, "SELECT segment, accounts, active_users, seats, seats_unused, seat_utilization_median, near_limit, under_used FROM segment_licences_28d WHERE window_end = '2026-03-11' ORDER BY segment"))
}
