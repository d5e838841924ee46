package views_test

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// metrics.md row 33, retention as cohorts: of those who began in a week or month, how many were back later.
func TestCohorts(t *testing.T) {
	f := newFixture(t)
	f.insert(t, "account_changes", "('acme', '2026-02-01 00:00:00', 'accounts/0@A', 1, 0, {'segment': 'smb'})", "('bolt', '2026-02-01 00:00:00', 'accounts/0@A', 2, 0, {'segment': 'smb'})")
	// Weeks begin on February 16th and 23rd, March 2nd and 9th.
	f.insert(t, "member_sets", activeOn("acme", 1, -12, -11, 2)...) // the 16th and 17th; March 2nd
	f.insert(t, "member_sets", activeOn("acme", 2, -6, 1, 9)...)    // February 22nd, a Sunday; March 1st, one too; March 9th
	f.insert(t, "member_sets", activeOn("acme", 3, 8)...)           // March 8th, still the week of the 2nd
	f.insert(t, "member_sets", activeOn("bolt", 4, 2)...)
	f.insert(t, "source_progress", "('telemetry/0@T', '2026-03-10 11:59:00', 50, 60, '2026-03-10 00:00:00', 'w1')")
	require.Equal(t, golden(`
		2026-02-16 | 2026-02-23 | 0 | 2 | 2 | 1   | true
		2026-02-16 | 2026-02-23 | 1 | 2 | 1 | 0.5 | true
		2026-02-16 | 2026-02-23 | 2 | 2 | 1 | 0.5 | true
		2026-02-16 | 2026-02-23 | 3 | 2 | 1 | 0.5 | false
		2026-03-02 | 2026-03-09 | 0 | 1 | 1 | 1   | true
		2026-03-02 | 2026-03-09 | 1 | 1 | 0 | 0   | false
	`), f.rows(t, `SELECT toDate(window_start), toDate(window_end), age, users, retained, retention_rate, complete FROM user_cohorts_week
		WHERE account_id = 'acme' AND segment = 'smb' ORDER BY window_start, age`))
	require.Equal(t, golden(`
		2026-02-01 | 0 | 2 | 2
		2026-02-01 | 1 | 2 | 2
		2026-03-01 | 0 | 1 | 1
	`), f.rows(t, "SELECT toDate(window_start), age, users, retained FROM user_cohorts_month WHERE account_id = 'acme' ORDER BY window_start, age"))
	require.Equal(t, golden(`
		2026-02-16 | 0 | 1 | 1 | 1
		2026-02-16 | 1 | 1 | 1 | 1
		2026-02-16 | 2 | 1 | 1 | 1
		2026-02-16 | 3 | 1 | 1 | 1
		2026-03-02 | 0 | 1 | 1 | 1
		2026-03-02 | 1 | 1 | 0 | 0
	`), f.rows(t, "SELECT toDate(window_start), age, accounts, retained, retention_rate FROM segment_account_cohorts_week WHERE segment = 'smb' ORDER BY window_start, age"))
	require.Equal(t, golden(`
		2026-02-01 | 0 | 1 | 1
		2026-02-01 | 1 | 1 | 1
		2026-03-01 | 0 | 1 | 1
	`), f.rows(t, "SELECT toDate(window_start), age, accounts, retained FROM segment_account_cohorts_month ORDER BY window_start, age"))
}
