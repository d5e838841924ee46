package views_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"tidemark/internal/devclickhouse/chtest"
	"tidemark/sinks/clickhouse/views"
)

// readings are facts of meters, one a line: account, meter, day and time, value, and the limit if it is told.
func readings(f fixture, t *testing.T, text string) {
	t.Helper()
	var rows []string
	for line := range strings.Lines(strings.TrimSpace(text)) {
		w := strings.Fields(line)
		attributes := "{}"
		if len(w) > 5 {
			attributes = "{'limit': '" + w[5] + "'}"
		}
		rows = append(rows, fmt.Sprintf("('meter', '%s', '%s', '%s %s', 'reported', 0, %d, 'signals/0@S', %d, %s, %s)",
			w[0], w[1], w[2], w[3], 100+len(rows), len(rows), w[4], attributes))
	}
	for range 2 { // a repeat changes nothing
		f.exec(t, chtest.Into("facts")+values("facts", rows...))
	}
}

// metrics.md row 9: last(value)/limit and max, by the day and by the week and month of the account's time zone.
func TestMeters(t *testing.T) {
	f := newFixture(t)
	f.insert(t, "account_changes",
		"('acme', '2026-01-01 00:00:00', 'accounts/0@A', 1, 0, {'timezone': 'America/New_York', 'limits.seats': '20'})",
		"('beta', '2026-01-01 00:00:00', 'accounts/0@A', 2, 0, {'timezone': 'Middle-earth/Shire'})")
	readings(f, t, `
		acme storage_gb 2026-03-02 04:30:00 70 100
		acme storage_gb 2026-03-02 05:30:00 60
		acme storage_gb 2026-03-02 09:00:00 80
		acme storage_gb 2026-03-09 03:00:00 90 120
		acme seats      2026-03-03 12:00:00 21
		beta storage_gb 2026-03-01 23:30:00 1
		beta storage_gb 2026-03-02 00:30:00 2
	`)
	require.Equal(t, golden(`
		acme | seats      | 2026-03-03 | 1 | 21 | 21 | 20  | 1.05 | 1.05 | -1
		acme | storage_gb | 2026-03-02 | 3 | 80 | 80 | 100 | 0.8  | 0.8  | 20
		acme | storage_gb | 2026-03-09 | 1 | 90 | 90 | 120 | 0.75 | 0.75 | 30
		beta | storage_gb | 2026-03-01 | 1 | 1  | 1  | \N  | \N   | \N   | \N
		beta | storage_gb | 2026-03-02 | 1 | 2  | 2  | \N  | \N   | \N   | \N
	`), f.rows(t, `SELECT account_id, meter, toDate(window_start), readings, last_value, max_value, limit, utilization, max_utilization, headroom
		FROM meters_day ORDER BY account_id, meter, window_start`))
	// In New York the 2nd of March begins at 05:00 UTC, and the week before it has the first reading; the night to the 8th is an
	// hour shorter, so the week ends at 04:00 UTC, and the reading of the 9th at 03:00 UTC is of the Sunday.
	require.Equal(t, golden(`
		acme | seats      | 2026-03-02 | America/New_York | 2026-03-02 05:00:00 | 2026-03-09 04:00:00 | 1 | 21 | 21 | 20
		acme | storage_gb | 2026-02-23 | America/New_York | 2026-02-23 05:00:00 | 2026-03-02 05:00:00 | 1 | 70 | 70 | 100
		acme | storage_gb | 2026-03-02 | America/New_York | 2026-03-02 05:00:00 | 2026-03-09 04:00:00 | 3 | 90 | 90 | 120
		beta | storage_gb | 2026-02-23 | UTC              | 2026-02-23 00:00:00 | 2026-03-02 00:00:00 | 1 | 1  | 1  | \N
		beta | storage_gb | 2026-03-02 | UTC              | 2026-03-02 00:00:00 | 2026-03-09 00:00:00 | 1 | 2  | 2  | \N
	`), f.rows(t, `SELECT account_id, meter, period_date, time_zone, window_start, window_end, readings, last_value, max_value, limit
		FROM meters_week ORDER BY account_id, meter, window_start`))
	require.Equal(t, golden(`
		acme | 2026-03-01 05:00:00 | 2026-04-01 04:00:00 | 4 | 90 | 0.75
		beta | 2026-03-01 00:00:00 | 2026-04-01 00:00:00 | 2 | 2  | \N
	`), f.rows(t, `SELECT account_id, window_start, window_end, readings, max_value, max_utilization FROM meters_month WHERE meter = 'storage_gb' ORDER BY account_id`))

	// What plans include: a level, and amounts of a calendar month.
	require.NoError(t, views.Apply(t.Context(), f.db, catalogue(t, `
entitlements:
  pro:
    quotas:
      - {name: storage, meter: storage_gb, limit: 4}
      - {name: calls, meter: calls, limit: 1000, period: month}
`), f.options()))
	f.insert(t, "account_changes", "('beta', '2026-02-01 00:00:00', 'accounts/0@A', 3, 0, {'plan': 'pro', 'segment': 'smb'})")
	readings(f, t, `
		beta calls 2026-02-28 12:00:00 300
		beta calls 2026-03-01 12:00:00 400
		beta calls 2026-03-02 12:00:00 500
	`)
	require.Equal(t, golden(`
		calls      | 2026-02-01 | 300 | 1000 | 0.3 | \N  | smb
		calls      | 2026-03-01 | 900 | 1000 | 0.9 | \N  | smb
		storage_gb | 2026-03-01 | 3   | \N  | \N | 0.5 | smb
	`), f.rows(t, "SELECT meter, period_date, sum_value, quota, quota_utilization, utilization, segment FROM meters_month WHERE account_id = 'beta' ORDER BY meter, period_date"))
	// acme's seats are at 21 of 20, its storage at 90 of 120; beta's storage at 2 of 4.
	require.Equal(t, golden(`
		    | seats      | 1 | 1 | 1.05 | 1 | 1
		    | storage_gb | 1 | 1 | 0.75 | 0 | 0
		smb | calls      | 1 | 0 | \N   | 0 | 0
		smb | storage_gb | 1 | 1 | 0.5  | 0 | 0
	`), f.rows(t, "SELECT segment, meter, accounts, limited_accounts, utilization_median, accounts_at_80_percent, accounts_at_limit FROM segment_meters ORDER BY segment, meter"))
}

// metrics.md row 9, and the distance to the limit: a meter that rises by 2 a day from 80 reaches 100 after 10 days.
func TestMeterProjection(t *testing.T) {
	f := newFixture(t)
	readings(f, t, `
		acme rising  2026-01-01 00:00:00 500 100
		acme rising  2026-03-01 00:00:00 76
		acme rising  2026-03-02 00:00:00 78
		acme rising  2026-03-03 00:00:00 80 100
		acme noisy   2026-03-01 00:00:00 10 100
		acme noisy   2026-03-02 00:00:00 16
		acme noisy   2026-03-03 00:00:00 10
		acme noisy   2026-03-04 00:00:00 20
		acme falling 2026-03-01 00:00:00 30 100
		acme falling 2026-03-02 00:00:00 20 100
		acme falling 2026-03-03 00:00:00 10 100
		acme over    2026-03-01 00:00:00 90 100
		acme over    2026-03-02 00:00:00 100 100
		acme over    2026-03-03 00:00:00 110 100
		acme twice   2026-03-01 00:00:00 1 100
		acme twice   2026-03-02 00:00:00 2 100
	`)
	// noisy: x = -3..0, y = 10 16 10 20; slope = sum((x+1.5)(y-14))/5 = (6-1-2+9)/5 = 2.4, level at 0: 14 + 1.5*2.4 = 17.6;
	// (100-17.6)/2.4 = 34.3333 days after the 4th of March.
	require.Equal(t, golden(`
		falling | 10  | 90  | -10 | \N
		noisy   | 20  | 80  | 2.4 | 2026-04-07 08:00:00
		over    | 110 | -10 | 10  | \N
		rising  | 80  | 20  | 2   | 2026-03-13 00:00:00
		twice   | 2   | 98  | \N  | \N
	`), f.rows(t, "SELECT meter, last_value, headroom, round(slope_per_day, 6), toDateTime(limit_reached_at, 'UTC') FROM meters ORDER BY meter"))
}
