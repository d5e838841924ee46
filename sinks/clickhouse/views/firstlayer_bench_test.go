package views_test

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"runtime"
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
	rows, read uint64
	took       time.Duration
}

func costOf(b *testing.B, db *sql.DB, query string) cost {
	b.Helper()
	var c cost
	ctx := clickhouse.Context(context.Background(), clickhouse.WithProgress(func(p *clickhouse.Progress) { c.read += p.Rows }))
	start := time.Now()
	rows, err := db.QueryContext(ctx, query)
	require.NoError(b, err, query)
	defer rows.Close() //nolint:errcheck // rows.Err has it.
	for rows.Next() {
		c.rows++
	}
	require.NoError(b, rows.Err(), query)
	c.took = time.Since(start)
	return c
}

// BenchmarkFirstLayer reads every view of accounts for one account over 28 days, and the whole portfolio, beside plain
// aggregates over the tables: make bench-views. VIEW_ACCOUNTS is how many accounts there are; VIEW_DSN names a database that an earlier
// run has filled, so that changes are measured on the same rows.
func BenchmarkFirstLayer(b *testing.B) {
	accounts := 1000
	if text := os.Getenv("VIEW_ACCOUNTS"); text != "" {
		var err error
		accounts, err = strconv.Atoi(text)
		require.NoError(b, err)
	}
	db := portfolioOf(b, accounts)
	plain := func(where string) cost {
		costOf(b, db, "SELECT account_id, window_start, metric, sum(value) FROM counters WHERE "+where+" GROUP BY account_id, window_start, metric")
		return costOf(b, db, "SELECT account_id, window_start, metric, sum(value) FROM counters WHERE "+where+" GROUP BY account_id, window_start, metric")
	}
	one := plain("account_id = 'acct500' AND tier = 'day' AND window_start >= now('UTC') - INTERVAL 28 DAY")
	all := plain("tier = 'day' AND window_start >= now('UTC') - INTERVAL 28 DAY")
	var out strings.Builder
	before := load()
	fmt.Fprintf(&out, "%d accounts; the plain aggregate over 28 days of counters: one account %d rows read in %.3f s, all %d in %.3f s.\n\n", accounts, one.read, one.took.Seconds(), all.read, all.took.Seconds())
	out.WriteString("| view | for | rows | rows read | of those of the plain aggregate | planning s | s | of the plain aggregate's time a row read |\n|---|---|---|---|---|---|---|---|\n")
	line := func(view, what, query string, beside cost) {
		planning := costOf(b, db, "EXPLAIN "+query)
		c := costOf(b, db, query)
		work := max(0, c.took-planning.took).Seconds() / float64(max(1, c.read))
		fmt.Fprintf(&out, "| %s | %s | %d | %d | %.2f | %.2f | %.2f | %.2f |\n", view, what, c.rows, c.read, float64(c.read)/float64(beside.read),
			planning.took.Seconds(), c.took.Seconds(), work/(all.took.Seconds()/float64(all.read)))
	}
	for _, what := range []string{"portfolio", "licences_28d", "usage_28d", "adoption_28d", "engagement_14d", "health"} {
		query := "SELECT * FROM " + what
		if what == "engagement_14d" {
			query += " WHERE window_end = toStartOfDay(now('UTC'))"
		} else if strings.HasSuffix(what, "d") {
			query += " WHERE window_end = toStartOfDay(now('UTC')) + 86400"
		}
		line(what, "all accounts, now", query, all)
	}
	for _, v := range viewsOfAccounts(b, db) {
		query := "SELECT * FROM " + v.name + " WHERE account_id = 'acct500'"
		if v.windowed {
			query += " AND window_end > now('UTC') - INTERVAL 28 DAY"
		}
		line(v.name, "one account, 28 days", query, one)
	}
	silence(b, db, &out)
	fmt.Fprintf(&out, "\nOn %d cores, which other work shared: load averages before and after were %s and %s. Rows read don't depend on that; times do.\n", runtime.NumCPU(), before, load())
	fmt.Println(out.String())
	if file := os.Getenv("VIEW_SPEED"); file != "" {
		require.NoError(b, os.WriteFile(file, []byte(speedIntroduction+out.String()), 0o600))
	}
}

// load is the machine's load average over a minute.
func load() string {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "unknown"
	}
	return strings.Fields(string(text))[0]
}

// silence adds 100 000 accounts that do nothing, and reads the hours of all of them.
func silence(b *testing.B, db *sql.DB, out *strings.Builder) {
	b.Helper()
	_, err := db.ExecContext(b.Context(), "INSERT INTO account_changes_all (* EXCEPT generation) SELECT concat('silent', number), now64(3) - toIntervalDay(60), 'accounts/0@A', number, 0, map('name', 'Silent') FROM numbers(100000)")
	require.NoError(b, err)
	fmt.Fprintf(out, "\nWith 100 000 accounts more that do nothing, known for 60 days:\n\n| query | rows | rows read | s |\n|---|---|---|---|\n")
	for _, q := range [][2]string{
		{"usage_hour, one silent account, 28 days", "SELECT * FROM usage_hour WHERE account_id = 'silent7' AND window_start >= now('UTC') - INTERVAL 28 DAY"},
		{"usage_hour, 11 111 accounts, 28 days: 7.5 million windows counted, a ninth of all", "SELECT count(), countIf(events = 0) FROM usage_hour WHERE startsWith(account_id, 'silent1') AND window_start >= now('UTC') - INTERVAL 28 DAY"},
		{"usage_hour, every account, one hour", "SELECT account_id, events FROM usage_hour WHERE window_start = toStartOfHour(now('UTC')) - 3600"},
		{"usage_hour, 1111 accounts, 28 days", "SELECT account_id, max(events) FROM usage_hour WHERE startsWith(account_id, 'silent12') AND window_start >= now('UTC') - INTERVAL 28 DAY GROUP BY account_id"},
		{"frequency_28d, every inactive account, now", "SELECT account_id FROM frequency_28d WHERE window_end = toStartOfDay(now('UTC')) + 86400 AND band = 'inactive'"},
	} {
		c := costOf(b, db, q[1])
		fmt.Fprintf(out, "| %s | %d | %d | %.2f |\n", q[0], c.rows, c.read, c.took.Seconds())
	}
}

const speedIntroduction = `# How fast the views are

Made by ` + "`make bench-views`" + `; do not edit. Each view of accounts for one account over 28 days, and the tables of all accounts, on one embedded
ClickHouse with rows as the pipeline writes them, day tier over 60 days. Rows read are those of the tables, beside those that a plain
aggregate of the counters reads for the same accounts and days. Planning is what EXPLAIN takes: a query of one account is hardly more. The last
column compares the time of the rest, a row read, with that of the plain aggregate over all accounts.

`

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
