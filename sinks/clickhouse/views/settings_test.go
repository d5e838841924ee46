package views_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// BI tools and drivers send settings of their own; no number may depend on them.
func TestClientsSettingsChangeNothing(t *testing.T) {
	f := week(t)
	f.insert(t, "counters", "('day', 'stranger', '2026-03-02', '', 'events', 'telemetry/0@T', 4, 30)",
		"('day', 'stranger', '2024-03-02', 'search', 'feature_uses', 'telemetry/0@T', 4, 30)")
	f.insert(t, "checkpoints", "('telemetry/0@T', 10, 10, 7, 1, 1, 1, '2026-03-10 09:00:00', '2026-03-10 09:05:00', '2026-03-10 09:10:00', 'c1')")
	f.insert(t, "dead_letters", "('telemetry/0@T', 4, 'malformed', 'not JSON', '2026-03-09 10:00:00', 'k', 10, '', '')")
	f.insert(t, "facts", "('workflow', 'acme', 'report_published', '2026-03-07 10:00:00', 'Report Started', 11, 1, 'telemetry/0@T', 1, 0, {})")
	ticketEvents(f, t, `
		1 2026-03-05 09:00:00 created
		2 2026-03-05 09:30:00 replied_agent
		3 2026-03-05 09:30:00 created
		3 2026-03-05 10:30:00 solved
	`)
	for _, view := range strings.Fields(f.rows(t, "SELECT name FROM system.tables WHERE database = currentDatabase() AND engine = 'View'"+
		" AND name NOT IN ('counters', 'member_sets', 'members', 'user_minutes') ORDER BY name")) { // those have rows as often as they were written
		filter := ""
		if strings.HasSuffix(view, "_minute") || strings.HasSuffix(view, "_hour") {
			filter = " WHERE window_start BETWEEN '2026-03-05 08:00:00' AND '2026-03-05 12:00:00' OR window_start > '2026-03-10 11:50:00'"
		}
		query := "SELECT * FROM " + view + filter + " ORDER BY ALL"
		want := f.rows(t, query)
		require.Equal(t, want, f.rows(t, query+` SETTINGS join_use_nulls = 1, cast_keep_nullable = 1, aggregate_functions_null_for_empty = 1,
			transform_null_in = 1, prefer_column_name_to_alias = 1, final = 1, session_timezone = 'America/New_York', max_threads = 1`), view)
	}
}

// Times that people wrote may lie anywhere, and must not break the windows of everybody.
func TestOddTimes(t *testing.T) {
	f := newFixture(t)
	f.insert(t, "account_changes",
		"('ahead', '2299-01-01 00:00:00', 'accounts/0@A', 0, 0, {'created_at': '2299-01-01'})",
		"('ancient', '1900-01-01 00:00:00', 'accounts/0@A', 1, 0, {'created_at': '1200-01-01'})",
		"('left', '1900-01-01 00:00:00', 'accounts/0@A', 1, 1, {})",
		"('leaves', '2026-03-09 00:00:00', 'accounts/0@A', 1, 0, {'created_at': '2026-03-09'})",
		"('leaves', '2299-01-01 00:00:00', 'accounts/0@A', 1, 1, {})",
	)
	require.Equal(t, golden(`
		ancient | 401 | 2025-02-03
		leaves  |   2 | 2026-03-09
	`), f.rows(t, "SELECT account_id, count(), toDate(min(window_start)) FROM usage_day GROUP BY account_id ORDER BY account_id"))
	require.Equal(t, golden(`
		ancient | 1441
		leaves  | 1441
	`), f.rows(t, "SELECT account_id, count() FROM support_minute GROUP BY account_id ORDER BY account_id"))
}
