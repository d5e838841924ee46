package deadletters

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/goleak"

	"tidemark/internal/devkafka"
	"tidemark/schemas"
	"tidemark/sinks/kafka"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// world is a Kafka with dead letters of a topic of two partitions.
type world struct {
	Box
	client *kgo.Client
}

func newWorld(t *testing.T) *world {
	t.Helper()
	broker, err := devkafka.Start(t.Context(), devkafka.Options{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, broker.Close()) })
	opts := []kgo.Opt{kgo.SeedBrokers(broker.Addrs()...)}
	client, err := kgo.NewClient(append(opts, kgo.RecordPartitioner(kgo.ManualPartitioner()))...)
	require.NoError(t, err)
	t.Cleanup(client.Close)
	admin := kadm.NewClient(client)
	for topic, partitions := range map[string]int32{"dead-letters": 1, "telemetry": 2} {
		_, err := admin.CreateTopic(t.Context(), partitions, 1, nil, topic)
		require.NoError(t, err)
	}
	return &world{Box{opts, "dead-letters"}, client}
}

var born = time.Date(2026, 3, 1, 10, 0, 0, 5e6, time.UTC)

// letters writes some, each twice, as a crash in mid-flush does.
func (w *world) letters(t *testing.T, n int) {
	t.Helper()
	for i := range n {
		r := &kgo.Record{
			Offset: int64(i), Key: []byte("acme"), Value: fmt.Appendf(nil, `{"n":%d}`, i), Timestamp: born.Add(time.Duration(i) * time.Second),
			Headers: []kgo.RecordHeader{{Key: "trace", Value: []byte("x")}},
		}
		for range 2 {
			letter := kafka.DeadLetter("dead-letters", "telemetry/1@AAAAAAAAAAAAAAAAAAAAAA", r, schemas.BadTime, "no time", "")
			require.NoError(t, w.client.ProduceSync(t.Context(), letter).FirstErr())
		}
	}
}

func (w *world) redrive() *Redrive { return &Redrive{Box: w.Box, TransactionalID: "dlq", By: "ann"} }

// sent are the committed records of the topic.
func (w *world) sent(t *testing.T) (all []*kgo.Record) {
	t.Helper()
	telemetry := Box{w.Kafka, "telemetry"}
	require.NoError(t, telemetry.read(t.Context(), func(r *kgo.Record) error {
		all = append(all, r)
		return nil
	}))
	return all
}

// A record is sent as it was, where it was, with the time that it had; once, however often it is redriven and however often its letter is
// in the topic. One that becomes a dead letter again is another letter, which knows where it is from.
func TestRedriven(t *testing.T) {
	w := newWorld(t)
	w.letters(t, 3)
	for round, want := range []Fates{{Sent: 2}, {Sent: 1, Settled: 2}, {Settled: 3}} {
		f := &Filter{Reasons: []string{"bad_time"}, Source: "telemetry/1"}
		if round == 0 {
			f.IDs = []string{"telemetry/1:0", "telemetry/1@AAAAAAAAAAAAAAAAAAAAAA:2"}
		}
		fates, err := w.redrive().Run(t.Context(), f)
		require.NoError(t, err)
		require.Equal(t, want, fates)
	}
	sent := w.sent(t)
	require.Len(t, sent, 3)
	for i, n := range []int{0, 2, 1} {
		r := sent[i]
		require.Equal(t, fmt.Sprintf(`{"n":%d}`, n), string(r.Value))
		require.Equal(t, int32(1), r.Partition)
		require.Equal(t, "acme", string(r.Key))
		require.True(t, born.Add(time.Duration(n)*time.Second).Equal(r.Timestamp), r.Timestamp)
		require.Equal(t, []kgo.RecordHeader{{Key: "trace", Value: []byte("x")}, {Key: HeaderRedriven, Value: fmt.Appendf(nil, "telemetry/1@AAAAAAAAAAAAAAAAAAAAAA:%d", n)}}, r.Headers)
	}

	again := *sent[0]
	again.Offset = 77
	letter := kafka.DeadLetter("dead-letters", "telemetry/1@AAAAAAAAAAAAAAAAAAAAAA", &again, schemas.BadTime, "no time", "")
	require.NoError(t, w.client.ProduceSync(t.Context(), letter).FirstErr())
	fates, err := w.redrive().Run(t.Context(), &Filter{})
	require.NoError(t, err)
	require.Equal(t, Fates{Sent: 1, Settled: 3}, fates)
	last := w.sent(t)[3]
	require.Equal(t, sent[0].Headers, last.Headers)
	require.Equal(t, sent[0].Timestamp, last.Timestamp)
}

// Of two processes that redrive at once the later one does, and the earlier one sends nothing more. One that dies inside a transaction has
// sent nothing of it.
func TestRedrivenByTwo(t *testing.T) {
	w := newWorld(t)
	w.letters(t, 4)
	first, err := w.redrive().open(t.Context())
	require.NoError(t, err)
	defer first.client.Close()
	require.NoError(t, first.known(t.Context(), "telemetry"))
	var plans []Plan
	require.NoError(t, w.Each(t.Context(), &Filter{}, func(l *Letter, s Standing) error {
		plans = append(plans, first.plan(l, s))
		return nil
	}))
	require.Len(t, plans, 4)
	require.NoError(t, first.send(t.Context(), plans[:1]))
	require.NoError(t, first.client.BeginTransaction()) // and falls asleep inside it
	require.NoError(t, first.client.ProduceSync(t.Context(), first.record(&plans[1]), markOf("dead-letters", plans[1].Letter, Redriven, "ann")).FirstErr())

	fates, err := w.redrive().Run(t.Context(), &Filter{})
	require.NoError(t, err)
	require.Equal(t, Fates{Sent: 3, Settled: 1}, fates)
	require.Error(t, first.client.EndTransaction(t.Context(), kgo.TryCommit))
	require.Error(t, first.send(t.Context(), plans[2:]))
	require.Len(t, w.sent(t), 4)
}

// A dry run sends nothing. A rate is kept. What was dropped is not sent.
func TestDryRunRateAndDrop(t *testing.T) {
	w := newWorld(t)
	w.letters(t, 5)
	dry := w.redrive()
	dry.DryRun = true
	fates, err := dry.Run(t.Context(), &Filter{})
	require.NoError(t, err)
	require.Equal(t, Fates{Sent: 5}, fates)
	require.Empty(t, w.sent(t))

	n, err := w.redrive().Drop(t.Context(), &Filter{IDs: []string{"telemetry/1:4"}})
	require.NoError(t, err)
	require.Equal(t, 1, n)
	slow := w.redrive()
	slow.Rate = 20
	begun := time.Now()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	s, err := slow.open(ctx)
	require.NoError(t, err)
	require.Equal(t, 10, s.size)
	for range 3 {
		require.NoError(t, s.pace(ctx, 10))
	}
	s.client.Close()
	require.GreaterOrEqual(t, time.Since(begun), 990*time.Millisecond, "the third ten may go after a second")
	fates, err = slow.Run(ctx, &Filter{})
	require.NoError(t, err)
	require.Equal(t, Fates{Sent: 4, Settled: 1}, fates)
	n, err = w.redrive().Drop(ctx, &Filter{})
	require.NoError(t, err)
	require.Zero(t, n)
}

// A topic whose broker would give records another time takes none, nor does one that is gone.
func TestWhatCannotBeSent(t *testing.T) {
	w := newWorld(t)
	w.letters(t, 1)
	admin := kadm.NewClient(w.client)
	value := "LogAppendTime"
	_, err := admin.AlterTopicConfigs(t.Context(), []kadm.AlterConfig{{Name: "message.timestamp.type", Value: &value}}, "telemetry")
	require.NoError(t, err)
	r := w.redrive()
	var why []string
	r.Tell = func(p Plan) { why = append(why, p.Why) }
	fates, err := r.Run(t.Context(), &Filter{})
	require.NoError(t, err)
	require.Equal(t, Fates{Unusable: 1}, fates)
	require.Contains(t, why[0], "LogAppendTime")
	_, err = admin.DeleteTopics(t.Context(), "telemetry")
	require.NoError(t, err)
	fates, err = r.Run(t.Context(), &Filter{})
	require.NoError(t, err)
	require.Equal(t, Fates{Unusable: 1}, fates)
	require.Contains(t, why[1], "does not exist any more")
}
