package views_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

// metrics.md row 18: time from creation to the first value event, to the precision of the shortest window that is kept.
func TestFirstValue(t *testing.T) {
	f := newFixture(t)
	account := func(id, created string) string {
		return "('" + id + "', '2026-03-01 00:00:00', 'accounts/0@A', 1, 0, {'name': 'N', 'segment': 'smb', 'created_at': '" + created + "'})"
	}
	f.insert(t, "account_changes", account("minute", "2026-03-05T10:00:00Z"), account("hour", "2026-01-05T10:00:00Z"), account("day", "2024-06-01T10:00:00Z"),
		account("never", "2026-03-05T12:00:00Z"), account("undated", ""), account("early", "2026-03-05T12:00:00Z"))
	f.insert(t, "member_sets",
		"('day', 'minute', '2026-03-06', '', 'active_users', 1, 'telemetry/0@T')", "('day', 'minute', '2026-03-05', '', 'users', 1, 'telemetry/0@T')", // any event is no value
		"('hour', 'minute', '2026-03-06 09:00:00', '', 'active_users', 1, 'telemetry/0@T')", "('hour', 'minute', '2026-03-06 11:00:00', '', 'active_users', 1, 'telemetry/0@T')",
		"('minute', 'minute', '2026-03-06 09:10:00', '', 'active_users', 1, 'telemetry/0@T')", "('minute', 'minute', '2026-03-06 11:10:00', '', 'active_users', 1, 'telemetry/1@T')",
		"('day', 'hour', '2026-01-06', '', 'active_users', 1, 'telemetry/0@T')", "('hour', 'hour', '2026-01-06 09:00:00', '', 'active_users', 1, 'telemetry/0@T')",
		"('minute', 'hour', '2026-03-06 11:10:00', '', 'active_users', 1, 'telemetry/1@T')", // long after the first one
		"('day', 'day', '2024-06-03', '', 'active_users', 1, 'telemetry/0@T')", "('hour', 'day', '2026-01-06 09:00:00', '', 'active_users', 1, 'telemetry/0@T')",
		"('day', 'undated', '2026-03-06', '', 'active_users', 1, 'telemetry/0@T')",
		"('day', 'early', '2026-03-05', '', 'active_users', 1, 'telemetry/0@T')",
	)
	require.Equal(t, golden(`
		day     | 2024-06-03 00:00:00.000 | day    | 136800 | 55908000 | true
		early   | 2026-03-05 00:00:00.000 | day    |      0 |   432000 | true
		hour    | 2026-01-06 09:00:00.000 | hour   |  82800 |  5536800 | true
		minute  | 2026-03-06 09:10:00.000 | minute |  83400 |   439200 | true
		never   | \N                      | \N     |     \N |   432000 | false
		undated | 2026-03-06 00:00:00.000 | day    |     \N |       \N | true
	`), f.rows(t, "SELECT account_id, first_value_at, precision, time_to_value_seconds, age_seconds, is_reached FROM first_value ORDER BY account_id"))
	require.Equal(t, golden(`
		smb | 2024-06-01 00:00:00 | 2024-07-01 00:00:00 | 1 | 1 | 1      | 136800
		smb | 2026-01-01 00:00:00 | 2026-02-01 00:00:00 | 1 | 1 | 1      | 82800
		smb | 2026-03-01 00:00:00 | 2026-04-01 00:00:00 | 3 | 2 | 0.6667 | 41700
	`), f.rows(t, `SELECT segment, window_start, window_end, accounts, reached, round(reached_share, 4), time_to_value_seconds_p50 FROM segment_first_value_month ORDER BY window_start`))
}

// metrics.md row 17: how much of the checklist is done, and who is stuck.
func TestOnboarding(t *testing.T) {
	f := newFixture(t)
	account := func(id, created string) string {
		return "('" + id + "', '2026-03-01 00:00:00', 'accounts/0@A', 1, 0, {'segment': 'smb', 'created_at': '" + created + "'})"
	}
	f.insert(t, "account_changes", account("done", "2026-03-01T00:00:00Z"), account("open", "2026-03-01T00:00:00Z"), account("stalled", "2026-02-01T00:00:00Z"), account("fresh", "2026-03-09T00:00:00Z"))
	step := func(account, at, name string) string {
		return "('workflow', '" + account + "', 'report_published', '" + at + "', '" + name + "', 1, cityHash64('" + at + name + "'), 'telemetry/0@T', 1, 0, {})"
	}
	f.insert(t, "facts",
		step("done", "2026-03-04 12:00:00", "Report Started"), step("done", "2026-03-04 11:00:00", "Report Published"), // in any order
		step("done", "2026-03-03 12:00:00", "Report Configured"), step("done", "2026-03-08 12:00:00", "Report Started"),
		step("open", "2026-03-02 00:00:00", "Report Started"),
		step("stalled", "2026-02-10 00:00:00", "Report Configured"),
		step("_canary", "2026-02-10 00:00:00", "Report Configured"))
	require.Equal(t, golden(`
		done    | 3 | 3 | 1      | 2026-03-04 12:00:00.000 | 2026-03-04 12:00:00.000 | 3.5 | done    | \N
		fresh   | 3 | 0 | 0      | \N                      | \N                      | \N  | open    | report_started
		open    | 3 | 1 | 0.3333 | 2026-03-02 00:00:00.000 | \N                      | \N  | open    | report_configured
		stalled | 3 | 1 | 0.3333 | 2026-02-10 00:00:00.000 | \N                      | \N  | stalled | report_started
	`), f.rows(t, "SELECT account_id, items_total, items_done, round(progress, 4), last_item_at, completed_at, days_to_complete, state, next_item FROM onboarding ORDER BY account_id"))
	require.Equal(t, golden(`
		report_started    | 1 | 2026-03-04 12:00:00.000 | true
		report_configured | 2 | 2026-03-03 12:00:00.000 | true
		report_published  | 3 | 2026-03-04 11:00:00.000 | true
	`), f.rows(t, "SELECT item, position, done_at, is_done FROM onboarding_items WHERE account_id = 'done' ORDER BY position"))
	require.Equal(t, golden(`
		smb | 2026-02-01 00:00:00 | 1 | 0 | 1 | 0.3333 | \N
		smb | 2026-03-01 00:00:00 | 3 | 1 | 0 | 0.4444 | 3.5
	`), f.rows(t, "SELECT segment, window_start, accounts, done, stalled, round(progress_avg, 4), days_to_complete_p50 FROM segment_onboarding_month ORDER BY window_start"))
}

// exportsAreValue is a catalogue by which exports bring value to accounts of one segment.
const exportsAreValue = `
active_when: {exporting: {type: [track], event: [Data Exported]}}
metrics: [{name: exporters, view: usage, match: {active: exporting}, aggregate: distinct, unit: users, description: Users who export., decision: Teach the others., owner: customer success}]
segments: [{name: exporting, description: They buy exports., where: {plan: exports}}]
targets: {segments: {exporting: {value_when: exporting}}}
`

// metrics.md rows 2, 18 and 33: what brings value differs by segment. ann of acme exports on the 3rd, and is active on four days; so is bob of other, who exports
// on none. The segment is that of now.
func TestValueOfSegments(t *testing.T) {
	f := newFixture(t)
	f.use(t, ownCatalogue(t, exportsAreValue))
	f.insert(t, "account_changes",
		"('acme', '2026-03-01 00:00:00', 'accounts/0@A', 1, 0, {'created_at': '2026-03-01T00:00:00Z', 'plan': 'free'})",
		"('acme', '2026-03-08 00:00:00', 'accounts/0@A', 2, 0, {'plan': 'exports'})",
		"('other', '2026-03-01 00:00:00', 'accounts/0@A', 3, 0, {'created_at': '2026-03-01T00:00:00Z'})")
	f.insert(t, "member_sets", activeOn("acme", 1, 2, 3, 4, 5)...)
	f.insert(t, "member_sets", activeOn("other", 2, 2, 3, 4, 5)...)
	f.insert(t, "member_sets", "('day', 'acme', '2026-03-03', '', 'exporters', 1, 'telemetry/0@T')")
	require.Equal(t, golden(`
		acme  | 1 | 1 | 1 | 1 | monthly
		other | 4 | 1 | 4 | 1 | weekly
	`), f.rows(t, "SELECT account_id, active_days, active_users, active_user_days, users_weekly + users_monthly, band FROM frequency_28d WHERE window_end = '2026-03-11' ORDER BY account_id"))
	require.Equal(t, golden(`
		acme  | 2026-03-03
		other | 2026-03-02
	`), f.rows(t, "SELECT account_id, toDate(first_value_at) FROM first_value ORDER BY account_id"))
	require.Equal(t, golden(`
		          | 2026-03-02 | 1
		exporting | 2026-03-02 | 1
	`), f.rows(t, "SELECT segment, toDate(window_start), accounts FROM segment_account_cohorts_week WHERE age = 0 ORDER BY segment"))
	require.Equal(t, golden(`
		acme  | 2026-03-03 | 1
		other | 2026-03-05 | 4
	`), f.rows(t, "SELECT account_id, last_value_day, active_days_28d FROM portfolio ORDER BY account_id"))
}

// metrics.md rows 2 and 33: both accounts are active on February 5th and March 4th. What acme buys are exports, of which the last was in February: it is lost by behaviour.
func TestChurnOfSegmentsByTheirValue(t *testing.T) {
	f := newFixture(t)
	f.use(t, ownCatalogue(t, exportsAreValue))
	f.insert(t, "account_changes",
		"('acme', '2026-01-01 00:00:00', 'accounts/0@A', 1, 0, {'created_at': '2026-01-01T00:00:00Z', 'plan': 'exports', 'mrr': '100'})",
		"('other', '2026-01-01 00:00:00', 'accounts/0@A', 2, 0, {'created_at': '2026-01-01T00:00:00Z', 'mrr': '100'})")
	for _, account := range []string{"acme", "other"} {
		f.insert(t, "member_sets",
			fmt.Sprintf("('day', '%s', '2026-02-05', '', 'active_users', 1, 'telemetry/0@T')", account),
			fmt.Sprintf("('day', '%s', '2026-03-04', '', 'active_users', 1, 'telemetry/0@T')", account),
			fmt.Sprintf("('day', '%s', '2026-02-05', '', 'exporters', 1, 'telemetry/0@T')", account))
	}
	require.Equal(t, golden(`
		acme  | exporting | true | true
		other |           | true | false
	`), f.rows(t, "SELECT account_id, segment, was_active, is_inactive FROM account_months WHERE window_start = '2026-03-01' ORDER BY account_id"))
	require.Equal(t, golden(`
		          | 1 | 0 | 0
		exporting | 1 | 1 | 1
	`), f.rows(t, "SELECT segment, accounts_active, accounts_inactive, behavioural_churn_rate FROM segment_churn_month WHERE window_start = '2026-03-01' ORDER BY segment"))
}
