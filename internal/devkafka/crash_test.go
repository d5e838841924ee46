package devkafka_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"tidemark/internal/devkafka"
	"tidemark/sinks/kafka/topics"
)

func TestSIGKILLKeepsWhatWasAcknowledged(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	first := startChild(t, dir)
	_, err := devkafka.Start(testContext(t), devkafka.Options{DataDir: dir})
	require.ErrorIs(t, err, devkafka.ErrDirInUse, "the lock holds between processes")

	cl := client(t, []string{first.addr}, kgo.RecordPartitioner(kgo.ManualPartitioner()))
	declare(t, cl, topics.Topic{Name: "events", Partitions: 2})
	produce(t, cl, "events", 1, 0, 300)
	commit(t, cl, "readers", "events", 1, 120, "warm=100")
	id := topicID(t, cl, "events")
	first.kill()
	cl.Close()

	second := startChild(t, dir)
	cl = client(t, []string{second.addr}, kgo.RecordPartitioner(kgo.ManualPartitioner()))
	require.Equal(t, id, topicID(t, cl, "events"))
	at, metadata := committed(t, cl, "readers", "events", 1)
	require.EqualValues(t, 120, at)
	require.Equal(t, "warm=100", metadata)
	produce(t, cl, "events", 1, 300, 310)
	second.kill()
	cl.Close()

	third := start(t, devkafka.Options{DataDir: dir})
	require.Equal(t, numbers(0, 310), values(t, third.Addrs(), "events", 1, 310))
}

// TestSIGKILLAbortsOpenTransactions pins the fate of transactions: finished ones keep theirs, an open one is aborted.
func TestSIGKILLAbortsOpenTransactions(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	first := startChild(t, dir)
	cl := client(t, []string{first.addr}, kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.TransactionalID("resolver"),
		kgo.TransactionTimeout(time.Minute))
	declare(t, cl, topics.Topic{Name: "resolved", Partitions: 1})
	transaction := func(from, to int, end kgo.TransactionEndTry) {
		require.NoError(t, cl.BeginTransaction())
		produce(t, cl, "resolved", 0, from, to)
		require.NoError(t, cl.EndTransaction(testContext(t), end))
	}
	transaction(0, 10, kgo.TryCommit)
	transaction(10, 20, kgo.TryAbort)
	require.NoError(t, cl.BeginTransaction())
	produce(t, cl, "resolved", 0, 20, 30)
	first.kill()
	cl.Close()

	second := start(t, devkafka.Options{DataDir: dir})
	plain := client(t, second.Addrs(), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	produce(t, plain, "resolved", 0, 30, 31)
	want := append(numbers(0, 10), "30")
	require.Equal(t, want, values(t, second.Addrs(), "resolved", 0, len(want), kgo.FetchIsolationLevel(kgo.ReadCommitted())))
	require.Equal(t, numbers(0, 31), values(t, second.Addrs(), "resolved", 0, 31))
}
