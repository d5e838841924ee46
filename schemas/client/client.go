// Package client sends product events from Go: each is written to a spool on disk before Send returns, and goes from there to
// Tidemark's collector, or to Kafka, until it was acknowledged.
//
// An event that Send accepted arrives at least once, also when the process is killed or what it sends to is down for as long as the spool
// has room; its message id, made when Send is called, lets the pipeline count it once. With Options.Sync that holds when the machine
// loses power, too. What an earlier process left in the spool goes out first. A process needs a directory of its own.
//
// Memory is bounded by MaxMemory and about 2 MiB, disk by MaxDisk. Send waits MaxWait at most. It runs on Unix.
package client

import (
	"container/list"
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// Options say where events go and what they may use. Zero values mean the defaults named at each field.
type Options struct {
	Transport Transport // HTTP or Kafka; needed. The emitter closes it
	Dir       string    // of the spool; needed

	MaxMemory int64         // bytes of events that wait for the spool; default 4 MiB
	MaxDisk   int64         // bytes of the spool; default 256 MiB, at least 1 MiB and 4 MaxEvent
	MaxEvent  int           // bytes of an event; default 32 KiB, as the collector's, at most 1 MiB
	MaxWait   time.Duration // how long Send may wait; default 100ms
	Sync      bool          // have the disk confirm each write

	BatchEvents int           // sent at once; default 500
	BatchBytes  int           // sent at once; default 400 KiB, below the collector's 500
	Linger      time.Duration // how long a batch waits for more events; default 100ms

	MinBackoff, MaxBackoff time.Duration // before a batch is sent again, doubling; default 100ms and 30s. A Retry-After outranks both

	// Dropped is called for each event that will never be taken, with the reason. It must not call the emitter's Close. Optional.
	Dropped func(e Event, reason error)
}

// Stats are counts since Open, but for what is there now.
type Stats struct {
	Accepted, Refused  int64  // by Send
	Delivered, Dropped int64  // events
	Retries            int64  // attempts that failed and are repeated
	Left               int    // events in the spool now
	MemoryBytes        int64  // that wait for the spool now
	DiskBytes          int64  // of the spool now
	CorruptBytes       int64  // of the spool that could not be read: a write that a kill cut off, or damage
	LastError          string // of sending, "" since the last success
}

var (
	// ErrFull says that the spool, or the memory in front of it, had no room within MaxWait: the event was not accepted.
	ErrFull = errors.New("the spool is full")
	// ErrClosed says that the emitter was closed.
	ErrClosed = errors.New("the emitter is closed")
	// ErrInvalid says that the event could never be taken.
	ErrInvalid = errors.New("the event is invalid")
)

// Emitter sends events. Make one with Open; all methods may be called at once.
type Emitter struct {
	options Options
	spool   *spool

	mu      sync.Mutex
	queue   *list.List // of *waiting
	memory  int64
	closed  bool
	closing chan struct{} // closed by Close
	queued  chan struct{} // holds one when something was queued
	written chan struct{} // closed when the writer has ended
	sent    chan struct{} // closed when the sender has ended
	stop    context.CancelFunc

	accepted, refused, delivered, dropped, retries atomic.Int64
	lastError                                      atomic.Pointer[string]
}

// waiting is an event whose Send has not returned.
type waiting struct {
	event   Event
	size    int64
	element *list.Element // nil once the writer has taken it
	done    chan error
}

// Open takes the spool directory and begins to send what is in it.
func Open(o Options) (*Emitter, error) {
	if err := o.setDefaults(); err != nil {
		return nil, fmt.Errorf("open the emitter: %w", err)
	}
	s, err := openSpool(o.Dir, o.MaxDisk, o.Sync)
	if err != nil {
		return nil, fmt.Errorf("open the emitter: %w", err)
	}
	ctx, stop := context.WithCancel(context.Background())
	e := &Emitter{
		options: o, spool: s, stop: stop, queue: list.New(), closing: make(chan struct{}), queued: make(chan struct{}, 1),
		written: make(chan struct{}), sent: make(chan struct{}),
	}
	go e.write(ctx)
	go e.deliver(ctx)
	return e, nil
}

func (o *Options) setDefaults() error {
	setDefault(&o.MaxMemory, 4<<20)
	setDefault(&o.MaxDisk, 256<<20)
	setDefault(&o.MaxEvent, 32<<10)
	setDefault(&o.MaxWait, 100*time.Millisecond)
	setDefault(&o.BatchEvents, 500)
	setDefault(&o.BatchBytes, 400<<10)
	setDefault(&o.Linger, 100*time.Millisecond)
	setDefault(&o.MinBackoff, 100*time.Millisecond)
	setDefault(&o.MaxBackoff, 30*time.Second)
	switch {
	case o.Transport == nil:
		return errors.New("Transport is missing: use HTTP or Kafka")
	case o.Dir == "":
		return errors.New("no Dir is given: name a directory for the spool")
	case o.MaxDisk < max(1<<20, 4*int64(o.MaxEvent)):
		return fmt.Errorf("MaxDisk is %d bytes: a spool needs 1 MiB, and four times MaxEvent", o.MaxDisk)
	case o.MaxEvent < 1 || o.MaxEvent > 1<<20:
		return fmt.Errorf("MaxEvent is %d bytes: at least 1, at most 1 MiB", o.MaxEvent)
	case o.MaxMemory < 0 || o.MaxWait < 0 || o.BatchEvents < 0 || o.BatchBytes < 0 || o.Linger < 0 || o.MinBackoff < 0 || o.MaxBackoff < o.MinBackoff:
		return errors.New("a bound is negative, or MaxBackoff is below MinBackoff: leave it out for the default")
	}
	return nil
}

func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// Send accepts the message, or says within MaxWait why not: ErrInvalid, ErrFull, ErrClosed, the end of ctx, or what the disk said. A
// message that was accepted is in the spool. One that was not may be sent all the same if the disk did not answer in time.
func (e *Emitter) Send(ctx context.Context, m Message) error {
	err := e.send(ctx, m)
	if err != nil {
		e.refused.Add(1)
		return fmt.Errorf("send event: %w", err)
	}
	e.accepted.Add(1)
	return nil
}

func (e *Emitter) send(ctx context.Context, m Message) error {
	event, err := m.event(time.Now())
	if err == nil {
		err = e.options.Transport.Check(event)
	}
	if err != nil {
		return fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	if size := len(event.Body) + len(event.Key); size > e.options.MaxEvent {
		return fmt.Errorf("%w: it has %d bytes, at most %d are accepted", ErrInvalid, size, e.options.MaxEvent)
	}
	w, err := e.enqueue(event)
	if err != nil {
		return err
	}
	bound := time.NewTimer(e.options.MaxWait)
	defer bound.Stop()
	select {
	case err := <-w.done:
		return err
	case <-ctx.Done():
		err = ctx.Err()
	case <-bound.C:
		err = fmt.Errorf("%w: no room within %s", ErrFull, e.options.MaxWait)
	}
	if e.withdraw(w) {
		return err
	}
	select { // the writer has it: it may be done just now
	case err := <-w.done:
		return err
	default:
		return fmt.Errorf("%w; it was being written, and may be sent", err)
	}
}

func (e *Emitter) enqueue(event Event) (*waiting, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	w := &waiting{event: event, size: int64(len(event.Body)+len(event.Key)+len(event.ID)) + headerSize + 11, done: make(chan error, 1)}
	switch {
	case e.closed:
		return nil, ErrClosed
	case e.memory+w.size > e.options.MaxMemory:
		return nil, fmt.Errorf("%w: %d bytes wait for it in memory", ErrFull, e.memory)
	}
	w.element = e.queue.PushBack(w)
	e.memory += w.size
	select {
	case e.queued <- struct{}{}:
	default:
	}
	return w, nil
}

// withdraw takes the event out of the queue, or says that it is no longer there.
func (e *Emitter) withdraw(w *waiting) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if w.element == nil {
		return false
	}
	e.queue.Remove(w.element)
	e.memory -= w.size
	return true
}

// Close accepts no more events, sends what is there until ctx ends, and returns how many are left in the spool: they go out when it is
// opened the next time.
func (e *Emitter) Close(ctx context.Context) (left int, err error) {
	e.mu.Lock()
	if e.closed {
		e.mu.Unlock()
		return 0, ErrClosed
	}
	e.closed = true
	close(e.closing)
	e.mu.Unlock()
	select {
	case <-e.sent:
	case <-ctx.Done():
		err = ctx.Err()
	}
	e.stop()
	<-e.written
	<-e.sent
	left = e.spool.state().left
	if left > 0 {
		err = fmt.Errorf("%d events are left in %s: %w", left, e.options.Dir, err)
	} else {
		err = nil
	}
	return left, errors.Join(err, e.options.Transport.Close(), e.spool.close())
}

// Stats returns the counts.
func (e *Emitter) Stats() Stats {
	s := Stats{
		Accepted: e.accepted.Load(), Refused: e.refused.Load(), Delivered: e.delivered.Load(), Dropped: e.dropped.Load(), Retries: e.retries.Load(),
	}
	state := e.spool.state()
	s.Left, s.DiskBytes, s.CorruptBytes = state.left, state.bytes, state.corrupt
	if last := e.lastError.Load(); last != nil {
		s.LastError = *last
	}
	e.mu.Lock()
	s.MemoryBytes = e.memory
	e.mu.Unlock()
	return s
}
