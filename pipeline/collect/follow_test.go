package collect

import (
	"context"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/zap"

	"tidemark/internal/poison"
	"tidemark/pipeline/unpack"
)

// The client stops each partition at a batch too large, and forgets to say so of one when the offset of another is set.
func TestBatchesTooLargeOfManyPartitionsAreSkipped(t *testing.T) {
	t.Parallel()
	const partitions = 4
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	cluster, err := kfake.NewCluster(kfake.NumBrokers(2), kfake.SeedTopics(partitions, "users"))
	require.NoError(t, err)
	defer cluster.Close()
	m, err := newMetrics(prometheus.NewRegistry())
	require.NoError(t, err)
	producer, err := kgo.NewClient(kgo.SeedBrokers(cluster.ListenAddrs()...), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	require.NoError(t, err)
	defer producer.Close()
	batch, err := poison.Crowd(kgo.CodecZstd, unpack.MaxRecords+1)
	require.NoError(t, err)
	users := newTable("users", func(_ string, _ bool, r *kgo.Record) (string, error) { return string(r.Value), nil })
	produce := func(n int32) {
		_, err := poison.Produce(ctx, producer, "users", n, batch)
		require.NoError(t, err)
	}
	for n := range int32(partitions) {
		produce(n) // the first there is
	}
	c, err := testConfig(cluster).withDefaults()
	require.NoError(t, err)
	f, err := newFollower(c, map[string]followed{"users": users}, m, zap.NewNop())
	require.NoError(t, err)
	running, end := context.WithCancel(ctx)
	ended := make(chan struct{})
	go func() { defer close(ended); f.run(running) }()
	defer func() { end(); <-ended; f.close() }()
	for round := range 10 {
		for n := range int32(partitions) {
			r := &kgo.Record{Topic: "users", Partition: n, Key: []byte{byte(n)}, Value: []byte{byte(round)}}
			require.NoError(t, producer.ProduceSync(ctx, r).FirstErr())
			require.NoError(t, users.await(ctx, n, r.Offset+1), "round %d", round)
			row, _ := users.get(string(r.Key))
			require.Equal(t, string(r.Value), row)
		}
		for n := range int32(partitions) {
			produce(n)
			time.Sleep(time.Duration(round) * time.Millisecond) // more or less at once
		}
	}
}
