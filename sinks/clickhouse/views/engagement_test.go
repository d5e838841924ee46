package views_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"tidemark/sinks/clickhouse/views"
)

// metrics.md row 23, and Totango's rule there: percentile of the actions a day over 14 full days among accounts of the same
// status; fewer than one a day are 0; new accounts count the days since their creation.
func TestEngagement(t *testing.T) {
	f := newFixture(t)
	require.NoError(t, views.Apply(t.Context(), f.db, catalogue(t, "targets: {key_features: [export, alerts]}\n"), f.options()))
	f.insert(t, "account_changes",
		"('a', '2026-01-01 00:00:00', 'accounts/0@A', 1, 0, {'segment': 'smb', 'stage': 'live', 'seats': '4'})",
		"('b', '2026-01-01 00:00:00', 'accounts/0@A', 2, 0, {'segment': 'smb', 'stage': 'live', 'seats': '1'})",
		"('c', '2026-03-09 00:00:00', 'accounts/0@A', 3, 0, {'segment': 'smb', 'stage': 'live'})",
		"('d', '2026-01-01 00:00:00', 'accounts/0@A', 4, 0, {'segment': 'smb', 'stage': 'live'})",
		"('e', '2026-01-01 00:00:00', 'accounts/0@A', 5, 0, {'segment': 'smb', 'stage': 'new'})")
	// The window is February 24th to March 9th. a: 28 actions, 2 a day. b: 14, 1 a day. c: 9 on its only day. d: 13, less than
	// one a day. e: nobody beside it.
	for account, n := range map[string]int{"a": 28, "b": 14, "d": 13, "e": 70} {
		f.insert(t, "counters", eventsOn(account, map[int]int{9: n, -10: 100, 10: 100})...)
	}
	f.insert(t, "counters", eventsOn("c", map[int]int{9: 9})...)
	f.insert(t, "member_sets", activeOn("a", 1, 9, 8)...)
	f.insert(t, "member_sets", activeOn("b", 1, 9)...)
	f.insert(t, "member_sets", activeOn("b", 2, 8)...)
	f.insert(t, "counters",
		"('day', 'a', '2026-03-07', 'export', 'feature_uses', 'telemetry/0@T', 1, 10)",
		"('day', 'a', '2026-03-08', 'export', 'feature_uses', 'telemetry/0@T', 1, 10)",
		"('day', 'a', '2026-03-08', 'other', 'feature_uses', 'telemetry/0@T', 1, 10)",
		"('day', 'b', '2026-03-07', 'export', 'feature_uses', 'telemetry/0@T', 1, 10)",
		"('day', 'b', '2026-03-07', 'alerts', 'feature_uses', 'telemetry/0@T', 1, 10)")
	// Of a's three other peers two do less, of b's one, of c's all. a: a quarter of its seats and half of the features.
	require.Equal(t, golden(`
		a | 28 | 2                  | 1 | 14 | 0.25 | 0.5 | 37.5 | 4 | 66.67
		b | 14 | 1                  | 2 | 14 |    1 |   1 |  100 | 4 | 33.33
		c |  9 | 9                  | 0 |  1 |   \N |   0 |   \N | 4 | 100
		d | 13 | 0.9285714285714286 | 0 | 14 |   \N |   0 |   \N | 4 | 0
		e | 70 | 5                  | 0 | 14 |   \N |   0 |   \N | 1 | \N
	`), f.rows(t, `SELECT account_id, actions, actions_per_day, active_users, days_known, licence_share, feature_share, engagement, peers, round(engagement_relative, 2)
		FROM engagement_14d WHERE window_end = '2026-03-10' ORDER BY account_id`))
	require.Equal(t, golden(`a | 4 | 66.67`),
		f.rows(t, "SELECT account_id, peers, round(engagement_relative, 2) FROM engagement_14d WHERE window_end = '2026-03-10' AND account_id = 'a'"), "a condition does not take the peers away")
	require.Empty(t, f.rows(t, "SELECT * FROM engagement_14d WHERE window_end > '2026-03-10'"), "the present day is not full")
	require.Equal(t, golden(`smb | 5 | 134 | 2 | 68.75`),
		f.rows(t, "SELECT segment, accounts, actions, actions_per_day_median, engagement_median FROM segment_engagement_14d WHERE window_end = '2026-03-10'"))
}
