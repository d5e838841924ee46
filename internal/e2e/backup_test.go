package e2e

import (
	"context"
	"database/sql"
	"path/filepath"
	"testing"
	"time"

	driver "github.com/ClickHouse/clickhouse-go/v2"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"

	"tidemark/internal/devclickhouse"
	"tidemark/internal/devclickhouse/chtest"
	"tidemark/internal/devkafka"
)

// backups are a stage on an engine of its own, which may write backups.
type backups struct {
	*stage
	dir string
	db  *sql.DB // as the migrator, in no database
}

func newBackups(t *testing.T, brokers []string) *backups {
	t.Helper()
	dir := t.TempDir()
	server := chtest.StartWith(t, devclickhouse.Options{Dir: t.TempDir(), Backups: dir})
	b := &backups{stage: &stage{NewStage(t, brokers, &chtest.Database{Name: devclickhouse.Database, Server: server}), t}, dir: dir}
	options, err := driver.ParseDSN(server.DSN(devclickhouse.Migrator))
	require.NoError(t, err)
	options.Auth.Database, options.ReadTimeout = "system", 5*time.Minute
	b.db = driver.OpenDB(options)
	t.Cleanup(func() { require.NoError(t, b.db.Close()) })
	b.Migrate()
	return b
}

func (b *backups) exec(ctx context.Context, statement string) {
	b.t.Helper()
	_, err := b.db.ExecContext(ctx, statement)
	require.NoError(b.t, err, statement)
}

func (b *backups) file(name string) string { return " File('" + filepath.Join(b.dir, name) + "')" }

// backup is what docs/operations.md says: checkpoints first, so that every row that they count is in what is copied after them.
func (b *backups) backup(ctx context.Context) {
	b.exec(ctx, "BACKUP TABLE tidemark.checkpoints_all TO"+b.file("checkpoints"))
	b.exec(ctx, "BACKUP DATABASE tidemark EXCEPT TABLES tidemark.checkpoints_all TO"+b.file("rest"))
}

// restore begins with nothing.
func (b *backups) restore(ctx context.Context) {
	b.exec(ctx, "DROP DATABASE tidemark SYNC")
	b.exec(ctx, "RESTORE DATABASE tidemark FROM"+b.file("rest"))
	b.exec(ctx, "RESTORE TABLE tidemark.checkpoints_all FROM"+b.file("checkpoints"))
}

// tidemark runs a command to its end and returns what it said.
func (b *backups) tidemark(args ...string) (string, error) {
	b.t.Helper()
	p := Start(b.t, Binary(b.t, ""), args[0], b.Env, args...)
	<-p.Done
	return p.Log(b.t), p.Err
}

// TestBackup loses ClickHouse and gets it back: from a backup that was made while everything ran, from Kafka alone, and from a backup
// that is older than what Kafka has kept.
func TestBackup(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 8*time.Minute)
	defer cancel()
	broker, err := devkafka.Start(ctx, devkafka.Options{DataDir: t.TempDir(), NoSync: true})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, broker.Close()) })
	b := newBackups(t, broker.Addrs())
	pipeline := b.Pipeline(Binary(t, ""), "a")
	g := NewTraffic(b.Brokers, 3)
	t.Cleanup(func() { require.NoError(t, g.Close()) })
	require.NoError(t, g.Send(ctx, 3000))
	b.Settle(ctx, pipeline)
	require.NoError(t, g.Send(ctx, 3000))
	b.backup(ctx) // meanwhile these are counted
	require.NoError(t, g.Send(ctx, 2000))
	b.Settle(ctx, pipeline)
	_, err = b.tidemark("rewind")
	require.Error(t, err, "nobody's offsets are set under a pipeline that runs")
	pipeline.Terminate(t)

	b.restore(ctx)
	b.gone(ctx)
	said, err := b.tidemark("rewind")
	require.NoError(t, err)
	require.Regexp(t, `telemetry/\d: from \d+ back to \d+\n`, said)
	said, err = b.tidemark("rewind")
	require.NoError(t, err)
	require.Contains(t, said, "0 offsets set", "a second time there is nothing to do")
	b.counts(ctx, "restored", g)

	b.exec(ctx, "DROP DATABASE tidemark SYNC")
	b.exec(ctx, "CREATE DATABASE tidemark")
	b.Migrate()
	_, err = b.tidemark("rebuild")
	require.NoError(t, err)
	b.Group = "tidemark-g1"
	b.counts(ctx, "rebuilt", g)

	b.Group = "tidemark" // of the generation that was live when the backup was made
	b.restore(ctx)
	ends, err := b.Admin.ListEndOffsets(ctx, "telemetry")
	require.NoError(t, err)
	end, _ := ends.Lookup("telemetry", 0)
	deleted, err := b.Admin.DeleteRecords(ctx, kadm.Offsets{"telemetry": {0: {Topic: "telemetry", Partition: 0, At: end.Offset - 1}}})
	require.NoError(t, err)
	require.NoError(t, deleted.Error())
	said, err = b.tidemark("rewind")
	require.Error(t, err)
	require.Regexp(t, `telemetry/0: \d+ records, \d+ to \d+, were deleted from the log since the backup and cannot be read again`, said)
	said, err = b.tidemark("rewind", "--accept-loss")
	require.NoError(t, err)
	require.Regexp(t, `telemetry/0: .*, past \d+ records that the log no longer has\n`, said)
	pipeline = b.Pipeline(Binary(t, ""), "after the loss")
	b.Settle(ctx, pipeline)
	pipeline.Terminate(t)
}

// gone waits until nobody is left in the group.
func (b *backups) gone(ctx context.Context) {
	b.t.Helper()
	require.Eventually(b.t, func() bool {
		described, err := b.Admin.DescribeGroups(ctx, b.Group)
		return err == nil && len(described[b.Group].Members) == 0
	}, 5*time.Minute, 50*time.Millisecond)
}

// counts starts a pipeline again, and requires that what it has counted before and after is what is in the log.
func (b *backups) counts(ctx context.Context, name string, g *Traffic) {
	b.t.Helper()
	pipeline := b.Pipeline(Binary(b.t, ""), name)
	require.NoError(b.t, g.Send(ctx, 1000))
	b.Settle(ctx, pipeline)
	b.Verify(ctx)
	pipeline.Terminate(b.t)
	b.gone(ctx)
}
