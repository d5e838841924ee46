package views_test

import (
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"tidemark/sinks/clickhouse/views"
)

const quotas = `
entitlements:
  free:
    quotas:
      - {name: exports, feature: export, limit: 10, period: week}
      - {name: alerts, feature: alerts, limit: 100, period: month}
  pro:
    quotas:
      - {name: exports, feature: export, limit: 1000, period: month}
`

// metrics.md row 9: "ten specific functions a week", by the calendar of the account's time zone, and rows 10 and 11.
func TestQuotas(t *testing.T) {
	f := newFixture(t)
	require.NoError(t, views.Apply(t.Context(), f.db, catalogue(t, quotas), f.options()))
	f.insert(t, "account_changes",
		"('ny', '2026-02-20 00:00:00', 'accounts/0@A', 1, 0, {'plan': 'free', 'segment': 'smb', 'timezone': 'America/New_York'})",
		"('utc', '2026-02-20 00:00:00', 'accounts/0@A', 2, 0, {'plan': 'free', 'timezone': 'Mars/Olympus'})",
		"('utc', '2026-03-09 06:00:00', 'accounts/0@A', 3, 0, {'limits.exports': '20'})",
		"('pro', '2026-03-01 00:00:00', 'accounts/0@A', 4, 0, {'plan': 'pro'})",
		"('none', '2026-03-01 00:00:00', 'accounts/0@A', 5, 0, {'plan': 'other'})")
	use := func(account, hour, n string) {
		f.insert(t, "counters", "('hour', '"+account+"', '2026-03-"+hour+":00:00', 'export', 'feature_uses', 'telemetry/0@T', "+n+", 10)")
	}
	// New York is five hours behind, from March 8th on four: its week of March 2nd ends on the 9th at 4:00 UTC.
	for _, account := range []string{"ny", "utc"} {
		use(account, "02 04", "7") // still Sunday in New York
		use(account, "02 05", "3")
		use(account, "09 03", "6")
		use(account, "09 04", "1")
	}
	f.insert(t, "counters", "('hour', 'ny', '2026-03-02 05:00:00', 'export', 'feature_uses', 'telemetry/1@T', 1, 10)") // another source
	require.Equal(t, golden(`
		ny  | exports | week  | 2026-02-16 | America/New_York | 2026-02-16 05:00:00 | 2026-02-23 05:00:00 | 0  | 10   | 0    | 10   | \N | true
		ny  | exports | week  | 2026-02-23 | America/New_York | 2026-02-23 05:00:00 | 2026-03-02 05:00:00 | 7  | 10   | 0.7  | 3    | \N | false
		ny  | exports | week  | 2026-03-02 | America/New_York | 2026-03-02 05:00:00 | 2026-03-09 04:00:00 | 10 | 10   | 1    | 0    | 1  | false
		ny  | exports | week  | 2026-03-09 | America/New_York | 2026-03-09 04:00:00 | 2026-03-16 04:00:00 | 1  | 10   | 0.1  | 9    | \N | true
		pro | exports | month | 2026-03-01 | UTC              | 2026-03-01 00:00:00 | 2026-04-01 00:00:00 | 0  | 1000 | 0    | 1000 | \N | true
		utc | exports | week  | 2026-03-02 | UTC              | 2026-03-02 00:00:00 | 2026-03-09 00:00:00 | 10 | 10   | 1    | 0    | 1  | false
		utc | exports | week  | 2026-03-09 | UTC              | 2026-03-09 00:00:00 | 2026-03-16 00:00:00 | 7  | 20   | 0.35 | 13   | \N | false
	`), f.rows(t, `SELECT account_id, quota, period, period_date, time_zone, window_start, window_end, uses, limit, utilization, headroom, limit_level, is_under_used
		FROM quotas WHERE feature = 'export' AND (account_id != 'utc' OR window_start >= '2026-03-01') ORDER BY account_id, window_start`))
	require.Equal(t, golden(`none | 0`), f.rows(t, "SELECT 'none', count() FROM quotas WHERE account_id = 'none'"))

	// Two a day for 28 days: the other 13 of utc's 20 take six and a half days, longer than the week; 4 of 11 two days.
	f.insert(t, "counters", "('day', 'utc', '2026-03-10', 'export', 'feature_uses', 'telemetry/0@T', 2, 10)")
	for _, d := range []int{27, 26, 25, 24, 23, 22, 21, 20, 19, 18, 17, 16, 15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1} {
		f.exec(t, "INSERT INTO counters_all (* EXCEPT generation) SELECT 'day', 'utc', toDate('2026-03-10') - "+itoa(d)+", 'export', 'feature_uses', 'telemetry/0@T', 2, 10")
	}
	require.Equal(t, golden(`2 | \N`), f.rows(t, "SELECT round(uses_per_day, 6), limit_reached_at FROM quotas WHERE account_id = 'utc' AND feature = 'export' AND window_end > '2026-03-10 12:00:00'"))
	f.insert(t, "account_changes", "('utc', '2026-03-09 07:00:00', 'accounts/0@A', 6, 0, {'limits.exports': '11'})")
	require.Equal(t, golden(`2 | 2026-03-12 12:00:00`), f.rows(t, "SELECT round(uses_per_day, 6), limit_reached_at FROM quotas WHERE account_id = 'utc' AND feature = 'export' AND window_end > '2026-03-10 12:00:00'"))
}

func itoa(n int) string { return strconv.Itoa(n) }
