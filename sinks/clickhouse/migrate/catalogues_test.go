package migrate_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"tidemark/internal/devclickhouse"
	"tidemark/internal/devclickhouse/chtest"
	"tidemark/schemas"
	"tidemark/sinks/clickhouse/migrate"
)

func TestCataloguesAreKept(t *testing.T) {
	db := open(t, chtest.Shared(t).DSN(devclickhouse.Migrator))
	last, _, err := migrate.LastCatalogue(t.Context(), db)
	require.NoError(t, err)
	require.Nil(t, last, "before the tables are there")

	o := options()
	o.Catalogue, err = schemas.Builtin()
	require.NoError(t, err)
	for range 2 { // the second time changes nothing
		require.NoError(t, migrate.Up(t.Context(), db, o))
	}
	o.Catalogue.Targets.LowUsage = 0.25
	require.NoError(t, migrate.Up(t.Context(), db, o))
	last, at, err := migrate.LastCatalogue(t.Context(), db)
	require.NoError(t, err)
	require.False(t, at.IsZero())
	require.Equal(t, o.Catalogue.ViewsHash(), last.ViewsHash())
	require.Empty(t, schemas.Diff(o.Catalogue, last))
	require.Equal(t, []uint64{2}, query[uint64](t, db, "SELECT count() FROM catalogues"))
}
