package views_test

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// churned is a segment of six accounts over the first months of 2026, on the 10th of March.
func churned(t *testing.T) fixture {
	f := newFixture(t)
	record := func(account, at, offset, attributes string) string {
		return "('" + account + "', '2026-" + at + "', 'accounts/0@A', " + offset + ", 0, {" + attributes + "})"
	}
	f.insert(t, "account_changes",
		record("stays", "01-01 00:00:00", "1", "'segment': 'smb', 'mrr': '100', 'seats': '10'"),
		record("grows", "01-01 00:00:00", "2", "'segment': 'smb', 'mrr': '100', 'seats': '10'"),
		record("grows", "02-15 00:00:00", "3", "'mrr': '150', 'seats': '20'"),
		record("shrinks", "01-01 00:00:00", "4", "'segment': 'smb', 'mrr': '100', 'seats': '10'"),
		record("shrinks", "02-20 00:00:00", "5", "'mrr': '80', 'seats': '5'"),
		record("cancels", "01-01 00:00:00", "6", "'segment': 'smb', 'mrr': '100'"),
		record("cancels", "02-10 00:00:00", "7", "'mrr': '0'"),
		record("removed", "01-01 00:00:00", "8", "'segment': 'smb', 'mrr': '100'"),
		"('removed', '2026-02-28 00:00:00', 'accounts/0@A', 9, 1, {})",
		record("new", "02-03 00:00:00", "10", "'segment': 'smb', 'mrr': '70'"),
		record("other", "01-01 00:00:00", "11", "'segment': 'ent', 'mrr': '1000'"))
	f.insert(t, "member_sets", activeOn("stays", 1, -30, -2, 5)...) // January 29th, February 26th, March 5th
	f.insert(t, "member_sets", activeOn("grows", 1, -28)...)        // January 31st: out of the 28 days before March
	f.insert(t, "member_sets", activeOn("shrinks", 1, -60)...)
	return f
}

// metrics.md row 33: logo churn, GRR and NRR, and behavioural churn.
func TestChurn(t *testing.T) {
	f := churned(t)
	// In January shrinks, active on December 30th, falls silent. Five at the start of February with 500: cancels and removed are lost with 200, 20 less, 50 more.
	require.Equal(t, golden(`
		ent | 2026-02-01 | 1 | 0 | 0 | 0   | 1   | 1000 | 0   | 0  | 0  | 0  | 1    | 1    | 0 | 0 | \N
		smb | 2026-01-01 | 5 | 0 | 0 | 0   | 1   | 500  | 0   | 0  | 0  | 0  | 1    | 1    | 1 | 1 | 1
		smb | 2026-02-01 | 5 | 2 | 1 | 0.4 | 0.6 | 500  | 200 | 20 | 50 | 70 | 0.56 | 0.66 | 2 | 1 | 0.5
	`), f.rows(t, `SELECT segment, toDate(window_start), accounts_start, accounts_lost, accounts_new, churn_rate, retention_rate, mrr_start, mrr_lost, mrr_contracted, mrr_expanded, mrr_new,
		round(gross_revenue_retention, 6), round(net_revenue_retention, 6), accounts_active, accounts_inactive, behavioural_churn_rate
		FROM segment_churn_month WHERE window_start = '2026-02-01' OR segment = 'smb' AND window_start = '2026-01-01' ORDER BY segment, window_start`))
	require.Equal(t, golden(`
		2026-02-01 00:00:00 | 2026-03-01 00:00:00 | true  | true  | false | 10 | 20 | 100 | 150 | true  | true
		2026-03-01 00:00:00 | 2026-04-01 00:00:00 | true  | true  | false | 20 | 20 | 150 | 150 | false | false
	`), f.rows(t, `SELECT window_start, window_end, is_customer_start, is_customer_end, is_lost, seats_start, seats_end, mrr_start, mrr_end, was_active, is_inactive
		FROM account_months WHERE account_id = 'grows' AND window_start >= '2026-02-01' ORDER BY window_start`))
}

// metrics.md row 35: 100 x 0.8 / (2 lost / 10 at the starts of two months) for the three of smb and new, whose mean is 100; NULL
// where nobody has left.
func TestLifetimeValue(t *testing.T) {
	f := churned(t)
	require.Equal(t, golden(`
		ent | 1 | 1000 | 0.8 | 0 | 0   | \N
		smb | 4 | 100  | 0.8 | 2 | 0.2 | 400
	`), f.rows(t, "SELECT segment, accounts, arpa, gross_margin, accounts_lost, monthly_churn_rate, round(lifetime_value_estimate, 6) FROM segment_lifetime_value ORDER BY segment"))
}

// metrics.md row 34: what seats and revenue changed over 30 and 90 days.
func TestExpansion(t *testing.T) {
	f := churned(t)
	require.Equal(t, golden(`
		grows   | 2026-02-09 | 10 | 10 | 100 | 50
		new     | 2026-02-09 | \N | \N | 70  | 0
		shrinks | 2026-02-09 | 10 | -5 | 100 | -20
	`), f.rows(t, `SELECT account_id, toDate(window_start), seats_before, seats_change, mrr_before, mrr_change FROM expansion_30d
		WHERE window_end = '2026-03-11' AND account_id IN ('grows', 'shrinks', 'new') ORDER BY account_id`))
	require.Equal(t, golden(`grows | \N | \N`), f.rows(t, "SELECT account_id, seats_before, mrr_change FROM expansion_90d WHERE window_end = '2026-03-11' AND account_id = 'grows'"))
	// Without removed; cancels pays 100 less.
	require.Equal(t, golden(`smb | 5 | 30 | 5 | -70 | 1 | 2`),
		f.rows(t, "SELECT segment, accounts, seats_before, seats_change, mrr_change, expanded, contracted FROM segment_expansion_30d WHERE window_end = '2026-03-11' AND segment = 'smb'"))
}
