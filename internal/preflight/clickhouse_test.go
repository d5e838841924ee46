package preflight_test

import (
	"context"
	"database/sql"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	driver "github.com/ClickHouse/clickhouse-go/v2"
	"github.com/stretchr/testify/require"

	"tidemark/internal/devclickhouse"
	"tidemark/internal/devclickhouse/chtest"
	"tidemark/internal/preflight"
	"tidemark/sinks/clickhouse"
	"tidemark/sinks/clickhouse/migrate"
)

// client connects to a DSN.
func client(t *testing.T, dsn string, change func(*clickhouse.Config)) *clickhouse.Client {
	t.Helper()
	options, err := driver.ParseDSN(dsn)
	require.NoError(t, err)
	cfg := clickhouse.Config{
		Addr: options.Addr, Database: options.Auth.Database, User: options.Auth.Username, Password: options.Auth.Password,
		DialTimeout: time.Minute, ReadTimeout: 5 * time.Minute,
	}
	if change != nil {
		change(&cfg)
	}
	c, err := clickhouse.Open(cfg)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, c.Close()) })
	return c
}

func migratorDB(t *testing.T, db *chtest.Database) *sql.DB {
	t.Helper()
	options, err := driver.ParseDSN(db.DSN(devclickhouse.Migrator))
	require.NoError(t, err)
	handle := driver.OpenDB(options)
	t.Cleanup(func() { require.NoError(t, handle.Close()) })
	return handle
}

func migrated(t *testing.T) *chtest.Database {
	t.Helper()
	db := chtest.Shared(t)
	require.NoError(t, migrate.Up(t.Context(), migratorDB(t, db), migrate.DefaultOptions()))
	return db
}

// check is a check with the engine's own roles.
func check(t *testing.T, db *chtest.Database) preflight.ClickHouse {
	t.Helper()
	role := func(r devclickhouse.Role) preflight.Role {
		return preflight.Role{Key: "clickhouse." + string(r), User: string(r), Client: client(t, db.DSN(r), nil)}
	}
	return preflight.ClickHouse{
		Addr: db.Server.NativeAddr(), Database: db.Name, Durability: preflight.Durability{Addresses: 1}, DB: migratorDB(t, db),
		Migrator: role(devclickhouse.Migrator), Writer: role(devclickhouse.Writer), Reader: role(devclickhouse.Reader),
	}
}

// hide replaces what differs from run to run.
func hide(t *testing.T, db *chtest.Database) []string {
	t.Helper()
	var version string
	require.NoError(t, db.Open(t, devclickhouse.Reader).QueryRow(t.Context(), "SELECT version()").Scan(&version))
	return []string{db.Server.NativeAddr(), "ADDR", db.Name, "DB", version, "VERSION"}
}

func exec(t *testing.T, db *chtest.Database, query string) {
	t.Helper()
	require.NoError(t, db.Open(t, devclickhouse.Migrator).Exec(t.Context(), query))
}

func TestClickHouseAsItShouldBe(t *testing.T) {
	t.Parallel()
	db := migrated(t)
	c := check(t, db)
	got := lines(c.Check(t.Context()), hide(t, db)...)
	last := got[len(got)-1]
	require.Equal(t, []string{
		"ok clickhouse.migrator: migrator reached ADDR",
		"ok clickhouse.writer: writer reached ADDR",
		"ok clickhouse.reader: reader reached ADDR",
		"ok clickhouse: ADDR is version VERSION",
		"ok clock: ClickHouse's agrees with this machine's",
		fmt.Sprintf("ok migrations: all %d are applied", migrations(t)),
		"ok tables: inserts are durable, reads see them, rows merge by their keys",
		"ok clickhouse.migrator: migrator may create, alter and drop tables and views",
		"ok clickhouse.writer: writer may insert and read",
		"ok clickhouse.writer: an insert with the pipeline's settings works",
	}, got[:len(got)-1])
	require.Regexp(t, `^ok clickhouse.reader: reader may read \d+ views$`, last)
}

func TestClickHouseWithoutTables(t *testing.T) {
	t.Parallel()
	db := chtest.Shared(t)
	c := check(t, db)
	require.Equal(t, []string{"error migrations: the database DB has no tables of Tidemark's | run tidemark migrate"},
		grave(lines(c.Check(t.Context()), hide(t, db)...)))
	var tables uint64
	require.NoError(t, db.Open(t, devclickhouse.Reader).QueryRow(t.Context(), "SELECT count() FROM system.tables WHERE database = currentDatabase()").Scan(&tables))
	require.Zero(t, tables, "a check makes nothing")
}

func TestClickHouseOfAnOlderVersionOfTidemark(t *testing.T) {
	t.Parallel()
	db := migrated(t)
	exec(t, db, "DELETE FROM migrations WHERE version_id IN (8, 9)")
	c := check(t, db)
	require.Equal(t, []string{fmt.Sprintf("error migrations: 2 of %d are missing: 00008_dead_letters.sql, 00009_source_progress.sql | run tidemark migrate", migrations(t))},
		grave(lines(c.Check(t.Context()), hide(t, db)...)))
}

func TestClickHouseRights(t *testing.T) {
	t.Parallel()
	db := migrated(t)
	c := check(t, db)
	// The roles, one place on: each may too little or too much.
	c.Migrator.Client, c.Migrator.User = c.Writer.Client, "writer"
	c.Writer.Client, c.Writer.User = c.Reader.Client, "reader"
	c.Reader.Client, c.Reader.User = client(t, db.DSN(devclickhouse.Migrator), nil), "migrator"
	got := grave(lines(c.Check(t.Context()), hide(t, db)...))
	require.Len(t, got, 7+11+1+1, "%q", got)
	require.Equal(t, "error clickhouse.migrator: writer lacks the right CREATE TABLE ON DB.* | run GRANT CREATE TABLE ON DB.* TO writer", got[0])
	require.Equal(t, "error clickhouse.writer: reader lacks the right INSERT ON DB.counters_all | run GRANT INSERT ON DB.counters_all TO reader", got[7])
	require.Contains(t, got[18], "error clickhouse.writer: an insert of no rows fails: ")
	require.Equal(t, "warning clickhouse.reader: migrator has 18 rights that it does not need, such as INSERT ON DB.counters_all | "+
		"run REVOKE INSERT ON DB.counters_all FROM migrator, and the like", got[19])
}

func TestClickHouseOutOfReach(t *testing.T) {
	t.Parallel()
	db := migrated(t)
	c := check(t, db)
	c.Migrator.Client = client(t, db.DSN(devclickhouse.Migrator), func(cfg *clickhouse.Config) { cfg.Addr = []string{"127.0.0.1:1"} })
	c.Writer.Client = client(t, db.DSN(devclickhouse.Writer), func(cfg *clickhouse.Config) { cfg.Password = "wrong" })
	c.Reader.Client = client(t, db.DSN(devclickhouse.Reader), func(cfg *clickhouse.Config) { cfg.Database = "nonesuch" })
	got := lines(c.Check(t.Context()), hide(t, db)...)
	require.Len(t, got, 3)
	require.Contains(t, got[0], "error clickhouse.migrator: migrator does not reach ADDR: ")
	require.Contains(t, got[0], "connection refused | start ClickHouse (tidemark dev clickhouse is one for development)")
	require.Contains(t, got[1], "error clickhouse.writer: writer at ADDR: ClickHouse refuses the login; set the user and its password")
	require.Contains(t, got[2], "error clickhouse.reader: reader at ADDR: ClickHouse has no database of the name in clickhouse.database")
}

func TestClickHouseMaterializedViewOverRollups(t *testing.T) {
	t.Parallel()
	db := migrated(t)
	exec(t, db, "CREATE MATERIALIZED VIEW totals ENGINE = MergeTree ORDER BY account_id AS SELECT account_id, value FROM counters_all")
	c := check(t, db)
	got := grave(lines(c.Check(t.Context()), hide(t, db)...))
	require.Len(t, got, 1)
	require.Contains(t, got[0], "warning tables: the materialized view totals reads inserts into counters_all")
}

func writer(t *testing.T, db *chtest.Database, change func(*clickhouse.Config)) driver.Conn {
	t.Helper()
	return client(t, db.DSN(devclickhouse.Writer), change).Conn()
}

func TestInvariants(t *testing.T) {
	t.Parallel()
	db := migrated(t)
	ctx := t.Context()
	one := preflight.Durability{Addresses: 1}
	var v *preflight.Violation
	require.NoError(t, preflight.Invariants(ctx, writer(t, db, nil), one))
	require.NoError(t, preflight.Invariants(ctx, writer(t, db, func(c *clickhouse.Config) { c.HTTP, c.Addr = true, []string{db.Server.HTTPAddr()} }), one))

	require.ErrorAs(t, preflight.Invariants(ctx, writer(t, db, func(c *clickhouse.Config) { c.Password = "wrong" }), one), &v)
	require.ErrorContains(t, v, "ClickHouse refuses the login")
	require.ErrorAs(t, preflight.Invariants(ctx, writer(t, db, func(c *clickhouse.Config) { c.Database = "nonesuch" }), one), &v)
	require.ErrorContains(t, v, "create it, then run tidemark migrate")

	// What may be better the next time is no violation.
	err := preflight.Invariants(ctx, writer(t, db, func(c *clickhouse.Config) { c.Addr = []string{"127.0.0.1:1"} }), one)
	require.Error(t, err)
	require.NotErrorAs(t, err, new(*preflight.Violation))
	ended, cancel := context.WithCancel(ctx)
	cancel()
	err = preflight.Invariants(ended, writer(t, db, nil), one)
	require.ErrorIs(t, err, context.Canceled)
	require.NotErrorAs(t, err, new(*preflight.Violation))

	exec(t, db, "ALTER TABLE facts_all MODIFY SETTING fsync_after_insert = 0")
	exec(t, db, "ALTER TABLE member_sets_all RESET SETTING fsync_part_directory")
	exec(t, db, "DROP TABLE dead_letters_all")
	require.EqualError(t, preflight.Invariants(ctx, writer(t, db, nil), one), ""+
		"the table member_sets_all has fsync_part_directory = 0, so that an acknowledged insert may vanish when the power fails; run ALTER TABLE member_sets_all MODIFY SETTING fsync_part_directory = 1\n"+
		"the table facts_all has fsync_after_insert = 0, so that an acknowledged insert may vanish when the power fails; run ALTER TABLE facts_all MODIFY SETTING fsync_after_insert = 1\n"+
		"the table dead_letters_all is missing, or hidden from the writer; run tidemark migrate")
	require.ErrorAs(t, preflight.Invariants(ctx, writer(t, db, nil), one), &v)
}

// migrations returns how many there are.
func migrations(t *testing.T) int {
	t.Helper()
	files, err := filepath.Glob("../../sinks/clickhouse/migrate/sql/*.sql")
	require.NoError(t, err)
	return len(files)
}
