//go:build synctests

// These tests run in virtual time (make test runs them): with the tag, the Kafka client waits on channels in place of
// mutexes, so that the bubble sees it waiting.

package pipeline_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"tidemark/internal/chmodel"
	"tidemark/pipeline"
	"tidemark/pipeline/decode"
	"tidemark/pipeline/metrics"
	"tidemark/pipeline/source"
	"tidemark/pipeline/worker"
	"tidemark/schemas"
	"tidemark/sinks/clickhouse"
)

// world is a Kafka and a ClickHouse in virtual time, inside a synctest bubble.
type world struct {
	t      *testing.T
	ctx    context.Context //nolint:containedctx // a test's
	stack  *kfake.VirtualNetwork
	kafka  *kfake.Cluster
	client *kgo.Client
	model  *chmodel.Model
	rand   *rand.Rand
	n      int
}

const partitions = 3

func newWorld(t *testing.T, seed uint64) *world {
	w := &world{t: t, ctx: t.Context(), stack: &kfake.VirtualNetwork{}, model: chmodel.New(), rand: rand.New(rand.NewPCG(seed, seed))} //nolint:gosec // by seed
	var err error
	w.kafka, err = kfake.NewCluster(kfake.NumBrokers(1), kfake.Ports(9092), kfake.ListenFn(w.stack.Listen),
		kfake.SeedTopics(partitions, "telemetry"), kfake.SeedTopics(1, "dead"))
	require.NoError(t, err)
	w.client, err = kgo.NewClient(w.options(w.stack.DialContext)...)
	require.NoError(t, err)
	return w
}

func (w *world) options(dial func(context.Context, string, string) (net.Conn, error)) []kgo.Opt {
	return []kgo.Opt{kgo.SeedBrokers(w.kafka.ListenAddrs()...), kgo.Dialer(dial)}
}

func (w *world) close() {
	w.client.Close()
	w.kafka.Close()
}

// produce writes n events, some late, some repeated, some broken.
func (w *world) produce(n int) {
	records := make([]*kgo.Record, n)
	for i := range records {
		w.n++
		account := fmt.Sprintf("a%d", w.rand.IntN(6))
		at := time.Now().Add(-time.Duration(w.rand.IntN(90)) * time.Second)
		if w.rand.IntN(10) == 0 {
			at = at.Add(-time.Duration(w.rand.IntN(48*60)) * time.Minute)
		}
		value := fmt.Appendf(nil, `{"type":"track","event":"Used","messageId":"m%d","userId":"u%d","context":{"groupId":%q},"timestamp":%q,"properties":{"feature":"f%d"}}`,
			w.n-w.rand.IntN(2)*w.rand.IntN(20), w.rand.IntN(9), account, at.Format(time.RFC3339Nano), w.rand.IntN(3))
		if w.rand.IntN(25) == 0 {
			value = value[:w.rand.IntN(len(value))]
		}
		records[i] = &kgo.Record{Topic: "telemetry", Key: []byte(account), Value: value}
	}
	require.NoError(w.t, w.client.ProduceSync(w.ctx, records...).FirstErr())
}

// member is one instance of the pipeline, which can be cut off from Kafka and from ClickHouse.
type member struct {
	*pipeline.Pipeline
	name               string
	offKafka, offStore atomic.Bool
	cancel             context.CancelFunc
	ended              chan error

	mu    sync.Mutex
	conns []net.Conn
}

var errCut = errors.New("cut off")

func program(t *testing.T) *schemas.Program {
	c, err := schemas.Builtin()
	require.NoError(t, err)
	p, err := schemas.Compile(c)
	require.NoError(t, err)
	return p
}

func (w *world) spec() worker.Spec {
	return worker.Spec{
		Program: program(w.t), Limits: decode.Limits{MaxFuture: time.Minute, MaxAge: 43800 * time.Hour},
		Retention: [3]time.Duration{336 * time.Hour, 9600 * time.Hour, 43800 * time.Hour}, Disorder: time.Minute, DedupRecords: 100, MaxWindows: 100,
	}
}

func (w *world) join(name string) *member {
	m := &member{name: name, ended: make(chan error, 1)}
	spec := w.spec()
	log := zap.NewNop()
	if testing.Verbose() && os.Getenv("TIDEMARK_TEST_LOG") != "" {
		log = zap.New(zapcore.NewCore(zapcore.NewConsoleEncoder(zap.NewDevelopmentEncoderConfig()), zapcore.AddSync(os.Stdout), zap.InfoLevel)).Named(name)
	}
	var err error
	m.Pipeline, err = pipeline.New(pipeline.Config{
		Kafka: w.options(m.dialer(w.stack)), Group: "g", InstanceID: name, SessionTimeout: 10 * time.Second,
		Topics:      []pipeline.Topic{{Name: "telemetry", Content: worker.Telemetry, Disorder: spec.Disorder}},
		DeadLetters: "dead", Program: spec.Program, Limits: spec.Limits, Retention: spec.Retention, DedupRecords: spec.DedupRecords,
		MaxWindows: spec.MaxWindows, FlushInterval: 500 * time.Millisecond, FlushRows: 1000, QueueBytes: 64 << 20,
		Store: &leg{w.model, m}, Log: log, Metrics: metrics.New(prometheus.NewRegistry()),
	})
	require.NoError(w.t, err)
	ctx, cancel := context.WithCancel(w.ctx)
	m.cancel = cancel
	go func() { m.ended <- m.Run(ctx) }()
	return m
}

// dialer dials through the virtual network, as long as the member is not cut off.
func (m *member) dialer(stack *kfake.VirtualNetwork) func(context.Context, string, string) (net.Conn, error) {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		if m.offKafka.Load() {
			return nil, errCut
		}
		c, err := stack.DialContext(ctx, network, address)
		if err == nil {
			m.mu.Lock()
			m.conns = append(m.conns, c)
			m.mu.Unlock()
		}
		return c, err
	}
}

// cut cuts the member off from Kafka: to the group it is dead, but it still folds and writes what it has.
func (m *member) cut() {
	m.offKafka.Store(true)
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, c := range m.conns {
		_ = c.Close()
	}
	m.conns = nil
}

// crash ends the member as a kill does: nothing that it does from now on reaches anybody.
func (m *member) crash() {
	m.offStore.Store(true)
	m.cut()
	m.cancel()
	<-m.ended
}

// leave ends the member in order.
func (w *world) leave(m *member) {
	m.cancel()
	require.NoError(w.t, <-m.ended)
}

// leg is a member's connection to the ClickHouse that all share.
type leg struct {
	*chmodel.Model
	m *member
}

// Write is the model's, unless the member is dead.
func (l *leg) Write(ctx context.Context, b *clickhouse.Batch) error {
	if l.m.offStore.Load() {
		return errCut
	}
	return l.Model.Write(ctx, b)
}

// WriteCheckpoints is the model's, unless the member is dead.
func (l *leg) WriteCheckpoints(ctx context.Context, p *clickhouse.Checkpoints) error {
	if l.m.offStore.Load() {
		return errCut
	}
	return l.Model.WriteCheckpoints(ctx, p)
}

// settle waits, in virtual time, until everything is committed, and reports whether it was within the limit.
func (w *world) settle(limit time.Duration) bool {
	admin := kadm.NewClient(w.client)
	deadline := time.Now().Add(limit)
	for {
		ends, err := admin.ListEndOffsets(w.ctx, "telemetry")
		require.NoError(w.t, err)
		commits, err := admin.FetchOffsets(w.ctx, "g")
		require.NoError(w.t, err)
		left := int64(0)
		ends.Each(func(o kadm.ListedOffset) {
			at := int64(0)
			if c, ok := commits.Lookup(o.Topic, o.Partition); ok && c.At > 0 {
				at = c.At
			}
			left += o.Offset - at
		})
		if left == 0 {
			return true
		}
		if time.Now().After(deadline) {
			w.t.Logf("%d records are not committed after %s", left, limit)
			return false
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// verify requires that the rows are those of one straight run over each partition.
func (w *world) verify() {
	want := chmodel.New()
	for n := range int32(partitions) {
		core := w.core(n)
		w.read(n, func(r *worker.Record) { core.Step(r) })
		want.Apply(core.Take().Rows, nil)
	}
	require.Empty(w.t, cmp.Diff(want.Final(), w.model.Final()))
}

// core returns a core that begins at the start of the partition.
func (w *world) core(partition int32) *worker.Core {
	spec := w.spec()
	spec.Source = w.sourceOf(partition)
	return worker.NewCore(spec, 0)
}

// read hands over all that the partition holds.
func (w *world) read(partition int32, to func(*worker.Record)) {
	ends, err := kadm.NewClient(w.client).ListEndOffsets(w.ctx, "telemetry")
	require.NoError(w.t, err)
	end, _ := ends.Lookup("telemetry", partition)
	id := source.ID{Topic: "telemetry", Partition: partition}
	require.NoError(w.t, id.ReadRange(w.ctx, w.options(w.stack.DialContext), 0, uint64(end.Offset), func(r *kgo.Record) { //nolint:gosec // an offset
		to(&worker.Record{Offset: uint64(r.Offset), Time: r.Timestamp.UnixMilli(), Key: r.Key, Value: r.Value}) //nolint:gosec // an offset
	}))
}

// TestEveryFaultAtOnce plays random faults in virtual time: members come, go, crash, and are cut off for longer than their
// session, so that they write beside their successors, while ClickHouse refuses, tears and does not answer writes.
func TestEveryFaultAtOnce(t *testing.T) {
	seeds := uint64(12)
	if text := os.Getenv("TIDEMARK_TEST_SEEDS"); text != "" {
		var err error
		seeds, err = strconv.ParseUint(text, 10, 64)
		require.NoError(t, err)
	}
	first := uint64(1)
	if text := os.Getenv("TIDEMARK_TEST_SEED"); text != "" {
		var err error
		first, err = strconv.ParseUint(text, 10, 64)
		require.NoError(t, err)
		seeds = 1
	}
	for seed := first; seed < first+seeds; seed++ {
		t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) {
			defer func() {
				if t.Failed() {
					t.Logf("replay: TIDEMARK_TEST_SEED=%d go test -tags synctests ./pipeline -run TestEveryFaultAtOnce", seed)
				}
			}()
			synctest.Test(t, func(t *testing.T) { faults(newWorld(t, seed)) })
		})
	}
}

func faults(w *world) {
	defer w.close()
	var mu sync.Mutex // the model is asked by several goroutines
	calm := false
	w.model.OnWrite = func() chmodel.Outcome {
		mu.Lock()
		defer mu.Unlock()
		if calm || w.rand.IntN(3) > 0 {
			return chmodel.Acknowledged
		}
		return chmodel.Outcome(1 + w.rand.IntN(3))
	}
	draw := func(n int) int {
		mu.Lock()
		defer mu.Unlock()
		return w.rand.IntN(n)
	}
	produce := func(n int) {
		mu.Lock()
		defer mu.Unlock()
		w.produce(n)
	}
	members := []*member{w.join("m0")}
	var zombies []*member
	for step := range 25 {
		produce(1 + draw(80))
		time.Sleep(time.Duration(draw(4000)) * time.Millisecond)
		switch i := draw(10); {
		case i < 2 && len(members) < 3:
			members = append(members, w.join(fmt.Sprintf("m%d", step+1)))
		case i == 3 && len(members) > 1:
			w.leave(members[0])
			members = members[1:]
		case i == 4:
			members[0].crash()
			members[0] = w.join(members[0].name) // as an orchestrator would
		case i == 5: // longer than the session: another takes over while this one goes on with what it has
			zombies = append(zombies, members[0])
			members[0].cut()
			members[0] = w.join(members[0].name)
			time.Sleep(time.Duration(draw(15)) * time.Second)
		case i == 6: // cut off for a while, often longer than the session, and back
			members[0].cut()
			time.Sleep(time.Duration(draw(25)) * time.Second)
			members[0].offKafka.Store(false)
		}
	}
	mu.Lock()
	calm = true
	mu.Unlock()
	for _, z := range zombies {
		z.crash()
	}
	if !w.settle(3 * time.Minute) {
		// kfake starts its rebalance timer anew with every JoinGroup, so that members who time out in turn can wait for each
		// other for ever; Kafka's timer runs on. An empty group cures it.
		for i, m := range members {
			m.crash()
			time.Sleep(2 * time.Minute)
			members[i] = nil
		}
		members = []*member{w.join("last")}
		require.True(w.t, w.settle(5*time.Minute), "the rows of the log do not arrive")
	}
	for _, m := range members {
		w.leave(m)
	}
	w.model.OnWrite = nil
	w.verify()
}
