package views_test

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// metrics.md rows 20 and 21: popularity of features, and their error rate.
func TestFeatures(t *testing.T) {
	f := newFixture(t)
	f.insert(t, "account_changes", "('silent', '2026-02-01 00:00:00', 'accounts/0@A', 1, 0, {'name': 'Silent'})",
		"('acme', '2026-02-01 00:00:00', 'accounts/0@A', 2, 0, {'segment': 'smb'})")
	f.insert(t, "counters",
		"('day', 'acme', '2026-02-01', '', 'events', 'telemetry/0@T', 60, 10)",
		"('day', 'acme', '2026-03-07', 'export', 'feature_uses', 'telemetry/0@T', 30, 10)",
		"('day', 'acme', '2026-03-07', 'export', 'feature_uses', 'telemetry/0@T', 40, 12)",
		"('day', 'acme', '2026-03-07', 'export', 'feature_uses', 'telemetry/1@T', 10, 10)",
		"('day', 'acme', '2026-03-07', 'export', 'feature_errors', 'telemetry/0@T', 5, 10)",
		"('day', 'acme', '2026-03-07', 'export', 'feature_duration_ms', 'telemetry/0@T', 1000, 10)",
		"('day', 'acme', '2026-03-09', 'export', 'feature_uses', 'telemetry/0@T', 19, 10)",
		"('day', 'acme', '2026-03-09', 'export', 'feature_errors', 'telemetry/0@T', 19, 10)",
		"('day', 'acme', '2026-03-09', 'search', 'feature_errors', 'telemetry/0@T', 1, 10)",
		"('day', 'bolt', '2026-03-08', 'export', 'feature_uses', 'telemetry/0@T', 1, 10)",
		"('hour', 'acme', '2026-03-07 09:00:00', 'export', 'feature_uses', 'telemetry/0@T', 2, 10)",
		"('minute', 'acme', '2026-03-07 09:01:00', 'export', 'feature_uses', 'telemetry/0@T', 1, 10)",
		"('day', '_canary', '2026-03-09', 'export', 'feature_uses', 'telemetry/0@T', 1, 10)",
	)
	f.insert(t, "member_sets",
		"('day', 'acme', '2026-03-07', 'export', 'feature_users', 11, 'telemetry/0@T')",
		"('day', 'acme', '2026-03-07', 'export', 'feature_users', 12, 'telemetry/0@T')",
		"('day', 'acme', '2026-03-07', 'export', 'feature_users', 12, 'telemetry/1@T')",
		"('day', 'acme', '2026-03-09', 'export', 'feature_users', 12, 'telemetry/0@T')",
	)
	require.Equal(t, golden(`
		acme | export | 2026-03-07 | 50 | 2 |  5 | 0.1 | 1000 | 20
		acme | export | 2026-03-09 | 19 | 1 | 19 |  \N |    0 |  0
		acme | search | 2026-03-09 |  0 | 0 |  1 |  \N |    0 | \N
		bolt | export | 2026-03-08 |  1 | 0 |  0 |  \N |    0 |  0
	`), f.rows(t, `SELECT account_id, feature, toDate(window_start), uses, users, errors, error_rate, duration_ms, duration_ms_avg
		FROM features_day ORDER BY account_id, feature, window_start`))
	require.Equal(t, golden(`2026-03-07 09:00:00 | 2026-03-07 10:00:00 | 2`), f.rows(t, "SELECT window_start, window_end, uses FROM features_hour"))
	require.Equal(t, golden(`2026-03-07 09:01:00 | 2026-03-07 09:02:00 | 1`), f.rows(t, "SELECT window_start, window_end, uses FROM features_minute"))

	// Every window with data has a row, up to the present one.
	require.Equal(t, golden(`
		export | 2026-03-08 | 50 | 2
		export | 2026-03-09 | 50 | 2
		export | 2026-03-10 | 69 | 2
		export | 2026-03-11 | 69 | 2
		search | 2026-03-10 |  0 | 0
		search | 2026-03-11 |  0 | 0
	`), f.rows(t, "SELECT feature, toDate(window_end), uses, users FROM features_7d WHERE account_id = 'acme' ORDER BY feature, window_end"))
	require.Equal(t, golden(`
		export | 2 | 3 | 0.67 | 70 | 2
		search | 0 | 3 |    0 |  0 | 0
	`), f.rows(t, `SELECT feature, accounts_using, accounts_known, round(share, 2), uses, users
		FROM feature_popularity_28d WHERE window_end = '2026-03-11' ORDER BY feature`))
	// By segment the minimum of 20 uses holds of the sums.
	require.Equal(t, golden(`
		smb | export | 2026-03-07 | 1 | 50 | 2 |  5 | 0.1 | 25 | 20
		    | export | 2026-03-08 | 1 |  1 | 0 |  0 |  \N | \N |  0
		smb | export | 2026-03-09 | 1 | 19 | 1 | 19 |  \N | 19 |  0
		smb | search | 2026-03-09 | 1 |  0 | 0 |  1 |  \N | \N | \N
	`), f.rows(t, `SELECT segment, feature, toDate(window_start), accounts, uses, users, errors, error_rate, uses_per_user, duration_ms_avg
		FROM segment_features_day ORDER BY window_start, feature`))
	require.Equal(t, golden(`
		    | export | 1 |  1 | 0 |    \N
		smb | export | 1 | 69 | 2 | 0.348
		smb | search | 1 |  0 | 0 |    \N
	`), f.rows(t, "SELECT segment, feature, accounts, uses, users, round(error_rate, 3) FROM segment_features_28d WHERE window_end = '2026-03-11' ORDER BY segment, feature"))
}

// metrics.md rows 15 and 16: completion, abandonment and time on task.
func TestWorkflows(t *testing.T) {
	f := newFixture(t)
	step := func(user, at, name string) string {
		return "('workflow', 'acme', 'report_published', '" + at + "', '" + name + "', " + user + ", cityHash64('" + at + name + "'), 'telemetry/0@T', 1, 0, {})"
	}
	f.insert(t, "facts",
		// User 1: steps out of turn, and a first step inside an open run, change nothing.
		step("1", "2026-03-01 10:00:00.000", "Report Started"),
		step("1", "2026-03-01 10:01:00.000", "Report Published"),
		step("1", "2026-03-01 10:02:00.000", "Report Configured"),
		step("1", "2026-03-01 10:03:00.000", "Report Started"),
		step("1", "2026-03-01 10:10:00.500", "Report Published"),
		step("1", "2026-03-01 10:11:00.000", "Report Started"), // the next run
		// User 2: the last step comes when the time is just over, and a start then is a new run.
		step("2", "2026-03-01 23:00:00.000", "Report Started"),
		step("2", "2026-03-01 23:30:00.000", "Report Configured"),
		step("2", "2026-03-02 23:00:00.000", "Report Published"),
		step("2", "2026-03-02 23:00:00.001", "Report Started"),
		// User 3: all in one millisecond, in whatever order they are read.
		step("3", "2026-03-02 08:00:00.000", "Report Published"),
		step("3", "2026-03-02 08:00:00.000", "Report Configured"),
		step("3", "2026-03-02 08:00:00.000", "Report Started"),
		// User 4: still open now.
		step("4", "2026-03-10 11:00:00.000", "Report Started"),
		"('workflow', '_canary', 'report_published', '2026-03-10 11:00:00', 'Report Started', 1, 1, 'telemetry/0@T', 1, 0, {})",
	)
	require.Equal(t, golden(`
		0000000000000001 | 2026-03-01 10:00:00.000 | 2026-03-01 10:10:00.500 | 3 | 2026-03-01 10:10:00.500 | completed | 600.5
		0000000000000001 | 2026-03-01 10:11:00.000 | \N                      | 1 | 2026-03-01 10:11:00.000 | abandoned | \N
		0000000000000002 | 2026-03-01 23:00:00.000 | \N                      | 2 | 2026-03-01 23:30:00.000 | abandoned | \N
		0000000000000002 | 2026-03-02 23:00:00.001 | \N                      | 1 | 2026-03-02 23:00:00.001 | abandoned | \N
		0000000000000003 | 2026-03-02 08:00:00.000 | 2026-03-02 08:00:00.000 | 3 | 2026-03-02 08:00:00.000 | completed | 0
		0000000000000004 | 2026-03-10 11:00:00.000 | \N                      | 1 | 2026-03-10 11:00:00.000 | open      | \N
	`), f.rows(t, "SELECT user, started_at, completed_at, step_reached, last_step_at, state, task_seconds FROM workflow_runs ORDER BY user, started_at"))
	require.Equal(t, golden(`
		report_published | 2026-03-01 | 3 | 1 | 2 | 0.3333333333333333 | 600.5 | 600.5
		report_published | 2026-03-02 | 2 | 1 | 1 |                0.5 |     0 |     0
		report_published | 2026-03-10 | 1 | 0 | 0 |                  0 |     0 |    \N
	`), f.rows(t, `SELECT workflow, toDate(window_start), started, completed, abandoned, completion_rate, task_seconds, task_seconds_avg
		FROM workflows_day ORDER BY window_start`))
	f.insert(t, "account_changes", "('acme', '2026-03-02 12:00:00', 'accounts/0@A', 1, 0, {'segment': 'smb'})")
	require.Equal(t, golden(`
		    | report_published | 2026-03-01 | 1 | 3 | 1 | 2 | 0.3333333333333333 | 600.5
		smb | report_published | 2026-03-02 | 1 | 2 | 1 | 1 |                0.5 |     0
		smb | report_published | 2026-03-10 | 1 | 1 | 0 | 0 |                  0 |    \N
	`), f.rows(t, `SELECT segment, workflow, toDate(window_start), accounts, started, completed, abandoned, completion_rate, task_seconds_avg
		FROM segment_workflows_day ORDER BY window_start`))
	require.Equal(t, golden(`smb | 5 | 2 | 0.4`),
		f.rows(t, "SELECT segment, started, completed, completion_rate FROM segment_workflows_7d WHERE window_end = '2026-03-03'"))
	require.Equal(t, golden(`2026-03-01 10:00:00 | 2 | 1 | 1`),
		f.rows(t, "SELECT window_start, started, completed, abandoned FROM workflows_hour WHERE window_start = '2026-03-01 10:00:00'"))
	require.Equal(t, golden(`
		2026-03-02 | 3 | 1 | 600.5
		2026-03-03 | 5 | 2 | 600.5
		2026-03-09 | 2 | 1 |     0
		2026-03-11 | 1 | 0 |     0
	`), f.rows(t, `SELECT toDate(window_end), started, completed, task_seconds FROM workflows_7d
		WHERE window_end IN ('2026-03-02', '2026-03-03', '2026-03-09', '2026-03-10', '2026-03-11') ORDER BY window_end`))

	// What is not in yet may still complete a run: the watermark decides, where there is one.
	f.insert(t, "source_progress", "('telemetry/0@T', '2026-03-10 11:59:00', 50, 60, '2026-03-02 23:00:00.001', 'w1')")
	require.Equal(t, golden(`2026-03-02 23:00:00.001`), f.rows(t, "SELECT min(started_at) FROM workflow_runs WHERE state = 'open'"))
}
