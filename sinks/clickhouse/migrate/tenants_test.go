package migrate_test

import (
	"database/sql"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/stretchr/testify/require"

	"tidemark/internal/devclickhouse"
	"tidemark/internal/devclickhouse/chtest"
	"tidemark/sinks/clickhouse/migrate"
)

// logins are the users of a server that has tenants.
type logins map[string]*sql.DB

// printed is what tidemark migrate --print-grants prints with these tenants: the rights of each role, and the conditions of the tenants' row
// policies, by table. Who is no tenant keeps seeing each table whole.
func printed(t *testing.T, tenants ...string) (grants map[devclickhouse.Role][]string, policies map[string]string) {
	t.Helper()
	accounts := migrate.DefaultAccounts()
	accounts.Tenants = tenants
	script, err := migrate.RoleGrants(accounts)
	require.NoError(t, err)
	grants = map[devclickhouse.Role][]string{}
	for _, m := range regexp.MustCompile(`(?m)^(GRANT .*) TO (.*);$`).FindAllStringSubmatch(script, -1) {
		for role := range strings.SplitSeq(m[2], ", ") {
			grants[devclickhouse.Role(role)] = append(grants[devclickhouse.Role(role)], m[1])
		}
	}
	require.Len(t, grants, 4+len(tenants))
	found := map[string]string{}
	for _, m := range regexp.MustCompile(`(?m)^CREATE ROW POLICY OR REPLACE (\w+) ON tidemark\.(\w+) USING (.*) TO (.*);$`).FindAllStringSubmatch(script, -1) {
		if m[1] == "everything" {
			require.Equal(t, []string{"1", "migrator, writer, reader, eraser"}, m[3:], m[0])
			continue
		}
		require.Equal(t, strings.Join(tenants, ", "), m[4], m[0])
		found[m[2]] = m[3]
	}
	require.Equal(t, 2*len(found), strings.Count(script, "CREATE ROW POLICY"))
	return grants, found
}

func withTenants(t *testing.T) logins {
	t.Helper()
	grants, policies := printed(t, "acme", "globex")
	tenant := func(user string) devclickhouse.Tenant {
		return devclickhouse.Tenant{User: user, Password: "pw", Policies: policies}
	}
	server := chtest.StartWith(t, devclickhouse.Options{Dir: t.TempDir(), Grants: grants, Tenants: []devclickhouse.Tenant{tenant("acme"), tenant("globex")}})
	all := logins{}
	for _, role := range []devclickhouse.Role{devclickhouse.Migrator, devclickhouse.Writer, devclickhouse.Reader} {
		all[string(role)] = open(t, server.DSN(role))
	}
	for _, user := range []string{"acme", "globex"} {
		all[user] = open(t, "clickhouse://"+user+":pw@"+server.NativeAddr()+"/"+devclickhouse.Database)
	}
	return all
}

// fill inserts a row of each account into a table, or one row where a table knows no accounts, of now.
func fill(t *testing.T, db *sql.DB, table string) {
	t.Helper()
	columns := query[string](t, db, `SELECT name FROM system.columns WHERE database = currentDatabase() AND table = ?
		AND startsWith(type, 'DateTime') AND default_kind = ''`, table)
	values := strings.Split(strings.Repeat("now() ", len(columns)), " ")[:len(columns)]
	keys := query[string](t, db, `SELECT name FROM system.columns WHERE database = currentDatabase() AND table = ?
		AND (name = 'account_id' OR is_in_sorting_key AND name IN ('id', 'user', 'source', 'target') AND type LIKE '%String%')`, table)
	for _, key := range keys { // so that no account's row replaces another's
		columns, values = append(columns, key), append(values, "account")
	}
	if len(columns) == 0 {
		columns, values = []string{"version_id"}, []string{"1"} // goose's own
	}
	exec(t, db, fmt.Sprintf("INSERT INTO %s (%s) SELECT %s FROM (SELECT arrayJoin(['acme', 'acme-eu', 'globex', 'initech']) AS account)",
		table, strings.Join(columns, ", "), strings.Join(values, ", ")))
}

func hasAccounts(t *testing.T, db *sql.DB, table string) bool {
	t.Helper()
	return query[uint64](t, db, "SELECT count() FROM system.columns WHERE database = currentDatabase() AND table = ? AND name = 'account_id'", table)[0] == 1
}

// TestTenantsSeeTheirAccountsOnly goes over everything that has rows, so that no table is forgotten, and over views of each kind.
func TestTenantsSeeTheirAccountsOnly(t *testing.T) {
	as := withTenants(t)
	db := as["migrator"]
	o := options()
	o.Tenants = map[string][]string{"acme": {"acme", "acme-eu"}, "globex": {"globex"}}
	require.NoError(t, migrate.Up(t.Context(), db, o))
	policies := migrate.RowPolicies(devclickhouse.Database)
	for _, table := range query[string](t, db, "SELECT name FROM system.tables WHERE database = currentDatabase() AND engine LIKE '%MergeTree'") {
		if table != "tenants" && table != "generations" {
			fill(t, db, table)
		}
	}
	for _, table := range query[string](t, db, "SELECT name FROM system.tables WHERE database = currentDatabase() AND engine != 'View'") {
		require.Contains(t, policies, table, "say in migrate.policies which of its rows tenants see")
		require.NotZero(t, query[uint64](t, db, "SELECT count() FROM "+table)[0], table)
		switch {
		case hasAccounts(t, db, table):
			accounts := "SELECT DISTINCT account_id FROM " + table + " ORDER BY account_id"
			require.Equal(t, []string{"acme", "acme-eu", "globex", "initech"}, query[string](t, as["reader"], accounts), table)
			require.Equal(t, []string{"acme", "acme-eu"}, query[string](t, as["acme"], accounts), table)
			require.Equal(t, []string{"globex"}, query[string](t, as["globex"], accounts), table)
		case policies[table] == "0":
			require.Zero(t, query[uint64](t, as["acme"], "SELECT count() FROM "+table)[0], table)
		}
	}
	require.Equal(t, []string{"acme"}, query[string](t, as["acme"], "SELECT user FROM tenants"))

	// A view reads with the rights of who asks, unless it says otherwise.
	require.Empty(t, query[string](t, db, `SELECT name FROM system.tables WHERE database = currentDatabase() AND engine = 'View'
		AND (create_table_query LIKE '%SQL SECURITY%' OR create_table_query LIKE '%DEFINER%')`))
	for _, view := range []string{"counters", "usage_day", "portfolio", "portfolio_known", "alerts", "account_history"} {
		accounts := "SELECT DISTINCT account_id FROM " + view + " ORDER BY account_id"
		require.Contains(t, query[string](t, as["reader"], accounts), "initech", view)
		require.Equal(t, []string{"acme", "acme-eu"}, query[string](t, as["acme"], accounts), view)
	}
	require.Equal(t, []uint64{2}, query[uint64](t, as["acme"], "SELECT uniqExact(account_id) FROM counters_all FINAL PREWHERE throwIf(account_id = 'globex') = 0"))

	o.Tenants = map[string][]string{"globex": {"globex", "initech"}}
	require.NoError(t, migrate.Up(t.Context(), db, o))
	require.Empty(t, query[string](t, as["acme"], "SELECT DISTINCT account_id FROM counters_all"), "who is no tenant any more sees nothing")
	require.Equal(t, []string{"globex", "initech"}, query[string](t, as["globex"], "SELECT DISTINCT account_id FROM counters_all ORDER BY account_id"))
	requireRefusals(t, as)
}

// requireRefusals tries on every table what each user must not do.
func requireRefusals(t *testing.T, as logins) {
	t.Helper()
	tables := query[string](t, as["migrator"], "SELECT name FROM system.tables WHERE database = currentDatabase() AND engine LIKE '%MergeTree'")
	must := []string{
		"ALTER TABLE %s ADD COLUMN extra UInt8", "ALTER TABLE %s DELETE WHERE 1", "ALTER TABLE %s DROP PARTITION ID 'all'",
		"ALTER TABLE %s FREEZE", "DELETE FROM %s WHERE 1", "TRUNCATE TABLE %s", "DROP TABLE %s", "RENAME TABLE %[1]s TO %[1]s_old", "OPTIMIZE TABLE %s FINAL",
		"BACKUP TABLE %s TO File('stolen')", "SYSTEM STOP MERGES %s", "CREATE VIEW seen SQL SECURITY DEFINER AS SELECT * FROM %s",
	}
	for user, more := range map[string][]string{
		"writer": nil,
		"reader": {"INSERT INTO %[1]s SELECT * FROM %[1]s", "INSERT INTO FUNCTION file('x', 'TSV') SELECT 1 FROM %s"},
		"acme":   {"INSERT INTO %[1]s SELECT * FROM %[1]s", "INSERT INTO FUNCTION file('x', 'TSV') SELECT 1 FROM %s"},
	} {
		for _, table := range tables {
			for _, statement := range append(more, must...) {
				text := fmt.Sprintf(statement, table)
				_, err := as[user].ExecContext(t.Context(), text)
				var refusal *clickhouse.Exception
				require.ErrorAs(t, err, &refusal, "%s: %s", user, text)
				require.Contains(t, []int32{497, 164}, refusal.Code, "%s: %s: %s", user, text, refusal.Message) // ACCESS_DENIED, READONLY
			}
		}
	}
	for _, table := range []string{"parts", "row_policies", "users", "processes", "merges"} {
		_, err := as["acme"].ExecContext(t.Context(), "SELECT * FROM system."+table)
		require.ErrorContains(t, err, "Not enough privileges", table)
	}
}

func TestTablesAreNotMadeForTenantsWithoutPolicies(t *testing.T) {
	db := open(t, chtest.Shared(t).DSN(devclickhouse.Migrator))
	o := options()
	o.Tenants = map[string][]string{"acme": {"acme"}}
	require.ErrorContains(t, migrate.Up(t.Context(), db, o),
		"tenant acme: no row policy keeps other accounts' rows of the table account_changes_all from it: let an administrator of ClickHouse run what tidemark migrate --print-grants prints")
	require.Empty(t, query[string](t, db, tablesOf))
}
