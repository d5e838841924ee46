//go:build linux && !noengine

package devclickhouse_test

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/stretchr/testify/require"

	"tidemark/internal/devclickhouse"
	"tidemark/internal/devclickhouse/chtest"
)

// batch is one acknowledged insert.
type batch struct{ Round, Writer, Seq uint64 }

// Four writers, two on each port, insert until the engine is killed. Every insert that was acknowledged must be there, whole,
// after the restart.
//
//tidemark:proves "ClickHouse is killed": 3
func TestKillLosesNoAcknowledgedInsert(t *testing.T) {
	t.Parallel()
	const rounds, writers, rowsPerBatch, acksPerRound = 3, 4, 100, 40
	dir := t.TempDir()
	acked := make(map[batch]bool)
	for round := range uint64(rounds) {
		server := chtest.StartWith(t, devclickhouse.Options{Dir: dir})
		require.NoError(t, chtest.Open(t, server.DSN(devclickhouse.Migrator)).Exec(t.Context(),
			`CREATE TABLE IF NOT EXISTS batches (round UInt64, writer UInt64, seq UInt64, row UInt64)
			 ENGINE = MergeTree ORDER BY (round, writer, seq, row) SETTINGS fsync_after_insert = 1, fsync_part_directory = 1`))
		acks := make(chan batch)
		var group sync.WaitGroup
		for writer := range uint64(writers) {
			dsn := server.DSN(devclickhouse.Writer)
			if writer%2 == 1 {
				dsn = server.HTTPURL(devclickhouse.Writer)
			}
			conn := chtest.Open(t, dsn)
			group.Go(func() {
				for seq := uint64(0); ; seq++ {
					if insert(t.Context(), conn, batch{round, writer, seq}, rowsPerBatch) != nil {
						return // The engine is gone.
					}
					acks <- batch{round, writer, seq}
				}
			})
		}
		go func() { group.Wait(); close(acks) }()
		n := 0
		for ack := range acks {
			acked[ack] = true
			if n++; n == acksPerRound {
				server.Kill()
			}
		}
		require.GreaterOrEqual(t, n, acksPerRound)
		<-server.Done()
	}
	server := chtest.StartWith(t, devclickhouse.Options{Dir: dir})
	found := readBatches(t, chtest.Open(t, server.DSN(devclickhouse.Reader)))
	for ack := range acked {
		require.EqualValues(t, rowsPerBatch, found[ack], "rows of the acknowledged batch %+v", ack)
	}
	t.Logf("%d acknowledged batches, %d found", len(acked), len(found))
}

func insert(ctx context.Context, conn clickhouse.Conn, b batch, rows uint64) error {
	prepared, err := conn.PrepareBatch(ctx, "INSERT INTO batches")
	if err != nil {
		return err
	}
	for row := range rows {
		if err := prepared.Append(b.Round, b.Writer, b.Seq, row); err != nil {
			return fmt.Errorf("append: %w", err)
		}
	}
	return prepared.Send()
}

func readBatches(t *testing.T, conn clickhouse.Conn) map[batch]uint64 {
	t.Helper()
	rows, err := conn.Query(t.Context(), "SELECT round, writer, seq, count(DISTINCT row) FROM batches GROUP BY ALL")
	require.NoError(t, err)
	found := make(map[batch]uint64)
	for rows.Next() {
		var b batch
		var n uint64
		require.NoError(t, rows.Scan(&b.Round, &b.Writer, &b.Seq, &n))
		found[b] = n
	}
	require.NoError(t, rows.Err())
	require.NoError(t, rows.Close())
	return found
}
