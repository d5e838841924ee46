package views_test

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// metrics.md row 30: the most frequent tags, by distinct accounts and by tickets.
func TestIssues(t *testing.T) {
	f := newFixture(t)
	f.insert(t, "account_changes", "('acme', '2026-03-01 00:00:00', 'accounts/0@A', 1, 0, {'segment': 'smb'})", "('bolt', '2026-03-01 00:00:00', 'accounts/0@A', 2, 0, {'segment': 'smb'})")
	ticketEvents(f, t, `
		1 2026-03-05 09:00:00 created {'tags': 'billing,login'}
		1 2026-03-05 09:00:01 tag {'to': 'escalated', 'tags': 'billing,login,escalated', 'escalation': 'tag'}
		2 2026-03-06 09:00:00 created {'tags': 'billing'}
		3 2026-03-06 10:00:00 created {'tags': 'billing'}
		4 2026-02-20 10:00:00 created {'tags': 'login'}
		5 2026-03-06 10:00:00 created
	`)
	f.insert(t, "facts", "('ticket', 'bolt', 'zendesk:9', '2026-03-08 10:00:00', 'created', 0, 77, 'tickets/0@K', 77, 0, {'tags': 'login'})")
	require.Equal(t, golden(`
		billing   | 1 | 2 | 3 | 1 | 1
		escalated | 1 | 2 | 1 | 3 | 1
		login     | 2 | 1 | 2 | 2 | 1
	`), f.rows(t, "SELECT tag, accounts, rank_by_accounts, tickets, rank_by_tickets, escalated FROM issues_7d WHERE window_end = '2026-03-11' ORDER BY tag"))
	require.Equal(t, golden(`
		billing   | 1 | 2 | 3 | 1
		escalated | 1 | 2 | 1 | 3
		login     | 2 | 1 | 3 | 1
	`), f.rows(t, "SELECT tag, accounts, rank_by_accounts, tickets, rank_by_tickets FROM segment_issues_28d WHERE window_end = '2026-03-11' AND segment = 'smb' ORDER BY tag"))
	require.Equal(t, golden(`
		acme | billing   | 2026-03-06 | 1 | 1
		acme | escalated | 2026-03-06 | 1 | 1
		acme | login     | 2026-03-06 | 1 | 1
		acme | billing   | 2026-03-07 | 3 | 1
		acme | escalated | 2026-03-07 | 1 | 2
		acme | login     | 2026-03-07 | 1 | 2
	`), f.rows(t, "SELECT account_id, tag, toDate(window_end), tickets, rank_by_tickets FROM account_issues_7d WHERE account_id = 'acme' AND window_end IN ('2026-03-06', '2026-03-07') ORDER BY window_end, tag"))
}
