package lag_test

import (
	"testing"
	"time"

	driver "github.com/ClickHouse/clickhouse-go/v2"
	"github.com/stretchr/testify/require"

	"tidemark/internal/devclickhouse"
	"tidemark/internal/devclickhouse/chtest"
	"tidemark/pipeline/lag"
	"tidemark/sinks/clickhouse/migrate"
)

func migrated(t *testing.T) *chtest.Database {
	t.Helper()
	db := chtest.Shared(t)
	options, err := driver.ParseDSN(db.DSN(devclickhouse.Migrator))
	require.NoError(t, err)
	migrator := driver.OpenDB(options)
	defer migrator.Close() //nolint:errcheck // the migration tells
	require.NoError(t, migrate.Up(t.Context(), migrator, migrate.DefaultOptions()))
	return db
}

func TestReadStore(t *testing.T) {
	t.Parallel()
	db := migrated(t)
	writer, reader := db.Open(t, devclickhouse.Writer), db.Open(t, devclickhouse.Reader)
	r := &lag.Report{}
	r.ReadStore(t.Context(), reader)
	require.Equal(t, &lag.Report{Records: []lag.Records{}, DeadLetters: []lag.DeadLetters{}}, r, "nothing yet is not the same as not known")

	// Prefixes of two partitions, one of a topic that was created anew, and of another topic. A checkpoint counts all before it.
	now := time.Now().UTC().Truncate(time.Hour)
	for _, c := range []struct {
		source                   string
		offset, applied, twice   uint64
		filtered, dead, received uint64
	}{
		{"telemetry/0@old", 5, 5, 0, 0, 0, 5},
		{"telemetry/0@new", 10, 8, 1, 0, 1, 10},
		{"telemetry/0@new", 20, 15, 2, 1, 2, 20},
		{"telemetry/1@new", 7, 7, 0, 0, 0, 7},
		{"tickets/0@x", 3, 2, 0, 0, 1, 3},
	} {
		require.NoError(t, writer.Exec(t.Context(), `INSERT INTO checkpoints_all (source, offset, received, applied, duplicate, filtered, dead_lettered, log_time)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?)`, c.source, c.offset, c.received, c.applied, c.twice, c.filtered, c.dead, now))
	}
	for range 2 { // written again after a crash, it is still one dead letter
		require.NoError(t, writer.Exec(t.Context(), `INSERT INTO dead_letters_all (source, offset, reason, log_time)
			VALUES ('telemetry/0@new', 4, 'malformed', ?), ('telemetry/0@new', 12, 'no_account', ?), ('tickets/0@x', 1, 'malformed', ?)`, now, now, now))
	}
	r.ReadStore(t.Context(), reader)
	require.Equal(t, &lag.Report{
		Records: []lag.Records{
			{Topic: "telemetry", Received: 32, Applied: 27, Duplicate: 2, Filtered: 1, DeadLettered: 2},
			{Topic: "tickets", Received: 3, Applied: 2, DeadLettered: 1},
		},
		DeadLetters: []lag.DeadLetters{
			{Topic: "telemetry", Reason: "malformed", Count: 1}, {Topic: "telemetry", Reason: "no_account", Count: 1},
			{Topic: "tickets", Reason: "malformed", Count: 1},
		},
	}, r)
}

func TestReadStoreKeepsItsErrorForTheReport(t *testing.T) {
	t.Parallel()
	reader := chtest.Shared(t).Open(t, devclickhouse.Reader) // a database without tables
	r := &lag.Report{Total: lag.Total{LagRecords: 3}}
	r.ReadStore(t.Context(), reader)
	require.Contains(t, r.ClickHouseError, "read the checkpoints: ")
	require.Contains(t, r.ClickHouseError, "checkpoints")
	require.Nil(t, r.Records)
	require.Nil(t, r.DeadLetters)
	require.Equal(t, int64(3), r.Total.LagRecords)
}
