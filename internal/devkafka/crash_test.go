package devkafka_test

import (
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"tidemark/internal/devkafka"
	"tidemark/internal/ports/portstest"
	"tidemark/sinks/kafka/topics"
)

//tidemark:proves "the embedded broker is killed": 1
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

// TestSIGKILLAbortsOpenTransactions pins the fate of transactions over two crashes: finished ones keep theirs, open ones are
// aborted for good, and what the same producer commits later is seen.
//
//tidemark:proves "the embedded broker is killed": 1
//tidemark:proves "a transaction is aborted": 1
func TestSIGKILLAbortsOpenTransactions(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var want []string
	next := 0
	transaction := func(cl *kgo.Client, end func()) (wrote []string) {
		require.NoError(t, cl.BeginTransaction())
		produce(t, cl, "resolved", 0, next, next+10)
		wrote = numbers(next, next+10)
		next += 10
		end()
		return wrote
	}
	for range 2 {
		broker := startChild(t, dir)
		cl := client(t, []string{broker.addr}, kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.TransactionalID("resolver"))
		declare(t, cl, topics.Topic{Name: "resolved", Partitions: 1})
		try := func(end kgo.TransactionEndTry) func() {
			return func() { require.NoError(t, cl.EndTransaction(testContext(t), end)) }
		}
		want = append(want, transaction(cl, try(kgo.TryCommit))...)
		transaction(cl, try(kgo.TryAbort))
		want = append(want, transaction(cl, try(kgo.TryCommit))...)
		transaction(cl, broker.kill)
		cl.Close()
	}
	last := start(t, devkafka.Options{DataDir: dir})
	plain := client(t, last.Addrs(), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	produce(t, plain, "resolved", 0, next, next+1)
	want = append(want, strconv.Itoa(next))
	require.Equal(t, want, values(t, last.Addrs(), "resolved", 0, len(want), kgo.FetchIsolationLevel(kgo.ReadCommitted())))
	require.Equal(t, numbers(0, next+1), values(t, last.Addrs(), "resolved", 0, next+1))
}

// TestProducerGoesOnAcrossRestartsAndCrashes keeps one producer alive while the broker closes once and is killed twice: no
// acknowledged record is lost. Some may be there twice, as the package says.
//
//tidemark:proves "the embedded broker is killed": 1
func TestProducerGoesOnAcrossRestartsAndCrashes(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	addr, port := portstest.Reserve(t)
	broker, err := devkafka.Start(testContext(t), devkafka.Options{DataDir: dir, Port: port})
	require.NoError(t, err)
	cl := client(t, []string{addr}, kgo.RecordPartitioner(kgo.ManualPartitioner()))
	declare(t, cl, topics.Topic{Name: "events", Partitions: 1})
	stop := make(chan struct{})
	sent := make(chan int)
	go func() { // one record at a time, so that most are acknowledged before the next interruption
		n := 0
		defer func() { sent <- n }()
		for {
			select {
			case <-stop:
				return
			default:
			}
			if cl.ProduceSync(testContext(t), &kgo.Record{Topic: "events", Value: []byte(strconv.Itoa(n))}).FirstErr() != nil {
				return
			}
			n++
		}
	}()
	grown := func(addr string) {
		from := endOffset(t, addr, "events")
		require.Eventually(t, func() bool { return endOffset(t, addr, "events") > from+20 }, 5*time.Minute, 10*time.Millisecond)
	}
	grown(addr)
	require.NoError(t, broker.Close())
	for range 2 {
		child := startChildOn(t, dir, port)
		grown(addr)
		child.kill()
	}
	last := startChildOn(t, dir, port)
	grown(addr)
	close(stop)
	n := <-sent
	require.Greater(t, n, 80)
	got := values(t, []string{last.addr}, "events", 0, int(endOffset(t, addr, "events")))
	require.Equal(t, numbers(0, n), slices.Compact(got))
}

func endOffset(t *testing.T, addr, topic string) int64 {
	t.Helper()
	cl := client(t, []string{addr})
	defer cl.Close()
	ends, err := kadm.NewClient(cl).ListEndOffsets(testContext(t), topic)
	require.NoError(t, err)
	return ends[topic][0].Offset
}
