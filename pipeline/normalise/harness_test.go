package normalise_test

import (
	"context"
	"encoding/json"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sr"
	"go.uber.org/goleak"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest"
	"go.yaml.in/yaml/v3"

	"tidemark/pipeline/collect"
	"tidemark/pipeline/normalise"
	"tidemark/schemas/mapping"
)

func TestMain(m *testing.M) {
	if brokers := os.Getenv(childBrokers); brokers != "" {
		os.Exit(runChild(brokers))
	}
	goleak.VerifyTestMain(m)
}

// patience bounds how long a test waits for what must happen.
const patience = 5 * time.Minute

const partitions = 3

// eventually polls condition, in the test's own goroutine so that condition may end the test.
func eventually(t testing.TB, condition func() bool) {
	t.Helper()
	for deadline := time.After(patience); !condition(); {
		select {
		case <-deadline:
			require.FailNow(t, "condition never satisfied")
		case <-time.After(10 * time.Millisecond):
		}
	}
}

var own = []string{"telemetry", "users", "accounts", "signals", "tickets", "parked", "dead-letters"}

// declare reads a section normalise.topics.
func declare(text string) (topics mapping.Topics, err error) {
	var doc yaml.Node
	if err := yaml.Unmarshal([]byte(text), &doc); err != nil {
		return nil, err
	}
	err = topics.DecodeYAML("t.yaml", doc.Content[0])
	return topics, err
}

// newStage returns a stage of a process of its own.
func newStage(brokers []string, text string) (*normalise.Stage, error) {
	topics, err := declare(text)
	if err != nil {
		return nil, err
	}
	desk, err := collect.NewDesk(collect.Config{Brokers: brokers, MaxEventBytes: normalise.MaxEventBytes}, zap.NewNop())
	if err != nil {
		return nil, err
	}
	return normalise.New(normalise.Config{
		Kafka: []kgo.Opt{kgo.SeedBrokers(brokers...)}, Group: "g", Instance: "a", SessionTimeout: 6 * time.Second,
		Topics: topics, DeadLetters: "dead-letters", Desk: desk, Log: zap.NewNop(), Metrics: prometheus.NewRegistry(),
	})
}

// world is a Kafka with the raw topics of a declaration.
type world struct {
	t       testing.TB
	brokers []string
	topics  mapping.Topics
	client  *kgo.Client
}

func newWorld(t testing.TB, text string, raw ...string) *world {
	t.Helper()
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(partitions, append(raw, own...)...), kfake.GroupMinSessionTimeout(time.Second))
	require.NoError(t, err)
	t.Cleanup(cluster.Close)
	return worldOf(t, cluster.ListenAddrs(), text)
}

func worldOf(t testing.TB, brokers []string, text string) *world {
	topics, err := declare(text)
	require.NoError(t, err)
	w := &world{t: t, brokers: brokers, topics: topics}
	w.client, err = kgo.NewClient(kgo.SeedBrokers(brokers...), kgo.RecordPartitioner(kgo.StickyKeyPartitioner(nil)))
	require.NoError(t, err)
	t.Cleanup(w.client.Close)
	return w
}

func (w *world) produce(records ...*kgo.Record) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), patience)
	defer cancel()
	require.NoError(w.t, w.client.ProduceSync(ctx, records...).FirstErr())
}

// member is a running stage, which can be cut off from Kafka as a kill does.
type member struct {
	stage    *normalise.Stage
	registry *prometheus.Registry
	off      atomic.Bool
	cancel   context.CancelFunc
	over     chan struct{} // closed when Run has ended

	mu    sync.Mutex
	conns []net.Conn
}

func (m *member) dial(ctx context.Context, network, address string) (net.Conn, error) {
	c, err := (&net.Dialer{}).DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.conns = append(m.conns, c)
	if m.off.Load() {
		_ = c.Close()
		return nil, net.ErrClosed
	}
	return c, nil
}

// join starts a stage of the group under a name.
func (w *world) join(name string, registry *sr.Client) *member {
	w.t.Helper()
	m := &member{registry: prometheus.NewRegistry(), over: make(chan struct{})}
	log := zaptest.NewLogger(w.t, zaptest.Level(zap.PanicLevel))
	desk, err := collect.NewDesk(collect.Config{Brokers: w.brokers, MaxEventBytes: normalise.MaxEventBytes}, log)
	require.NoError(w.t, err)
	m.stage, err = normalise.New(normalise.Config{
		Kafka: []kgo.Opt{kgo.SeedBrokers(w.brokers...), kgo.Dialer(m.dial), kgo.MetadataMinAge(250 * time.Millisecond)},
		Group: "g", Instance: name, SessionTimeout: 6 * time.Second,
		Topics: w.topics, DeadLetters: "dead-letters", Desk: desk, Registry: registry, Log: log, Metrics: m.registry,
	})
	require.NoError(w.t, err)
	ctx, cancel := context.WithCancel(context.Background())
	m.cancel = cancel
	go func() {
		defer close(m.over)
		if err := m.stage.Run(ctx); err != nil && !m.off.Load() {
			w.t.Errorf("%s ended: %v", name, err)
		}
	}()
	w.t.Cleanup(func() {
		m.kill()
		<-m.over
	})
	return m
}

// kill cuts the stage off: from the moment on nothing of it reaches Kafka.
func (m *member) kill() {
	m.off.Store(true)
	m.mu.Lock()
	for _, c := range m.conns {
		_ = c.Close()
	}
	m.mu.Unlock()
	m.cancel()
}

// leave ends the stage in order.
func (m *member) leave() {
	m.cancel()
	<-m.over
}

// read returns what is committed of a topic, unless an option says otherwise.
func (w *world) read(topic string, options ...kgo.Opt) []*kgo.Record {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), patience)
	defer cancel()
	reader, err := kgo.NewClient(append([]kgo.Opt{kgo.SeedBrokers(w.brokers...), kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.KeepControlRecords()}, options...)...)
	require.NoError(w.t, err)
	defer reader.Close()
	listed, err := kadm.NewClient(reader).ListCommittedOffsets(ctx, topic) // the last stable ones
	require.NoError(w.t, err)
	ends := map[int32]int64{}
	listed.Each(func(o kadm.ListedOffset) {
		if o.Offset > 0 {
			ends[o.Partition] = o.Offset
		}
	})
	var records []*kgo.Record
	for len(ends) > 0 {
		fetches := reader.PollFetches(ctx)
		require.NoError(w.t, fetches.Err())
		fetches.EachRecord(func(r *kgo.Record) {
			if !r.Attrs.IsControl() {
				records = append(records, r)
			}
			if r.Offset+1 >= ends[r.Partition] {
				delete(ends, r.Partition)
			}
		})
	}
	return records
}

// settle waits until the group has committed all of the raw topics.
func (w *world) settle() {
	w.t.Helper()
	eventually(w.t, func() bool { return w.left() == 0 })
}

func (w *world) left() (left int64) {
	ctx, cancel := context.WithTimeout(w.t.Context(), patience)
	defer cancel()
	admin := kadm.NewClient(w.client)
	committed, err := admin.FetchOffsets(ctx, "g")
	if err != nil {
		return 1
	}
	for topic := range w.topics {
		ends, err := admin.ListEndOffsets(ctx, topic)
		if err != nil {
			return 1
		}
		ends.Each(func(o kadm.ListedOffset) {
			left += o.Offset
			if at, ok := committed.Lookup(topic, o.Partition); ok && at.At > 0 {
				left -= at.At
			}
		})
	}
	return left
}

// header returns one of a record's headers, "" when it is not there.
func header(r *kgo.Record, name string) string {
	for _, h := range r.Headers {
		if h.Key == name {
			return string(h.Value)
		}
	}
	return ""
}

func object(t testing.TB, value []byte) map[string]any {
	t.Helper()
	var o map[string]any
	require.NoError(t, json.Unmarshal(value, &o), "%s", value)
	return o
}
