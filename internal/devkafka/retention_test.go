package devkafka

import (
	"context"
	"crypto/rand"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/zap"

	"tidemark/sinks/kafka/topics"
)

func TestNewStart(t *testing.T) {
	t.Parallel()
	now := time.Now()
	segments := []segment{
		{base: 0, bytes: 100, written: now.Add(-4 * time.Hour)},
		{base: 10, bytes: 100, written: now.Add(-3 * time.Hour)},
		{base: 20, bytes: 100, written: now.Add(-2 * time.Hour)},
		{base: 30, bytes: 50, written: now.Add(-1 * time.Hour)},
	}
	const unlimited = -1
	for name, tc := range map[string]struct {
		limits limits
		start  int64
		ok     bool
	}{
		"no limits":             {limits{true, unlimited, unlimited}, 0, false},
		"by age":                {limits{true, 150 * time.Minute, unlimited}, 20, true},
		"never the active one":  {limits{true, 0, 0}, 30, true},
		"by size":               {limits{true, unlimited, 150}, 20, true},
		"size leaves the limit": {limits{true, unlimited, 151}, 10, true},
		"the stricter wins":     {limits{true, 200 * time.Minute, 150}, 20, true},
		"within both":           {limits{true, 5 * time.Hour, 350}, 0, false},
		"compacted":             {limits{false, 0, 0}, 0, false},
	} {
		start, ok := tc.limits.newStart(segments, now)
		require.Equal(t, tc.ok, ok, name)
		require.Equal(t, tc.start, start, name)
	}
	_, ok := limits{true, 0, 0}.newStart(nil, now)
	require.False(t, ok)
}

func TestLimitsOfTopics(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	broker, err := Start(ctx, Options{})
	require.NoError(t, err)
	defer func() { require.NoError(t, broker.Close()) }()
	cl, err := kgo.NewClient(kgo.SeedBrokers(broker.Addrs()...))
	require.NoError(t, err)
	defer cl.Close()
	const week = 7 * 24 * time.Hour
	for name, tc := range map[string]struct {
		configs map[string]string
		want    limits
	}{
		"defaults":  {nil, limits{true, week, defaultRetentionBytes}},
		"own":       {map[string]string{"retention.ms": "60000", "retention.bytes": "77"}, limits{true, time.Minute, 77}},
		"unlimited": {map[string]string{"retention.ms": "-1", "retention.bytes": "-1"}, limits{true, -time.Millisecond, -1}},
		"forever":   {map[string]string{"retention.ms": "9223372036854775807"}, limits{true, 1<<63 - 1 - 775807, defaultRetentionBytes}},
		"compacted": {map[string]string{"cleanup.policy": "compact"}, limits{false, week, defaultRetentionBytes}},
		"both":      {map[string]string{"cleanup.policy": "compact,delete"}, limits{true, week, defaultRetentionBytes}},
	} {
		_, err = topics.Ensure(ctx, cl, []topics.Topic{{Name: name, Partitions: 1, Configs: tc.configs}})
		require.NoError(t, err)
		described, err := kadm.NewClient(cl).DescribeTopicConfigs(ctx, name)
		require.NoError(t, err)
		got, err := limitsOf(described[0])
		require.NoError(t, err)
		require.Equal(t, tc.want, got, name)
	}
}

// TestRetentionBoundsADirectory writes far more than the limit and looks at the files.
func TestRetentionBoundsADirectory(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	dir := t.TempDir()
	broker, err := Start(ctx, Options{DataDir: dir, NoSync: true})
	require.NoError(t, err)
	defer func() { require.NoError(t, broker.Close()) }()
	broker.retention.stop() // its time comes in the middle of this on a busy machine
	cl, err := kgo.NewClient(kgo.SeedBrokers(broker.Addrs()...), kgo.ProducerBatchCompression(kgo.NoCompression()))
	require.NoError(t, err)
	defer cl.Close()
	limit := map[string]string{"retention.bytes": "100000", "segment.bytes": "20000"}
	compacted := map[string]string{"retention.bytes": "100000", "segment.bytes": "20000", "cleanup.policy": "compact"}
	_, err = topics.Ensure(ctx, cl, []topics.Topic{
		{Name: "events", Partitions: 1, Configs: limit},
		{Name: "accounts", Partitions: 1, Configs: compacted},
		{Name: "bad", Partitions: 1, Configs: map[string]string{"retention.ms": "a week"}},
	})
	require.NoError(t, err)
	value := make([]byte, 1000)
	_, _ = rand.Read(value)
	const records = 500
	write := func() {
		for range records {
			for _, topic := range []string{"events", "accounts"} {
				require.NoError(t, cl.ProduceSync(ctx, &kgo.Record{Topic: topic, Value: value}).FirstErr())
			}
		}
	}
	write()

	r := &retention{dataDir: dir, adm: kadm.NewClient(cl), log: zap.NewNop()}
	require.ErrorContains(t, r.apply(ctx, time.Now()), "topic bad: retention.ms", "reported, and the others are done")
	const bound = 100000 + 2*21000
	require.Less(t, bytesOf(t, dir, "events"), int64(bound))
	require.Greater(t, bytesOf(t, dir, "accounts"), int64(records*1000), "a compacted topic keeps every account")

	ends, err := r.adm.ListEndOffsets(ctx, "events")
	require.NoError(t, err)
	require.EqualValues(t, records, ends["events"][0].Offset)
	starts, err := r.adm.ListStartOffsets(ctx, "events")
	require.NoError(t, err)
	require.Greater(t, starts["events"][0].Offset, int64(records-150))

	write()
	require.Greater(t, bytesOf(t, dir, "events"), int64(bound))
	running, err := startRetention(ctx, dir, broker.Addrs(), 10*time.Millisecond, zap.NewNop())
	require.NoError(t, err)
	defer running.stop()
	require.Eventually(t, func() bool { return bytesOf(t, dir, "events") < bound }, 5*time.Minute, 10*time.Millisecond)
}

// TestOffsetsGoOnAfterEverythingExpired pins the reason for a retention of our own: an emptied log would start at 0 again.
func TestOffsetsGoOnAfterEverythingExpired(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	dir := t.TempDir()
	var end int64
	for range 2 {
		broker, err := Start(ctx, Options{DataDir: dir})
		require.NoError(t, err)
		cl, err := kgo.NewClient(kgo.SeedBrokers(broker.Addrs()...))
		require.NoError(t, err)
		_, err = topics.Ensure(ctx, cl, []topics.Topic{{Name: "events", Partitions: 1, Configs: map[string]string{
			"retention.ms": "0", "segment.bytes": "1",
		}}})
		require.NoError(t, err)
		adm := kadm.NewClient(cl)
		ends, err := adm.ListEndOffsets(ctx, "events")
		require.NoError(t, err)
		require.Equal(t, end, ends["events"][0].Offset)
		for range 3 {
			require.NoError(t, cl.ProduceSync(ctx, &kgo.Record{Topic: "events", Value: []byte("x")}).FirstErr())
			end++
		}
		r := &retention{dataDir: dir, adm: adm, log: zap.NewNop()}
		require.NoError(t, r.apply(ctx, time.Now().Add(time.Hour)))
		starts, err := adm.ListStartOffsets(ctx, "events")
		require.NoError(t, err)
		require.Equal(t, end-1, starts["events"][0].Offset, "all but the segment being written")
		cl.Close()
		require.NoError(t, broker.Close())
	}
}

func bytesOf(t *testing.T, dir, topic string) (total int64) {
	t.Helper()
	segments, err := readSegments(dir, topic, 0)
	require.NoError(t, err)
	for _, s := range segments {
		total += s.bytes
	}
	return total
}
