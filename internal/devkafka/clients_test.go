package devkafka_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"tidemark/internal/devkafka"
	"tidemark/sinks/kafka/topics"
)

// writeWithKafkaGo produces one message a key, each acknowledged by all replicas.
func writeWithKafkaGo(t *testing.T, addrs []string, topic string, keys []string) {
	t.Helper()
	transport := &kafka.Transport{}
	defer transport.CloseIdleConnections()
	w := &kafka.Writer{Addr: kafka.TCP(addrs...), Topic: topic, Balancer: kafka.Murmur2Balancer{}, Transport: transport,
		RequiredAcks: kafka.RequireAll, BatchTimeout: 5 * time.Millisecond}
	var batch []kafka.Message
	for _, key := range keys {
		batch = append(batch, kafka.Message{Key: []byte(key), Value: []byte(key)})
	}
	require.NoError(t, w.WriteMessages(testContext(t), batch...))
	require.NoError(t, w.Close())
}

func accountKeys(n int) []string {
	var out []string
	for i := range n {
		out = append(out, fmt.Sprintf("account-%04d", i))
	}
	return out
}

// partitionsOf reads want records and returns every key's partition.
func partitionsOf(t *testing.T, addrs []string, topic string, want int) map[string]int32 {
	t.Helper()
	cl := client(t, addrs, kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	defer cl.Close()
	out := make(map[string]int32)
	for len(out) < want {
		fetches := cl.PollFetches(testContext(t))
		require.NoError(t, fetches.Err())
		fetches.EachRecord(func(r *kgo.Record) { out[string(r.Key)] = r.Partition })
	}
	return out
}

func TestKafkaGoAndFranzGoAgreeOnPartitions(t *testing.T) {
	t.Parallel()
	broker := start(t, devkafka.Options{Brokers: 3})
	cl := client(t, broker.Addrs())
	keys := accountKeys(500)
	for _, name := range []string{"by-kafka-go", "by-franz-go"} {
		declare(t, cl, topics.Topic{Name: name, Partitions: 12})
	}
	writeWithKafkaGo(t, broker.Addrs(), "by-kafka-go", keys)
	var batch []*kgo.Record
	for _, key := range keys {
		batch = append(batch, &kgo.Record{Topic: "by-franz-go", Key: []byte(key)})
	}
	require.NoError(t, cl.ProduceSync(testContext(t), batch...).FirstErr())

	want := partitionsOf(t, broker.Addrs(), "by-kafka-go", len(keys))
	require.Equal(t, want, partitionsOf(t, broker.Addrs(), "by-franz-go", len(keys)))
	used := make(map[int32]bool)
	for _, p := range want {
		used[p] = true
	}
	require.Len(t, used, 12)
}

func TestKafkaGoGroupReadsAndCommits(t *testing.T) {
	t.Parallel()
	broker := start(t, devkafka.Options{})
	declare(t, client(t, broker.Addrs()), topics.Topic{Name: "events", Partitions: 2})
	read := func(want []string) {
		r := kafka.NewReader(kafka.ReaderConfig{Brokers: broker.Addrs(), GroupID: "recount", Topic: "events",
			StartOffset: kafka.FirstOffset, MaxWait: 50 * time.Millisecond})
		var got []string
		for range want {
			m, err := r.FetchMessage(testContext(t))
			require.NoError(t, err)
			got = append(got, string(m.Value))
			require.NoError(t, r.CommitMessages(testContext(t), m))
		}
		require.ElementsMatch(t, want, got)
		require.NoError(t, r.Close())
	}
	keys := accountKeys(40)
	writeWithKafkaGo(t, broker.Addrs(), "events", keys[:25])
	read(keys[:25])
	writeWithKafkaGo(t, broker.Addrs(), "events", keys[25:])
	read(keys[25:])
}

// member joins the group as a static member, and tells owned what it is assigned.
func member(t *testing.T, addrs []string, instance string) (cl *kgo.Client, owned <-chan map[string][]int32) {
	t.Helper()
	told := make(chan map[string][]int32, 100)
	return client(t, addrs, kgo.ConsumerGroup("workers"), kgo.ConsumeTopics("events"), kgo.InstanceID(instance),
		kgo.Balancers(kgo.CooperativeStickyBalancer()), kgo.DisableAutoCommit(),
		kgo.OnPartitionsAssigned(func(_ context.Context, _ *kgo.Client, assigned map[string][]int32) {
			if len(assigned) > 0 {
				told <- assigned
			}
		})), told
}

func TestStaticMemberKeepsItsPartitionsAcrossARestart(t *testing.T) {
	t.Parallel()
	ctx := testContext(t)
	broker := start(t, devkafka.Options{})
	cl := client(t, broker.Addrs())
	declare(t, cl, topics.Topic{Name: "events", Partitions: 4})
	adm := kadm.NewClient(cl)
	stable := func(members int) (generations map[string]string) {
		require.Eventually(t, func() bool {
			groups, err := adm.DescribeGroups(ctx, "workers")
			if err != nil || groups["workers"].State != "Stable" || len(groups["workers"].Members) != members {
				return false
			}
			generations = make(map[string]string)
			assigned := 0
			for _, m := range groups["workers"].Members {
				a, _ := m.Assigned.AsConsumer()
				for _, topic := range a.Topics {
					assigned += len(topic.Partitions)
					generations[*m.InstanceID] = fmt.Sprint(topic.Partitions)
				}
			}
			return assigned == 4
		}, 5*time.Minute, 20*time.Millisecond)
		return generations
	}
	first, _ := member(t, broker.Addrs(), "worker-1")
	stable(1)
	member(t, broker.Addrs(), "worker-2")
	before := stable(2)

	first.CloseAllowingRebalance() // a static member does not leave the group when its process ends
	require.Equal(t, before, stable(2))
	_, owned := member(t, broker.Addrs(), "worker-1")
	require.Equal(t, before["worker-1"], fmt.Sprint((<-owned)["events"]))
	require.Equal(t, before, stable(2))
}

func TestOffsetForLeaderEpoch(t *testing.T) {
	t.Parallel()
	broker := start(t, devkafka.Options{})
	cl := client(t, broker.Addrs(), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	declare(t, cl, topics.Topic{Name: "events", Partitions: 1})
	produce(t, cl, "events", 0, 0, 12)
	req := kadm.OffsetForLeaderEpochRequest{}
	req.Add("events", 0, 0)
	got, err := kadm.NewClient(cl).OffsetForLeaderEpoch(testContext(t), req)
	require.NoError(t, err)
	require.NoError(t, got["events"][0].Err)
	require.EqualValues(t, 12, got["events"][0].EndOffset)
}
