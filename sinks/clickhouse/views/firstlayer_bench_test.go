package views_test

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/stretchr/testify/require"

	"tidemark/internal/devclickhouse"
	"tidemark/internal/devclickhouse/chtest"
	"tidemark/sinks/clickhouse/migrate"
)

// portfolioOf is a database of so many accounts over 60 days: 19 counters and 7 sets of users an account and day, user minutes
// of every hundredth account, two tickets and two records an account.
func portfolioOf(b *testing.B, accounts int) *sql.DB {
	b.Helper()
	filled := os.Getenv("VIEW_DSN")
	dsn := filled
	if dsn == "" {
		dsn = chtest.Shared(b).DSN(devclickhouse.Migrator)
	}
	opts, err := clickhouse.ParseDSN(dsn)
	require.NoError(b, err)
	opts.ReadTimeout = 10 * time.Minute
	db := clickhouse.OpenDB(opts)
	b.Cleanup(func() { require.NoError(b, db.Close()) })
	require.NoError(b, migrate.Up(b.Context(), db, migrate.DefaultOptions()))
	if filled != "" {
		return db
	}
	fill := strings.NewReplacer("{accounts}", strconv.Itoa(accounts), "{day}",
		"concat('acct', number % {accounts}) AS account, toStartOfDay(now('UTC')) - 86400 * (intDiv(number, {accounts}) % 60) AS start, intDiv(number, 60 * {accounts}) AS n")
	for _, text := range []string{
		`INSERT INTO counters_all (* EXCEPT generation) SELECT 'day', account, start, if(n < 4, '', ['dashboards', 'reports', 'export', 'alerts', 'search'][intDiv(n - 4, 3) + 1]),
			if(n < 4, ['events', 'page_views', 'logins', 'errors'][n + 1], ['feature_uses', 'feature_errors', 'feature_duration_ms'][(n - 4) % 3 + 1]),
			concat('telemetry/', cityHash64(account) % 8, '@T'), cityHash64(account, start, n) % 1000, number
			FROM (SELECT number, {day} FROM numbers({accounts} * 60 * 19))`,
		`INSERT INTO member_sets_all (* EXCEPT generation) SELECT 'day', account, start, if(n < 2, '', ['dashboards', 'reports', 'export', 'alerts', 'search'][n - 1]),
			if(n < 2, ['users', 'active_users'][n + 1], 'feature_users'), range(1 + cityHash64(account, start, n) % 15), concat('telemetry/', cityHash64(account) % 8, '@T')
			FROM (SELECT number, {day} FROM numbers({accounts} * 60 * 7))`,
		`INSERT INTO user_minutes_all (* EXCEPT generation) SELECT account, start + 28800 + 60 * (n % 15) * (1 + cityHash64(account, n, start) % 25) AS minute, intDiv(n, 15),
			concat('telemetry/', cityHash64(account) % 8, '@T'), minute + 3, minute + 41 FROM
			(SELECT concat('acct', 100 * (number % intDiv({accounts}, 100))) AS account, toStartOfDay(now('UTC')) - 86400 * (intDiv(number, intDiv({accounts}, 100)) % 60) AS start, intDiv(number, 60 * intDiv({accounts}, 100)) AS n FROM numbers(intDiv({accounts}, 100) * 60 * 150))`,
		`INSERT INTO facts_all (* EXCEPT generation) SELECT 'ticket', concat('acct', number % {accounts}), concat('zendesk:', intDiv(number, 3)), now64(3) - toIntervalHour(cityHash64(intDiv(number, 3)) % 1000) + toIntervalMinute(number % 3),
			['created', 'replied_agent', 'solved'][number % 3 + 1], 0, number, 'tickets/0@K', number, 0, if(number % 3 = 0, map('priority', 'p2', 'tags', 'billing,login'), map()) FROM (SELECT intDiv(number, 3) + {accounts} * (number % 3) AS number FROM numbers({accounts} * 6))`,
		`INSERT INTO account_changes_all (* EXCEPT generation) SELECT concat('acct', number % {accounts}), now64(3) - toIntervalDay(60 - 30 * intDiv(number, {accounts})), 'accounts/0@A', number, 0,
			map('name', concat('Account ', number % {accounts}), 'plan', 'pro', 'seats', toString(5 + number % 50), 'mrr', toString(number % 1000), 'stage', 'live', 'segment', ['smb', 'mid', 'ent'][number % 3 + 1]) FROM numbers({accounts} * 2)`,
	} {
		_, err := db.ExecContext(b.Context(), fill.Replace(fill.Replace(text)))
		require.NoError(b, err, text)
	}
	return db
}

// cost is what a query took.
type cost struct {
	rows, read, first uint64 // first is the number in the first column of the first row, where it is one
	took, cpu         time.Duration
	memory            int64 // at most, in bytes
}

func costOf(b *testing.B, db *sql.DB, query string) cost {
	b.Helper()
	var c cost
	ctx := c.counted(context.Background())
	start := time.Now()
	rows, err := db.QueryContext(ctx, query)
	require.NoError(b, err, query)
	defer rows.Close() //nolint:errcheck // rows.Err has it.
	columns, err := rows.Columns()
	require.NoError(b, err)
	for rows.Next() {
		if c.rows++; c.rows == 1 && strings.HasPrefix(query, "SELECT count(), ") {
			rest := make([]any, len(columns)-1)
			for i := range rest {
				rest[i] = new(any)
			}
			require.NoError(b, rows.Scan(append([]any{&c.first}, rest...)...))
		}
	}
	require.NoError(b, rows.Err(), query)
	c.took = time.Since(start)
	return c
}

// counted is a context whose queries add to the cost.
func (c *cost) counted(ctx context.Context) context.Context {
	return clickhouse.Context(ctx, clickhouse.WithProgress(func(p *clickhouse.Progress) { c.read += p.Rows }), clickhouse.WithProfileEvents(func(events []clickhouse.ProfileEvent) {
		for _, e := range events {
			switch e.Name {
			case "OSCPUVirtualTimeMicroseconds":
				c.cpu += time.Duration(e.Value) * time.Microsecond
			case "MemoryTrackerPeakUsage":
				c.memory = max(c.memory, e.Value)
			}
		}
	}))
}

// BenchmarkFirstLayer reads every view of accounts for one account over 28 days, and the whole portfolio, beside plain
// aggregates over the tables: make bench-views. VIEW_ACCOUNTS is how many accounts there are; VIEW_DSN names a database that an earlier
// run has filled, so that changes are measured on the same rows; VIEW_ONLY is a regular expression of the views to read.
func BenchmarkFirstLayer(b *testing.B) {
	accounts := accountsAsked(b)
	only, err := regexp.Compile("^(?:" + os.Getenv("VIEW_ONLY") + ")")
	require.NoError(b, err)
	db, page := portfolioOf(b, accounts), newSpeedPage()
	plain := func(where string) cost {
		costOf(b, db, "SELECT account_id, window_start, metric, sum(value) FROM counters WHERE "+where+" GROUP BY account_id, window_start, metric")
		return costOf(b, db, "SELECT account_id, window_start, metric, sum(value) FROM counters WHERE "+where+" GROUP BY account_id, window_start, metric")
	}
	one := plain("account_id = 'acct500' AND tier = 'day' AND window_start >= now('UTC') - INTERVAL 28 DAY")
	all := plain("tier = 'day' AND window_start >= now('UTC') - INTERVAL 28 DAY")
	write := func(view, what string, c, beside cost, planning time.Duration) {
		work := max(0, c.took-planning).Seconds() / float64(max(1, c.read))
		text := fmt.Sprintf("| %s | %s | %d | %d | %.2f | %.2f | %.2f | %.2f | %s |", view, what, c.rows, c.read, float64(c.read)/float64(beside.read),
			planning.Seconds(), c.took.Seconds(), work/(all.took.Seconds()/float64(all.read)), load())
		fmt.Println(text)
		page.row(b, "views", text)
	}
	ofOne, ofAll := fmt.Sprintf("one of %d accounts, 28 days", accounts), fmt.Sprintf("all %d accounts, now", accounts)
	write("plain aggregate", ofOne, one, one, 0)
	write("plain aggregate", ofAll, all, all, 0)
	line := func(view, what, query string, beside cost) {
		if only.MatchString(view) {
			planning := costOf(b, db, "EXPLAIN "+query)
			write(view, what, costOf(b, db, query), beside, planning.took)
		}
	}
	for _, what := range []string{"portfolio", "licences_28d", "usage_28d", "adoption_28d", "engagement_14d", "health"} {
		query := "SELECT * FROM " + what
		if what == "engagement_14d" {
			query += " WHERE window_end = toStartOfDay(now('UTC'))"
		} else if strings.HasSuffix(what, "d") {
			query += " WHERE window_end = toStartOfDay(now('UTC')) + 86400"
		}
		line(what, ofAll, query, all)
	}
	for _, v := range viewsOfAccounts(b, db) {
		query := "SELECT * FROM " + v.name + " WHERE account_id = 'acct500'"
		if v.windowed {
			query += " AND window_end > now('UTC') - INTERVAL 28 DAY"
		}
		line(v.name, ofOne, query, one)
	}
}

// accountsAsked is what VIEW_ACCOUNTS says.
func accountsAsked(b *testing.B) int {
	b.Helper()
	text := os.Getenv("VIEW_ACCOUNTS")
	if text == "" {
		return 1000
	}
	accounts, err := strconv.Atoi(text)
	require.NoError(b, err)
	return accounts
}

// load is the machine's load average over a minute.
func load() string {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "unknown"
	}
	return strings.Fields(string(text))[0]
}

// addSilent adds 100 000 accounts that do nothing, known for 60 days.
func addSilent(b *testing.B, db *sql.DB) {
	b.Helper()
	_, err := db.ExecContext(b.Context(), "INSERT INTO account_changes_all (* EXCEPT generation) SELECT concat('silent', number), now64(3) - toIntervalDay(60), 'accounts/0@A', number, 0, map('name', 'Silent') FROM numbers(100000)")
	require.NoError(b, err)
}

// BenchmarkSilence reads the hours of 100 000 accounts that do nothing, among VIEW_ACCOUNTS that do.
func BenchmarkSilence(b *testing.B) {
	db, page := portfolioOf(b, accountsAsked(b)), newSpeedPage()
	addSilent(b, db)
	const hours = " AND window_start >= now('UTC') - INTERVAL 28 DAY"
	text := "| query | windows | rows read | s | CPU s | memory MB |\n|---|---|---|---|---|---|\n"
	for _, q := range [][2]string{
		{"usage_hour, one silent account, 28 days", "SELECT count(), countIf(events = 0) FROM usage_hour WHERE account_id = 'silent7'" + hours},
		{"usage_hour, every account, one hour", "SELECT count(), countIf(events = 0) FROM usage_hour WHERE window_start = toStartOfHour(now('UTC')) - 3600"},
		{"frequency_28d, every account, now", "SELECT count(), countIf(band = 'inactive') FROM frequency_28d WHERE window_end = toStartOfDay(now('UTC')) + 86400"},
		{"usage_hour, 1111 accounts, 28 days", "SELECT count(), countIf(events = 0) FROM usage_hour WHERE startsWith(account_id, 'silent12')" + hours},
		{"usage_hour, 11 111 accounts, 28 days", "SELECT count(), countIf(events = 0) FROM usage_hour WHERE startsWith(account_id, 'silent1')" + hours},
		{"usage_hour, 100 000 accounts, 28 days", "SELECT count(), countIf(events = 0) FROM usage_hour WHERE startsWith(account_id, 'silent')" + hours},
	} {
		c := costOf(b, db, q[1])
		text += fmt.Sprintf("| %s | %d | %d | %.2f | %.2f | %d |\n", q[0], c.first, c.read, c.took.Seconds(), c.cpu.Seconds(), c.memory>>20)
		page.write(b, "silence", text+"\nThe load was "+load()+".")
	}
	fmt.Print(text)
}

type ofAccounts struct {
	name     string
	windowed bool
}

func viewsOfAccounts(b *testing.B, db *sql.DB) []ofAccounts {
	b.Helper()
	rows, err := db.QueryContext(b.Context(), `SELECT table, countIf(name = 'window_end') > 0 FROM system.columns WHERE database = currentDatabase()
		AND table IN (SELECT name FROM system.tables WHERE database = currentDatabase() AND engine = 'View' AND comment LIKE '%made by tidemark migrate%')
		GROUP BY table HAVING countIf(name = 'account_id') > 0 ORDER BY table`)
	require.NoError(b, err)
	defer rows.Close() //nolint:errcheck // rows.Err has it.
	var out []ofAccounts
	for rows.Next() {
		var v ofAccounts
		require.NoError(b, rows.Scan(&v.name, &v.windowed))
		out = append(out, v)
	}
	require.NoError(b, rows.Err())
	return out
}
