//go:build linux && !noengine

package devclickhouse_test

import (
	"testing"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/ext"
	"github.com/stretchr/testify/require"

	"tidemark/internal/devclickhouse"
	"tidemark/internal/devclickhouse/chtest"
)

// accessDenied and readOnly are ClickHouse's error codes ACCESS_DENIED and READONLY.
const (
	accessDenied = 497
	readOnly     = 164
)

func requireCode(t *testing.T, err error, codes ...int32) {
	t.Helper()
	var exception *clickhouse.Exception
	require.ErrorAs(t, err, &exception)
	require.Contains(t, codes, exception.Code, exception.Message)
}

func TestRolesMayDoTheirJobAndNoMore(t *testing.T) {
	ctx := t.Context()
	db := chtest.Shared(t)
	migrator := db.Open(t, devclickhouse.Migrator)
	writer := db.Open(t, devclickhouse.Writer)
	reader := db.Open(t, devclickhouse.Reader)
	eraser := db.Open(t, devclickhouse.Eraser)

	require.NoError(t, migrator.Exec(ctx, "CREATE TABLE t (a UInt64) ENGINE = MergeTree ORDER BY a"))
	require.NoError(t, migrator.Exec(ctx, "ALTER TABLE t ADD COLUMN b UInt64"))
	require.NoError(t, migrator.Exec(ctx, "CREATE VIEW v AS SELECT sum(a) AS total FROM t"))
	requireCode(t, migrator.Exec(ctx, "CREATE DATABASE other"), accessDenied)

	require.NoError(t, writer.Exec(ctx, "INSERT INTO t (a) VALUES (1), (2)"))
	requireCode(t, writer.Exec(ctx, "CREATE TABLE u (a UInt64) ENGINE = MergeTree ORDER BY a"), accessDenied)
	requireCode(t, writer.Exec(ctx, "ALTER TABLE t DROP COLUMN b"), accessDenied)
	requireCode(t, writer.Exec(ctx, "DROP TABLE t"), accessDenied)
	requireCode(t, writer.Exec(ctx, "ALTER TABLE t DELETE WHERE a = 1"), accessDenied)

	requireCode(t, reader.Exec(ctx, "INSERT INTO t (a) VALUES (3)"), accessDenied, readOnly)
	requireCode(t, reader.Exec(ctx, "TRUNCATE TABLE t"), accessDenied, readOnly)
	requireCode(t, reader.Exec(ctx, "SELECT * FROM file('/etc/hostname', LineAsString)"), accessDenied, readOnly)
	requireCode(t, eraser.Exec(ctx, "INSERT INTO t (a) VALUES (3)"), accessDenied)
	for _, query := range []string{"ALTER TABLE t DROP COLUMN b", "DROP TABLE t", "TRUNCATE TABLE t", "CREATE TABLE u (a UInt64) ENGINE = MergeTree ORDER BY a"} {
		requireCode(t, eraser.Exec(ctx, query), accessDenied)
	}
	for _, conn := range []clickhouse.Conn{migrator, writer, reader, eraser} {
		var total uint64
		require.NoError(t, conn.QueryRow(ctx, "SELECT total FROM v").Scan(&total))
		require.EqualValues(t, 3, total)
	}
	sync := clickhouse.Context(ctx, clickhouse.WithSettings(clickhouse.Settings{"mutations_sync": 2}))
	require.NoError(t, eraser.Exec(sync, "ALTER TABLE t DELETE WHERE a = 1"))
	require.NoError(t, eraser.Exec(sync, "ALTER TABLE t UPDATE b = 1 WHERE a = 2"))
}

// The loader of Tidemark may send its keys as an external table, and a client changes settings for its query.
func TestReadersMayUseExternalTablesAndSettings(t *testing.T) {
	db := chtest.Shared(t)
	for _, role := range []devclickhouse.Role{devclickhouse.Writer, devclickhouse.Reader} {
		keys, err := ext.NewTable("keys", ext.Column("a", "UInt64"))
		require.NoError(t, err)
		require.NoError(t, keys.Append(uint64(7)))
		ctx := clickhouse.Context(t.Context(), clickhouse.WithExternalTable(keys),
			clickhouse.WithSettings(clickhouse.Settings{"max_execution_time": 30, "final": 1}))
		var a uint64
		require.NoError(t, db.Open(t, role).QueryRow(ctx, "SELECT a FROM keys").Scan(&a), role)
		require.EqualValues(t, 7, a)
	}
}

func TestEveryRoleReadsTheSystemTablesOfClients(t *testing.T) {
	db := chtest.Shared(t)
	require.NoError(t, db.Open(t, devclickhouse.Migrator).Exec(t.Context(), "CREATE TABLE t (a UInt64) ENGINE = MergeTree ORDER BY a"))
	for _, role := range []devclickhouse.Role{devclickhouse.Migrator, devclickhouse.Writer, devclickhouse.Reader} {
		conn := db.Open(t, role)
		for _, table := range []string{
			"databases", "tables", "columns", "settings", "merge_tree_settings", "parts", "merges", "mutations", "replicas", "clusters",
			"functions", "data_type_families", "table_functions", "formats", "processes", "disks", "view_refreshes", "time_zones",
		} {
			var n uint64
			require.NoError(t, conn.QueryRow(t.Context(), "SELECT count() FROM system."+table).Scan(&n), "%s reads system.%s", role, table)
		}
		var seen uint64
		require.NoError(t, conn.QueryRow(t.Context(), "SELECT count() FROM system.columns WHERE database = ? AND table = 't'", db.Name).Scan(&seen))
		require.EqualValues(t, 1, seen, "%s sees the table's column", role)
	}
}

// The user default must exist without a password, for the engine's own session. It must see nothing.
func TestDefaultUserSeesNothing(t *testing.T) {
	db := chtest.Shared(t)
	require.NoError(t, db.Open(t, devclickhouse.Migrator).Exec(t.Context(), "CREATE TABLE t (a UInt64) ENGINE = MergeTree ORDER BY a"))
	conn := chtest.Open(t, "clickhouse://default:@"+db.Server.NativeAddr()+"/system")
	for _, query := range []string{
		"SELECT * FROM " + db.Name + ".t",
		"CREATE TABLE " + db.Name + ".u (a UInt64) ENGINE = MergeTree ORDER BY a",
		"SELECT * FROM file('/etc/hostname', LineAsString)",
		"SELECT * FROM default.`/etc/hostname`",
		"SYSTEM SHUTDOWN",
	} {
		requireCode(t, conn.Exec(t.Context(), query), accessDenied)
	}
}

func TestFsyncAfterInsertIsATableSetting(t *testing.T) {
	ctx := t.Context()
	db := chtest.Shared(t)
	require.NoError(t, db.Open(t, devclickhouse.Migrator).Exec(ctx,
		"CREATE TABLE t (a UInt64) ENGINE = MergeTree ORDER BY a SETTINGS fsync_after_insert = 1, fsync_part_directory = 1"))
	writer := db.Open(t, devclickhouse.Writer)
	var query, standard string
	require.NoError(t, writer.QueryRow(ctx, "SELECT create_table_query FROM system.tables WHERE database = ? AND name = 't'", db.Name).Scan(&query))
	require.Contains(t, query, "fsync_after_insert = 1")
	require.Contains(t, query, "fsync_part_directory = 1")
	require.NoError(t, writer.QueryRow(ctx, "SELECT value FROM system.merge_tree_settings WHERE name = 'fsync_after_insert'").Scan(&standard))
	require.Equal(t, "0", standard, "the server's default, which the table overrides")
}

func TestMigratorMakesMaterializedViews(t *testing.T) {
	ctx := t.Context()
	db := chtest.Shared(t)
	migrator := db.Open(t, devclickhouse.Migrator)
	for _, query := range []string{
		"CREATE TABLE raw (a UInt64) ENGINE = MergeTree ORDER BY a",
		"CREATE TABLE sums (k UInt64, s SimpleAggregateFunction(sum, UInt64)) ENGINE = AggregatingMergeTree ORDER BY k",
		"CREATE MATERIALIZED VIEW to_sums TO sums AS SELECT a % 2 AS k, a AS s FROM raw",
		"CREATE MATERIALIZED VIEW fresh REFRESH EVERY 1 HOUR ENGINE = MergeTree ORDER BY n AS SELECT count() AS n FROM raw",
	} {
		require.NoError(t, migrator.Exec(ctx, query), query)
	}
	require.NoError(t, db.Open(t, devclickhouse.Writer).Exec(ctx, "INSERT INTO raw SELECT number FROM numbers(10)"))
	var odd uint64
	require.NoError(t, db.Open(t, devclickhouse.Reader).QueryRow(ctx, "SELECT sum(s) FROM sums WHERE k = 1").Scan(&odd))
	require.EqualValues(t, 25, odd)
	require.NoError(t, migrator.Exec(ctx, "SYSTEM REFRESH VIEW fresh"))
	require.NoError(t, migrator.Exec(ctx, "SYSTEM WAIT VIEW fresh"))
	var n uint64
	require.NoError(t, db.Open(t, devclickhouse.Reader).QueryRow(ctx, "SELECT n FROM fresh").Scan(&n))
	require.EqualValues(t, 10, n)
}
