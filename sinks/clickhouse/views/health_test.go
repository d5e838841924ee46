package views_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

// healthy is a small history: over 28 days to the 9th of March, acme has 5 users of 10 seats, active on 10 days; on the 9th three
// tickets are escalated. silent does nothing, and unseated has use but no seats.
func healthy(t *testing.T) fixture {
	f := newFixture(t)
	f.insert(t, "account_changes",
		"('acme', '2026-01-01 00:00:00', 'accounts/0@A', 0, 0, {'seats': '10', 'segment': 'smb', 'mrr': '100'})",
		"('silent', '2026-01-01 00:00:00', 'accounts/0@A', 1, 0, {'seats': '4', 'segment': 'smb', 'mrr': '50'})",
		"('unseated', '2026-01-01 00:00:00', 'accounts/0@A', 2, 0, {'stage': 'onboarding'})",
	)
	var counters, members []string
	for day := range 10 { // 28 February to 9 March
		at := fmt.Sprintf("'2026-%s'", []string{"02-28", "03-01", "03-02", "03-03", "03-04", "03-05", "03-06", "03-07", "03-08", "03-09"}[day])
		for _, account := range []string{"acme", "unseated"} {
			counters = append(counters,
				fmt.Sprintf("('day', '%s', %s, '', 'events', 'telemetry/0@T', 100, %d)", account, at, day),
				fmt.Sprintf("('day', '%s', %s, '', 'errors', 'telemetry/0@T', 1, %d)", account, at, day),
				fmt.Sprintf("('day', '%s', %s, '', 'logins', 'telemetry/0@T', 4, %d)", account, at, day),
			)
			for user := range 5 {
				for _, metric := range []string{"users", "active_users"} {
					members = append(members, fmt.Sprintf("('day', '%s', %s, '', '%s', %d, 'telemetry/0@T')", account, at, metric, user+1))
				}
			}
		}
	}
	f.insertOnce(t, "counters", counters...)
	f.insertOnce(t, "member_sets", members...)
	for n := range 3 {
		f.insert(t, "facts", fmt.Sprintf("('ticket', 'acme', 'zendesk:%d', '2026-03-09 10:00:00', 'created', 0, %d, 'tickets/0@K', %d, 0, {'priority': 'p3'})", n, 10+n, 10+n),
			fmt.Sprintf("('ticket', 'acme', 'zendesk:%d', '2026-03-09 11:00:00', 'priority', 0, %d, 'tickets/0@K', %d, 0, {'to': 'p1', 'escalation': 'priority'})", n, 20+n, 20+n))
	}
	f.insert(t, "source_progress",
		"('telemetry/0@T', '2026-03-10 11:59:00', 100, 100, '2026-03-10 11:50:00', 'w1')",
		"('tickets/0@K', '2026-03-10 11:59:00', 100, 100, '2026-03-10 11:00:00', 'w1')",
	)
	return f
}

// insertOnce inserts many rows at once.
func (f fixture) insertOnce(t *testing.T, table string, rows ...string) {
	t.Helper()
	f.exec(t, "INSERT INTO "+table+"_all (* EXCEPT generation)"+values(table, rows...))
}

// TestHealth answers metrics.md rows 31 and 32: scores by the default profile, what each component gave, and why.
//
// acme on the 9th: utilization 5/10 of 0.8 is 62.5 points of weight 25; 10 of 20 active days are 50 points of 25; users against the
// 28 days before are unknown, as there were none; errors are 1 % of events, 80 points of 10; three escalations give 0 of 20. The
// known weights are 80: (62.5*25 + 50*25 + 80*10 + 0*20) / 80 = 45.15625. On the 8th there were 9 active days and no
// escalation: (62.5*25 + 45*25 + 80*10 + 100*20) / 80 = 68.59375.
func TestHealth(t *testing.T) {
	f := healthy(t)
	require.Equal(t, golden(`
		acme     | 2026-03-08 | tidemark | smb | 68.594 | average | active_users_trend             | 67.031 |   1.562 | 57.656 | +1.6: active_days 8 -> 9                            | true
		acme     | 2026-03-09 | tidemark | smb | 45.156 | average | active_users_trend             | 68.594 | -23.438 | 59.219 | -25: escalations 0 -> 3; +1.6: active_days 9 -> 10 | true
		silent   | 2026-03-08 | tidemark | smb | 28.571 | poor    | active_users_trend, error_rate | 28.571 |       0 | 28.571 |                                                     | true
		silent   | 2026-03-09 | tidemark | smb | 28.571 | poor    | active_users_trend, error_rate | 28.571 |       0 | 28.571 |                                                     | true
	`), f.rows(t, `SELECT account_id, toDate(window_start), profile, segment, round(score, 3), band, unknown, round(score_previous, 3), round(delta, 3), round(score_7d_ago, 3), reason, complete
		FROM health_day WHERE account_id != 'unseated' AND window_start BETWEEN '2026-03-08' AND '2026-03-09' ORDER BY account_id, window_start`))
	require.Equal(t, golden(`
		active_days        |  10 |   10 |    9 |   50 | 15.625 | 14.062 |   1.562 | +1.6: active_days 9 -> 10
		active_users_trend |  \N |      |      |   \N |      0 |      0 |       0 |
		error_rate         | 0.01 | 0.01 | 0.01 |  80 |     10 |     10 |       0 |
		escalations        |   3 |    3 |    0 |    0 |      0 |     25 |     -25 | -25: escalations 0 -> 3
		seat_utilization   | 0.5 |  0.5 |  0.5 | 62.5 | 19.531 | 19.531 |       0 |
	`), f.rows(t, `SELECT component, value, shown, shown_previous, points, round(contribution, 3), round(contribution_previous, 3), round(delta, 3), reason
		FROM health_components_day WHERE account_id = 'acme' AND window_start = '2026-03-09' ORDER BY component`))
	require.Equal(t, golden(`0`), f.rows(t, `SELECT count() FROM (SELECT account_id, window_start, sum(contribution) AS parts FROM health_components_day GROUP BY ALL) AS c
		INNER JOIN health_day AS h USING (account_id, window_start) WHERE abs(c.parts - h.score) > 1e-9`), "contributions add up to the score")
	require.Equal(t, golden(`
		acme     | 2026-03-09 | 45.156 | average | 68.594 | -23.438 | 45.156 | average
		silent   | 2026-03-09 | 28.571 | poor    | 28.571 |       0 | 28.571 | poor
		unseated | 2026-03-09 | 73.636 | good    | 71.364 |   2.273 | 73.636 | good
	`), f.rows(t, "SELECT account_id, toDate(day), round(score, 3), band, round(score_previous, 3), round(delta, 3), round(score_today, 3), band_today FROM health ORDER BY account_id"))
	require.Equal(t, golden(`
		    | 1 | 1 | 73.636 | 73.636 | 1 | 0 | 0 | 100 | \N | 0
		smb | 2 | 2 | 36.864 | 36.864 | 0 | 1 | 1 |  50 | 50 | 0
	`), f.rows(t, `SELECT segment, accounts, scored, round(score_avg, 3), round(score_median, 3), good, average, poor, quality, mrr_poor, declined_7d
		FROM segment_health_day WHERE window_start = '2026-03-09' ORDER BY segment`))
}
