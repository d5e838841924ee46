package views_test

import (
	"testing"

	"github.com/stretchr/testify/require"
)

const transition = "INSERT INTO alert_transitions (id, alert_id, seq, kind, rule, account_id, episode, severity, level, value, at, known_at, final, playbook, owner, payload) VALUES "

// An alert fires until its last transition ends it; of repeats the first one that was known holds (metrics.md rows 10, 11 and 29).
func TestAlerts(t *testing.T) {
	f := newFixture(t)
	f.exec(t, transition+`
		('t1', 'a', 1, 'fired', 'r', 'acme', 1, 'warning', 1, 3, '2026-03-10 10:00:00', '2026-03-10 10:00:01', false, 'call', 'ann', '{"n":1}'),
		('t1', 'a', 1, 'fired', 'r', 'acme', 1, 'warning', 1, 4, '2026-03-10 11:00:00', '2026-03-10 11:00:01', false, 'call', 'ann', '{"n":9}'),
		('t2', 'a', 2, 'level', 'r', 'acme', 1, 'warning', 2, 5, '2026-03-10 12:00:00', '2026-03-10 12:00:01', true, 'call', 'ann', '{"n":2}'),
		('t3', 'b', 1, 'fired', 'r', 'beta', 1, 'page', 0, NULL, '2026-03-10 10:00:00', '2026-03-10 10:00:01', true, '', '', '{}'),
		('t4', 'b', 2, 'resolved', 'r', 'beta', 1, 'page', 0, NULL, '2026-03-11 10:00:00', '2026-03-11 10:00:01', true, '', '', '{}')`)
	require.Equal(t, golden(`
		a | r | acme | 1 | warning | call | ann | 2 | 5 | 2026-03-10 10:00:00.000 | 2026-03-10 10:00:01.000 | 2026-03-10 12:00:01.000 | true | {"n":2}
	`), f.rows(t, "SELECT alert_id, rule, account_id, episode, severity, playbook, owner, level, value, fired_at, fired_known_at, changed_at, is_final, evidence FROM alerts"))
	require.Equal(t, golden(`
		a | 1 | fired | 3
		a | 2 | level | 5
		b | 1 | fired | \N
		b | 2 | resolved | \N
	`), f.rows(t, "SELECT alert_id, seq, kind, value FROM alert_history ORDER BY alert_id, seq"))
}
