package views_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tidemark/sinks/clickhouse/views"
)

// What the portfolio said stays readable as it was said, whatever comes in late.
func TestPortfolioAsItWasKnown(t *testing.T) {
	f := week(t)
	require.Empty(t, f.rows(t, "SELECT * FROM portfolio_known"), "nothing before the first turn")
	o := f.options()
	o.SnapshotEvery = 2 * time.Second
	require.NoError(t, views.Apply(t.Context(), f.db, catalogue(t, ""), o))
	turns := func() []string {
		return strings.Fields(f.rows(t, "SELECT toUnixTimestamp64Milli(known_at) FROM portfolio_known WHERE account_id = 'acme' ORDER BY known_at"))
	}
	var known []string
	require.Eventually(t, func() bool { known = turns(); return len(known) > 0 }, 5*time.Minute, 100*time.Millisecond)
	seen := known[len(known)-1]

	f.insert(t, "counters", eventsOn("acme", map[int]int{8: 100})...) // late
	require.Eventually(t, func() bool {
		return f.rows(t, "SELECT max(events_28d) FROM portfolio_known WHERE account_id = 'acme'") == golden("111")
	}, 5*time.Minute, 100*time.Millisecond)
	o.SnapshotEvery = time.Hour
	require.NoError(t, views.Apply(t.Context(), f.db, catalogue(t, ""), o))
	was := "known_at = (SELECT max(known_at) FROM portfolio_known WHERE known_at <= fromUnixTimestamp64Milli(toInt64(" + seen + "), 'UTC'))"
	require.Equal(t, golden(`
		acme   | Acme   | pro | 10 | 99.5 | 11 | 0.1 | 2 | monthly | \N    | 2026-03-07
		silent | Silent | \N  | \N | \N   | 0  | \N  | 0 | inactive | \N   | \N
	`), f.rows(t, "SELECT account_id, account_name, plan, seats, mrr, events_28d, seat_utilization, active_days_28d, frequency_band, is_low, first_value_day FROM portfolio_known WHERE "+was+" ORDER BY account_id"))

	// Each column says what the portfolio says now, at the latest turn.
	columns := strings.Fields(f.rows(t, "SELECT name FROM system.columns WHERE database = currentDatabase() AND table = 'portfolio_known' AND name NOT IN ('known_at', 'telemetry_complete_to')"))
	list := strings.Join(columns, ", ")
	require.Equal(t, f.rows(t, "SELECT "+list+" FROM portfolio ORDER BY account_id"),
		f.rows(t, "SELECT "+list+" FROM portfolio_known WHERE known_at = (SELECT max(known_at) FROM portfolio_known) ORDER BY account_id"))

	comment := f.rows(t, "SELECT comment FROM system.tables WHERE database = currentDatabase() AND name = 'portfolio_snapshot'")
	require.NoError(t, views.Apply(t.Context(), f.db, catalogue(t, ""), o))
	require.Equal(t, comment, f.rows(t, "SELECT comment FROM system.tables WHERE database = currentDatabase() AND name = 'portfolio_snapshot'"))
}
