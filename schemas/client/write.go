package client

import "context"

// chunkBytes is how much is written to the spool at once.
const chunkBytes = 128 << 10

// write moves events from the queue to the spool until ctx ends, or the queue is empty and the emitter is closed.
func (e *Emitter) write(ctx context.Context) {
	defer close(e.written)
	for {
		changed := e.spool.changes()
		taken, records := e.take(e.spool.room())
		if len(taken) > 0 {
			err := e.spool.append(records, len(taken))
			for _, w := range taken {
				w.done <- err
			}
			continue
		}
		closing := e.closing
		if e.waits() {
			closing = nil // for room
		} else if e.isClosed() {
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-e.queued:
		case <-changed:
		case <-closing:
		}
	}
}

// take removes from the front of the queue what has room.
func (e *Emitter) take(room int64) ([]*waiting, []byte) {
	e.mu.Lock()
	defer e.mu.Unlock()
	var taken []*waiting
	var records []byte
	for room = min(room, chunkBytes+maxPayload); ; {
		front := e.queue.Front()
		if front == nil {
			break
		}
		w := front.Value.(*waiting)
		if used := int64(len(records)); used+w.size > room || used > chunkBytes {
			break
		}
		e.queue.Remove(front)
		w.element = nil
		e.memory -= w.size
		records = appendRecord(records, w.event)
		taken = append(taken, w)
	}
	return taken, records
}

func (e *Emitter) waits() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.queue.Len() > 0
}

func (e *Emitter) isClosed() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.closed
}
