package board

import (
	"net/netip"
	"net/url"
	"testing"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/stretchr/testify/require"

	"tidemark/internal/devclickhouse"
	"tidemark/internal/devclickhouse/chtest"
	"tidemark/sinks/clickhouse/migrate"
)

// TestAViewerOfATenantSeesItsAccountsOnly asks a board as the proxy says that viewers of a tenant do. Which accounts these see is up to the row
// policies of the tenant's user of ClickHouse: the board's queries are the same.
func TestAViewerOfATenantSeesItsAccountsOnly(t *testing.T) {
	t.Parallel()
	server := chtest.StartWith(t, devclickhouse.Options{Dir: t.TempDir(), Tenants: []devclickhouse.Tenant{
		{User: "acme_people", Password: "pw", Policies: migrate.RowPolicies(devclickhouse.Database)},
	}})
	o := migrate.DefaultOptions()
	o.Tenants = map[string][]string{"acme_people": {"acme"}}
	f := migrated(t, server.DSN(devclickhouse.Migrator), o, story...)
	f.exec(t, "SYSTEM REFRESH VIEW portfolio_refresh")
	f.exec(t, "SYSTEM WAIT VIEW portfolio_refresh")
	dsn := url.URL{Scheme: "clickhouse", User: url.UserPassword("acme_people", "pw"), Host: server.NativeAddr(), Path: devclickhouse.Database}
	f.url = serve(t, Config{
		Reader: chtest.Open(t, server.DSN(devclickhouse.Reader)), Tenants: map[string]driver.Conn{"acme_people": chtest.Open(t, dsn.String())},
		Access: Access{Proxies: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}, UserHeader: "X-Forwarded-User", TenantHeader: "X-Tenant"},
	})
	as := []string{"X-Forwarded-User", "ana", "X-Tenant", "acme_people"}
	accounts := func(path string) []string { return texts(t, f.page(t, path, as...), "#panel-accounts tbody th a") }
	require.Equal(t, []string{"Acme"}, accounts("/"))
	require.Empty(t, accounts("/?q=bolt"))
	require.NotContains(t, texts(t, f.page(t, "/", as...), "select[name=segment] option"), "enterprise", "the segment of another")
	require.Equal(t, []string{"1"}, texts(t, f.page(t, "/", as...), "dl.figures div:first-child dd"), "accounts in all")
	_, csv := get(t, f.url+"/?panel=accounts&format=csv", as...)
	require.Contains(t, csv, "Acme")
	require.NotContains(t, csv, "bolt")
	require.Contains(t, texts(t, f.page(t, "/accounts/acme?panel=today", as...), "dt"), "Events")
	for _, panel := range []string{"summary", "today", "usage"} {
		require.NotEmpty(t, texts(t, f.page(t, "/accounts/bolt?panel="+panel, as...), ".message"), "%s of another's account", panel)
	}
	require.Contains(t, texts(t, f.page(t, "/triggers?panel=backtest", as...), ".message strong"), "The rules are not known here")
}
