package worker

import (
	"context"
	"slices"
	"sync"

	"github.com/twmb/franz-go/pkg/kgo"
)

// recordOverhead is about what the client keeps of a record beside its key and value, in bytes.
const recordOverhead = 200

// maxBatch is how many records are folded at a time, so that a source is soon there when it is time to flush.
const maxBatch = 2000

// Room bounds the records that all sources of an instance have waiting, in bytes, whatever their number: past the bound
// nothing more is fetched. A source that holds half of it by itself is paused, so that one that is slow, because many of its
// windows have to be loaded, does not keep the others from being read.
type Room struct {
	most int64

	mu    sync.Mutex
	used  int64
	freed chan struct{} // closed and made anew when bytes are freed
}

// NewRoom returns room for that many bytes.
func NewRoom(bytes int64) *Room { return &Room{most: bytes, freed: make(chan struct{})} }

// Wait blocks until there is room, or ctx ends.
func (r *Room) Wait(ctx context.Context) {
	for {
		r.mu.Lock()
		full, freed := r.used >= r.most, r.freed
		r.mu.Unlock()
		if !full {
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-freed:
		}
	}
}

// take takes bytes; a negative number frees them.
func (r *Room) take(bytes int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.used += bytes
	if bytes < 0 {
		close(r.freed)
		r.freed = make(chan struct{})
	}
}

// queue holds the records of a source that wait to be folded. It is safe for concurrent use.
type queue struct {
	room          *Room
	pause, resume func()
	arrived       chan struct{} // holds a token while there may be records

	mu      sync.Mutex
	batches []batch
	bytes   int64
	paused  bool
	closed  bool
}

func newQueue(room *Room, pause, resume func()) *queue {
	return &queue{room: room, pause: pause, resume: resume, arrived: make(chan struct{}, 1), paused: true}
}

// batch is some records, and what they take of the room.
type batch struct {
	records []*kgo.Record
	bytes   int64
}

func newBatch(records []*kgo.Record) batch {
	b := batch{records: records}
	for _, r := range records {
		b.bytes += int64(len(r.Key) + len(r.Value) + recordOverhead)
	}
	return b
}

// put never blocks: past the bound, fetching is paused.
func (q *queue) put(records []*kgo.Record) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return
	}
	for part := range slices.Chunk(records, maxBatch) {
		b := newBatch(part)
		q.batches = append(q.batches, b)
		q.bytes += b.bytes
		q.room.take(b.bytes)
	}
	if q.bytes > q.room.most/2 && !q.paused {
		q.paused = true
		q.pause()
	}
	q.token()
}

// get returns the oldest batch, nil if there is none.
func (q *queue) get() []*kgo.Record {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.batches) == 0 {
		return nil
	}
	b := q.batches[0]
	q.batches[0] = batch{}
	q.batches = q.batches[1:]
	q.bytes -= b.bytes
	q.room.take(-b.bytes)
	if q.bytes <= q.room.most/4 && q.paused {
		q.paused = false
		q.resume()
	}
	q.token()
	return b.records
}

func (q *queue) token() {
	select {
	case q.arrived <- struct{}{}:
	default:
	}
}

// open begins fetching.
func (q *queue) open() {
	q.mu.Lock()
	q.paused = false
	q.mu.Unlock()
	q.resume()
}

// close drops what waits and takes no more.
func (q *queue) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.room.take(-q.bytes)
	q.batches, q.bytes, q.closed = nil, 0, true
}
