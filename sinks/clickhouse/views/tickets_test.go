package views_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// ticketEvents writes facts of tickets, one a line: ticket, time, kind and attributes.
func ticketEvents(f fixture, t *testing.T, text string) {
	t.Helper()
	var rows []string
	for line := range strings.Lines(strings.TrimSpace(text)) {
		fields := strings.SplitN(strings.TrimSpace(line), " ", 5)
		attributes := "{}"
		if len(fields) == 5 {
			attributes = fields[4]
		}
		rows = append(rows, fmt.Sprintf("('ticket', 'acme', 'zendesk:%s', '%s %s', '%s', 0, %d, 'tickets/0@K', %d, 0, %s)",
			fields[0], fields[1], fields[2], fields[3], len(rows), len(rows), attributes))
	}
	f.insert(t, "facts", rows...)
}

// metrics.md rows 27 and 28: volume, backlog and times of tickets, and escalations.
func TestTickets(t *testing.T) {
	f := newFixture(t)
	f.insert(t, "account_changes", "('acme', '2026-03-04 00:00:00', 'accounts/0@A', 1, 0, {'name': 'Acme', 'segment': 'smb'})",
		"('silent', '2026-03-10 00:00:00', 'accounts/0@A', 1, 0, {'name': 'Silent'})")
	ticketEvents(f, t, `
		1 2026-03-05 09:00:00 created {'priority': 'p3', 'status': 'new', 'channel': 'email', 'tags': 'billing,vip', 'requester_id': 'r1'}
		1 2026-03-05 09:30:00 replied_customer
		1 2026-03-05 10:00:00 replied_agent
		1 2026-03-05 11:00:00 priority {'from': 'p3', 'to': 'p1', 'escalation': 'priority'}
		1 2026-03-05 12:00:00 solved
		1 2026-03-06 12:00:00 status {'from': 'solved', 'to': 'open'}
		1 2026-03-07 12:00:00 status {'from': 'open', 'to': 'solved'}
		2 2026-03-05 08:00:00 created
		2 2026-03-05 09:00:00 solved
		2 2026-03-05 10:00:00 reopened
		2 2026-03-05 11:00:00 solved
		2 2026-03-06 10:00:00 reopened
		2 2026-03-06 11:00:00 status {'to': 'pending'}
		2 2026-03-06 11:30:00 tag {'to': 'escalated', 'tags': 'escalated', 'escalation': 'tag'}
		3 2026-03-07 00:00:00 created
		3 2026-03-08 00:00:00 merged
		4 2026-03-08 07:00:00 replied_agent
		4 2026-03-08 07:00:01 solved
	`)
	require.Equal(t, golden(`
		1 | 2026-03-05 09:00:00.000 | 2026-03-05 10:00:00.000 | 2026-03-07 12:00:00.000 | 1 | 2026-03-05 11:00:00.000 | 2026-03-05 11:00:00.000 | 1 | false | 3600 | 183600
		2 | 2026-03-05 08:00:00.000 | \N                      | \N                      | 2 | 2026-03-06 10:00:00.000 | 2026-03-06 11:30:00.000 | 2 | true  |   \N |     \N
		3 | 2026-03-07 00:00:00.000 | \N                      | \N                      | 0 | \N                      | \N                      | 0 | false |   \N |     \N
		4 | \N                      | \N                      | 2026-03-08 07:00:01.000 | 0 | \N                      | \N                      | 0 | false |   \N |     \N
	`), f.rows(t, `SELECT ticket_id, opened_at, first_reply_at, solved_at, reopened, escalated_at, last_escalated_at, escalations, is_open,
			first_reply_seconds, resolution_seconds FROM tickets ORDER BY ticket_id`))
	require.Equal(t, golden(`
		1 | zendesk | p1 | solved  | email | ['billing','vip'] | r1 | 2026-03-07 12:00:00.000
		2 | zendesk |    | pending |       | ['escalated']     |    | 2026-03-06 11:30:00.000
		3 | zendesk |    | merged  |       | []                |    | 2026-03-08 00:00:00.000
		4 | zendesk |    | solved  |       | []                |    | 2026-03-08 07:00:01.000
	`), f.rows(t, "SELECT ticket_id, source, priority, status, channel, tags, requester_id, updated_at FROM tickets ORDER BY ticket_id"))

	// The backlog is as of the window's end, that instant included: ticket 3 is in that of the 6th, and out of the 7th's.
	require.Equal(t, golden(`
		acme   | 2026-03-04 | 0 | 0 | 0 | 0 | 0 |   \N |     \N
		acme   | 2026-03-05 | 2 | 2 | 1 | 1 | 0 | 3600 | 183600
		acme   | 2026-03-06 | 0 | 0 | 2 | 1 | 3 |   \N |     \N
		acme   | 2026-03-07 | 1 | 1 | 0 | 0 | 1 |   \N |     \N
		acme   | 2026-03-08 | 0 | 1 | 0 | 0 | 1 |   \N |     \N
		acme   | 2026-03-09 | 0 | 0 | 0 | 0 | 1 |   \N |     \N
		acme   | 2026-03-10 | 0 | 0 | 0 | 0 | 1 |   \N |     \N
		silent | 2026-03-10 | 0 | 0 | 0 | 0 | 0 |   \N |     \N
	`), f.rows(t, `SELECT account_id, toDate(window_start), opened, solved, reopened, escalated, backlog, first_reply_seconds_avg, resolution_seconds_avg
		FROM support_day ORDER BY account_id, window_start`))
	require.Equal(t, golden(`
		2026-03-05 08:00:00 | 1 | 0 | 1
		2026-03-05 09:00:00 | 1 | 1 | 2
		2026-03-05 10:00:00 | 0 | 0 | 1
		2026-03-05 11:00:00 | 0 | 1 | 0
		2026-03-05 12:00:00 | 0 | 1 | 0
	`), f.rows(t, `SELECT window_start, opened, solved, backlog FROM support_hour
		WHERE account_id = 'acme' AND window_start BETWEEN '2026-03-05 08:00:00' AND '2026-03-05 12:00:00' ORDER BY window_start`))
	require.Equal(t, golden(`2026-03-05 11:00:00 | 1 | 1`),
		f.rows(t, "SELECT window_start, escalated, solved FROM support_minute WHERE account_id = 'acme' AND escalated > 0 AND window_start < '2026-03-06'"))
	// Over seven days ticket 2, solved twice and escalated twice, counts once each.
	require.Equal(t, golden(`
		2026-03-06 | 2 | 2 | 1 | 1 | 0 | 3600 | 183600
		2026-03-07 | 2 | 2 | 2 | 2 | 3 | 3600 | 183600
		2026-03-11 | 3 | 3 | 2 | 2 | 1 | 3600 | 183600
	`), f.rows(t, `SELECT toDate(window_end), opened, solved, reopened, escalated, backlog, first_reply_seconds_avg, resolution_seconds_avg
		FROM support_7d WHERE account_id = 'acme' AND window_end IN ('2026-03-06', '2026-03-07', '2026-03-11') ORDER BY window_end`))
	require.Equal(t, golden(`
		smb | 2026-03-06 | 1 | 0 | 0 | 2 | 1 | 3 | 1
		    | 2026-03-10 | 1 | 0 | 0 | 0 | 0 | 0 | 0
		smb | 2026-03-10 | 1 | 0 | 0 | 0 | 0 | 1 | 0
	`), f.rows(t, `SELECT segment, toDate(window_start), accounts, opened, solved, reopened, escalated, backlog, accounts_escalated
		FROM segment_support_day WHERE window_start IN ('2026-03-06', '2026-03-10') ORDER BY window_start, segment`))
	require.Equal(t, golden(`
		    | 1 | 0 | 0 | 0 | 0 | 0 | 0
		smb | 1 | 3 | 3 | 2 | 2 | 1 | 1
	`), f.rows(t, "SELECT segment, accounts, opened, solved, reopened, escalated, backlog, accounts_escalated FROM segment_support_30d WHERE window_end = '2026-03-11' ORDER BY segment"))
	require.Equal(t, golden(`3 | 3 | 2 | 2 | 1`),
		f.rows(t, "SELECT opened, solved, reopened, escalated, backlog FROM support_28d WHERE account_id = 'acme' AND window_end = '2026-03-11'"))
}
