package notify

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	driver "github.com/ClickHouse/clickhouse-go/v2"
	conn "github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"tidemark/internal/devclickhouse"
	"tidemark/internal/devclickhouse/chtest"
	"tidemark/sinks/clickhouse"
)

func TestMain(m *testing.M) {
	if len(os.Args) == 3 && os.Args[1] == childArg {
		if err := runChild(os.Args[2]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	goleak.VerifyTestMain(chtest.WithShared(m))
}

// createTables makes the tables that delivery needs, by their migrations.
func createTables(t *testing.T, migrator conn.Conn) {
	t.Helper()
	for _, version := range []string{"00046", "00050", "00051"} {
		files, err := filepath.Glob("../clickhouse/migrate/sql/" + version + "_*.sql")
		require.NoError(t, err)
		require.Len(t, files, 1)
		text, err := os.ReadFile(files[0])
		require.NoError(t, err)
		_, statement, _ := strings.Cut(string(text), "-- +goose StatementBegin")
		statement, _, _ = strings.Cut(statement, "-- +goose StatementEnd")
		require.NoError(t, migrator.Exec(t.Context(), strings.TrimRight(strings.TrimSpace(statement), ";")))
	}
}

// openStore connects as the pipeline does.
func openStore(dsn string) (*clickhouse.Client, error) {
	options, err := driver.ParseDSN(dsn)
	if err != nil {
		return nil, err
	}
	return clickhouse.Open(clickhouse.Config{
		Addr: options.Addr, Database: options.Auth.Database, User: options.Auth.Username, Password: options.Auth.Password,
		DialTimeout: time.Minute, ReadTimeout: 5 * time.Minute,
	})
}

// sharedStore is a database of its own with the tables of delivery.
func sharedStore(t *testing.T) *clickhouse.Client {
	t.Helper()
	db := chtest.Shared(t)
	createTables(t, db.Open(t, devclickhouse.Migrator))
	store, err := openStore(db.DSN(devclickhouse.Writer))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, store.Close()) })
	return store
}

// tell inserts transitions for targets, as the engine does.
func tell(ctx context.Context, store *clickhouse.Client, targets []string, all ...Notification) error {
	batch, err := store.Conn().PrepareBatch(store.InsertContext(ctx),
		"INSERT INTO alert_transitions (id, alert_id, seq, kind, rule, account_id, severity, at, known_at, not_before, targets, payload)")
	if err != nil {
		return err
	}
	defer batch.Close() //nolint:errcheck // Send tells
	for _, n := range all {
		if n.NotBefore.IsZero() {
			n.NotBefore = time.Unix(0, 0)
		}
		if err := batch.Append(n.ID, n.AlertID, uint32(n.Seq), n.Kind, n.Rule, n.Account, n.Severity, n.At, n.KnownAt, n.NotBefore, targets, string(n.Payload)); err != nil {
			return err
		}
	}
	return batch.Send()
}
