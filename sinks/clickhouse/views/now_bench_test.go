package views_test

import (
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// BenchmarkPortfolioNow refreshes portfolio_now and reads it as a board does, 40 times each: with VIEW_ACCOUNTS accounts, and with 100 000
// more that do nothing. VIEW_DSN as in BenchmarkFirstLayer.
func BenchmarkPortfolioNow(b *testing.B) {
	accounts, page := accountsAsked(b), newSpeedPage()
	db := portfolioOf(b, accounts)
	refreshes := "| refresh of | accounts | s | CPU s | memory MB |\n|---|---|---|---|---|\n"
	pages := "| query of 17 columns | accounts | rows read | p50 ms | p95 ms |\n|---|---|---|---|---|\n"
	for _, all := range []int{accounts, accounts + 100_000} {
		if all > accounts {
			addSilent(b, db)
		}
		for _, name := range []string{"health", "portfolio"} {
			c := refresh(b, db, name)
			refreshes += fmt.Sprintf("| %s_rows | %d | %.1f | %.1f | %d |\n", name, all, c.took.Seconds(), c.cpu.Seconds(), c.memory>>20)
			page.write(b, "refreshes", refreshes+"\nOn one thread; the load was "+load()+".")
		}
		pages += boardQueries(b, db, all)
		page.write(b, "pages", pages+"\nThe load was "+load()+".")
	}
	fmt.Print(refreshes, "\n", pages)
}

// refresh does what the materialized view NAME_refresh does, and tells what it took.
func refresh(b *testing.B, db *sql.DB, name string) cost {
	b.Helper()
	var query string
	require.NoError(b, db.QueryRowContext(b.Context(), "SELECT as_select FROM system.tables WHERE database = currentDatabase() AND name = ?", name+"_refresh").Scan(&query))
	var c cost
	start := time.Now()
	_, err := db.ExecContext(c.counted(b.Context()), "INSERT INTO "+name+"_rows "+query)
	require.NoError(b, err, query)
	c.took = time.Since(start)
	return c
}

func boardQueries(b *testing.B, db *sql.DB, accounts int) string {
	b.Helper()
	var out strings.Builder
	const columns = "account_id, account_name, plan, segment, owner, seats, mrr, renewal_at, active_users_28d, seat_utilization, tickets_open, escalations_30d, events_28d_daily, events_7d_trend, health_score, health_band, health_reason"
	for _, q := range [][2]string{
		{"first page by health", "SELECT " + columns + " FROM portfolio_now ORDER BY health_score, account_id LIMIT 50"},
		{"page 100 by active users", "SELECT " + columns + " FROM portfolio_now ORDER BY active_users_28d DESC, account_id LIMIT 50 OFFSET 5000"},
		{"a segment's accounts below half of their seats, by mrr", "SELECT " + columns + " FROM portfolio_now WHERE segment = 'smb' AND seat_utilization < 0.5 ORDER BY mrr DESC, account_id LIMIT 50"},
		{"search by name", "SELECT " + columns + " FROM portfolio_now WHERE positionCaseInsensitive(account_name, '77') > 0 ORDER BY account_name, account_id LIMIT 50"},
		{"totals", "SELECT count(), countIf(health_band = 'poor'), sum(tickets_open), sum(mrr) FROM portfolio_now"},
	} {
		var took []time.Duration
		var c cost
		for range 40 {
			c = costOf(b, db, q[1])
			took = append(took, c.took)
		}
		slices.Sort(took)
		fmt.Fprintf(&out, "| %s | %d | %d | %.0f | %.0f |\n", q[0], accounts, c.read, took[20].Seconds()*1000, took[37].Seconds()*1000)
	}
	return out.String()
}
