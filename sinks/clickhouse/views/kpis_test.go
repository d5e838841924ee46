package views_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"tidemark/internal/devclickhouse/chtest"
)

// kpiReports are facts of KPIs, one a line: account, KPI, first day of the period, day after it, time of the report, value.
func kpiReports(f fixture, t *testing.T, text string) {
	t.Helper()
	var rows []string
	for line := range strings.Lines(strings.TrimSpace(text)) {
		w := strings.Fields(line)
		rows = append(rows, fmt.Sprintf("('kpi', '%s', '%s', '%s 00:00:00', 'reported', 0, %d, 'signals/0@S', %d, %s, "+
			"{'unit': 'ratio', 'period_start': '%sT00:00:00.000Z', 'period_end': '%sT00:00:00.000Z'})", w[0], w[1], w[4], 100+len(rows), len(rows), w[5], w[2], w[3]))
	}
	for range 2 { // a repeat changes nothing
		f.exec(t, chtest.Into("facts")+values("facts", rows...))
	}
}

// telemetryTo says that telemetry is complete up to the tests' now.
func (f fixture) telemetryTo(t *testing.T) {
	t.Helper()
	f.exec(t, chtest.Into("source_progress")+" VALUES ('telemetry/0@T', "+now+", 1, 1, "+now+", 'i')")
}

// metrics.md row 14: a KPI beside the usage of the same period; the last report holds.
func TestKPIs(t *testing.T) {
	f := newFixture(t)
	f.telemetryTo(t)
	f.insert(t, "counters",
		"('day', 'acme', '2026-01-20', '', 'events', 'telemetry/0@T', 5, 1)", "('day', 'acme', '2026-01-31', '', 'events', 'telemetry/0@T', 6, 2)",
		"('day', 'acme', '2026-01-31', '', 'events', 'telemetry/1@T', 1, 2)", "('day', 'acme', '2026-02-01', '', 'events', 'telemetry/0@T', 7, 3)",
		"('day', 'acme', '2026-03-01', '', 'events', 'telemetry/0@T', 8, 3)")
	f.insert(t, "member_sets", "('day', 'acme', '2026-02-01', '', 'active_users', 1, 'telemetry/0@T')", "('day', 'acme', '2026-02-28', '', 'active_users', 1, 'telemetry/1@T')",
		"('day', 'acme', '2026-02-28', '', 'active_users', 2, 'telemetry/0@T')", "('day', 'acme', '2026-03-01', '', 'active_users', 3, 'telemetry/0@T')")
	kpiReports(f, t, `
		acme otif 2026-01-01 2026-02-01 2026-02-03 0.90
		acme otif 2026-02-01 2026-03-01 2026-03-02 0.95
		acme otif 2026-02-01 2026-03-01 2026-03-04 0.92
		acme otif 2026-03-01 2026-04-01 2026-03-09 0.99
		quiet otif 2026-02-01 2026-03-01 2026-03-02 1
	`)
	require.Equal(t, golden(`
		acme  | 2026-01-01 | 2026-02-01 | month | 0.9  | \N  | \N   | 2026-02-03 | 1 | 12 | 0 | false
		acme  | 2026-02-01 | 2026-03-01 | month | 0.92 | 0.9 | 0.02 | 2026-03-04 | 2 | 7  | 2 | true
		acme  | 2026-03-01 | 2026-04-01 | month | 0.99 | 0.92| 0.07 | 2026-03-09 | 1 | 8  | 1 | false
		quiet | 2026-02-01 | 2026-03-01 | month | 1    | \N  | \N   | 2026-03-02 | 1 | 0  | 0 | false
	`), f.rows(t, `SELECT account_id, toDate(period_start), toDate(period_end), period, value, value_previous, round(change, 6), toDate(reported_at), reports, events, active_users, usage_complete
		FROM kpis ORDER BY account_id, period_start`))
	// In February acme was of smb, quiet of nothing that is known.
	f.insert(t, "account_changes", "('acme', '2026-01-01 00:00:00', 'accounts/0@A', 1, 0, {'segment': 'smb'})", "('acme', '2026-03-02 00:00:00', 'accounts/0@A', 2, 0, {'segment': 'ent'})")
	require.Equal(t, golden(`
		    | 2026-02-01 | month | ratio | 1 | 1    | 1    | 0 | 0
		ent | 2026-03-01 | month | ratio | 1 | 0.99 | 0.99 | 8 | 1
		smb | 2026-01-01 | month | ratio | 1 | 0.9  | 0.9  | 12 | 0
		smb | 2026-02-01 | month | ratio | 1 | 0.92 | 0.92 | 7 | 2
	`), f.rows(t, "SELECT segment, toDate(period_start), period, unit, accounts, value_avg, value_median, events, active_users FROM segment_kpis ORDER BY segment, period_start"))
}

// metrics.md row 14: lagged Pearson and Spearman over at least 12 periods. The KPI of a day is the square of the events of
// the day before, so at lag 1 the ranks agree and the line does not quite.
func TestKPIUsageCorrelation(t *testing.T) {
	f := newFixture(t)
	f.telemetryTo(t)
	events := []int{3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5, 8, 9, 7}
	var counters []string
	var reports strings.Builder
	for i, n := range events {
		counters = append(counters, fmt.Sprintf("('day', 'acme', toDate('2026-02-01') + %d, '', 'events', 'telemetry/0@T', %d, %d)", i, n, i+1))
		if i > 0 {
			fmt.Fprintf(&reports, "acme cycle 2026-02-%02d 2026-02-%02d 2026-02-20 %d\n", i+1, i+2, events[i-1]*events[i-1])
		}
	}
	f.exec(t, chtest.Into("counters")+values("counters", counters...))
	kpiReports(f, t, reports.String())
	// 13 periods of KPI and usage; at lag 1 the first period has no usage before it among them: 12 pairs (y = x*x), whose Pearson
	// correlation was worked out apart as 0.970046. At lag 2 there are 11 pairs: too few. No users: they never change.
	require.Equal(t, golden(`
		active_users | 0 | 13 | \N | \N
		active_users | 1 | 12 | \N | \N
		active_users | 2 | 11 | \N | \N
		active_users | 3 | 10 | \N | \N
		events | 0 | 13 | 0.212794 | 0.253147
		events | 1 | 12 | 0.970046 | 1
		events | 2 | 11 | \N | \N
		events | 3 | 10 | \N | \N
	`), f.rows(t, "SELECT usage_metric, lag, periods, round(pearson, 6), round(spearman, 6) FROM kpi_usage_correlation ORDER BY usage_metric, lag"))
	// A day that is missing breaks the chain: no pair reaches over it.
	kpiReports(f, t, "acme cycle 2026-02-16 2026-02-17 2026-02-21 1")
	require.Equal(t, golden(`0 | 14`+"\n"+`1 | 12`), f.rows(t, "SELECT lag, periods FROM kpi_usage_correlation WHERE usage_metric = 'events' AND lag < 2 ORDER BY lag"))
}
