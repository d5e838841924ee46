package recount

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/goleak"

	"tidemark/internal/devclickhouse/chtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(chtest.WithShared(m)) }

// written is one record of a hand-written log; partition is 0 unless said, time
// that of the log's clock unless said.
type written struct {
	topic     string
	partition int32
	key       string
	value     string
	noValue   bool
	time      string
}

// logClock is the time of records that don't say theirs.
const logClock = "2026-03-02T12:00:00Z"

// cluster starts a broker with two partitions of every topic.
func cluster(t *testing.T) *kfake.Cluster {
	t.Helper()
	c, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(2, "telemetry", "tickets", "accounts"))
	require.NoError(t, err)
	t.Cleanup(c.Close)
	return c
}

func producer(t *testing.T, c *kfake.Cluster, opts ...kgo.Opt) *kgo.Client {
	t.Helper()
	client, err := kgo.NewClient(append(opts, kgo.SeedBrokers(c.ListenAddrs()...),
		kgo.RecordPartitioner(kgo.ManualPartitioner()))...)
	require.NoError(t, err)
	t.Cleanup(client.Close)
	return client
}

func (w written) record(t *testing.T) *kgo.Record {
	t.Helper()
	if w.time == "" {
		w.time = logClock
	}
	r := &kgo.Record{Topic: w.topic, Partition: w.partition, Key: []byte(w.key), Value: []byte(w.value), Timestamp: clock(t, w.time)}
	if w.noValue {
		r.Value = nil
	}
	return r
}

// recountLog writes the log to a fresh broker and recounts it.
func recountLog(t *testing.T, log []written) *Result {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	c := cluster(t)
	client := producer(t, c)
	for _, w := range log {
		require.NoError(t, client.ProduceSync(ctx, w.record(t)).FirstErr())
	}
	result, err := Count(ctx, options(c))
	require.NoError(t, err)
	return shortSources(result)
}

func options(c *kfake.Cluster) Options {
	return Options{Brokers: c.ListenAddrs(), Telemetry: "telemetry", Tickets: "tickets", Accounts: "accounts"}
}

func clock(t *testing.T, s string) time.Time {
	t.Helper()
	at, err := time.Parse(time.RFC3339Nano, s)
	require.NoError(t, err)
	return at
}

// ms is the instant of a time of day on 2 March 2026, in Unix milliseconds.
func ms(t *testing.T, timeOfDay string) int64 {
	t.Helper()
	return clock(t, fmt.Sprintf("2026-03-02T%sZ", timeOfDay)).UnixMilli()
}

// short is a source without its topic id, which differs between runs.
func short(source string) string {
	for i := range source {
		if source[i] == '@' {
			return source[:i]
		}
	}
	return source
}

// shortSources renames every source of the result to its short name.
func shortSources(r *Result) *Result {
	s := newResult()
	s.visits = r.visits
	for k, v := range r.Sources {
		s.Sources[short(k)] = v
	}
	for k, v := range r.DeadLetters {
		k.Source = short(k.Source)
		s.DeadLetters[k] = v
	}
	for k, v := range r.Counters {
		k.Source = short(k.Source)
		s.Counters[k] = v
	}
	for k, v := range r.Members {
		k.Source = short(k.Source)
		s.Members[k] = v
	}
	for k, v := range r.UserMinutes {
		k.Source = short(k.Source)
		s.UserMinutes[k] = v
	}
	for k, v := range r.Facts {
		k.Source = short(k.Source)
		s.Facts[k] = v
	}
	for k, v := range r.AccountChanges {
		k.Source = short(k.Source)
		s.AccountChanges[k] = v
	}
	for k, v := range r.UserAccounts {
		k.Source = short(k.Source)
		s.UserAccounts[k] = v
	}
	return s
}
