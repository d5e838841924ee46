package views_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// The portfolio says of each account what the views of each metric say of its present windows (metrics.md rows 28 and 29).
func TestPortfolio(t *testing.T) {
	f := week(t)
	f.insert(t, "account_changes",
		"('acme', '2025-12-01 00:00:00', 'accounts/0@A', 20, 0, {'seats': '2', 'mrr': '50'})",
		"('acme', '2026-03-09 00:00:00', 'accounts/0@A', 21, 0, {'renewal_at': '2026-03-20T00:00:00Z'})")
	ticketEvents(f, t, `
		1 2026-02-05 09:00:00 created {'priority': 'p2'}
		1 2026-02-09 11:00:00 priority {'from': 'p2', 'to': 'p1', 'escalation': 'priority'}
		2 2026-03-05 09:00:00 created {'priority': 'p3'}
		2 2026-03-06 11:00:00 sla_breach {'escalation': 'sla_breach'}
		2 2026-03-06 12:00:00 solved
		3 2026-03-07 09:00:00 created
	`)
	f.insert(t, "facts", "('workflow', 'acme', 'report_published', '2026-03-07 10:00:00', 'Report Started', 11, 1, 'telemetry/0@T', 1, 0, {})")
	f.insert(t, "member_sets", "('day', 'acme', '2026-03-07', 'export', 'feature_users', 11, 'telemetry/0@T')")
	require.Equal(t, golden(`
		acme   | Acme   | pro | 10 | 9.5 | 2 | 1 | 0.1 | 11 | 11 | 0 | 2 | monthly | 4  | 1  | 0.25 | 2 | 1  | 2026-02-05 09:00:00.000 | 2 | 1 | 2 | 2026-03-07 | 1  | 8  | 49.5 | open
		silent | Silent | \N  | \N | \N  | 0 | 0 | \N  | 0  | 0  | 0 | 0 | inactive | 4 | 0 | 0    | 0 | 0 | \N                      | 0 | 0 | 0 | \N         | \N | \N | \N   | open
	`), f.rows(t, `SELECT account_id, account_name, plan, seats, days_to_renewal, users_28d, active_users_28d, seat_utilization, events_28d, events_7d, events_7d_previous, active_days_28d, frequency_band,
			key_features_entitled, key_features_adopted, adoption_breadth, tickets_open, tickets_open_p1_p2, oldest_open_ticket_at, tickets_opened_28d, escalations_7d, escalations_30d,
			first_value_day, days_since_value, seats_change_90d, mrr_change_90d, onboarding_state FROM portfolio ORDER BY account_id`))
	for _, same := range []string{
		"SELECT account_id, users, active_users, seat_utilization, seats_unused FROM licences_28d WHERE window_end = '2026-03-11' | SELECT account_id, users_28d, active_users_28d, seat_utilization, seats_unused FROM portfolio",
		"SELECT account_id, active_days, band, target_days, frequency_attainment FROM frequency_28d WHERE window_end = '2026-03-11' | SELECT account_id, active_days_28d, frequency_band, target_days, frequency_attainment FROM portfolio",
		"SELECT account_id, events, events_7d, events_7d_trend, zero_days, variation, is_low FROM usage_pattern_28d WHERE window_end = '2026-03-11' | SELECT account_id, events_28d, events_7d, events_7d_trend, zero_days_28d, variation_28d, is_low FROM portfolio",
		"SELECT account_id, actions_per_day, engagement, engagement_relative FROM engagement_14d WHERE window_end = '2026-03-10' | SELECT account_id, actions_per_day_14d, engagement, engagement_relative FROM portfolio",
		"SELECT account_id, key_features_adopted, breadth, depth FROM adoption_28d WHERE window_end = '2026-03-11' | SELECT account_id, key_features_adopted, adoption_breadth, adoption_depth FROM portfolio",
		"SELECT account_id, escalated, backlog FROM support_30d WHERE window_end = '2026-03-11' | SELECT account_id, escalations_30d, tickets_open FROM portfolio",
		"SELECT account_id, escalated FROM support_7d WHERE window_end = '2026-03-11' | SELECT account_id, escalations_7d FROM portfolio",
	} {
		history, now, _ := strings.Cut(same, " | ")
		want := f.rows(t, history+" AND account_id != 'gone' ORDER BY account_id")
		require.NotEmpty(t, want)
		require.Equal(t, want, f.rows(t, now+" ORDER BY account_id"), now)
	}
}

// What a refresh keeps is what the portfolio shows, and health, with the days of a spark-line (metrics.md rows 24, 31 and 39).
func TestPortfolioNow(t *testing.T) {
	f := week(t)
	ticketEvents(f, t, "1 2026-03-07 09:00:00 created {'priority': 'p2'}")
	require.Empty(t, f.rows(t, "SELECT * FROM portfolio_now"), "nothing before the first refresh")
	for _, view := range []string{"health_refresh", "portfolio_refresh", "portfolio_refresh"} { // the last one replaces the first
		f.exec(t, "SYSTEM REFRESH VIEW "+view)
		f.exec(t, "SYSTEM WAIT VIEW "+view)
	}
	columns := strings.Join(strings.Fields(f.rows(t, "SELECT name FROM system.columns WHERE database = currentDatabase() AND table = 'portfolio' ORDER BY position")), ", ")
	want := f.rows(t, "SELECT "+columns+" FROM portfolio ORDER BY account_id")
	require.NotEmpty(t, want)
	require.Equal(t, want, f.rows(t, "SELECT "+columns+" FROM portfolio_now ORDER BY account_id"))
	require.Equal(t, f.rows(t, "SELECT account_id, score, band, delta_7d, reason_7d, day FROM health ORDER BY account_id"),
		f.rows(t, "SELECT account_id, health_score, health_band, health_change_7d, health_reason, health_day FROM portfolio_now ORDER BY account_id"))
	require.Equal(t, golden("[7,0,4,0] | 11"), f.rows(t, "SELECT arraySlice(events_28d_daily, -4), arraySum(events_28d_daily) FROM portfolio_now WHERE account_id = 'acme'"))
	require.Equal(t, golden("1 | 1 | 1 | 28 | 28"), f.rows(t, "SELECT uniqExact(computed_at), max(computed_at) > now() - 600, min(health_computed_at < computed_at), min(length(events_28d_daily)), max(length(events_28d_daily)) FROM portfolio_now"))
}
