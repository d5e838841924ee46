package migrate_test

import (
	"database/sql"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"tidemark/internal/devclickhouse"
	"tidemark/internal/devclickhouse/chtest"
	"tidemark/sinks/clickhouse/migrate"
)

// older makes the tables of before there were generations, which are the first 12 migrations.
func older(t *testing.T) *sql.DB {
	t.Helper()
	db := open(t, chtest.Shared(t).DSN(devclickhouse.Migrator))
	files, err := filepath.Glob("sql/*.sql")
	require.NoError(t, err)
	for _, file := range files[:12] {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		_, statement, _ := strings.Cut(string(text), "-- +goose StatementBegin")
		statement, _, _ = strings.Cut(statement, "-- +goose StatementEnd")
		exec(t, db, strings.TrimRight(strings.TrimSpace(statement), ";"))
	}
	return db
}

// Rows of an older version are those of generation 0, under the same names.
func TestRowsMove(t *testing.T) {
	db := older(t)
	exec(t, db, "INSERT INTO counters VALUES ('day', 'acme', today(), '', 'events', 'telemetry/0@x', 7, 9), ('day', 'acme', today(), '', 'events', 'telemetry/0@x', 6, 8)")
	exec(t, db, "INSERT INTO member_sets VALUES ('day', 'acme', today(), '', 'users', [1, 2], 'telemetry/0@x')")
	exec(t, db, "INSERT INTO user_minutes VALUES ('acme', toStartOfMinute(now()), 1, 'telemetry/0@x', now64(3), now64(3))")
	exec(t, db, "INSERT INTO facts VALUES ('ticket', 'acme', 'z:1', now64(3), 'created', 0, 1, 'tickets/0@x', 1, 0, {'a': 'b'})")
	exec(t, db, "INSERT INTO account_changes VALUES ('acme', now64(3), 'accounts/0@x', 1, 0, {'plan': 'pro'})")
	exec(t, db, "INSERT INTO user_accounts VALUES ('telemetry/0@x', 1, 3, 'acme')")
	exec(t, db, "INSERT INTO checkpoints VALUES ('telemetry/0@x', 10, 10, 9, 1, 0, 0, now64(3), now64(3), now64(3), 'c')")
	exec(t, db, "INSERT INTO dead_letters VALUES ('telemetry/0@x', 4, 'malformed', 'd', now64(3), 'k', 3)")
	exec(t, db, "INSERT INTO source_progress VALUES ('telemetry/0@x', now64(3) - toIntervalMinute(1), 10, 10, now64(3), 'w')")
	names := []string{"counters", "member_sets", "user_minutes", "facts", "account_changes", "user_accounts", "checkpoints", "dead_letters", "source_progress"}
	was := map[string][]string{}
	all := func(name string) []string {
		columns := "*"
		if name == "dead_letters" { // others were added later
			columns = "source, offset, reason, detail, log_time, key, size"
		}
		return query[string](t, db, "SELECT toString(tuple("+columns+")) AS t FROM "+name+" ORDER BY t")
	}
	for _, name := range names {
		was[name] = all(name)
		require.NotEmpty(t, was[name])
	}
	require.NoError(t, migrate.Up(t.Context(), db, options()))
	for _, name := range names {
		require.Equal(t, was[name], all(name), name)
		require.Equal(t, []string{"0"}, query[string](t, db, "SELECT DISTINCT toString(generation) FROM "+name+"_all"), name)
	}
	require.Equal(t, []string{"1", "2"}, query[string](t, db, "SELECT toString(member) FROM members ORDER BY member"))
}

// A pipeline of an older version that writes while rows are moved would lose some.
func TestNothingMovesUnderAPipelineThatRuns(t *testing.T) {
	db := older(t)
	// As of one that goes on writing, however long it takes until it is looked for.
	exec(t, db, "INSERT INTO source_progress VALUES ('telemetry/0@x', now64(3) + toIntervalHour(1), 10, 10, now64(3), 'worker-3')")
	require.ErrorContains(t, migrate.Up(t.Context(), db, options()), `the pipeline "worker-3" has written within the last 30 seconds`)
	exec(t, db, "ALTER TABLE source_progress DELETE WHERE 1 SETTINGS mutations_sync = 1")
	require.NoError(t, migrate.Up(t.Context(), db, options()))
}
