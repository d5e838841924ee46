//go:build synctests

package pipeline_test

import (
	"context"
	"errors"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"tidemark/internal/chmodel"
	"tidemark/pipeline"
	"tidemark/pipeline/metrics"
	"tidemark/pipeline/worker"
	"tidemark/sinks/clickhouse"
)

// member is one instance of the pipeline, which can be cut off from Kafka and from ClickHouse, and be paused.
type member struct {
	*pipeline.Pipeline
	name               string
	offKafka, offStore atomic.Bool
	cancel             context.CancelFunc
	over               chan struct{} // closed when Run has ended
	err                error         // what Run returned

	mu     sync.Mutex
	conns  []net.Conn
	paused chan struct{} // closed by resume; nil = it runs
}

var errCut = errors.New("cut off")

func (w *world) join(name string) *member {
	m := &member{name: name, over: make(chan struct{})}
	spec := w.spec()
	log := zap.NewNop()
	if testing.Verbose() && os.Getenv("TEST_LOG") != "" {
		log = zap.New(zapcore.NewCore(zapcore.NewConsoleEncoder(zap.NewDevelopmentEncoderConfig()), zapcore.AddSync(os.Stdout), zap.InfoLevel)).Named(name)
	}
	var store worker.Store = &leg{w, m}
	if w.build.store != nil {
		store = w.build.store(store)
	}
	var err error
	m.Pipeline, err = pipeline.New(pipeline.Config{
		Kafka: append(w.options(m.dialer(w.dial)), w.build.kafka...), Group: "g", InstanceID: name, SessionTimeout: 10 * time.Second,
		Topics:      []pipeline.Topic{{Name: "telemetry", Content: worker.Telemetry, Disorder: spec.Disorder}},
		DeadLetters: "dead", Program: spec.Program, Limits: spec.Limits, Retention: spec.Retention, DedupRecords: spec.DedupRecords,
		MaxFeatures: spec.MaxFeatures, MaxWindows: 40, FlushInterval: 500 * time.Millisecond, FlushRows: 1000, QueueBytes: 64 << 20,
		Store: store, Log: log, Metrics: metrics.New(prometheus.NewRegistry()),
	})
	require.NoError(w.t, err)
	ctx, cancel := context.WithCancel(w.ctx)
	m.cancel = cancel
	go func() {
		m.err = m.Run(ctx)
		close(m.over)
	}()
	w.mu.Lock()
	w.members = append(w.members, m)
	w.mu.Unlock()
	return m
}

// ended reports whether the member has ended by itself.
func (m *member) ended() bool {
	select {
	case <-m.over:
		return true
	default:
		return false
	}
}

// cut cuts the member off from Kafka: to the group it is dead, but it still folds and writes what it has.
func (m *member) cut() {
	m.offKafka.Store(true)
	m.mu.Lock()
	conns := m.conns
	m.conns = nil
	m.mu.Unlock()
	for _, c := range conns {
		_ = c.Close()
	}
}

// crash ends the member as a kill does: nothing that it does from now on reaches anybody.
func (m *member) crash() {
	m.offStore.Store(true)
	m.cut()
	m.resume()
	m.cancel()
	<-m.over
}

// leave ends the member in order.
func (w *world) leave(m *member) {
	m.cancel()
	<-m.over
	require.NoError(w.t, m.err)
}

// pause stops the member as SIGSTOP does, as far as others can tell: nothing comes from it, it takes nothing in, and its
// deadlines pass. What it was about to write to ClickHouse it writes when it goes on.
func (m *member) pause() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.paused == nil {
		m.paused = make(chan struct{})
	}
}

// resume ends pause.
func (m *member) resume() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.paused != nil {
		close(m.paused)
		m.paused = nil
	}
}

// wait returns once the member is not paused, or closed is, and whether it was paused.
func (m *member) wait(closed <-chan struct{}) (paused bool) {
	for {
		m.mu.Lock()
		until := m.paused
		m.mu.Unlock()
		if until == nil {
			return paused
		}
		paused = true
		select {
		case <-until:
		case <-closed:
			return true
		}
	}
}

type dialer = func(ctx context.Context, network, address string) (net.Conn, error)

// dialer dials through the virtual network, as long as the member is not cut off.
func (m *member) dialer(dial dialer) dialer {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		m.wait(ctx.Done())
		if m.offKafka.Load() {
			time.Sleep(latency)
			return nil, &net.OpError{Op: "dial", Net: network, Err: syscall.ECONNREFUSED} // the client tells errors apart
		}
		c, err := dial(ctx, network, address)
		if err != nil {
			return nil, err
		}
		l := &line{Conn: c, m: m, closed: make(chan struct{})}
		m.mu.Lock()
		m.conns = append(m.conns, l)
		m.mu.Unlock()
		return l, nil
	}
}

// line is a member's connection to Kafka. Nothing passes while the member is paused.
type line struct {
	net.Conn
	m      *member
	once   sync.Once
	closed chan struct{}
}

// Read reads what has come once the member runs.
func (l *line) Read(b []byte) (int, error) {
	n, err := l.Conn.Read(b)
	l.m.wait(l.closed)
	return n, err
}

// Write writes once the member runs.
func (l *line) Write(b []byte) (int, error) {
	l.m.wait(l.closed)
	return l.Conn.Write(b)
}

// Close closes the line.
func (l *line) Close() error {
	l.once.Do(func() { close(l.closed) })
	return l.Conn.Close()
}

// leg is a member's connection to the ClickHouse that all share.
type leg struct {
	w *world
	m *member
}

// zombieTimeout bounds the write of a member that was paused meanwhile.
const zombieTimeout = 5 * time.Second

// pass lets the member use the connection once it runs. What it had begun before a pause goes through, whatever has become
// of the context: the bytes were on their way.
func (l *leg) pass(ctx context.Context) (context.Context, context.CancelFunc, error) {
	paused := l.m.wait(nil)
	if l.m.offStore.Load() {
		return ctx, func() {}, errCut
	}
	if !paused {
		return ctx, func() {}, nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), zombieTimeout)
	return ctx, cancel, nil
}

// Write is the model's, unless the member is dead.
func (l *leg) Write(ctx context.Context, b *clickhouse.Batch) error {
	ctx, cancel, err := l.pass(ctx)
	defer cancel()
	if err != nil {
		return err
	}
	return l.w.model.Write(ctx, b)
}

// WriteCheckpoints is the model's, unless the member is dead.
func (l *leg) WriteCheckpoints(ctx context.Context, p *clickhouse.Checkpoints) error {
	ctx, cancel, err := l.pass(ctx)
	defer cancel()
	if err != nil {
		return err
	}
	return l.w.model.WriteCheckpoints(ctx, p)
}

func reading[T any](ctx context.Context, l *leg, from func(context.Context, *chmodel.Model) (T, error)) (T, error) {
	ctx, cancel, err := l.pass(ctx)
	defer cancel()
	if err != nil {
		var none T
		return none, err
	}
	return from(ctx, l.w.model)
}

// OpenCounters is the model's.
func (l *leg) OpenCounters(ctx context.Context, source string, watermark int64) (*clickhouse.Counters, error) {
	return reading(ctx, l, func(ctx context.Context, m *chmodel.Model) (*clickhouse.Counters, error) {
		return m.OpenCounters(ctx, source, watermark)
	})
}

// WindowCounters is the model's.
func (l *leg) WindowCounters(ctx context.Context, source string, keys []clickhouse.WindowKey) (*clickhouse.Counters, error) {
	l.w.mu.Lock()
	l.w.loads += len(keys)
	l.w.mu.Unlock()
	return reading(ctx, l, func(ctx context.Context, m *chmodel.Model) (*clickhouse.Counters, error) {
		return m.WindowCounters(ctx, source, keys)
	})
}

// UserAccounts is the model's.
func (l *leg) UserAccounts(ctx context.Context, source string, users []uint64, before uint64) (map[uint64]string, error) {
	return reading(ctx, l, func(ctx context.Context, m *chmodel.Model) (map[uint64]string, error) {
		return m.UserAccounts(ctx, source, users, before)
	})
}

// Checkpoint is the model's.
func (l *leg) Checkpoint(ctx context.Context, source string, offset uint64) (clickhouse.Checkpoint, bool, error) {
	ctx, cancel, err := l.pass(ctx)
	defer cancel()
	if err != nil {
		return clickhouse.Checkpoint{}, false, err
	}
	return l.w.model.Checkpoint(ctx, source, offset)
}

// LastCheckpoint is the model's.
func (l *leg) LastCheckpoint(ctx context.Context, source string) (offset uint64, found bool, err error) {
	ctx, cancel, err := l.pass(ctx)
	defer cancel()
	if err != nil {
		return 0, false, err
	}
	return l.w.model.LastCheckpoint(ctx, source)
}

// build says what is different from the pipeline as it is: nothing, or, in a build that is broken on purpose, one thing.
type build struct {
	store      func(worker.Store) worker.Store // what stands between the pipeline and its store
	kafka      []kgo.Opt
	add        bool // counters are deltas
	anyReplica bool // loads are answered by replicas that lag
}
