package views_test

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// What waits has a row without having one in the table; the last version of a delivery holds.
func TestDeliveries(t *testing.T) {
	f := newFixture(t)
	f.exec(t, `INSERT INTO alert_transitions (id, alert_id, seq, kind, rule, account_id, episode, at, known_at, not_before, targets) VALUES
		('t1', 'a', 1, 'fired', 'r', 'acme', 1, '2026-03-10 10:00:00', '2026-03-10 10:00:01', 0, ['crm', 'chat']),
		('t1', 'a', 1, 'fired', 'r', 'acme', 1, '2026-03-10 10:00:00', '2026-03-10 10:00:02', 0, ['crm', 'chat']),
		('t2', 'a', 2, 'resolved', 'r', 'acme', 1, '2026-03-10 11:00:00', '2026-03-10 11:00:01', '2026-03-11 08:00:00', ['crm', 'chat']),
		('t3', 'b', 1, 'fired', 'r', 'beta', 1, '2026-03-10 10:00:00', '2026-03-10 10:00:03', 0, [])`)
	row := func(target, id, outcome, attempt, next, version string) {
		f.exec(t, `INSERT INTO deliveries (target, alert_id, id, message_id, outcome, attempt, first_at, at, next_at, status, detail, version) VALUES
			('`+target+`', 'a', '`+id+`', '`+id+`', '`+outcome+`', `+attempt+`, '2026-03-10 10:00:05', '2026-03-10 10:00:06', `+next+`, 500, 'HTTP 500', `+version+`)`)
	}
	row("crm", "t1", "delivered", "2", "0", "3")
	row("crm", "t1", "pending", "1", "'2026-03-10 10:00:11'", "2")
	row("chat", "t1", "pending", "1", "'2026-03-10 12:05:00'", "2")
	f.exec(t, "INSERT INTO delivery_targets VALUES ('chat', 'x', true, 'HTTP 410', '2026-03-10 11:00:00'), ('crm', 'x', true, 'HTTP 410', '2026-03-10 10:00:00'), ('crm', '', false, '', '2026-03-10 11:00:00')")
	require.Equal(t, golden(`
		chat | t1 | t1 | pending | 1 | 2026-03-10 12:05:00.000 | 500
		chat | t2 |  | quiet | 0 | 2026-03-11 08:00:00.000 | 0
		crm | t1 | t1 | delivered | 2 | \N | 500
		crm | t2 |  | quiet | 0 | 2026-03-11 08:00:00.000 | 0
	`), f.rows(t, "SELECT target, id, message_id, outcome, attempts, next_at, status FROM alert_deliveries ORDER BY target, id"))
	require.Equal(t, golden(`
		chat | 1 | 2026-03-10 10:00:01.000 | 0 | \N | 0 | true | HTTP 410
		crm | 0 | \N | 1 | 2026-03-10 10:00:06.000 | 0 | false | 
	`), f.rows(t, "SELECT target, waiting, oldest_waiting_at, delivered, last_delivered_at, dead, is_disabled, disabled_reason FROM alert_targets ORDER BY target"))
}
