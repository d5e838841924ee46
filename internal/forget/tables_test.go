package forget

import (
	"database/sql"
	"testing"

	driver "github.com/ClickHouse/clickhouse-go/v2"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"tidemark/internal/devclickhouse"
	"tidemark/internal/devclickhouse/chtest"
	"tidemark/sinks/clickhouse/migrate"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(chtest.WithShared(m)) }

// TestEveryTable: each table that the migrations make is known, and one that has a column for an account or for users is rid of both. The
// erasures are SQL that the role may run.
func TestEveryTable(t *testing.T) {
	db := chtest.Shared(t)
	options, err := driver.ParseDSN(db.DSN(devclickhouse.Migrator))
	require.NoError(t, err)
	handle := driver.OpenDB(options)
	defer func(handle *sql.DB) { require.NoError(t, handle.Close()) }(handle)
	require.NoError(t, migrate.Up(t.Context(), handle, migrate.DefaultOptions()))
	conn := db.Open(t, devclickhouse.Eraser)
	others, err := unknown(t.Context(), conn)
	require.NoError(t, err)
	require.Empty(t, others, "say in tables how an account and a user are taken out of these")

	rows, err := conn.Query(t.Context(), "SELECT table, name FROM system.columns WHERE database = currentDatabase() AND table IN "+
		"(SELECT name FROM system.tables WHERE database = currentDatabase() AND engine LIKE '%MergeTree')")
	require.NoError(t, err)
	columns := 0
	for rows.Next() {
		var name, column string
		require.NoError(t, rows.Scan(&name, &column))
		columns++
		switch {
		case column == "account_id" || column == "accounts" || column == "alert_id" || column == "key":
			require.NotEmpty(t, tables[name].account.where, "%s.%s", name, column)
		case column == "members" || column == "user" && name != "tenants":
			require.NotEmpty(t, tables[name].user.where, "%s.%s", name, column)
		}
	}
	require.NoError(t, rows.Err())
	require.NoError(t, rows.Close())
	require.Greater(t, columns, 100)

	o := Options{Conn: conn}
	for _, who := range []Who{{ID: "o'ha\\ra|%"}, {ID: "ada'", User: true}, {ID: "7", User: true, Anonymous: true}} {
		steps, err := o.steps(t.Context(), who)
		require.NoError(t, err)
		require.NotEmpty(t, steps)
		for _, s := range steps {
			n, err := o.count(t.Context(), s)
			require.NoError(t, err, s.table)
			require.Zero(t, n)
			require.NoError(t, o.erase(t.Context(), s), s.table)
		}
	}
}

// TestMatching: of compacted topics those records go that are about somebody, and no others that look like it.
func TestMatching(t *testing.T) {
	o := Options{Topics: Topics{Accounts: "accounts", Users: "users", Parked: "parked"}}
	for _, tc := range []struct {
		who               Who
		topic, key, value string
		want              bool
	}{
		{Who{ID: "a"}, "accounts", "a", `{"plan":"pro"}`, true},
		{Who{ID: "a"}, "accounts", "a|plan", `{"account_id":"a","plan":"pro"}`, true},
		{Who{ID: "a"}, "accounts", "a|b", `{"account_id":"a|b","plan":"pro"}`, false},
		{Who{ID: "a"}, "accounts", "ab", `{}`, false},
		{Who{ID: "a|b"}, "accounts", "a%7Cb|plan", `{}`, true},
		{Who{ID: "a"}, "users", "u:ada", `{"account_id":"a"}`, true},
		{Who{ID: "a"}, "users", "u:a", `{"account_id":"b"}`, false},
		{Who{ID: "ada", User: true}, "users", "u:ada", `{"account_id":"a"}`, true},
		{Who{ID: "ada", User: true}, "users", "a:ada", `{"account_id":"a"}`, false},
		{Who{ID: "ada", User: true, Anonymous: true}, "users", "a:ada", `{"account_id":"a"}`, true},
		{Who{ID: "ada", User: true}, "parked", "u:ada|m", `{"userId":"ada"}`, true},
		{Who{ID: "ada", User: true}, "parked", "a:x|m", `{"userId":"ada","anonymousId":"x"}`, true},
		{Who{ID: "ada", User: true}, "parked", "o:zendesk|7|m", `{"waits_for":["o:zendesk|7","u:ada"]}`, true},
		{Who{ID: "ada", User: true}, "parked", "u:adam|m", `{"userId":"adam","properties":{"to":"ada"}}`, false},
	} {
		require.Equal(t, tc.want, o.matching(tc.who)[tc.topic]([]byte(tc.key), []byte(tc.value)), "%+v", tc)
	}
}
