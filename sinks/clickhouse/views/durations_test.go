package views_test

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// metrics.md row 4: p50 and p95 of the sessions' lengths.
func TestSessionLengths(t *testing.T) {
	f := week(t) // sessions on March 7th: 50 s, 0 s, 0 s and, over midnight, 1240 s
	f.insert(t, "user_minutes", "('acme', '2026-03-09 10:00:00', 12, 'telemetry/0@T', '2026-03-09 10:00:00', '2026-03-09 10:00:10')")
	// Of 0, 0, 50 and 1240: half way between 0 and 50; 0.85 of the way from 50 to 1240. Of five with 10: 10, and 0.8 of that way.
	require.Equal(t, golden(`
		acme | 2026-03-07 | 4 | 25 | 1061.5
		acme | 2026-03-09 | 1 | 10 | 10
	`), f.rows(t, "SELECT account_id, toDate(window_start), sessions, session_seconds_p50, round(session_seconds_p95, 3) FROM session_lengths_day ORDER BY window_start"))
	require.Equal(t, golden(`
		2026-03-08 | 4 | 25 | 1061.5 | true
		2026-03-09 | 4 | 25 | 1061.5 | true
		2026-03-10 | 5 | 10 | 1002   | true
		2026-03-11 | 5 | 10 | 1002   | false
	`), f.rows(t, "SELECT toDate(window_end), sessions, session_seconds_p50, round(session_seconds_p95, 3), complete FROM session_lengths_28d ORDER BY window_end"))
	require.Equal(t, golden(`smb | 5 | 10 | 1002`), f.rows(t, "SELECT segment, sessions, session_seconds_p50, round(session_seconds_p95, 3) FROM segment_session_lengths_28d WHERE window_end = '2026-03-10'"))
}

// metrics.md row 16: p50 and p95 of the time on task, and what is abandoned.
func TestTaskTimes(t *testing.T) {
	f := newFixture(t)
	step := func(account, user, at, name string) string {
		return "('workflow', '" + account + "', 'report_published', '2026-03-0" + at + "', '" + name + "', " + user + ", cityHash64('" + at + name + "'), 'telemetry/0@T', 1, 0, {})"
	}
	f.insert(t, "account_changes", "('acme', '2026-03-01 00:00:00', 'accounts/0@A', 1, 0, {'segment': 'smb'})", "('bolt', '2026-03-01 00:00:00', 'accounts/0@A', 2, 0, {'segment': 'smb'})")
	f.insert(t, "facts",
		step("acme", "1", "1 10:00:00", "Report Started"), step("acme", "1", "1 10:00:30", "Report Configured"), step("acme", "1", "1 10:01:00", "Report Published"), // 60 s
		step("acme", "2", "3 10:00:00", "Report Started"), step("acme", "2", "3 10:00:30", "Report Configured"), step("acme", "2", "3 10:02:40", "Report Published"), // 160 s
		step("acme", "3", "3 10:00:00", "Report Started"),                                                                                                            // abandoned
		step("bolt", "4", "3 10:00:00", "Report Started"), step("bolt", "4", "3 10:00:30", "Report Configured"), step("bolt", "4", "3 10:10:00", "Report Published"), // 600 s
	)
	require.Equal(t, golden(`
		acme | 2026-03-03 | 1 |  60 |  60
		acme | 2026-03-04 | 2 | 110 | 155
		acme | 2026-03-09 | 2 | 110 | 155
		bolt | 2026-03-04 | 1 | 600 | 600
		bolt | 2026-03-09 | 1 | 600 | 600
	`), f.rows(t, `SELECT account_id, toDate(window_end), completed, task_seconds_p50, round(task_seconds_p95, 3) FROM task_times_28d
		WHERE window_end IN ('2026-03-03', '2026-03-04', '2026-03-09') ORDER BY account_id, window_end`))
	require.Equal(t, golden(`smb | report_published | 3 | 160 | 556`),
		f.rows(t, "SELECT segment, workflow, completed, task_seconds_p50, round(task_seconds_p95, 3) FROM segment_task_times_28d WHERE window_end = '2026-03-11'"))
	require.Equal(t, golden(`acme | 3 | 1 | 0.3333333333333333`),
		f.rows(t, "SELECT account_id, started, abandoned, abandonment_rate FROM workflows_28d WHERE account_id = 'acme' AND window_end = '2026-03-11'"))
}

// metrics.md row 27: first reply and resolution, p50 and p95, per priority.
func TestTicketTimes(t *testing.T) {
	f := newFixture(t)
	f.insert(t, "account_changes", "('acme', '2026-03-01 00:00:00', 'accounts/0@A', 1, 0, {'segment': 'smb'})")
	ticketEvents(f, t, `
		1 2026-03-05 09:00:00 created {'priority': 'p1'}
		1 2026-03-05 09:01:00 replied_agent
		1 2026-03-05 09:10:00 solved
		2 2026-03-05 10:00:00 created {'priority': 'p1'}
		2 2026-03-05 10:03:00 replied_agent
		3 2026-03-06 10:00:00 created {'priority': 'p3'}
		3 2026-03-06 11:00:00 replied_agent
		3 2026-03-07 10:00:00 solved
		4 2026-03-06 10:00:00 created {'priority': 'p3'}
	`)
	require.Equal(t, golden(`
		p1 | 2026-03-06 | 2 | 1 |  120 |  174 |   600 |   600
		p1 | 2026-03-07 | 2 | 1 |  120 |  174 |   600 |   600
		p3 | 2026-03-07 | 1 | 1 | 3600 | 3600 | 86400 | 86400
	`), f.rows(t, `SELECT priority, toDate(window_end), replied, resolved, first_reply_seconds_p50, round(first_reply_seconds_p95, 3), resolution_seconds_p50, round(resolution_seconds_p95, 3)
		FROM ticket_times_by_priority_28d WHERE window_end IN ('2026-03-06', '2026-03-07') ORDER BY priority, window_end`))
	// 60, 180 and 3600 s; 600 and 86400 s.
	require.Equal(t, golden(`acme | 3 | 2 | 180 | 3258 | 43500 | 82110`),
		f.rows(t, `SELECT account_id, replied, resolved, first_reply_seconds_p50, round(first_reply_seconds_p95, 3), resolution_seconds_p50, round(resolution_seconds_p95, 3)
			FROM ticket_times_28d WHERE window_end = '2026-03-11'`))
	require.Equal(t, golden(`2026-03-05 | 120 | 600`),
		f.rows(t, "SELECT toDate(window_start), first_reply_seconds_p50, resolution_seconds_p50 FROM segment_ticket_times_day WHERE segment = 'smb' AND window_start < '2026-03-06'"))
	require.Equal(t, golden(`p1 | 120`), f.rows(t, "SELECT priority, first_reply_seconds_p50 FROM segment_ticket_times_by_priority_28d WHERE window_end = '2026-03-11' AND priority = 'p1'"))
}
