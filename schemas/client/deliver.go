package client

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"
)

// Transport stores events somewhere else.
type Transport interface {
	// Check says why it could never take the event, or nil.
	Check(e Event) error
	// Send returns nil once all events, of one kind, are stored. A RefusedError says that a repetition cannot help, a PartialError that
	// some are stored, a BusyError when to try again; after any other error all are sent again.
	Send(ctx context.Context, events []Event) error
	// Close releases what it holds.
	Close() error
}

// RefusedError says that an event will never be taken.
type RefusedError struct {
	Index  int // of the event among those sent; -1 when it is not known which
	Reason string
}

func (e *RefusedError) Error() string { return "refused: " + e.Reason }

// BusyError says that the events may be taken later.
type BusyError struct {
	After time.Duration // not before; 0 when that is not said
	Err   error
}

func (e *BusyError) Error() string { return e.Err.Error() }
func (e *BusyError) Unwrap() error { return e.Err }

// PartialError says that all but some of the events are stored.
type PartialError struct {
	Left []Event
	Err  error
}

func (e *PartialError) Error() string {
	return fmt.Sprintf("%d events are not stored: %v", len(e.Left), e.Err)
}
func (e *PartialError) Unwrap() error { return e.Err }

// longestAfter bounds a Retry-After.
const longestAfter = 10 * time.Minute

// deliver sends what is in the spool until ctx ends, or it is empty and the emitter is closed.
func (e *Emitter) deliver(ctx context.Context) {
	defer close(e.sent)
	for ctx.Err() == nil {
		changed := e.spool.changes()
		b, err := e.spool.read(e.options.BatchEvents, e.options.BatchBytes)
		switch {
		case err != nil:
			e.failed(err)
			pause(ctx, e.options.MaxBackoff)
		case len(b.events) > 0:
			b = e.gather(ctx, b)
			if e.sendAll(ctx, b.events) != nil {
				return
			}
			if err := e.spool.ack(b); err != nil {
				e.failed(err)
			}
		case e.isDrained():
			return
		default:
			select {
			case <-ctx.Done():
			case <-changed:
			case <-e.written:
			}
		}
	}
}

// isDrained says that nothing more comes into the spool, and all has left it.
func (e *Emitter) isDrained() bool {
	select {
	case <-e.written:
		return e.spool.state().left == 0
	default:
		return false
	}
}

// gather waits a moment for more events, unless there are many or the emitter is closed.
func (e *Emitter) gather(ctx context.Context, b batch) batch {
	if len(b.events) >= e.options.BatchEvents || e.spool.state().left > len(b.events) {
		return b
	}
	linger := time.NewTimer(e.options.Linger)
	defer linger.Stop()
	select {
	case <-ctx.Done():
	case <-e.closing:
	case <-linger.C:
	}
	if more, err := e.spool.read(e.options.BatchEvents, e.options.BatchBytes); err == nil && len(more.events) >= len(b.events) {
		return more
	}
	return b
}

// sendAll returns nil once each event is stored or dropped, and else the end of ctx. What is refused is looked for by halves, so
// that it holds up nothing else.
func (e *Emitter) sendAll(ctx context.Context, events []Event) error {
	parts := [][]Event{events}
	for len(parts) > 0 {
		part := parts[len(parts)-1]
		parts = parts[:len(parts)-1]
		if len(part) == 0 {
			continue
		}
		left, err := e.sendPart(ctx, part)
		if ctx.Err() != nil && err != nil {
			return ctx.Err()
		}
		var refused *RefusedError
		switch {
		case err == nil:
		case !errors.As(err, &refused):
			return err
		case refused.Index >= 0 && refused.Index < len(left):
			e.drop(left[refused.Index], refused)
			parts = append(parts, left[refused.Index+1:], left[:refused.Index])
		case len(left) == 1:
			e.drop(left[0], refused)
		default:
			parts = append(parts, left[len(left)/2:], left[:len(left)/2])
		}
	}
	return nil
}

// sendPart sends the events, again and again, until they are stored or one is refused: then it returns those that are not stored.
func (e *Emitter) sendPart(ctx context.Context, events []Event) ([]Event, error) {
	backoff := e.options.MinBackoff
	for {
		err := e.options.Transport.Send(ctx, events)
		var partial *PartialError
		if errors.As(err, &partial) {
			e.delivered.Add(int64(len(events) - len(partial.Left)))
			events = partial.Left
		}
		if err == nil {
			e.delivered.Add(int64(len(events)))
			e.lastError.Store(nil)
			return nil, nil
		}
		e.failed(err)
		if errors.As(err, new(*RefusedError)) {
			return events, err
		}
		e.retries.Add(1)
		wait := backoff/2 + rand.N(backoff/2+1)
		var busy *BusyError
		if errors.As(err, &busy) {
			wait = max(wait, min(busy.After, longestAfter))
		}
		backoff = min(2*backoff, e.options.MaxBackoff)
		if !pause(ctx, wait) {
			return events, ctx.Err()
		}
	}
}

func (e *Emitter) drop(event Event, reason error) {
	e.dropped.Add(1)
	if e.options.Dropped != nil {
		e.options.Dropped(event, reason)
	}
}

func (e *Emitter) failed(err error) {
	text := err.Error()
	e.lastError.Store(&text)
}

// pause waits, and returns false if ctx ends before.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
