package views_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

// eventsOn are rows of so many events on days counted from the last of February: a day of March, or 0 and less before.
func eventsOn(account string, onDay map[int]int) []string {
	var rows []string
	for day, n := range onDay {
		rows = append(rows, fmt.Sprintf("('day', '%s', toDate('2026-02-28') + %d, '', 'events', 'telemetry/0@T', %d, 1)", account, day, n))
	}
	return rows
}

// metrics.md row 7: low and erratic usage, zero days included.
func TestUsagePattern(t *testing.T) {
	f := newFixture(t)
	f.insert(t, "account_changes",
		"('spiky', '2026-01-01 00:00:00', 'accounts/0@A', 1, 0, {'segment': 'smb'})",
		"('young', '2026-03-01 00:00:00', 'accounts/0@A', 2, 0, {})",
		"('silent', '2026-01-01 00:00:00', 'accounts/0@A', 3, 0, {})")
	// spiky, over the 28 days to the end of March 9th (from February 10th, which is -18): 56 on one day, and nothing else.
	// Mean 2, mean of squares 112, variance 108.
	f.insert(t, "counters", eventsOn("spiky", map[int]int{-18: 56, -20: 7})...)
	f.insert(t, "counters", "('day', 'spiky', '2026-02-10', '', 'events', 'telemetry/1@T', 0, 1)")
	f.insert(t, "counters", eventsOn("young", map[int]int{1: 4, 2: 4, 9: 2})...)
	const query = `SELECT account_id, events, days_known, zero_days, round(events_daily_avg, 3), round(events_daily_stddev, 3), round(variation, 3), is_erratic,
		events_7d, events_7d_previous, events_7d_trend, events_7d_usual, is_low FROM usage_pattern_28d WHERE window_end = '%s' ORDER BY account_id`
	// spiky's usual week: 63 events in the 28 days to March 2nd are 15.75 in 7.
	// young: 10 events in 9 days; no usual week, as it is not known from 7 days before the last 7.
	require.Equal(t, golden(`
		silent |  0 | 28 | 28 | 0     |  0     | \N    | \N    | 0 | 0 | \N   | 0     | \N
		spiky  | 56 | 28 | 27 | 2     | 10.392 | 5.196 | true  | 0 | 0 | \N   | 15.75 | true
		young  | 10 |  9 |  6 | 1.111 |  1.663 | 1.497 | \N    | 2 | 8 | -0.75 | \N   | \N
	`), f.rows(t, fmt.Sprintf(query, "2026-03-10")))
	// A steady account is neither; three weeks later the spike is out of the window.
	daily := map[int]int{}
	for day := -30; day <= 9; day++ {
		daily[day] = 10
	}
	f.insert(t, "counters", eventsOn("steady", daily)...)
	require.Equal(t, golden(`steady | 280 | 28 | 0 | 10 | 0 | 0 | false | 70 | 70 | 0 | 70 | false`),
		f.rows(t, fmt.Sprintf("SELECT * FROM ("+query+") WHERE account_id = 'steady'", "2026-03-10")))
	require.Equal(t, golden(`
		    | 3 | 290 | 0.748 | 0 | 0 | 1
		smb | 1 |  56 | 5.196 | 1 | 1 | 0
	`), f.rows(t, `SELECT segment, accounts, events, round(variation_median, 3), accounts_low, accounts_erratic, accounts_silent
		FROM segment_usage_pattern_28d WHERE window_end = '2026-03-10' ORDER BY segment`))
	require.Equal(t, golden(`spiky | 63`), f.rows(t, "SELECT account_id, events FROM usage_pattern_28d WHERE window_end = '2026-03-08' AND segment = 'smb'"))
}
