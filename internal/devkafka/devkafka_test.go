package devkafka_test

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"tidemark/internal/devkafka"
	"tidemark/sinks/kafka/topics"
)

func testContext(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute) // a busy machine takes its time
	t.Cleanup(cancel)
	return ctx
}

func start(t *testing.T, opts devkafka.Options) *devkafka.Broker {
	t.Helper()
	b, err := devkafka.Start(testContext(t), opts)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, b.Close()) })
	return b
}

func client(t *testing.T, addrs []string, opts ...kgo.Opt) *kgo.Client {
	t.Helper()
	cl, err := kgo.NewClient(append([]kgo.Opt{kgo.SeedBrokers(addrs...)}, opts...)...)
	require.NoError(t, err)
	t.Cleanup(cl.Close)
	return cl
}

func declare(t *testing.T, cl *kgo.Client, topic topics.Topic) {
	t.Helper()
	_, err := topics.Ensure(testContext(t), cl, []topics.Topic{topic})
	require.NoError(t, err)
}

// produce writes the values from..to-1 to one partition, each acknowledged before it returns.
func produce(t *testing.T, cl *kgo.Client, topic string, partition int32, from, to int) {
	t.Helper()
	var batch []*kgo.Record
	for i := from; i < to; i++ {
		batch = append(batch, &kgo.Record{Topic: topic, Partition: partition, Value: []byte(strconv.Itoa(i))})
	}
	require.NoError(t, cl.ProduceSync(testContext(t), batch...).FirstErr())
}

// values reads a partition from its start until want values have arrived.
func values(t *testing.T, addrs []string, topic string, partition int32, want int, opts ...kgo.Opt) []string {
	t.Helper()
	cl := client(t, addrs, append(opts, kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{
		topic: {partition: kgo.NewOffset().AtStart()},
	}))...)
	defer cl.Close()
	var out []string
	for len(out) < want {
		fetches := cl.PollFetches(testContext(t))
		require.NoError(t, fetches.Err())
		fetches.EachRecord(func(r *kgo.Record) { out = append(out, string(r.Value)) })
	}
	return out
}

func numbers(from, to int) []string {
	var out []string
	for i := from; i < to; i++ {
		out = append(out, strconv.Itoa(i))
	}
	return out
}

// topicID asks the broker itself: kadm's answers may come from the client's cache.
func topicID(t *testing.T, cl *kgo.Client, topic string) [16]byte {
	t.Helper()
	req := kmsg.NewPtrMetadataRequest()
	rt := kmsg.NewMetadataRequestTopic()
	rt.Topic = kmsg.StringPtr(topic)
	req.Topics = append(req.Topics, rt)
	resp, err := req.RequestWith(testContext(t), cl)
	require.NoError(t, err)
	require.Zero(t, resp.Topics[0].ErrorCode)
	require.NotZero(t, resp.Topics[0].TopicID)
	return resp.Topics[0].TopicID
}

func commit(t *testing.T, cl *kgo.Client, group, topic string, partition int32, offset int64, metadata string) {
	t.Helper()
	offsets := make(kadm.Offsets)
	offsets.Add(kadm.Offset{Topic: topic, Partition: partition, At: offset, LeaderEpoch: 0, Metadata: metadata})
	require.NoError(t, kadm.NewClient(cl).CommitAllOffsets(testContext(t), group, offsets))
}

func committed(t *testing.T, cl *kgo.Client, group, topic string, partition int32) (int64, string) {
	t.Helper()
	offsets, err := kadm.NewClient(cl).FetchOffsets(testContext(t), group)
	require.NoError(t, err)
	o, ok := offsets.Lookup(topic, partition)
	require.True(t, ok)
	require.NoError(t, o.Err)
	return o.At, o.Metadata
}

func TestTakenPortSaysWhatToDo(t *testing.T) {
	t.Parallel()
	ln, err := new(net.ListenConfig).Listen(testContext(t), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { _ = ln.Close() }()
	port := ln.Addr().(*net.TCPAddr).Port
	dir := t.TempDir()
	_, err = devkafka.Start(testContext(t), devkafka.Options{DataDir: dir, Port: port})
	require.ErrorContains(t, err, "127.0.0.1:"+strconv.Itoa(port)+" is already in use")
	require.ErrorContains(t, err, "choose another port")
	start(t, devkafka.Options{DataDir: dir}) // the failed start gave the directory back
}

func TestSecondBrokerOnADataDirIsRefused(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	first := start(t, devkafka.Options{DataDir: dir})
	_, err := devkafka.Start(testContext(t), devkafka.Options{DataDir: dir})
	require.ErrorIs(t, err, devkafka.ErrDirInUse)
	require.ErrorContains(t, err, dir)
	require.NoError(t, first.Close())
	start(t, devkafka.Options{DataDir: dir})
}

func TestRestartContinuesWithEverything(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	first := start(t, devkafka.Options{DataDir: dir, Brokers: 3})
	require.Len(t, first.Addrs(), 3)
	cl := client(t, first.Addrs(), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	topic := topics.Topic{Name: "events", Partitions: 3, Configs: map[string]string{"retention.ms": "7200000"}}
	declare(t, cl, topic)
	produce(t, cl, "events", 1, 0, 200)
	commit(t, cl, "readers", "events", 1, 150, `{"watermark":42}`)
	id := topicID(t, cl, "events")
	cl.Close()
	require.NoError(t, first.Close())

	second := start(t, devkafka.Options{DataDir: dir, Brokers: 3})
	cl = client(t, second.Addrs(), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	report, err := topics.Ensure(testContext(t), cl, []topics.Topic{topic})
	require.NoError(t, err)
	require.Empty(t, report, "the topic is there as declared")
	require.Equal(t, id, topicID(t, cl, "events"))
	at, metadata := committed(t, cl, "readers", "events", 1)
	require.EqualValues(t, 150, at)
	require.Equal(t, `{"watermark":42}`, metadata)
	produce(t, cl, "events", 1, 200, 250)
	require.Equal(t, numbers(0, 250), values(t, second.Addrs(), "events", 1, 250))
}

func TestFailureToWriteIsReported(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	broker, err := devkafka.Start(testContext(t), devkafka.Options{DataDir: dir})
	require.NoError(t, err)
	cl := client(t, broker.Addrs())
	declare(t, cl, topics.Topic{Name: "events", Partitions: 1})
	require.NoError(t, os.MkdirAll(filepath.Join(dir, "partitions"), 0o755))
	require.NoError(t, os.RemoveAll(filepath.Join(dir, "partitions", "events-0")))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "partitions", "events-0"), nil, 0o644)) // where a directory must be
	require.NoError(t, broker.Err())
	require.Error(t, cl.ProduceSync(testContext(t), &kgo.Record{Topic: "events", Value: []byte("x")}).FirstErr())
	require.ErrorContains(t, broker.Err(), "events-0")
	require.ErrorContains(t, broker.Close(), "could not write its state")
}

func TestRecreatedTopicHasAnotherID(t *testing.T) {
	t.Parallel()
	broker := start(t, devkafka.Options{})
	cl := client(t, broker.Addrs())
	declare(t, cl, topics.Topic{Name: "events", Partitions: 1})
	before := topicID(t, cl, "events")
	_, err := kadm.NewClient(cl).DeleteTopic(testContext(t), "events")
	require.NoError(t, err)
	declare(t, cl, topics.Topic{Name: "events", Partitions: 1})
	require.NotEqual(t, before, topicID(t, cl, "events"))
}

func TestConsumerSeesAPartitionThatIsAdded(t *testing.T) {
	t.Parallel()
	broker := start(t, devkafka.Options{})
	cl := client(t, broker.Addrs(), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	declare(t, cl, topics.Topic{Name: "events", Partitions: 1})
	produce(t, cl, "events", 0, 0, 1)
	member := client(t, broker.Addrs(), kgo.ConsumerGroup("readers"), kgo.ConsumeTopics("events"),
		kgo.InstanceID("worker-1"), kgo.Balancers(kgo.CooperativeStickyBalancer()), kgo.MetadataMaxAge(time.Second),
		kgo.MetadataMinAge(100*time.Millisecond), kgo.HeartbeatInterval(200*time.Millisecond), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	next := func() string {
		fetches := member.PollFetches(testContext(t))
		require.NoError(t, fetches.Err())
		r := fetches.Records()
		require.Len(t, r, 1)
		return fmt.Sprintf("%d:%s", r[0].Partition, r[0].Value)
	}
	require.Equal(t, "0:0", next())
	responses, err := kadm.NewClient(cl).CreatePartitions(testContext(t), 1, "events")
	require.NoError(t, err)
	require.NoError(t, responses.Error())
	produce(t, client(t, broker.Addrs(), kgo.RecordPartitioner(kgo.ManualPartitioner())), "events", 1, 7, 8)
	require.Equal(t, "1:7", next())
}
