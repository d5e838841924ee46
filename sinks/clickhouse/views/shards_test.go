package views_test

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"testing"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/stretchr/testify/require"

	"tidemark/internal/devclickhouse"
	"tidemark/internal/devclickhouse/chtest"
	"tidemark/sinks/clickhouse/migrate"
)

// shardKeys say by what the rows of a table are spread over shards: all of an account, a user or a source on one.
var shardKeys = map[string]string{
	"counters": "account_id", "member_sets": "account_id", "user_minutes": "account_id", "facts": "account_id", "account_changes": "account_id", "known_accounts": "account_id",
	"user_accounts": "user", "checkpoints": "source", "dead_letters": "source", "source_progress": "source",
}

// sharded are views of every way of reading: windows, rolling windows, segments, users, features, facts, tickets, operations. The
// others are made of these, and take minutes to plan over shards.
var sharded = []string{
	"accounts", "account_history", "usage_minute", "usage_hour", "usage_day", "usage_7d", "segment_usage_day", "sessions", "frequency_7d",
	"features_day", "features_7d", "first_value", "account_issues_7d", "expansion_30d", "workflow_runs", "workflows_day", "tickets", "support_day",
	"completeness", "accounting", "sources", "dead_letters_by_reason", "dead_letters_by_producer",
}

// TestTwoShards spreads rows over two servers and reads them on a third, whose tables are Distributed: views show what they show
// on the one server that has all rows.
func TestTwoShards(t *testing.T) {
	one := week(t)
	for i := range 20 { // more accounts, so that both shards have some
		account := fmt.Sprintf("sharded-%d", i)
		one.insert(t, "account_changes", fmt.Sprintf("('%s', '2026-03-05 00:00:00', 'accounts/0@A', %d, 0, {'plan': 'pro', 'seats': '%d', 'segment': 'smb'})", account, 100+i, i+1))
		one.insert(t, "counters", fmt.Sprintf("('day', '%s', '2026-03-09', '', 'events', 'telemetry/0@T', %d, %d)", account, i+1, 40+i))
		one.insert(t, "member_sets", fmt.Sprintf("('day', '%s', '2026-03-09', '', 'users', %d, 'telemetry/0@T')", account, 100+i))
		one.insert(t, "user_minutes", fmt.Sprintf("('%s', '2026-03-09 10:00:00', %d, 'telemetry/0@T', '2026-03-09 10:00:00', '2026-03-09 10:00:20')", account, 100+i))
	}
	shards := []shardServer{{server: one.Server, name: one.Name + "_shard"}, {server: chtest.Start(t), name: one.Name + "_shard"}}
	var addresses []string
	for _, s := range shards {
		s.open(t)
		addresses = append(addresses, s.server.DSN(devclickhouse.Writer))
	}
	front := shardServer{server: chtest.StartWith(t, devclickhouse.Options{Dir: t.TempDir(), Shards: addresses}), name: one.Name + "_shard"}
	whole := front.open(t)
	for table, key := range shardKeys {
		whole.exec(t, fmt.Sprintf("CREATE TABLE %s_over AS %[1]s_all ENGINE = Distributed('shards', '%s', '%[1]s_all', cityHash64(%[3]s))", table, whole.Name, key))
		whole.exec(t, fmt.Sprintf("EXCHANGE TABLES %s_all AND %[1]s_over", table))
		whole.copy(t, one, table)
	}
	for _, s := range shards {
		rows := fixture{Database: &chtest.Database{Name: s.name, Server: s.server}}.rows(t, "SELECT count() FROM counters_all")
		require.NotEqual(t, golden("0"), rows, "a shard without rows proves nothing")
	}

	for _, name := range sharded {
		query := "SELECT * FROM " + name + " ORDER BY ALL"
		require.Equal(t, one.rows(t, query), whole.rows(t, query), name)
	}
}

// shardServer is a database of a server.
type shardServer struct {
	server *devclickhouse.Server
	name   string
}

// open makes the database with Tidemark's tables. Views believe that it is now.
func (s shardServer) open(t *testing.T) fixture {
	t.Helper()
	admin := chtest.Open(t, s.server.DSN(devclickhouse.Migrator))
	require.NoError(t, admin.Exec(t.Context(), "CREATE DATABASE "+s.name))
	t.Cleanup(func() {
		require.NoError(t, admin.Exec(context.WithoutCancel(t.Context()), "DROP DATABASE "+s.name+" SYNC"))
	})
	d := &chtest.Database{Name: s.name, Server: s.server}
	opts, err := clickhouse.ParseDSN(d.DSN(devclickhouse.Migrator))
	require.NoError(t, err)
	f := fixture{d, clickhouse.OpenDB(opts)}
	t.Cleanup(func() { require.NoError(t, f.db.Close()) })
	o := migrate.DefaultOptions()
	o.Now = now
	require.NoError(t, migrate.Up(t.Context(), f.db, o))
	for table := range shardKeys {
		if ttl := f.rows(t, "SELECT create_table_query LIKE '% TTL %' FROM system.tables WHERE database = currentDatabase() AND name = '"+table+"_all'"); ttl == golden("1") {
			f.exec(t, "ALTER TABLE "+table+"_all REMOVE TTL")
		}
	}
	return f
}

// copy inserts another database's rows of a table, and returns once every shard has its own.
func (f fixture) copy(t *testing.T, from fixture, table string) {
	t.Helper()
	rows := from.get(t, "SELECT * FROM "+table+"_all FORMAT Native")
	status, answer := post(t, f.HTTPURL(devclickhouse.Writer), url.Values{
		"query": {"INSERT INTO " + table + "_all FORMAT Native"}, "distributed_foreground_insert": {"1"},
	}, rows)
	require.Equal(t, http.StatusOK, status, "%s: %s", table, answer)
}
