package collect

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/zap"

	"tidemark/pipeline/source"
)

// followed is a table without its row type.
type followed interface {
	apply(*kgo.Record) error
	skip(partition int32, next int64)
	positions() map[int32]int64
	await(ctx context.Context, partition int32, end int64) error
}

// follower reads the topics of the tables from their beginning and then keeps
// up with them; it also writes to them.
type follower struct {
	client  *kgo.Client
	tables  map[string]followed
	metrics *metrics
	log     *zap.Logger
	seeker  source.Seeker
}

func newFollower(c Config, tables map[string]followed, m *metrics, log *zap.Logger) (*follower, error) {
	options, err := c.clientOptions()
	if err != nil {
		return nil, err
	}
	topics := make([]string, 0, len(tables))
	for topic := range tables {
		topics = append(topics, topic)
	}
	client, err := kgo.NewClient(append(options,
		kgo.ConsumeTopics(topics...),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.KeepControlRecords(), // the last offset may be a transaction's marker
		kgo.FetchMaxWait(500*time.Millisecond),
		kgo.ProducerLinger(0),
		kgo.RecordDeliveryTimeout(max(c.WriteTimeout, time.Second)), // the client's least
	)...)
	if err != nil {
		return nil, fmt.Errorf("kafka client: %w", err)
	}
	return &follower{client: client, tables: tables, metrics: m, log: log}, nil
}

// run folds records until ctx ends.
func (f *follower) run(ctx context.Context) {
	for {
		fetches := f.client.PollFetches(ctx)
		if ctx.Err() != nil || fetches.IsClientClosed() {
			return
		}
		fetches.EachRecord(func(r *kgo.Record) {
			if err := f.tables[r.Topic].apply(r); err != nil {
				f.metrics.badRecords.WithLabelValues(r.Topic).Inc()
				f.log.Warn("skip record: it cannot be read", zap.String("topic", r.Topic), zap.Int32("partition", r.Partition), zap.Int64("offset", r.Offset)) // err may quote it
			}
		})
		skipped := false
		fetches.EachError(func(topic string, partition int32, err error) {
			f.log.Warn("read", zap.String("topic", topic), zap.Int32("partition", partition), zap.Error(err))
			if batch := (*kgo.ErrDecompressTooLarge)(nil); errors.As(err, &batch) {
				f.metrics.badRecords.WithLabelValues(topic).Inc()
				f.tables[topic].skip(partition, batch.NextOffset)
				skipped = true
			}
		})
		if skipped {
			f.goOn(ctx)
		}
	}
}

// goOn fetches every partition from where it was read to, after batches that were not unpacked.
func (f *follower) goOn(ctx context.Context) {
	at := map[string]map[int32]int64{}
	for topic, table := range f.tables {
		at[topic] = table.positions()
	}
	starts, err := kadm.NewClient(f.client).ListStartOffsets(ctx, slices.Collect(maps.Keys(f.tables))...)
	if err != nil {
		f.log.Warn("where partitions start of which nothing was read is not known", zap.Error(err))
	}
	starts.Each(func(start kadm.ListedOffset) {
		if _, ok := at[start.Topic][start.Partition]; !ok && start.Err == nil {
			at[start.Topic][start.Partition] = start.Offset
		}
	})
	f.seeker.Seek(f.client, at)
}

// put writes a record and returns when its table holds it. A nil value removes
// the row.
func (f *follower) put(ctx context.Context, topic, key string, value []byte) error {
	type result struct {
		record *kgo.Record
		err    error
	}
	done := make(chan result, 1)
	// ProduceSync would wait for a broker that hangs, whatever ctx says.
	f.client.Produce(ctx, &kgo.Record{Topic: topic, Key: []byte(key), Value: value}, func(r *kgo.Record, err error) {
		done <- result{r, err}
	})
	select {
	case <-ctx.Done():
		return fmt.Errorf("write to %s: %w", topic, ctx.Err())
	case r := <-done:
		if r.err != nil {
			return fmt.Errorf("write to %s: %w", topic, r.err)
		}
		return f.tables[topic].await(ctx, r.record.Partition, r.record.Offset+1)
	}
}

// catchUp returns when the tables hold what their topics held at its start.
func (f *follower) catchUp(ctx context.Context) error {
	admin := kadm.NewClient(f.client)
	for topic, table := range f.tables {
		ends, err := retry(ctx, f.log, "list end offsets of "+topic, func() (kadm.ListedOffsets, error) {
			return listed(admin.ListEndOffsets(ctx, topic))
		})
		if err != nil {
			return err
		}
		starts, err := retry(ctx, f.log, "list start offsets of "+topic, func() (kadm.ListedOffsets, error) {
			return listed(admin.ListStartOffsets(ctx, topic))
		})
		if err != nil {
			return err
		}
		for partition, end := range ends[topic] {
			if start, ok := starts.Lookup(topic, partition); ok && start.Offset >= end.Offset {
				continue // empty
			}
			if err := table.await(ctx, partition, end.Offset); err != nil {
				return err
			}
		}
	}
	return nil
}

func listed(offsets kadm.ListedOffsets, err error) (kadm.ListedOffsets, error) {
	return offsets, errors.Join(err, offsets.Error())
}

// retry calls f until it works or ctx ends.
func retry[T any](ctx context.Context, log *zap.Logger, what string, f func() (T, error)) (T, error) {
	for wait := 100 * time.Millisecond; ; wait = min(2*wait, 5*time.Second) {
		result, err := f()
		if err == nil {
			return result, nil
		}
		log.Warn(what, zap.Error(err), zap.Duration("retry_in", wait))
		select {
		case <-ctx.Done():
			return result, fmt.Errorf("%s: %w", what, errors.Join(ctx.Err(), err))
		case <-time.After(wait):
		}
	}
}

// ping returns nil when a broker answers.
func (f *follower) ping(ctx context.Context) error { return f.client.Ping(ctx) }

func (f *follower) close() { f.client.Close() }
