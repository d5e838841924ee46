package views_test

import (
	"context"
	"database/sql"
	"testing"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/stretchr/testify/require"

	"tidemark/internal/devclickhouse"
	"tidemark/internal/devclickhouse/chtest"
	"tidemark/sinks/clickhouse/migrate"
)

// crowd is a database with 1000 accounts over 60 days: 4 M rows of counters (each twice, as after a replay), 5 M members
// and 9 M user minutes, in parts that were not merged.
func crowd(b *testing.B) *sql.DB {
	b.Helper()
	d := chtest.Shared(b)
	opts, err := clickhouse.ParseDSN(d.DSN(devclickhouse.Migrator))
	require.NoError(b, err)
	db := clickhouse.OpenDB(opts)
	b.Cleanup(func() { require.NoError(b, db.Close()) })
	require.NoError(b, migrate.Up(b.Context(), db, migrate.DefaultOptions()))
	for _, statement := range []string{
		"SYSTEM STOP MERGES " + d.Name + ".counters_all", "SYSTEM STOP MERGES " + d.Name + ".member_sets_all", "SYSTEM STOP MERGES " + d.Name + ".user_minutes_all",
		counters, counters, members, userMinutes,
		`INSERT INTO account_changes_all (* EXCEPT generation) SELECT concat('acct', number % 1000), now64(3) - toIntervalDay(60 - 12 * intDiv(number, 1000)), 'accounts/0@A', number, 0,
			map('name', concat('Account ', number % 1000), 'plan', 'pro', 'seats', toString(number % 50), 'segment', ['smb', 'mid', 'ent'][number % 3 + 1]) FROM numbers(5000)`,
	} {
		_, err := db.ExecContext(b.Context(), statement)
		require.NoError(b, err, statement)
	}
	return db
}

const (
	accountDay = "concat('acct', number % 1000) AS account, toStartOfDay(now('UTC')) - 86400 * (intDiv(number, 1000) % 60) AS start, intDiv(number, 60000) AS n"

	counters = `INSERT INTO counters_all (* EXCEPT generation) SELECT 'day', account, start, if(n < 4, '', concat('feature', intDiv(n - 4, 3))),
		if(n < 4, ['events', 'page_views', 'logins', 'errors'][n + 1], ['feature_uses', 'feature_errors', 'feature_duration_ms'][(n - 4) % 3 + 1]),
		concat('telemetry/', cityHash64(account) % 8, '@T'), cityHash64(account, start, n) % 1000, number
		FROM (SELECT number, ` + accountDay + ` FROM numbers(2040000))`

	members = `INSERT INTO member_sets_all (* EXCEPT generation) SELECT 'day', account, start, if(n < 2, '', concat('feature', n - 2)),
		if(n < 2, ['users', 'active_users'][n + 1], 'feature_users'), range(cityHash64(account, start, n) % 15),
		concat('telemetry/', cityHash64(account) % 8, '@T') FROM (SELECT number, ` + accountDay + ` FROM numbers(720000))`

	userMinutes = `INSERT INTO user_minutes_all (* EXCEPT generation) SELECT account, start + 28800 + 60 * (n % 15) * (1 + cityHash64(account, n, start) % 25) AS minute, intDiv(n, 15),
		concat('telemetry/', cityHash64(account) % 8, '@T'), minute + 3, minute + 41 FROM (SELECT number, ` + accountDay + ` FROM numbers(9000000))`
)

// BenchmarkViews shows what reading the views costs: go test -bench Views -benchtime 5x ./sinks/clickhouse/views.
func BenchmarkViews(b *testing.B) {
	db := crowd(b)
	for _, q := range []struct{ name, query string }{
		{"final/account", "SELECT account_id, window_start, sumIf(value, metric = 'events'), sumIf(value, metric = 'errors') FROM counters_all FINAL WHERE tier = 'day' AND feature = '' GROUP BY account_id, window_start"},
		{"groupby/account", `SELECT account_id, window_start, sum(events), sum(errors) FROM (SELECT account_id, window_start, maxIf(value, metric = 'events') AS events, maxIf(value, metric = 'errors') AS errors
			FROM counters WHERE tier = 'day' AND feature = '' GROUP BY account_id, window_start, source) GROUP BY account_id, window_start`},
		{"final/feature", "SELECT account_id, feature, window_start, sumIf(value, metric = 'feature_uses'), sumIf(value, metric = 'feature_errors') FROM counters_all FINAL WHERE tier = 'day' AND feature != '' GROUP BY account_id, feature, window_start"},
		{"groupby/feature", `SELECT account_id, feature, window_start, sum(uses), sum(errors) FROM (SELECT account_id, feature, window_start, maxIf(value, metric = 'feature_uses') AS uses, maxIf(value, metric = 'feature_errors') AS errors
			FROM counters WHERE tier = 'day' AND feature != '' GROUP BY account_id, feature, window_start, source) GROUP BY account_id, feature, window_start`},
		{"usage_day/one account", "SELECT * FROM usage_day WHERE account_id = 'acct500' AND window_start >= now('UTC') - INTERVAL 30 DAY"},
		{"usage_day/all accounts, 7 days", "SELECT * FROM usage_day WHERE window_start >= now('UTC') - INTERVAL 7 DAY"},
		{"usage_hour/all accounts, 1 day", "SELECT * FROM usage_hour WHERE window_start >= now('UTC') - INTERVAL 1 DAY"},
		{"usage_28d/one account, today", "SELECT * FROM usage_28d WHERE account_id = 'acct500' AND window_end > now('UTC')"},
		{"usage_28d/all accounts, today", "SELECT * FROM usage_28d WHERE window_end > now('UTC')"},
		{"features_28d/one account, today", "SELECT * FROM features_28d WHERE account_id = 'acct500' AND window_end > now('UTC')"},
		{"segment_usage_day/7 days", "SELECT * FROM segment_usage_day WHERE window_start >= now('UTC') - INTERVAL 7 DAY"},
	} {
		b.Run(q.name, func(b *testing.B) {
			var cpu int64
			for b.Loop() {
				cpu += drain(b, db, q.query)
			}
			b.ReportMetric(float64(cpu)/1e6/float64(b.N), "cpu-s/op")
		})
	}
}

// drain reads a query to its end and returns the CPU time that the server spent on it, in microseconds.
func drain(b *testing.B, db *sql.DB, query string) (cpu int64) {
	b.Helper()
	ctx := clickhouse.Context(context.Background(), clickhouse.WithProfileEvents(func(events []clickhouse.ProfileEvent) {
		for _, e := range events {
			if e.Name == "OSCPUVirtualTimeMicroseconds" {
				cpu += e.Value
			}
		}
	}))
	rows, err := db.QueryContext(ctx, query)
	require.NoError(b, err)
	defer rows.Close() //nolint:errcheck // rows.Err has it.
	n := 0
	for rows.Next() {
		n++
	}
	require.NoError(b, rows.Err())
	require.NotZero(b, n)
	return cpu
}
