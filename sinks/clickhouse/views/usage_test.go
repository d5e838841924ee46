package views_test

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// week is a small history: acme is used on the 7th and the 9th of March, silent is known and silent, gone was removed.
func week(t *testing.T) fixture {
	f := newFixture(t)
	f.insert(t, "account_changes",
		"('acme', '2026-03-05 00:00:00', 'accounts/0@A', 0, 0, {'name': 'Acme', 'plan': 'free', 'seats': '4', 'segment': 'smb', 'mrr': '99.5'})",
		"('acme', '2026-03-09 00:00:00', 'accounts/0@A', 3, 0, {'plan': 'pro', 'seats': '10'})",
		"('silent', '2026-03-09 08:00:00', 'accounts/0@A', 1, 0, {'name': 'Silent', 'created_at': '2026-03-08T09:00:00Z'})",
		"('gone', '2026-03-07 00:00:00', 'accounts/0@A', 2, 0, {'name': 'Gone', 'seats': '1'})",
		"('gone', '2026-03-08 10:00:00', 'accounts/0@A', 4, 1, {})",
		"('_canary', '2026-03-07 00:00:00', 'accounts/0@A', 5, 0, {'name': 'Canary'})",
	)
	f.insert(t, "counters",
		"('day', 'acme', '2026-03-07', '', 'events', 'telemetry/0@T', 3, 10)",
		"('day', 'acme', '2026-03-07', '', 'events', 'telemetry/0@T', 5, 20)", // a later version of the same row
		"('day', 'acme', '2026-03-07', '', 'events', 'telemetry/1@T', 2, 7)",  // another source
		"('day', 'acme', '2026-03-07', '', 'page_views', 'telemetry/0@T', 1, 9)",
		"('day', 'acme', '2026-03-07', '', 'logins', 'telemetry/1@T', 1, 3)",
		"('day', 'acme', '2026-03-07', '', 'errors', 'telemetry/0@T', 1, 4)",
		"('day', 'acme', '2026-03-07', 'export', 'feature_uses', 'telemetry/0@T', 2, 20)",
		"('day', 'acme', '2026-03-07', 'export', 'feature_uses', 'telemetry/1@T', 1, 20)",
		"('day', 'acme', '2026-03-07', 'search', 'feature_errors', 'telemetry/0@T', 1, 20)", // an error is no use
		"('day', 'acme', '2026-03-09', '', 'events', 'telemetry/0@T', 4, 30)",
		"('day', '_canary', '2026-03-09', '', 'events', 'telemetry/0@T', 4, 30)",
	)
	f.insert(t, "member_sets",
		"('day', 'acme', '2026-03-07', '', 'users', 11, 'telemetry/0@T')",
		"('day', 'acme', '2026-03-07', '', 'users', 12, 'telemetry/0@T')",
		"('day', 'acme', '2026-03-07', '', 'users', 12, 'telemetry/1@T')",
		"('day', 'acme', '2026-03-07', '', 'active_users', 11, 'telemetry/0@T')",
		"('day', 'acme', '2026-03-09', '', 'users', 11, 'telemetry/0@T')",
		"('day', 'acme', '2026-03-09', '', 'active_users', 11, 'telemetry/0@T')",
	)
	f.insert(t, "user_minutes",
		// User 11: one minute that two sources saw, and a session over midnight.
		"('acme', '2026-03-07 10:00:00', 11, 'telemetry/0@T', '2026-03-07 10:00:00', '2026-03-07 10:00:20')",
		"('acme', '2026-03-07 10:00:00', 11, 'telemetry/1@T', '2026-03-07 10:00:10', '2026-03-07 10:00:50')",
		"('acme', '2026-03-07 23:50:00', 11, 'telemetry/0@T', '2026-03-07 23:50:00', '2026-03-07 23:50:00')",
		"('acme', '2026-03-07 23:50:00', 11, 'telemetry/0@T', '2026-03-07 23:50:00', '2026-03-07 23:50:30')",
		"('acme', '2026-03-08 00:10:00', 11, 'telemetry/0@T', '2026-03-08 00:10:00', '2026-03-08 00:10:40')",
		// User 12: half an hour to the millisecond ends a session.
		"('acme', '2026-03-07 10:00:00', 12, 'telemetry/0@T', '2026-03-07 10:00:00', '2026-03-07 10:00:00')",
		"('acme', '2026-03-07 10:30:00', 12, 'telemetry/0@T', '2026-03-07 10:30:00', '2026-03-07 10:30:00')",
	)
	f.insert(t, "source_progress",
		"('telemetry/0@T', '2026-03-10 11:59:00', 100, 100, '2026-03-09 10:00:00', 'w1')", // idle: holds nothing back
		"('telemetry/1@T', '2026-03-10 11:59:00', 50, 60, '2026-03-10 08:00:00', 'w1')",
		"('telemetry/1@Old', '2026-03-01 00:00:00', 5, 9, '2026-02-01 00:00:00', 'w1')", // the topic was made again
		"('tickets/0@K', '2026-03-10 11:59:00', 5, 9, '2026-03-01 00:00:00', 'w1')",
	)
	return f
}

// metrics.md rows 1, 4, 5, 6 and 8: logins, sessions, active time, active users, seats.
func TestUsageDay(t *testing.T) {
	f := week(t)
	const query = `SELECT account_id, toDate(window_start), events, page_views, logins, users, active_users, errors, sessions,
		session_seconds, session_seconds_avg, active_seconds, features_used, seat_utilization, complete, plan, seats
		FROM usage_day ORDER BY account_id, window_start`
	require.Equal(t, golden(`
		acme   | 2026-03-05 | 0 | 0 | 0 | 0 | 0 | 0 | 0 |    0 |    \N |   0 | 0 |    0 | true  | free | 4
		acme   | 2026-03-06 | 0 | 0 | 0 | 0 | 0 | 0 | 0 |    0 |    \N |   0 | 0 |    0 | true  | free | 4
		acme   | 2026-03-07 | 7 | 1 | 1 | 2 | 1 | 1 | 4 | 1290 | 322.5 | 380 | 1 | 0.25 | true  | free | 4
		acme   | 2026-03-08 | 0 | 0 | 0 | 0 | 0 | 0 | 0 |    0 |    \N |  40 | 0 |    0 | true  | pro  | 10
		acme   | 2026-03-09 | 4 | 0 | 0 | 1 | 1 | 0 | 0 |    0 |    \N |   0 | 0 |  0.1 | true  | pro  | 10
		acme   | 2026-03-10 | 0 | 0 | 0 | 0 | 0 | 0 | 0 |    0 |    \N |   0 | 0 |    0 | false | pro  | 10
		gone   | 2026-03-07 | 0 | 0 | 0 | 0 | 0 | 0 | 0 |    0 |    \N |   0 | 0 |    0 | true  | \N   | 1
		gone   | 2026-03-08 | 0 | 0 | 0 | 0 | 0 | 0 | 0 |    0 |    \N |   0 | 0 |   \N | true  | \N   | \N
		silent | 2026-03-08 | 0 | 0 | 0 | 0 | 0 | 0 | 0 |    0 |    \N |   0 | 0 |   \N | true  | \N   | \N
		silent | 2026-03-09 | 0 | 0 | 0 | 0 | 0 | 0 | 0 |    0 |    \N |   0 | 0 |   \N | true  | \N   | \N
		silent | 2026-03-10 | 0 | 0 | 0 | 0 | 0 | 0 | 0 |    0 |    \N |   0 | 0 |   \N | false | \N   | \N
	`), f.rows(t, query))

	t.Run("a late event bridges two sessions", func(t *testing.T) {
		f.insert(t, "user_minutes", "('acme', '2026-03-07 10:15:00', 12, 'telemetry/0@T', '2026-03-07 10:15:00', '2026-03-07 10:15:00')")
		require.Equal(t, golden(`3 | 3090 | 980`),
			f.rows(t, "SELECT sessions, session_seconds, active_seconds FROM usage_day WHERE account_id = 'acme' AND window_start = '2026-03-07'"))
		require.Equal(t, golden(`
			000000000000000b | 2026-03-07 10:00:00.000 | 2026-03-07 10:00:50.000 |   50
			000000000000000c | 2026-03-07 10:00:00.000 | 2026-03-07 10:30:00.000 | 1800
			000000000000000b | 2026-03-07 23:50:00.000 | 2026-03-08 00:10:40.000 | 1240
		`), f.rows(t, "SELECT user, started_at, ended_at, duration_seconds FROM sessions WHERE account_id = 'acme' ORDER BY started_at, user"))
	})

	t.Run("merged tables give the same", func(t *testing.T) {
		before := f.rows(t, query)
		for _, table := range []string{"counters", "member_sets", "user_minutes", "account_changes", "source_progress"} {
			f.exec(t, "OPTIMIZE TABLE "+table+"_all FINAL")
		}
		require.Equal(t, before, f.rows(t, query))
	})

	t.Run("user minutes that have expired are unknown, not zero", func(t *testing.T) {
		f.insert(t, "counters", "('day', 'acme', '2025-01-01', '', 'events', 'telemetry/0@T', 1, 1)")
		require.Equal(t, golden(`1 | \N | \N | \N`),
			f.rows(t, "SELECT events, sessions, session_seconds_avg, active_minutes FROM usage_day WHERE account_id = 'acme' AND window_start = '2025-01-01'"))
	})
}

func TestUsageOfShortWindows(t *testing.T) {
	f := week(t)
	f.insert(t, "counters",
		"('hour', 'acme', '2026-03-07 23:00:00', '', 'events', 'telemetry/0@T', 2, 10)",
		"('hour', 'old', '2025-11-01 05:00:00', '', 'events', 'telemetry/0@T', 9, 10)", // before the horizon
		"('minute', 'acme', '2026-03-10 11:59:00', '', 'events', 'telemetry/0@T', 1, 10)",
		"('minute', 'acme', '2026-03-10 12:03:00', '', 'events', 'telemetry/0@T', 1, 11)", // a clock that is fast
	)
	require.Equal(t, golden(`
		2026-03-07 22:00:00 | 2026-03-07 23:00:00 | 0 | 0 |    0 |   0 | free
		2026-03-07 23:00:00 | 2026-03-08 00:00:00 | 2 | 1 | 1240 | 330 | free
		2026-03-08 00:00:00 | 2026-03-08 01:00:00 | 0 | 0 |    0 |  40 | free
	`), f.rows(t, `SELECT window_start, window_end, events, sessions, session_seconds, active_seconds, plan FROM usage_hour
		WHERE account_id = 'acme' AND window_start BETWEEN '2026-03-07 22:00:00' AND '2026-03-08 00:00:00' ORDER BY window_start`))
	require.Equal(t, golden(`2025-11-01 05:00:00 | 9`),
		f.rows(t, "SELECT window_start, events FROM usage_hour WHERE account_id = 'old'"))
	require.Equal(t, golden(`
		2026-03-07 23:50:00 | 1 | 1240 | 330
		2026-03-08 00:10:00 | 0 |    0 |  40
	`), f.rows(t, `SELECT window_start, sessions, session_seconds, active_seconds FROM usage_minute
		WHERE account_id = 'acme' AND active_seconds > 0 AND window_start > '2026-03-07 12:00:00' ORDER BY window_start`))
	require.Equal(t, golden(`1441 | 2026-03-09 12:00:00 | 2026-03-10 12:00:00`),
		f.rows(t, "SELECT count(), min(window_start), max(window_start) FROM usage_minute WHERE account_id = 'silent'"), "every minute of a day")
	require.Equal(t, golden(`
		2026-03-10 11:59:00 | 1
		2026-03-10 12:00:00 | 0
		2026-03-10 12:03:00 | 1
	`), f.rows(t, "SELECT window_start, events FROM usage_minute WHERE account_id = 'acme' AND window_start >= '2026-03-10 11:59:00' ORDER BY window_start"))
}

func TestCompleteness(t *testing.T) {
	f := week(t)
	require.Equal(t, golden(`
		telemetry | 2026-03-10 08:00:00.000 | 2 | 1 | 10 | 2026-03-10 11:59:00.000
		tickets   | 2026-03-01 00:00:00.000 | 1 | 0 |  4 | 2026-03-10 11:59:00.000
	`), f.rows(t, "SELECT * FROM completeness ORDER BY topic"))

	// Once the busy source has caught up and been silent, both are complete up to the allowance before they were seen.
	f.insert(t, "source_progress", "('telemetry/1@T', '2026-03-10 11:59:30', 60, 60, '2026-03-10 08:00:00', 'w1')")
	require.Equal(t, golden(`2026-03-10 11:49:00.000 | 2 | 0`),
		f.rows(t, "SELECT complete_to, idle_sources, lag_records FROM completeness WHERE topic = 'telemetry'"))
}

// metrics.md row 22: users of training material against the seats.
func TestTrainingUptake(t *testing.T) {
	f := week(t)
	f.insert(t, "member_sets", "('day', 'acme', '2026-03-07', '', 'training_users', 11, 'telemetry/0@T')", "('day', 'acme', '2026-03-09', '', 'training_users', 11, 'telemetry/0@T')",
		"('day', 'acme', '2026-03-09', '', 'training_users', 12, 'telemetry/0@T')")
	require.Equal(t, golden(`
		acme   | 2 | 0.2
		silent | 0 | \N
	`), f.rows(t, "SELECT account_id, training_users, training_uptake FROM usage_28d WHERE window_end = '2026-03-11' AND account_id != 'gone' ORDER BY account_id"))
	require.Equal(t, golden(`1 | 0.25`), f.rows(t, "SELECT training_users, training_uptake FROM usage_day WHERE account_id = 'acme' AND window_start = '2026-03-07'"))
	require.Equal(t, golden(`2 | 0.2`), f.rows(t, "SELECT training_users, training_uptake FROM segment_usage_28d WHERE segment = 'smb' AND window_end = '2026-03-11'"))
}
