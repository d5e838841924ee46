package lag_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"tidemark/internal/devkafka"
	"tidemark/internal/realkafka/kafkatest"
	"tidemark/pipeline/lag"
	"tidemark/pipeline/source"
)

// cluster is a Kafka to measure, and an operator's hands on it. Each test has a group and a topic of its own.
type cluster struct {
	t     *testing.T
	began time.Time
	group string
	topic string
	opts  []kgo.Opt
	admin *kadm.Client
}

func newCluster(t *testing.T, name string, brokers []string) *cluster {
	t.Helper()
	c := &cluster{t: t, began: time.Now(), group: "group-" + name, topic: "topic-" + name, opts: []kgo.Opt{
		kgo.SeedBrokers(brokers...), kgo.ClientID("lag-test"), kgo.MetadataMinAge(10 * time.Millisecond),
	}}
	c.admin = kadm.NewClient(c.client())
	return c
}

func TestMeasure(t *testing.T) {
	t.Parallel()
	t.Run("embedded", func(t *testing.T) {
		t.Parallel()
		broker, err := devkafka.Start(t.Context(), devkafka.Options{})
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, broker.Close()) })
		measureAll(t, broker.Addrs())
	})
	t.Run("real", func(t *testing.T) {
		t.Parallel()
		measureAll(t, kafkatest.Start(t).Brokers())
	})
}

func measureAll(t *testing.T, brokers []string) {
	t.Helper()
	for name, test := range map[string]func(*testing.T, *cluster){"lag": testLag, "states": testGraveStates, "owners": testOwners} {
		t.Run(name, func(t *testing.T) { test(t, newCluster(t, name, brokers)) })
	}
}

func (c *cluster) client(more ...kgo.Opt) *kgo.Client {
	c.t.Helper()
	more = append(more, kgo.UnknownTopicRetries(-1)) // a topic that was just made may not be known everywhere yet
	client, err := kgo.NewClient(append(c.opts[:len(c.opts):len(c.opts)], more...)...)
	require.NoError(c.t, err)
	c.t.Cleanup(client.Close)
	return client
}

// create makes a topic and returns its id as commits name it.
func (c *cluster) create(partitions int32) string {
	c.t.Helper()
	created, err := c.admin.CreateTopic(c.t.Context(), partitions, 1, nil, c.topic)
	require.NoError(c.t, err)
	return source.ID{TopicID: created.ID}.Log()
}

// produce writes n records of an age to a partition, in a transaction if the client has one.
func (c *cluster) produce(client *kgo.Client, partition int32, n int, age time.Duration) {
	c.t.Helper()
	for range n {
		r := &kgo.Record{Topic: c.topic, Partition: partition, Value: []byte("x"), Timestamp: time.Now().Add(-age)}
		require.NoError(c.t, client.ProduceSync(c.t.Context(), r).FirstErr())
	}
}

func (c *cluster) commit(partition int32, at int64, metadata string) {
	c.t.Helper()
	offsets := kadm.Offsets{}
	offsets.Add(kadm.Offset{Topic: c.topic, Partition: partition, At: at, LeaderEpoch: -1, Metadata: metadata})
	require.NoError(c.t, c.admin.CommitAllOffsets(c.t.Context(), c.group, offsets))
}

// measure measures until all is known: the first records are not looked for for long, and on a machine that is busy not always found.
func (c *cluster) measure(topics ...string) *lag.Report {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.t.Context(), 5*time.Minute)
	defer cancel()
	meter := lag.Meter{Client: c.client(), Kafka: c.opts, Group: c.group, Topics: topics}
	for {
		report, err := meter.Measure(ctx)
		require.NoError(c.t, err)
		if !slices.ContainsFunc(report.Sources, func(s lag.Source) bool { return s.LagSeconds == nil }) {
			return report
		}
	}
}

// requireAge requires the age in seconds of what was so old at some moment of the test, but for a second by which clocks may be set.
func (c *cluster) requireAge(want, got float64, partition int) {
	c.t.Helper()
	require.GreaterOrEqual(c.t, got, want-1, "partition %d", partition)
	require.LessOrEqual(c.t, got, want+time.Since(c.began).Seconds()+1, "partition %d", partition)
}

func metadata(topicID string, watermark time.Time) string {
	return source.Metadata{TopicID: topicID, Watermark: watermark.UnixMilli()}.String()
}

func testLag(t *testing.T, c *cluster) {
	t.Helper()
	id := c.create(6)
	plain := c.client(kgo.RecordPartitioner(kgo.ManualPartitioner()))
	watermark := time.Now().Add(-7 * time.Minute).UTC().Truncate(time.Millisecond)

	// 0: four of six records are committed; the first of the others has waited for an hour, the last for a minute.
	c.produce(plain, 0, 4, 2*time.Hour)
	c.produce(plain, 0, 1, time.Hour)
	c.produce(plain, 0, 1, time.Minute)
	c.commit(0, 4, metadata(id, watermark))
	// 1: records, and no commit.
	c.produce(plain, 1, 2, 30*time.Minute)
	// 2: all is committed but for the marker that ends a transaction.
	c.transaction("a", 2, 2, kgo.TryCommit)
	c.commit(2, 2, metadata(id, watermark))
	// 3: what was committed, then an aborted transaction: no reader will ever see more.
	c.produce(plain, 3, 1, time.Hour)
	c.transaction("b", 3, 3, kgo.TryAbort)
	c.commit(3, 1, metadata(id, watermark))
	// 4: a transaction that is still open.
	c.produce(plain, 4, 1, time.Hour)
	c.openTransaction("c", 4, 2)
	c.commit(4, 1, metadata(id, watermark))
	// 5: empty.

	r := c.measure(c.topic, "absent")
	require.Equal(t, []string{"absent"}, r.MissingTopics)
	require.Equal(t, lag.Group{Name: c.group, State: "Empty", Members: 0}, r.Group)
	require.WithinRange(t, r.MeasuredAt, c.began, time.Now())
	require.Len(t, r.Sources, 6)
	for i, want := range []struct {
		committed, end, held, lag int64
		seconds                   float64
	}{
		{4, 6, 0, 2, 3600}, {-1, 2, 0, 2, 1800}, {2, 3, 0, 1, 0}, {1, 5, 0, 4, 0}, {1, 1, 2, 0, 0}, {-1, 0, 0, 0, 0},
	} {
		s := r.Sources[i]
		require.Equal(t, id, s.TopicID)
		require.Equal(t, int32(i), s.Partition)
		require.Equal(t, lag.Unassigned, s.State, "partition %d", i)
		require.Equal(t, want.end, s.End, "partition %d", i)
		require.Equal(t, want.held, s.HeldBack, "partition %d", i)
		require.Equal(t, want.lag, s.LagRecords, "partition %d", i)
		if want.seconds == 0 {
			require.Zero(t, *s.LagSeconds, "partition %d", i)
		} else {
			c.requireAge(want.seconds, *s.LagSeconds, i)
		}
		if want.committed < 0 {
			require.Nil(t, s.Committed)
			require.Nil(t, s.Watermark)
			continue
		}
		require.Equal(t, want.committed, *s.Committed, "partition %d", i)
		require.Equal(t, watermark, *s.Watermark)
		c.requireAge(420, *s.WatermarkAge, i)
	}
	require.Equal(t, int64(9), r.Total.LagRecords)
	c.requireAge(3600, *r.Total.LagSeconds, 0)
}

func (c *cluster) transactional(id string) *kgo.Client {
	c.t.Helper()
	client := c.client(kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.TransactionalID(id), kgo.TransactionTimeout(10*time.Minute))
	require.NoError(c.t, client.BeginTransaction())
	return client
}

func (c *cluster) transaction(id string, partition int32, n int, end kgo.TransactionEndTry) {
	c.t.Helper()
	client := c.transactional(id)
	c.produce(client, partition, n, time.Hour)
	require.NoError(c.t, client.EndTransaction(c.t.Context(), end))
	// The markers are written after the answer.
	want := int64(0)
	require.Eventually(c.t, func() bool {
		stable, err := c.admin.ListCommittedOffsets(c.t.Context(), c.topic)
		require.NoError(c.t, err)
		all, err := c.admin.ListEndOffsets(c.t.Context(), c.topic)
		require.NoError(c.t, err)
		s, _ := stable.Lookup(c.topic, partition)
		e, _ := all.Lookup(c.topic, partition)
		want = e.Offset
		return s.Offset == want && want > int64(n)
	}, 5*time.Minute, 20*time.Millisecond, "the marker of %s", id)
}

func (c *cluster) openTransaction(id string, partition int32, n int) {
	c.t.Helper()
	client := c.transactional(id)
	c.produce(client, partition, n, time.Hour)
	c.t.Cleanup(func() { // or closing the client would wait for it
		require.NoError(c.t, client.EndTransaction(context.WithoutCancel(c.t.Context()), kgo.TryAbort))
	})
}

func testGraveStates(t *testing.T, c *cluster) {
	t.Helper()
	id := c.create(3)
	plain := c.client(kgo.RecordPartitioner(kgo.ManualPartitioner()))
	for p := range int32(3) {
		c.produce(plain, p, 5, time.Hour)
	}
	c.commit(0, 1, "somebody else's")
	c.commit(1, 9, metadata("another id", time.Now()))
	c.commit(2, 1, metadata(id, time.Now()))
	deleted := kadm.Offsets{}
	deleted.Add(kadm.Offset{Topic: c.topic, Partition: 2, At: 3})
	_, err := c.admin.DeleteRecords(t.Context(), deleted)
	require.NoError(t, err)

	r := c.measure(c.topic)
	foreign, renewed, cut := r.Sources[0], r.Sources[1], r.Sources[2]
	require.Equal(t, lag.Foreign, foreign.State)
	require.Contains(t, foreign.Problem, `"somebody else's" was not written by Tidemark`)
	require.Equal(t, int64(4), foreign.LagRecords)
	require.Equal(t, lag.NewLog, renewed.State)
	require.Equal(t, int64(5), renewed.LagRecords, "it will be read from its start")
	c.requireAge(3600, *renewed.LagSeconds, 1)
	require.Equal(t, lag.OutOfRange, cut.State)
	require.Contains(t, cut.Problem, "the log holds 3 to 5: records were deleted before they were read")
	require.Equal(t, int64(2), cut.LagRecords)
}

func testOwners(t *testing.T, c *cluster) {
	t.Helper()
	c.create(2)
	r := c.measure(c.topic)
	require.Equal(t, lag.Group{Name: c.group, State: "Dead", Members: 0}, r.Group, "nobody has been there yet")
	consume := func(more ...kgo.Opt) {
		client := c.client(append(more, kgo.ConsumerGroup(c.group), kgo.ConsumeTopics(c.topic), kgo.DisableAutoCommit(), kgo.SessionTimeout(5*time.Minute))...)
		polled := make(chan struct{})
		ctx, cancel := context.WithCancel(t.Context())
		go func() {
			defer close(polled)
			for ctx.Err() == nil {
				client.PollFetches(ctx)
			}
		}()
		t.Cleanup(func() { cancel(); <-polled })
	}
	consume(kgo.InstanceID("static"))
	consume()
	names := map[string]bool{}
	require.Eventually(t, func() bool {
		r := c.measure(c.topic)
		clear(names)
		for _, s := range r.Sources {
			if s.State == lag.OK {
				names[s.Owner] = true
			}
		}
		return len(names) == 2 && r.Group == lag.Group{Name: c.group, State: "Stable", Members: 2}
	}, 5*time.Minute, 100*time.Millisecond)
	require.True(t, names["static"])
	delete(names, "static")
	for other := range names {
		require.Regexp(t, "^lag-test@.*127.0.0.1", other)
	}
	plain := c.client(kgo.RecordPartitioner(kgo.ManualPartitioner()))
	c.produce(plain, 0, 1, time.Hour)
	require.Equal(t, lag.Uncommitted, c.measure(c.topic).Sources[0].State)
}
