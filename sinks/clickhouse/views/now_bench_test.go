package views_test

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// BenchmarkPortfolioNow refreshes portfolio_now and reads it as a board does, 40 times each: VIEW_ACCOUNTS and VIEW_DSN as in
// BenchmarkFirstLayer. VIEW_TIMES makes so many accounts of each in the refreshed table.
func BenchmarkPortfolioNow(b *testing.B) {
	accounts, err := strconv.Atoi(os.Getenv("VIEW_ACCOUNTS"))
	if err != nil {
		accounts = 1000
	}
	db := portfolioOf(b, accounts)
	exec := func(text string) {
		_, err := db.ExecContext(b.Context(), text)
		require.NoError(b, err, text)
	}
	for _, name := range []string{"health_refresh", "portfolio_refresh"} {
		exec("SYSTEM START VIEW " + name)
		start := time.Now()
		exec("SYSTEM REFRESH VIEW " + name)
		exec("SYSTEM WAIT VIEW " + name)
		fmt.Printf("%s: %.1f s on one thread\n", name, time.Since(start).Seconds())
		exec("SYSTEM STOP VIEW " + name)
	}
	if times := os.Getenv("VIEW_TIMES"); times != "" {
		exec("INSERT INTO portfolio_rows SELECT p.* REPLACE (now64(3) AS computed_at, concat(account_id, '-', toString(number)) AS account_id) FROM portfolio_now AS p CROSS JOIN numbers(" + times + ") AS n")
	}
	const columns = "account_id, account_name, plan, segment, owner, seats, mrr, renewal_at, active_users_28d, seat_utilization, tickets_open, escalations_30d, events_28d_daily, events_7d_trend, health_score, health_band, health_reason"
	fmt.Print("| query | rows read | p50 ms | p95 ms |\n|---|---|---|---|\n")
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
		fmt.Printf("| %s | %d | %.0f | %.0f |\n", q[0], c.read, took[20].Seconds()*1000, took[37].Seconds()*1000)
	}
}
