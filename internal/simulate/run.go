package simulate

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"time"

	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"
)

const (
	// batchSize is how many messages are sent as one unit: few enough for the
	// collector's body limit, many enough for thousands a second.
	batchSize = 250
	// inFlight bounds the units under way at once: one is being written to Kafka
	// while the next is on its way to the collector.
	inFlight = 4
	// maxSpan bounds how many messages may be sent past one that has not arrived.
	maxSpan = 2 * inFlight * batchSize
	// tick is how often live traffic is sent; its lateness is of that order.
	tick = 20 * time.Millisecond
	// housekeeping is how often the state is saved and progress told.
	housekeeping = time.Second
	// ahead is how many messages are reserved at a time; see state.Reserved.
	ahead = 2 * maxSpan
	// grace is how long messages under way may take once the context has ended.
	grace = 15 * time.Second
)

// Run plays the customer base until opts.Duration or the context is over, and
// returns the truth about all that was sent by this run and the ones before it
// in the same directory. The end of the context is not an error.
func Run(ctx context.Context, opts Options) (*Truth, error) {
	if err := opts.validate(); err != nil {
		return nil, fmt.Errorf("simulate: %w", err)
	}
	if opts.Logger == nil {
		opts.Logger = zap.NewNop()
	}
	past, err := openState(opts, time.Now())
	if err != nil {
		return nil, fmt.Errorf("simulate: %w", err)
	}
	r, err := newRunner(ctx, opts, past)
	if err != nil {
		return nil, fmt.Errorf("simulate: %w", err)
	}
	err = r.run(ctx)
	return r.truth, errors.Join(err, r.sender.close(), r.end())
}

// runner sends the stream from the first message that has not arrived.
type runner struct {
	opts   Options
	gen    *Generator
	sender *sender

	// resumeAt is the message with which a new stretch of live traffic begins:
	// what the run before may have sent is sent again as it was.
	resumeAt uint64
	resumes  bool
	until    time.Time     // end of live traffic, zero for none
	span     chan struct{} // holds one for every unit that waits or that a later one waits for

	mu    sync.Mutex // guards the rest
	state *state
	truth *Truth
	sent  uint64
	past  float64 // share that was sent
	units []*unit // under way, in order
}

// unit is some consecutive messages that are sent together.
type unit struct {
	messages []Message
	arrived  bool
}

// newRunner replays what has arrived, to know the truth about it.
func newRunner(ctx context.Context, opts Options, s *state) (*runner, error) {
	gen, err := NewGenerator(s.plan())
	if err != nil {
		return nil, err
	}
	truth := NewTruth(s.plan())
	for gen.Seq() < s.Acked {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		m, ok := gen.Next()
		if !ok {
			return nil, fmt.Errorf("the state says that %d messages arrived, but the stream ends at %d: use a fresh directory", s.Acked, gen.Seq())
		}
		truth.Add(m)
	}
	truth.Repeated = s.Repeated
	r := &runner{opts: opts, gen: gen, state: s, truth: truth, sent: s.Acked, span: make(chan struct{}, maxSpan/batchSize),
		resumes: len(s.Live) > 0, resumeAt: max(s.Acked, s.Reserved)}
	r.sender = newSender(opts, r.mayRepeat)
	return r, nil
}

func (r *runner) run(ctx context.Context) error {
	sending, stop := context.WithCancelCause(context.WithoutCancel(ctx))
	defer stop(nil)
	late := context.AfterFunc(ctx, func() {
		time.AfterFunc(grace, func() { stop(fmt.Errorf("not done %s after the end", grace)) })
	})
	defer late()

	group, sending := errgroup.WithContext(sending)
	done := make(chan struct{})
	group.Go(func() error { return r.housekeep(done) })
	group.Go(func() error {
		defer close(done)
		units, unitCtx := errgroup.WithContext(sending)
		units.SetLimit(inFlight)
		err := r.feed(ctx, unitCtx, units)
		return errors.Join(err, units.Wait())
	})
	return group.Wait()
}

// feed takes messages from the generator as they get due, and has them sent.
func (r *runner) feed(ctx, sending context.Context, units *errgroup.Group) error {
	var due []Message
	for ctx.Err() == nil && sending.Err() == nil {
		m, ok, err := r.next()
		if err != nil {
			return err
		}
		if !ok {
			break
		}
		live := r.gen.stretch >= 0
		wait := time.Until(m.At)
		if live && wait > 0 || len(due) == batchSize {
			if err := r.dispatch(sending, units, due); err != nil {
				return err
			}
			due = nil
		}
		if live && wait > 0 {
			select {
			case <-ctx.Done():
				return nil // m was not sent: the next run begins with it
			case <-sending.Done():
				return nil
			case <-time.After(max(wait, tick)):
			}
		}
		due = append(due, m)
	}
	return r.dispatch(sending, units, due)
}

// next is the next message, and false at the end of the run.
func (r *runner) next() (Message, bool, error) {
	if !r.until.IsZero() && !time.Now().Before(r.until) {
		return Message{}, false, nil
	}
	if r.resumes && r.gen.Seq() == r.resumeAt { // after the look at the time: a stretch has a message at least
		r.resumes = false
		if err := r.beginStretch(); err != nil {
			return Message{}, false, err
		}
	}
	m, ok := r.gen.Next()
	if !ok { // the past is told
		if err := r.beginStretch(); err != nil {
			return Message{}, false, err
		}
		m, ok = r.gen.Next()
	}
	return m, ok, nil
}

func (r *runner) beginStretch() error {
	now := time.Now()
	if r.opts.Duration > 0 {
		r.until = now.Add(r.opts.Duration)
	}
	s, err := r.gen.Resume(now, r.opts.Rate)
	if err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.state.Live = append(r.state.Live, s)
	return r.state.save(r.opts.StateDir)
}

// dispatch sends the messages as one unit, as soon as there is room.
func (r *runner) dispatch(ctx context.Context, units *errgroup.Group, messages []Message) error {
	if len(messages) == 0 {
		return nil
	}
	select {
	case r.span <- struct{}{}:
	case <-ctx.Done():
		return nil // a unit has failed, and says why
	}
	u := &unit{messages: messages}
	if err := r.reserve(u); err != nil {
		return fmt.Errorf("save the simulator's state: %w", err)
	}
	path := "/v1/batch"
	if messages[0].At.Before(r.state.Start) {
		path = "/v1/import"
	}
	units.Go(func() error {
		if err := r.sender.send(ctx, messages, path); err != nil {
			return err
		}
		r.arrive(u)
		return nil
	})
	return nil
}

// reserve notes the unit as under way, in the saved state first.
func (r *runner) reserve(u *unit) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	again := false // some of it may be there already
	for _, m := range u.messages {
		if m.Seq < r.resumeAt {
			again = r.countRepeat(m) || again
		}
	}
	r.units = append(r.units, u)
	r.sent += uint64(len(u.messages))
	r.past = r.gen.progress(u.messages[0].At)
	if r.sent <= r.state.Reserved && !again {
		return nil
	}
	if r.sent > r.state.Reserved {
		r.state.Reserved = r.sent + ahead
	}
	return r.state.save(r.opts.StateDir)
}

// countRepeat counts a message that may be in Kafka twice, if a reader can't
// see that it is a repeat: it has no id that can be read.
func (r *runner) countRepeat(m Message) bool {
	if m.intent.verdict != deadLettered || m.intent.reason == noAccount {
		return false
	}
	r.state.Repeated[string(m.intent.reason)]++
	return true
}

func (r *runner) mayRepeat(messages []Message) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, m := range messages {
		r.countRepeat(m)
	}
}

// arrive folds into the truth what has arrived without a gap.
func (r *runner) arrive(u *unit) {
	r.mu.Lock()
	defer r.mu.Unlock()
	u.arrived = true
	for len(r.units) > 0 && r.units[0].arrived {
		for _, m := range r.units[0].messages {
			r.truth.Add(m)
		}
		r.state.Acked += uint64(len(r.units[0].messages))
		r.units = r.units[1:]
		<-r.span
	}
}

// housekeep saves the state and tells the progress until done.
func (r *runner) housekeep(done <-chan struct{}) error {
	ticker := time.NewTicker(housekeeping)
	defer ticker.Stop()
	r.mu.Lock()
	before, at := r.state.Acked, time.Now()
	r.mu.Unlock()
	for {
		select {
		case <-done:
			return nil
		case now := <-ticker.C:
			r.mu.Lock()
			err := r.state.save(r.opts.StateDir)
			p := Progress{Sent: r.sent, Acked: r.state.Acked, Backfilling: len(r.state.Live) == 0, Past: r.past}
			r.mu.Unlock()
			if err != nil {
				return fmt.Errorf("save the simulator's state: %w", err)
			}
			p.Rate = float64(p.Acked-min(before, p.Acked)) / now.Sub(at).Seconds()
			before, at = p.Acked, now
			if r.opts.OnProgress != nil {
				r.opts.OnProgress(p)
			}
		}
	}
}

// end saves how far the stream has arrived, and the truth.
func (r *runner) end() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.units) == 0 {
		r.state.Reserved = r.state.Acked // nothing is in doubt
	}
	if err := r.state.save(r.opts.StateDir); err != nil {
		return fmt.Errorf("save the simulator's state: %w", err)
	}
	text, err := r.truth.MarshalJSON()
	if err == nil {
		err = replaceFile(filepath.Join(r.opts.StateDir, truthFile), text)
	}
	if err != nil {
		return fmt.Errorf("write the truth: %w", err)
	}
	return nil
}
