package views_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"tidemark/sinks/clickhouse/views"
)

// metrics.md row 32: membership of segments, by the catalogue's predicates, with when it was entered and left.
func TestSegmentMemberships(t *testing.T) {
	f := newFixture(t)
	require.NoError(t, views.Apply(t.Context(), f.db, catalogue(t, "segments:\n  - {name: ent, description: Big ones., where: {seats: {min: 100}}}\n"), f.options()))
	f.insert(t, "account_changes",
		"('a', '2026-01-10 00:00:00', 'accounts/0@A', 1, 0, {'segment': 'smb', 'seats': '10'})",
		"('a', '2026-02-01 00:00:00', 'accounts/0@A', 2, 0, {'plan': 'pro'})", // no change of the segment
		"('a', '2026-02-10 12:00:00', 'accounts/0@A', 3, 0, {'seats': '100'})",
		"('a', '2026-03-01 00:00:00', 'accounts/0@A', 4, 0, {'seats': '99'})",
		"('gone', '2026-02-01 00:00:00', 'accounts/0@A', 5, 0, {'segment': 'smb'})",
		"('gone', '2026-02-05 00:00:00', 'accounts/0@A', 6, 1, {})",
		"('none', '2026-02-01 00:00:00', 'accounts/0@A', 7, 0, {'name': 'N'})")
	require.Equal(t, golden(`
		a    | smb | 2026-01-10 00:00:00.000 | 2026-02-10 12:00:00.000 | 31.5 | \N  | ent
		a    | ent | 2026-02-10 12:00:00.000 | 2026-03-01 00:00:00.000 | 18.5 | smb | smb
		a    | smb | 2026-03-01 00:00:00.000 | \N                      | 9.5  | ent | \N
		gone | smb | 2026-02-01 00:00:00.000 | 2026-02-05 00:00:00.000 | 4    | \N  | \N
		none |     | 2026-02-01 00:00:00.000 | \N                      | 37.5 | \N  | \N
	`), f.rows(t, "SELECT account_id, segment, entered_at, left_at, days, came_from, went_to FROM segment_memberships ORDER BY account_id, entered_at"))
	require.Equal(t, golden(`
		2026-01-01 | 1 | 0
		2026-02-01 | 1 | 2
		2026-03-01 | 1 | 0
	`), f.rows(t, "SELECT toDate(window_start), entered, left FROM segment_changes_month WHERE segment = 'smb' ORDER BY window_start"))
}

// metrics.md row 37: effect size and AUC of each metric between accounts with a label and others.
func TestDiscriminatingMetrics(t *testing.T) {
	f := newFixture(t)
	for account, of := range map[string]struct {
		successful string
		events     int
	}{"a": {"yes", 10}, "b": {"yes", 20}, "c": {"yes", 30}, "d": {"no", 10}, "e": {"no", 14}, "g": {"", 1000}} {
		f.insert(t, "account_changes", fmt.Sprintf("('%s', '2026-01-01 00:00:00', 'accounts/0@A', 1, 0, {'successful': '%s', 'stage': 'live'})", account, of.successful))
		f.insert(t, "counters", eventsOn(account, map[int]int{9: of.events})...)
	}
	// 20 against 12; squares 200 and 8 over 3 degrees of freedom, so 8 / sqrt(69.33). Of six pairs 10 ties with 10 and is below 14,
	// the other four are above: 4.5 of 6.
	require.Equal(t, golden(`3 | 2 | 20 | 12 | 0.9608 | 0.75`), f.rows(t, `SELECT accounts_labelled, accounts_others, mean_labelled, mean_others, round(effect_size, 4), auc
		FROM discriminating_metrics WHERE label = 'successful' AND value = 'yes' AND metric = 'events_28d'`))
	require.Equal(t, golden(`-0.9608 | 0.25`), f.rows(t, "SELECT round(effect_size, 4), auc FROM discriminating_metrics WHERE label = 'successful' AND value = 'no' AND metric = 'events_28d'"))
	require.Equal(t, golden(`6 | 0 | \N | \N`), f.rows(t, "SELECT accounts_labelled, accounts_others, effect_size, auc FROM discriminating_metrics WHERE label = 'stage' AND metric = 'events_28d'"))
}
