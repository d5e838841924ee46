package normalise

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"tidemark/pipeline/decode"
	"tidemark/schemas"
)

// tooLarge returns the batches that a poll met and that hold more than is unpacked, but for the one of which the poll may not have all the
// records in front of it: a poll that is full breaks off in its last partition. That one is met again.
func tooLarge(fetches kgo.Fetches) (batches []*kgo.ErrDecompressTooLarge, met bool) {
	last := false // the last partition that had anything has met one
	fetches.EachPartition(func(p kgo.FetchTopicPartition) {
		batch := (*kgo.ErrDecompressTooLarge)(nil)
		if errors.As(p.Err, &batch) {
			batches, met, last = append(batches, batch), true, true
		} else if len(p.Records) > 0 {
			last = false
		}
	})
	if last && fetches.NumRecords() >= pollRecords {
		batches = batches[:len(batches)-1]
	}
	return batches, met
}

// skip leaves batches out: of each one dead letter, at the first of its records, stands for all of them. Everything in front of them is
// committed. The offsets behind them are committed by themselves, for the next client: setting them in this one makes it forget that another partition
// has stopped as well, and does nothing where nothing was ever committed.
func (t *topic) skip(ctx context.Context, session *kgo.GroupTransactSession, batches []*kgo.ErrDecompressTooLarge) error {
	if len(batches) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), transactionTimeout)
	defer cancel()
	var letters, last []*kgo.Record
	for _, b := range batches {
		first := &kgo.Record{Topic: t.name, Partition: b.Partition, Offset: b.Offset, Timestamp: time.UnixMilli(0)}
		letters = append(letters, t.deadLetter(first, &decode.Rejection{
			Reason: schemas.Oversize, Detail: fmt.Sprintf("a compressed batch holds more than is unpacked: %s", b),
		}))
		last = append(last, &kgo.Record{Topic: t.name, Partition: b.Partition, Offset: b.NextOffset - 1, LeaderEpoch: b.Epoch})
	}
	if err := session.Begin(); err != nil {
		return fmt.Errorf("begin transaction: %w", err)
	}
	if err := produce(ctx, session, letters); err != nil {
		return errors.Join(fmt.Errorf("produce %d dead letters: %w", len(letters), err), abort(ctx, session))
	}
	committed, err := session.End(ctx, kgo.TryCommit)
	if err == nil && !committed {
		err = errRebalanced
	}
	if err == nil {
		err = session.Client().CommitRecords(ctx, last...)
	}
	if err != nil {
		return fmt.Errorf("leave out %d batches: %w", len(batches), err)
	}
	t.stage.metrics.records.WithLabelValues(t.name, resultDeadLettered).Add(float64(len(batches)))
	t.stage.metrics.deadLetters.WithLabelValues(t.name, string(schemas.Oversize)).Add(float64(len(batches)))
	return nil
}
