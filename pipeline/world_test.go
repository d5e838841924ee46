//go:build synctests

// These tests run in virtual time (make test runs them): with the tag, the Kafka client waits on channels in place of
// mutexes, so that the bubble sees it waiting.

package pipeline_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"sync"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"tidemark/internal/chmodel"
	"tidemark/pipeline/decode"
	"tidemark/pipeline/source"
	"tidemark/pipeline/worker"
	"tidemark/schemas"
)

// world is a Kafka and a ClickHouse in virtual time, inside a synctest bubble.
type world struct {
	t      require.TestingT
	ctx    context.Context //nolint:containedctx // a test's
	stack  *kfake.VirtualNetwork
	kafka  *kfake.Cluster
	client *kgo.Client
	model  *chmodel.Model
	truth  *chmodel.Model // what became of topics that are gone
	build  build

	traffic    *rand.Rand
	n          int
	skew       time.Duration // of the producer's clock
	partitions int32
	records    int

	mu      sync.Mutex // of what follows
	members []*member  // all there ever were
	faults  *rand.Rand // asked by several goroutines
	loads   int
}

// partitions is how many a topic has at first, nodes how many brokers a simulation has.
const (
	partitions = 3
	nodes      = 2
)

func newWorld(ctx context.Context, t require.TestingT, seed uint64, brokers int) *world {
	w := &world{
		t: t, ctx: ctx, stack: &kfake.VirtualNetwork{}, model: chmodel.New(), truth: chmodel.New(), partitions: partitions,
		traffic: rand.New(rand.NewPCG(seed, 1)), faults: rand.New(rand.NewPCG(seed, 2)),
	}
	var err error
	w.kafka, err = kfake.NewCluster(kfake.NumBrokers(brokers), kfake.Ports([]int{9092, 9093}[:brokers]...), kfake.ListenFn(w.stack.Listen),
		kfake.SeedTopics(partitions, "telemetry"), kfake.SeedTopics(1, "dead"))
	require.NoError(t, err)
	w.client = w.connect()
	return w
}

func (w *world) connect(opts ...kgo.Opt) *kgo.Client {
	client, err := kgo.NewClient(append(w.options(w.dial), opts...)...)
	require.NoError(w.t, err)
	return client
}

func (w *world) options(dial dialer) []kgo.Opt {
	return []kgo.Opt{kgo.SeedBrokers(w.kafka.ListenAddrs()...), kgo.Dialer(dial), kgo.DisableClientMetrics()}
}

// latency is how long a request is under way: without any, a client that repeats one at once keeps time from passing.
const latency = 2 * time.Millisecond

// wire is a connection with a latency.
type wire struct{ net.Conn }

// Write writes after the latency.
func (w wire) Write(b []byte) (int, error) {
	time.Sleep(latency)
	return w.Conn.Write(b)
}

func (w *world) dial(ctx context.Context, network, address string) (net.Conn, error) {
	c, err := w.stack.DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	return wire{c}, nil
}

// close ends everything, whatever state a failed test has left it in.
func (w *world) close() {
	for _, m := range w.members {
		m.crash()
	}
	w.client.Close()
	w.kafka.Close()
}

// luck draws from the stream for what several goroutines ask.
func (w *world) luck(n int) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.faults.IntN(n)
}

// produce writes n events, some late, some repeated, some broken, some of an account that only an earlier event tells.
func (w *world) produce(n int) {
	records := make([]*kgo.Record, n)
	for i := range records {
		w.n++
		now := time.Now().Add(w.skew)
		account, user := fmt.Sprintf("a%d", w.traffic.IntN(6)), w.traffic.IntN(9)
		at := now.Add(-time.Duration(w.traffic.IntN(90)) * time.Second)
		if w.traffic.IntN(10) == 0 {
			at = at.Add(-time.Duration(w.traffic.IntN(48*60)) * time.Minute)
		}
		id := fmt.Sprintf(`"messageId":"m%d","timestamp":%q`, w.n-w.traffic.IntN(2)*w.traffic.IntN(20), at.Format(time.RFC3339Nano))
		if w.traffic.IntN(5) > 0 { // else an event of nobody, which is in counters alone
			id += fmt.Sprintf(`,"userId":"u%d"`, user)
		}
		context := fmt.Sprintf(`,"context":{"groupId":%q}`, account)
		if w.traffic.IntN(8) == 0 {
			context = ""
		}
		value := fmt.Appendf(nil, `{"type":"track","event":"Used",%s%s,"properties":{"feature":"f%d"}}`, id, context, w.traffic.IntN(3))
		switch w.traffic.IntN(25) {
		case 0:
			value = value[:w.traffic.IntN(len(value))]
		case 1, 2:
			value = fmt.Appendf(nil, `{"type":"group","groupId":%q,%s}`, account, id)
		case 3, 4:
			value = fmt.Appendf(nil, `{"type":"track","event":%q,%s%s}`, []string{"Report Started", "Report Published", "Signed In", "$exception"}[w.traffic.IntN(4)], id, context)
		}
		records[i] = &kgo.Record{Topic: "telemetry", Key: []byte(account), Value: value, Timestamp: now}
	}
	w.records += n
	ctx, cancel := context.WithTimeout(w.ctx, 10*time.Minute)
	defer cancel()
	require.NoError(w.t, w.client.ProduceSync(ctx, records...).FirstErr())
}

// program compiles the catalogue once: it does not change, and it takes longer than many a test.
var program = sync.OnceValues(func() (*schemas.Program, error) {
	c, err := schemas.Builtin()
	if err != nil {
		return nil, err
	}
	return schemas.Compile(c)
})

func (w *world) spec() worker.Spec {
	p, err := program()
	require.NoError(w.t, err)
	return worker.Spec{
		Program: p, Limits: decode.Limits{MaxFuture: time.Minute, MaxAge: 43800 * time.Hour},
		Retention: [3]time.Duration{336 * time.Hour, 9600 * time.Hour, 43800 * time.Hour}, Disorder: time.Minute, DedupRecords: 100, MaxFeatures: 5,
	}
}

// left returns how many records are not committed yet, of the topic as it is now.
func (w *world) left() (left int64) {
	topic := w.kafka.TopicInfo("telemetry")
	group := w.kafka.GroupInfo("g")
	for _, p := range w.kafka.PartitionInfos("telemetry") {
		left += p.HighWatermark
		if group == nil {
			continue
		}
		c, ok := group.Commits["telemetry"][p.Partition]
		meta, err := source.ParseMetadata(c.Metadata)
		if ok && (err != nil || meta.TopicID == source.ID{TopicID: topic.TopicID}.Log()) {
			left -= c.Offset
		}
	}
	return left
}

// settle waits, in virtual time, until everything is committed, and reports whether it was within the limit.
func (w *world) settle(limit time.Duration) bool {
	for deadline := time.Now().Add(limit); w.left() != 0; time.Sleep(100 * time.Millisecond) {
		if time.Now().After(deadline) {
			return false
		}
	}
	return true
}

// sourceOf names a partition's log as it is now.
func (w *world) sourceOf(partition int32) string { return w.id(partition).String() }

func (w *world) id(partition int32) source.ID {
	return source.ID{Topic: "telemetry", Partition: partition, TopicID: kadm.TopicID(w.kafka.TopicInfo("telemetry").TopicID)}
}
