package migrate_test

import (
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"tidemark/internal/devclickhouse"
	"tidemark/internal/devclickhouse/chtest"
	"tidemark/sinks/clickhouse/migrate"
)

// The embedded engine can't create users, so that the statements mean what they should is tested by its parser alone.
func TestGrantsParse(t *testing.T) {
	script, err := migrate.RoleGrants(migrate.Accounts{Database: "metrics", Migrator: "m", Writer: "w", Reader: "r", Eraser: "e", Tenants: []string{"acme", "globex"}})
	require.NoError(t, err)
	require.NotContains(t, script, "{")
	require.NotContains(t, script, "tidemark_")
	db := open(t, chtest.Shared(t).DSN(devclickhouse.Migrator))
	bare := regexp.MustCompile(`(?m)^--.*\n`).ReplaceAllString(script, "")
	kinds := map[string]int{}
	for statement := range strings.SplitSeq(strings.TrimSpace(bare), ";") {
		if statement = strings.TrimSpace(statement); statement != "" {
			tree := query[string](t, db, "EXPLAIN AST "+statement)
			kinds[strings.Fields(tree[0])[0]]++
		}
	}
	require.Equal(t, 1, kinds["CreateQuery"], kinds)
	require.Equal(t, 4+2, kinds["CreateUserQuery"], kinds)
	require.Equal(t, 2*len(migrate.RowPolicies("metrics")), kinds["CREATE"], kinds) // ROW POLICY
	require.Equal(t, 1, kinds["CreateSettingsProfileQuery"], kinds)
	require.Equal(t, 9+2+1, kinds["GrantQuery"], kinds)
}

func TestGrantsRefuseOddNames(t *testing.T) {
	a := migrate.DefaultAccounts()
	a.Reader = "x; DROP DATABASE tidemark"
	_, err := migrate.RoleGrants(a)
	require.ErrorContains(t, err, `reader "x; DROP DATABASE tidemark"`)
}
