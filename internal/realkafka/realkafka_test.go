package realkafka_test

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"tidemark/internal/realkafka"
	"tidemark/internal/realkafka/kafkatest"
	"tidemark/sinks/kafka/topics"
)

func declare(ctx context.Context, t *testing.T, cluster *realkafka.Cluster, topic topics.Topic) {
	t.Helper()
	cl, err := kgo.NewClient(kgo.SeedBrokers(cluster.Brokers()...))
	require.NoError(t, err)
	defer cl.Close()
	report, err := topics.Ensure(ctx, cl, []topics.Topic{topic})
	require.NoError(t, err)
	require.Equal(t, []string{topic.Name}, report.Missing)
}

// produce writes the values from..to-1 with kafka-go, every one acknowledged by all replicas.
func produce(ctx context.Context, t *testing.T, cluster *realkafka.Cluster, topic string, from, to int) {
	t.Helper()
	transport := &kafka.Transport{MetadataTTL: time.Second} // so that a writer soon learns of a new leader
	defer transport.CloseIdleConnections()
	w := &kafka.Writer{
		Addr: kafka.TCP(cluster.Brokers()...), Topic: topic, Balancer: kafka.Murmur2Balancer{},
		RequiredAcks: kafka.RequireAll, Transport: transport, BatchSize: 50, MaxAttempts: 1000, // ctx bounds them
	}
	var batch []kafka.Message
	for i := from; i < to; i++ {
		batch = append(batch, kafka.Message{Key: fmt.Appendf(nil, "account-%d", i%7), Value: []byte(strconv.Itoa(i))})
	}
	require.NoError(t, w.WriteMessages(ctx, batch...))
	require.NoError(t, w.Close())
}

// consume reads want different values as a member of the group, commits, and leaves. The producer writes a batch again whose
// acknowledgement did not come in time, so that a value may be there twice.
func consume(ctx context.Context, t *testing.T, cluster *realkafka.Cluster, topic, group string, want int) []string {
	t.Helper()
	cl, err := kgo.NewClient(kgo.SeedBrokers(cluster.Brokers()...), kgo.ConsumeTopics(topic), kgo.ConsumerGroup(group),
		kgo.Balancers(kgo.CooperativeStickyBalancer()), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.DisableAutoCommit())
	require.NoError(t, err)
	defer cl.Close()
	var values []string
	for len(values) < want {
		fetches := cl.PollFetches(ctx)
		require.NoError(t, fetches.Err())
		fetches.EachRecord(func(r *kgo.Record) {
			if v := string(r.Value); !slices.Contains(values, v) {
				values = append(values, v)
			}
		})
	}
	require.NoError(t, cl.CommitUncommittedOffsets(ctx))
	return values
}

func numbers(from, to int) []string {
	var out []string
	for i := from; i < to; i++ {
		out = append(out, strconv.Itoa(i))
	}
	return out
}

func TestAcknowledgedRecordsAndCommitsSurviveSIGKILL(t *testing.T) {
	ctx := testContext(t)
	dir := t.TempDir()
	cluster := kafkatest.StartWith(t, realkafka.Options{Dir: dir})
	declare(ctx, t, cluster, topics.Topic{Name: "events", Partitions: 3, ReplicationFactor: 1})
	produce(ctx, t, cluster, "events", 0, 500)
	require.ElementsMatch(t, numbers(0, 500), consume(ctx, t, cluster, "events", "readers", 500))
	produce(ctx, t, cluster, "events", 500, 900)
	before := cluster.Brokers()

	require.NoError(t, cluster.Kill(1))
	requireGone(t, cluster.PIDs()[0])
	require.ErrorContains(t, cluster.Kill(1), "not running")
	require.NoError(t, cluster.Restart(ctx, 1))
	require.ErrorContains(t, cluster.Restart(ctx, 1), "is running")

	require.Equal(t, before, cluster.Brokers())
	require.ElementsMatch(t, numbers(500, 900), consume(ctx, t, cluster, "events", "readers", 400))
	require.ElementsMatch(t, numbers(0, 900), consume(ctx, t, cluster, "events", "others", 900))

	cluster.Stop()
	for _, pid := range cluster.PIDs() {
		requireGone(t, pid)
	}
	again := kafkatest.StartWith(t, realkafka.Options{Dir: dir})
	require.ElementsMatch(t, numbers(0, 900), consume(ctx, t, again, "events", "third", 900))
}

func TestThreeNodesServeWithOneKilled(t *testing.T) {
	ctx := testContext(t)
	cluster := kafkatest.StartWith(t, realkafka.Options{Nodes: 3, HeapMB: 256})
	require.Len(t, cluster.Brokers(), 3)
	declare(ctx, t, cluster, topics.Topic{
		Name: "events", Partitions: 3, ReplicationFactor: 3, Configs: map[string]string{"min.insync.replicas": "2"},
	})
	produce(ctx, t, cluster, "events", 0, 100)
	require.NoError(t, cluster.Kill(2))
	produce(ctx, t, cluster, "events", 100, 200)
	require.ElementsMatch(t, numbers(0, 200), consume(ctx, t, cluster, "events", "readers", 200))
	require.NoError(t, cluster.Restart(ctx, 2))
	require.ErrorContains(t, cluster.Kill(4), "nodes 1 to 3")
}
