package migrate_test

import (
	"database/sql"
	"fmt"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"tidemark/internal/devclickhouse"
	"tidemark/internal/devclickhouse/chtest"
	"tidemark/sinks/clickhouse/migrate"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(chtest.WithShared(m)) }

// open connects as the migrator, natively or over HTTP.
func open(t *testing.T, dsn string) *sql.DB {
	t.Helper()
	opts, err := clickhouse.ParseDSN(dsn)
	require.NoError(t, err)
	db := clickhouse.OpenDB(opts)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	return db
}

func migrated(t *testing.T) (*chtest.Database, *sql.DB) {
	t.Helper()
	d := chtest.Shared(t)
	db := open(t, d.DSN(devclickhouse.Migrator))
	require.NoError(t, migrate.Up(t.Context(), db, options()))
	return d, db
}

func options() migrate.Options { return migrate.DefaultOptions() }

func query[T any](t *testing.T, db *sql.DB, text string, args ...any) []T {
	t.Helper()
	rows, err := db.QueryContext(t.Context(), text, args...)
	require.NoError(t, err)
	defer rows.Close() //nolint:errcheck // Its error comes from rows.Err.
	var out []T
	for rows.Next() {
		var v T
		require.NoError(t, rows.Scan(&v))
		out = append(out, v)
	}
	require.NoError(t, rows.Err())
	return out
}

var tables = []string{
	"account_changes_all", "alert_transitions", "catalogues", "checkpoints_all", "counters_all", "dead_letters_all", "deliveries", "delivery_targets", "facts_all", "generations", "health_rows", "known_accounts_all", "member_sets_all", "migrations", "portfolio_rows", "portfolio_snapshots",
	"silences", "source_progress_all", "tenants", "trigger_leaders", "trigger_states", "user_accounts_all", "user_minutes_all",
}

const tablesOf = "SELECT name FROM system.tables WHERE database = currentDatabase() AND engine LIKE '%MergeTree' ORDER BY name"

func TestUp(t *testing.T) {
	for name, dsn := range map[string]func(*chtest.Database) string{
		"native": func(d *chtest.Database) string { return d.DSN(devclickhouse.Migrator) },
		"http":   func(d *chtest.Database) string { return d.HTTPURL(devclickhouse.Migrator) },
	} {
		t.Run(name, func(t *testing.T) {
			db := open(t, dsn(chtest.Shared(t)))
			states, err := migrate.Status(t.Context(), db)
			require.NoError(t, err)
			require.NotEmpty(t, states)
			for _, s := range states {
				require.False(t, s.Applied, s.Name)
			}
			for range 2 { // The second time changes nothing.
				require.NoError(t, migrate.Up(t.Context(), db, options()))
				require.Equal(t, tables, query[string](t, db, tablesOf))
			}
			require.Empty(t, query[string](t, db, "SELECT account_id FROM usage_day"), "the views are there")
			states, err = migrate.Status(t.Context(), db)
			require.NoError(t, err)
			for _, s := range states {
				require.True(t, s.Applied, s.Name)
				require.WithinDuration(t, time.Now(), s.AppliedAt, time.Hour, s.Name)
			}
		})
	}
}

func TestTwoAtOnce(t *testing.T) {
	d := chtest.Shared(t)
	errs := make(chan error)
	for range 2 {
		db := open(t, d.DSN(devclickhouse.Migrator))
		go func() { errs <- migrate.Up(t.Context(), db, options()) }()
	}
	require.NoError(t, <-errs)
	require.NoError(t, <-errs)
}

func TestEverythingIsCommented(t *testing.T) {
	_, db := migrated(t)
	require.Empty(t, query[string](t, db,
		"SELECT name FROM system.tables WHERE database = currentDatabase() AND comment = ''"))
	require.Empty(t, query[string](t, db,
		"SELECT table || '.' || name FROM system.columns WHERE database = currentDatabase() AND comment = '' AND table != 'migrations'"))
}

func TestInsertsAreDurableAndNeverDeduplicated(t *testing.T) {
	_, db := migrated(t)
	require.Empty(t, query[string](t, db, `SELECT name FROM system.tables
		WHERE database = currentDatabase() AND engine LIKE '%MergeTree' AND name != 'migrations' AND NOT (
			engine_full LIKE '%fsync_after_insert = 1%' AND engine_full LIKE '%fsync_part_directory = 1%'
			AND engine_full LIKE '%non_replicated_deduplication_window = 0%')`))
}

func TestRetentionFollowsTheConfiguration(t *testing.T) {
	_, db := migrated(t)
	ttl := func() []string {
		return query[string](t, db, `SELECT name || ': ' || extract(engine_full, ' TTL (.*) SETTINGS ') FROM system.tables
			WHERE database = currentDatabase() AND name IN ('counters_all', 'facts_all', 'user_minutes_all') ORDER BY name`)
	}
	require.Equal(t, []string{
		"counters_all: window_start + toIntervalHour(multiIf(tier = 'minute', 384, tier = 'hour', 9648, 43848))",
		"facts_all: toDateTime(at) + toIntervalHour(43848)",
		"user_minutes_all: minute + toIntervalHour(9648)",
	}, ttl())

	o := options()
	o.Retention.Minute = 24 * time.Hour
	require.NoError(t, migrate.Up(t.Context(), db, o))
	require.Contains(t, ttl(), "counters_all: window_start + toIntervalHour(multiIf(tier = 'minute', 72, tier = 'hour', 9648, 43848))")

	o.Retention.Hour = time.Hour
	require.ErrorContains(t, migrate.Up(t.Context(), db, o), "retention minute 24h0m0s, hour 1h0m0s")
}

func TestTiersExpireApart(t *testing.T) {
	_, db := migrated(t)
	today := fmt.Sprintf("toDateTime(%d, 'UTC')", time.Now().UTC().Truncate(24*time.Hour).Unix()) // once: midnight may pass meanwhile
	exec(t, db, `INSERT INTO counters_all (tier, account_id, window_start, metric, value)
		SELECT arrayJoin(['minute', 'hour', 'day']) AS tier, 'acme', `+today+` - toIntervalDay(arrayJoin([1, 60, 500, 3000])), 'events', 1`)
	exec(t, db, "OPTIMIZE TABLE counters_all FINAL")
	require.Equal(t, []string{"day 1", "day 500", "day 60", "hour 1", "hour 60", "minute 1"}, query[string](t, db,
		"SELECT tier || ' ' || toString(dateDiff('day', window_start, "+today+")) AS kept FROM counters ORDER BY kept"))
}

// A partition may be silent for longer than checkpoints are kept: its last one must stay, or recovery would stop.
func TestTheLastCheckpointStays(t *testing.T) {
	_, db := migrated(t)
	exec(t, db, `INSERT INTO checkpoints_all (source, offset, received, applied, log_time, catalogue)
		SELECT 'silent', number, number, number, now64(3) - toIntervalDay(200 - number), toString(number) FROM numbers(1, 100)`)
	exec(t, db, `INSERT INTO checkpoints_all (source, offset, received, applied, log_time, catalogue)
		SELECT 'busy', number, number, number, now64(3) - toIntervalDay(100 - number), toString(number) FROM numbers(1, 100)`)
	exec(t, db, "OPTIMIZE TABLE checkpoints_all FINAL")
	require.Equal(t, []string{"busy: 91 from 10 10 10 10", "silent: 1 from 100 100 100 100"}, query[string](t, db,
		`SELECT format('{}: {} from {} {} {} {}', source, count(), min(offset), min(received), min(applied),
			min(toUInt64(catalogue))) AS kept
		FROM checkpoints GROUP BY source ORDER BY source`))
}

func exec(t *testing.T, db *sql.DB, text string) {
	t.Helper()
	_, err := db.ExecContext(t.Context(), text)
	require.NoError(t, err)
}
