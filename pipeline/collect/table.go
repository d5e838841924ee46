package collect

import (
	"context"
	"fmt"
	"maps"
	"sync"

	"github.com/twmb/franz-go/pkg/kgo"
)

// table is a compacted topic kept in memory: the fold of its records by key.
// Only the log changes it, also for writes of this process, so that all
// collectors agree on its content.
type table[V any] struct {
	topic string
	// fold returns the row after a record with a value; had is false for a key
	// without a row.
	fold func(old V, had bool, record *kgo.Record) (V, error)
	// changed is called after a row was set, outside of any lock. Optional.
	changed func(key string, row V)

	mu      sync.RWMutex
	rows    map[string]V
	next    map[int32]int64 // by partition: the offset after the last one folded
	advance chan struct{}   // closed and replaced when next grows
}

func newTable[V any](topic string, fold func(V, bool, *kgo.Record) (V, error)) *table[V] {
	return &table[V]{
		topic: topic, fold: fold,
		rows: map[string]V{}, next: map[int32]int64{}, advance: make(chan struct{}),
	}
}

// get returns the row of key.
func (t *table[V]) get(key string) (V, bool) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	row, ok := t.rows[key]
	return row, ok
}

func (t *table[V]) len() int {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return len(t.rows)
}

// apply folds one record. Records of a partition must come in offset order. An
// error says that the record was skipped.
func (t *table[V]) apply(record *kgo.Record) error {
	key := string(record.Key)
	t.mu.Lock()
	var row V
	var err error
	set := false
	switch old, had := t.rows[key]; {
	case record.Attrs.IsControl():
	case record.Value == nil:
		delete(t.rows, key)
	default:
		if row, err = t.fold(old, had, record); err == nil {
			t.rows[key] = row
			set = true
		}
	}
	t.read(record.Partition, record.Offset+1)
	t.mu.Unlock()
	if set && t.changed != nil {
		t.changed(key, row)
	}
	if err != nil {
		return fmt.Errorf("%s/%d offset %d: %w", t.topic, record.Partition, record.Offset, err)
	}
	return nil
}

// skip passes over a batch of records that cannot be read, up to an offset.
func (t *table[V]) skip(partition int32, next int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.read(partition, next)
}

// positions returns the offsets after the last records folded, of the partitions of which any were.
func (t *table[V]) positions() map[int32]int64 {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return maps.Clone(t.next)
}

// read says that the partition has been read up to an offset, with the lock held.
func (t *table[V]) read(partition int32, next int64) {
	t.next[partition] = next
	close(t.advance)
	t.advance = make(chan struct{})
}

// await returns once the partition's records below end are folded.
func (t *table[V]) await(ctx context.Context, partition int32, end int64) error {
	for {
		t.mu.RLock()
		next, advance := t.next[partition], t.advance
		t.mu.RUnlock()
		if next >= end {
			return nil
		}
		select {
		case <-advance:
		case <-ctx.Done():
			return fmt.Errorf("read %s/%d to offset %d, now at %d: %w", t.topic, partition, end, next, ctx.Err())
		}
	}
}
