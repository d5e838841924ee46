package devclickhouse_test

import (
	"testing"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/stretchr/testify/require"

	"tidemark/internal/devclickhouse"
	"tidemark/internal/devclickhouse/chtest"
)

func TestAnswersOnBothPorts(t *testing.T) {
	server := chtest.Start(t)
	for _, dsn := range []string{server.DSN(devclickhouse.Writer), server.HTTPURL(devclickhouse.Writer)} {
		opts, err := clickhouse.ParseDSN(dsn)
		require.NoError(t, err)
		conn, err := clickhouse.Open(opts)
		require.NoError(t, err)
		require.NoError(t, conn.Ping(t.Context()))
		var database string
		require.NoError(t, conn.QueryRow(t.Context(), "SELECT currentDatabase()").Scan(&database))
		require.Equal(t, devclickhouse.Database, database)
		require.NoError(t, conn.Close())
	}
}
