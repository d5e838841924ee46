package worker

import (
	"context"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"tidemark/pipeline/decode"
	"tidemark/pipeline/unpack"
	"tidemark/schemas"
)

// maxDead is how many bytes of dead letters may wait for a flush.
const maxDead = 16 << 20

// tooLarge is the key, in the context of a record that stands for a batch, of why the batch was not unpacked.
type tooLarge struct{}

// Skip hands over, in the log's order, a batch that holds more than is unpacked. Its records go to the dead letters as one.
func (w *Worker) Skip(batch *kgo.ErrDecompressTooLarge) {
	w.next.Store(batch.NextOffset)
	w.queue.put([]*kgo.Record{{
		Topic: batch.Topic, Partition: batch.Partition, Offset: batch.NextOffset - 1, Timestamp: time.Now(),
		Context: context.WithValue(context.Background(), tooLarge{}, batch),
	}})
}

// refused dead-letters the batch that the record stands for, if it does.
func (w *Worker) refused(r *kgo.Record) bool {
	if r.Context == nil {
		return false
	}
	batch, ok := r.Context.Value(tooLarge{}).(*kgo.ErrDecompressTooLarge)
	if !ok {
		return false
	}
	letter, rej := w.core.Refuse(uint64(max(batch.Offset, 0)), uint64(batch.NextOffset))                                                         //nolint:gosec // offsets
	w.deadLetter(&kgo.Record{Topic: r.Topic, Partition: r.Partition, Offset: int64(letter.Offset), Timestamp: time.UnixMilli(letter.Time)}, rej) //nolint:gosec // an offset
	return true
}

// pending returns about how many rows a flush would write, with the dead letters by their size.
func (w *Worker) pending() int { return max(w.core.Pending(), w.deadBytes*w.Backlog.most/maxDead) }

// Refuse dead-letters the records from an offset up to, but not including, another, which are in a batch that holds more than
// is unpacked. One dead letter, at the first of them, stands for all.
func (c *Core) Refuse(first, next uint64) (Record, *decode.Rejection) {
	p := &c.prefix
	first = max(first, p.Offset)
	n := next - first
	r := Record{Offset: first, Time: p.LogTime} // the batch's own time is not known
	rej := &decode.Rejection{Reason: schemas.Oversize, Detail: fmt.Sprintf("the %d records up to offset %d are in a compressed batch that holds "+
		"more than %d MiB or %d records: no producer of events makes such a batch", n, next-1, unpack.MaxBytes>>20, unpack.MaxRecords)}
	c.deadLetter(&r, rej)
	p.DeadLettered += n
	p.Received += n
	p.Offset = next
	return r, rej
}
