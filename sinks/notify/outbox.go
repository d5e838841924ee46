package notify

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/sethvargo/go-retry"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"

	"tidemark/sinks/clickhouse"
)

// Options is what an Outbox works with.
type Options struct {
	Store    *clickhouse.Client // of the writer
	Targets  Targets            // valid ones
	Kafka    []kgo.Opt          // how to reach Kafka, for targets that are topics
	Metrics  prometheus.Registerer
	Log      *zap.Logger
	Now      func() time.Time // nil: time.Now
	Interval time.Duration    // how often it looks for what is new unless it is notified; 0: 10 s
	Sweep    time.Duration    // how often it looks at everything anew; 0: 1 min
	// Forgotten says of which accounts nothing is told any more; nil: of none.
	Forgotten func(account string) bool
}

const (
	// horizon is how far back transitions are looked for. A message is given up after four days, so that older ones are settled.
	horizon = 30 * 24 * time.Hour
	// overlap is by how much a look for what is new goes back behind the one before: clocks and inserts are not in step.
	overlap = 2 * time.Minute
)

// Outbox delivers transitions of alerts to targets. Several may exist, on several machines, but only one at a time should run:
// two are told apart only by the rows that they find, and may now and then send the same message twice.
type Outbox struct {
	Options
	workers []*worker
	once    sync.Once
}

// New opens the targets. It connects to nothing.
func New(o Options) (*Outbox, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Interval == 0 {
		o.Interval = 10 * time.Second
	}
	if o.Sweep == 0 {
		o.Sweep = time.Minute
	}
	out := &Outbox{Options: o}
	m := newMetrics(o.Metrics)
	for name, target := range o.Targets.sorted() {
		s, rate, digest, err := target.open(surroundings{kafka: o.Kafka, log: o.Log.Named(name), now: o.Now})
		if err != nil {
			out.Close()
			return nil, fmt.Errorf("triggers.targets.%s: %w", name, err)
		}
		out.workers = append(out.workers, &worker{
			Options: &out.Options, sender: s, store: &store{o.Store, name}, queue: newQueue(name, rate, digest), rate: rate, digest: digest, address: target.address(), timeout: target.timeout(),
			metrics: m, log: o.Log.With(zap.String("target", name)), wake: make(chan struct{}, 1),
		})
	}
	return out, nil
}

// Notify says that there are new transitions.
func (o *Outbox) Notify() {
	for _, w := range o.workers {
		select {
		case w.wake <- struct{}{}:
		default: // it has not looked since the last time
		}
	}
}

// Run delivers until ctx ends. It may be run again, one run after another.
func (o *Outbox) Run(ctx context.Context) error {
	var group errgroup.Group
	for _, w := range o.workers {
		group.Go(func() error {
			w.run(ctx)
			return nil
		})
	}
	return group.Wait()
}

// Close closes the connections to the targets.
func (o *Outbox) Close() {
	o.once.Do(func() {
		for _, w := range o.workers {
			w.sender.close()
		}
	})
}

// address tells targets of one name apart that are at different places.
func (t *Target) address() string {
	var c credential
	switch {
	case t.Webhook != nil:
		c = t.Webhook.url()
	case t.Slack != nil:
		c = t.Slack.url()
	case t.PagerDuty != nil:
		c = t.PagerDuty.url()
	}
	text, err := c.one()
	if err != nil {
		return "" // kinds that have none never say that they are gone
	}
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:8])
}

// worker is the shell around the queue of one target: one goroutine, which owns the clock, ClickHouse and the connection.
type worker struct {
	*Options
	sender  sender
	store   *store
	queue   *queue
	rate    Rate
	digest  digestLimit
	address string
	timeout time.Duration // of an attempt
	metrics *metrics
	log     *zap.Logger
	wake    chan struct{}

	looked, swept time.Time
}

// errConflict is that somebody else has dealt with what the queue was about to send.
var errConflict = errors.New("the rows of a message have changed")

func (w *worker) run(ctx context.Context) {
	w.swept = time.Time{} // another process may have delivered meanwhile
	for ctx.Err() == nil {
		next, err := w.turn(ctx)
		switch {
		case errors.Is(err, errConflict):
			w.log.Info("somebody else has dealt with a delivery; looking at all of them anew")
			w.swept = time.Time{}
			continue
		case err != nil && ctx.Err() == nil:
			w.log.Warn("delivery waits for ClickHouse", zap.Error(err))
			w.swept = time.Time{}
			next = w.Now().Add(w.Interval)
		}
		w.wait(ctx, next)
	}
}

// wait waits until the time, until it is time to look for what is new, or until there is.
func (w *worker) wait(ctx context.Context, next time.Time) {
	now := w.Now()
	pause := w.Interval
	if !next.IsZero() {
		pause = min(pause, next.Sub(now))
	}
	if pause <= 0 {
		return
	}
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	case <-w.wake:
		w.looked = time.Time{}
	}
}

// turn looks for what is new, and sends a message, or a batch of them. It returns when to go on; zero: when there is something new.
func (w *worker) turn(ctx context.Context) (time.Time, error) {
	if err := w.look(ctx); err != nil {
		return time.Time{}, err
	}
	if w.Forgotten != nil {
		w.queue.leaveOut(w.Forgotten)
	}
	now := w.Now()
	if err := w.giveUp(ctx, now); err != nil {
		return time.Time{}, err
	}
	defer func() { w.metrics.show(w.queue, w.Now()) }()
	out, next := w.queue.next(now)
	if out == nil {
		return next, nil
	}
	if err := w.deliver(ctx, w.queue.beside(out, now), now); err != nil {
		return time.Time{}, err
	}
	return now, nil // there may be more
}

// giveUp settles what will not be sent.
func (w *worker) giveUp(ctx context.Context, now time.Time) error {
	rows := w.queue.unsendable(now)
	if len(rows) == 0 {
		return nil
	}
	before := slices.Clone(rows)
	for i := range before {
		before[i].Version--
	}
	current, err := w.store.current(ctx, before)
	if err != nil {
		return err
	}
	if !current {
		return errConflict
	}
	w.log.Warn("deliveries were given up", zap.Int("transitions", len(rows)), zap.String("first", rows[0].ID), zap.String("why", rows[0].Detail))
	w.metrics.count(w.queue.target, rows)
	return w.write(ctx, rows)
}

// look brings the queue up to date. What waits is read before whether the target is gone: a redrive first writes that the target is
// there, then what is redriven, so that whoever sees the latter sees the former.
func (w *worker) look(ctx context.Context) error {
	now := w.Now()
	switch {
	case now.Sub(w.swept) >= w.Sweep || now.Before(w.swept):
		if err := w.sweep(ctx, now); err != nil {
			return err
		}
		w.looked, w.swept = now, now
	case now.Sub(w.looked) >= w.Interval || now.Before(w.looked):
		items, reached, err := w.store.waiting(ctx, now.Add(-overlap))
		if err != nil {
			return err
		}
		if len(items) > 0 && w.queue.gone != "" {
			if w.queue.gone, err = w.store.gone(ctx, w.address); err != nil {
				return err
			}
		}
		w.queue.add(items, reached)
		w.looked = now
	}
	return nil
}

// sweep looks at everything anew.
func (w *worker) sweep(ctx context.Context, now time.Time) error {
	items, reached, err := w.store.waiting(ctx, now.Add(-horizon))
	if err != nil {
		return err
	}
	gone, err := w.store.gone(ctx, w.address)
	if err != nil {
		return err
	}
	dead, err := w.store.dead(ctx)
	if err != nil {
		return err
	}
	w.queue.load(items, reached)
	w.queue.gone = gone
	w.metrics.dead.WithLabelValues(w.queue.target).Set(float64(dead))
	return nil
}

// deliver sends messages of different alerts, after the rows of those that are new were written, and keeps what came of them: a statement
// each for all of them, as each insert is synced to disk.
func (w *worker) deliver(ctx context.Context, batch []*outgoing, now time.Time) error {
	var known []row
	for _, out := range batch {
		known = append(known, out.known()...)
	}
	current, err := w.store.current(ctx, known)
	if err != nil {
		return err
	}
	if !current {
		return errConflict
	}
	messages, err := w.store.messages(ctx, batch)
	if err != nil {
		return err
	}
	var claimed []row
	for _, out := range batch {
		if out.attempt == 0 && out.entries[0].in == nil {
			claimed = append(claimed, w.queue.claim(out, now)...)
		}
	}
	if len(claimed) > 0 {
		if err := w.write(ctx, claimed); err != nil {
			return err
		}
	}
	results := make([]Result, len(batch))
	var group errgroup.Group
	group.SetLimit(atOnce)
	for i, m := range messages {
		group.Go(func() error {
			limited, cancel := context.WithTimeout(ctx, w.timeout)
			defer cancel()
			results[i] = w.sender.send(limited, m)
			return nil
		})
	}
	_ = group.Wait() // none fails
	return w.keep(ctx, batch, results)
}

// atOnce is how many messages are being sent at the same moment at most.
const atOnce = 8

// keep keeps what came of messages. What a run's end cut short is sent again by whoever comes next, under the same id.
func (w *worker) keep(ctx context.Context, batch []*outgoing, results []Result) error {
	now := w.Now()
	ended := ctx.Err()
	var all []row
	for i, out := range batch {
		result := results[i]
		if ended != nil && result.Outcome != Delivered {
			continue
		}
		rows := w.queue.record(out, result, now)
		w.metrics.observe(w.queue.target, out, result, rows, now)
		w.tell(out, result, rows)
		all = append(all, rows...)
		if result.Outcome == Gone {
			if err := w.persist(ctx, func(ctx context.Context) error { return w.store.disable(ctx, w.address, result.Detail, now) }); err != nil {
				return err
			}
		}
	}
	if len(all) > 0 {
		if err := w.write(ctx, all); err != nil {
			return err
		}
	}
	return ended
}

// tell logs what a person should know.
func (w *worker) tell(out *outgoing, r Result, rows []row) {
	fields := []zap.Field{
		zap.String("message", out.id), zap.Int("transitions", len(out.entries)), zap.Int("attempt", out.attempt), zap.String("outcome", r.Outcome.String()),
		zap.Int("status", r.Status), zap.String("detail", r.Detail),
	}
	switch {
	case r.Outcome == Gone:
		w.log.Error("the target is gone: nothing is sent to it any more, until it is configured with another address or its deliveries are redriven", fields...)
	case rows[0].Outcome == dead:
		w.log.Error("a delivery was given up; once the cause is mended: tidemark triggers deliveries redrive", fields...)
	case r.Outcome != Delivered:
		w.log.Warn("a delivery failed and will be tried again", append(fields, zap.Time("next", rows[0].NextAt))...)
	default:
		w.log.Debug("delivered", fields...)
	}
}

// write keeps rows. They are written before anything else is done, however long it takes: what was sent and is not kept would be
// sent again.
func (w *worker) write(ctx context.Context, rows []row) error {
	return w.persist(ctx, func(ctx context.Context) error { return w.store.write(ctx, rows) })
}

const (
	firstPause   = 100 * time.Millisecond
	longestPause = 5 * time.Second
	// lastWrite is how long a write may take after the end of a run: it would save a repeat, no more.
	lastWrite = 2 * time.Second
)

func (w *worker) persist(ctx context.Context, write func(context.Context) error) error {
	if ctx.Err() != nil {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(context.WithoutCancel(ctx), lastWrite)
		defer cancel()
	}
	backoff := retry.WithCappedDuration(longestPause, retry.NewExponential(firstPause))
	return retry.Do(ctx, backoff, func(ctx context.Context) error {
		err := write(ctx)
		if err != nil && ctx.Err() == nil {
			w.log.Warn("what became of a delivery cannot be kept yet", zap.Error(err))
		}
		return retry.RetryableError(err)
	})
}
