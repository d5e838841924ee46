package worker

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"go.opentelemetry.io/otel/trace"
	"go.uber.org/zap"

	"tidemark/pipeline/metrics"
	"tidemark/pipeline/source"
)

const (
	// catchUp is how many flush intervals pass between two flushes of a source that is behind: what is written is late
	// anyway, and a few big inserts cost ClickHouse much less than many small ones.
	catchUp = 10
	// intervalsLeft is how many intervals it must take a source to fold what is left of its log for it to be behind. A short stall leaves
	// less than that, and must not make what comes after it wait for a flush in ten.
	intervalsLeft = 4
	// few records are soon folded, whatever the pace.
	few = 1000
)

// Config is what all workers of an instance share.
type Config struct {
	Store       Store
	Flusher     *Flusher
	Room        *Room
	Backlog     *Backlog
	Broker      *Broker
	Log         *zap.Logger
	Metrics     *metrics.Pipeline
	DeadLetters string // topic
	// LettersFrom, if set, says from which offset of a partition on dead letters go to the topic; earlier ones are there.
	LettersFrom   func(topic string, partition int32) int64
	FlushInterval time.Duration // the longest that a folded record waits to be written
	MaxWindows    func() int    // that a source may keep in memory, about
	Pause, Resume func(topic string, partition int32)
	Links         bool // flushes are traced: they name the requests that their records came with
}

// Worker runs one source. Queue may be called by another goroutine than the one that Run is in.
type Worker struct {
	Config
	topic     string
	partition int32
	spec      Spec
	broker    *Broker
	store     Store
	log       *zap.Logger
	id        source.ID

	start  sync.Once
	cancel context.CancelFunc
	drain  chan struct{} // closed: flush, commit and end
	ended  chan struct{} // closed by Run
	failed chan error    // why the source cannot be read any more
	queue  *queue
	next   atomic.Int64 // the offset to be fetched next; it may be behind
	end    atomic.Int64 // where the log ended when it was last fetched

	mu     sync.Mutex
	status Status

	core      *Core
	dead      []*kgo.Record
	deadBytes int         // of their keys and values
	samples   []time.Time // timestamps of records folded since the last Take, for freshness
	links     []trace.Link
	taken     uint64    // position of the last Take
	folded    int       // records since the last tick
	pace      int       // records an interval that it has folded lately
	noted     int       // rows that it has in the backlog
	period    time.Time // of catching up, that the last flush was in
	behind    bool      // at the last tick more of the log was left than it folds in some intervals
	inFlight  *request
	overdue   bool        // a flush is due as soon as none is in flight
	flying    []time.Time // the samples of the flush in flight
}

// Status is where a worker stands, for lag.
type Status struct {
	ID        source.ID
	Folding   bool   // recovered, and not stopped
	Stopped   string // why it needs a person; empty = it does not
	Position  uint64 // offset below which all is written; where it is to begin, while it recovers
	Watermark int64  // Unix ms
	Oldest    time.Time
}

// New returns the worker of a partition. Run starts it.
func New(cfg Config, topic string, partition int32, spec Spec) *Worker {
	return &Worker{
		Config: cfg, topic: topic, partition: partition, spec: spec, broker: cfg.Broker, store: cfg.Store,
		log:   cfg.Log.With(zap.String("topic", topic), zap.Int32("partition", partition)),
		id:    source.ID{Topic: topic, Partition: partition},
		drain: make(chan struct{}), ended: make(chan struct{}), failed: make(chan error, 1),
		queue:  newQueue(cfg.Room, func() { cfg.Pause(topic, partition) }, func() { cfg.Resume(topic, partition) }),
		status: Status{ID: source.ID{Topic: topic, Partition: partition}},
	}
}

// Queue hands over records, at least one, in the log's order, with the offset that the log ended at when they were fetched. It never blocks.
func (w *Worker) Queue(records []*kgo.Record, end int64) {
	reach("polled")
	w.end.Store(end)
	w.next.Store(records[len(records)-1].Offset + 1)
	w.queue.put(records)
}

// Next returns the offset from which to fetch, if it has to be done again. Records that come twice are folded once.
func (w *Worker) Next() int64 { return w.next.Load() }

// Fail stops the source, as an error that needs a person does. Nothing more is fetched for it.
func (w *Worker) Fail(err error) {
	w.Pause(w.topic, w.partition)
	select {
	case w.failed <- err:
	default: // it is failing already
	}
}

// Drain ends the worker in order: what is folded is flushed and committed, as far as ctx allows. Then it is given up.
func (w *Worker) Drain(ctx context.Context) {
	w.start.Do(w.neverStarted)
	close(w.drain)
	select {
	case <-w.ended:
	case <-ctx.Done():
		w.Abandon()
	}
}

// Abandon ends the worker at once: no flush, no commit.
func (w *Worker) Abandon() {
	w.start.Do(w.neverStarted)
	w.cancel()
	<-w.ended
}

// Status returns where the worker stands.
func (w *Worker) Status() Status {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.status
}

// neverStarted stands in for Start when a worker ends without it: its partition was taken away at once.
func (w *Worker) neverStarted() {
	w.cancel = func() {}
	w.queue.close()
	close(w.ended)
}

// Start runs the worker, whose log is fetched from s.Fetch on, in a goroutine of its own until it is drained or abandoned, or ctx
// ends.
func (w *Worker) Start(ctx context.Context, s Start) {
	w.start.Do(func() {
		from := s.Fetch().EpochOffset().Offset
		w.next.Store(from)
		w.id, w.spec.Source = s.id, s.id.String()
		w.mu.Lock()
		w.status.Position = uint64(max(from, 0))
		w.mu.Unlock()
		w.launch(ctx, s)
	})
}

func (w *Worker) launch(ctx context.Context, s Start) {
	ctx, w.cancel = context.WithCancel(ctx)
	go func() {
		defer close(w.ended)
		defer w.cancel()
		err := w.run(ctx, s)
		w.queue.close()
		w.note(0)
		if err == nil || ctx.Err() != nil {
			return
		}
		w.Pause(w.topic, w.partition)
		w.Metrics.Stopped.WithLabelValues(metrics.Partition(w.topic, w.partition)...).Set(1)
		w.log.Error("the source has stopped and needs a person; the others go on", zap.Error(err))
		w.mu.Lock()
		w.status.Stopped, w.status.Folding = err.Error(), false
		w.mu.Unlock()
		select { // it stays this instance's, so that no other trips over the same thing
		case <-ctx.Done():
		case <-w.drain:
		}
	}()
}

func (w *Worker) run(ctx context.Context, s Start) error {
	began := time.Now()
	if err := w.recover(ctx, s); err != nil {
		return err
	}
	if w.core == nil { // drained before it had recovered
		return nil
	}
	reach("recovered")
	w.Metrics.Recovery.Observe(time.Since(began).Seconds())
	w.publish()
	w.overdue = true // what came while nobody read has waited for long
	w.queue.open()
	return w.loop(ctx)
}

// recover tries until Kafka and ClickHouse answer; only what a person must decide is an error.
func (w *Worker) recover(ctx context.Context, s Start) error {
	for pause := firstRetry; ; pause = min(2*pause, lastRetry) {
		core, err := w.recovered(ctx, s)
		var stop *StopError
		if err == nil {
			w.core, w.taken = core, core.Position()
			return nil
		}
		if errors.As(err, &stop) || ctx.Err() != nil {
			return err
		}
		w.log.Error("recovery failed; trying again", zap.Error(err))
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-w.drain:
			return nil
		case <-time.After(pause):
		}
	}
}

func (w *Worker) loop(ctx context.Context) error {
	w.period = time.Now().Truncate(catchUp * w.FlushInterval)
	tick := time.NewTimer(w.untilTick(time.Now()))
	defer tick.Stop()
	drain, full := w.drain, w.Backlog.Full()
	for {
		var written chan error
		if w.inFlight != nil {
			written = w.inFlight.done
		}
		arrived := w.queue.arrived
		if drain == nil || w.Backlog.Over() { // ending, or ClickHouse is behind: fold no more for now
			arrived = nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-arrived:
			if err := w.foldQueued(ctx); err != nil {
				return err
			}
			if w.overdue && w.left() < few {
				w.flush(ctx)
			}
		case err := <-w.failed:
			return err
		case <-tick.C:
			now := time.Now()
			tick.Reset(w.untilTick(now))
			if w.due(now) {
				w.overdue = w.inFlight != nil
				w.flush(ctx)
			}
		case err := <-written:
			if err != nil {
				return fmt.Errorf("flush %s: %w", w.id, err)
			}
			w.written()
			if w.overdue || w.Backlog.IsFull() { // it was on its way when it was due, or when the others flushed
				w.flush(ctx)
			}
		case <-full:
			full = w.Backlog.Full()
			w.flush(ctx)
		case <-drain:
			drain = nil
			w.flush(ctx)
		}
		if drain == nil && w.inFlight == nil {
			if w.flush(ctx); w.inFlight == nil {
				return nil // nothing is left to write
			}
		}
	}
}

// untilTick returns how long it is to the next multiple of the flush interval: sources flush together, so that their rows
// go into one insert.
func (w *Worker) untilTick(now time.Time) time.Duration {
	return now.Truncate(w.FlushInterval).Add(w.FlushInterval).Sub(now)
}

// due reports whether to flush at a tick. A source that is behind, because more of the log is left than it folds in some
// intervals, flushes once in a longer period, the same for all sources.
func (w *Worker) due(now time.Time) bool {
	period := now.Truncate(catchUp * w.FlushInterval)
	w.pace, w.folded = max(w.folded, w.pace*3/4), 0 // a stall, in which it folds nothing, does not make it slow
	w.behind = w.left() >= max(few, intervalsLeft*w.pace)
	if w.behind && !w.Backlog.IsFull() && period.Equal(w.period) {
		return false
	}
	w.period = period
	return true
}

// left returns how many records of the log, as it was when it was last fetched, are not folded.
func (w *Worker) left() int { return int(w.end.Load()) - int(w.core.Position()) } //nolint:gosec // offsets

// flush sends what has changed on its way, unless a flush is on its way already or nothing has changed.
func (w *Worker) flush(ctx context.Context) {
	if w.inFlight != nil || w.core.Position() == w.taken {
		return
	}
	w.overdue = false
	w.inFlight = &request{
		ctx: ctx, id: w.id, from: w.taken, flush: w.core.Take(), dead: w.dead, links: w.links, behind: w.behind, done: make(chan error, 1),
	}
	w.taken = w.core.Position()
	w.dead, w.deadBytes, w.flying, w.samples, w.links = nil, 0, w.samples, nil, nil
	w.Flusher.in <- w.inFlight
	w.note(0) // not before: whom nobody waits for is on its way
}

// written takes note that the flush in flight is durable.
func (w *Worker) written() {
	now := time.Now()
	for _, t := range w.flying {
		w.Metrics.Freshness.Observe(max(now.Sub(t).Seconds(), 0))
	}
	w.mu.Lock()
	w.status.Position = w.inFlight.flush.Checkpoint.Offset
	w.status.Watermark = w.inFlight.flush.Checkpoint.Watermark
	w.mu.Unlock()
	w.core.Written(w.inFlight.flush, w.MaxWindows())
	w.inFlight, w.flying = nil, nil
	w.publish()
}

// publish makes the worker's standing visible.
func (w *Worker) publish() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.status.Folding {
		w.status.Position, w.status.Watermark = w.core.Position(), w.core.Watermark()
	}
	w.status.ID, w.status.Folding = w.id, true
	w.status.Oldest = time.Time{}
	for _, unwritten := range [][]time.Time{w.samples, w.flying} {
		if len(unwritten) > 0 {
			w.status.Oldest = unwritten[0]
		}
	}
	label := metrics.Partition(w.topic, w.partition)
	w.Metrics.Watermark.WithLabelValues(label...).Set(float64(w.core.Watermark()) / 1000)
	w.Metrics.Windows.WithLabelValues(label...).Set(float64(w.core.Windows()))
}
