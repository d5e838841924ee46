package collect

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/zap"
)

const (
	// releaseBatch bounds one transaction: readers of telemetry wait for its end.
	releaseBatch = 500
	// transactionTimeout is how long readers of telemetry wait at most when a
	// collector dies inside a transaction and no other takes over.
	transactionTimeout = 10 * time.Second
	// endTimeout is how long a transaction that was begun may still take when
	// the collector stops or loses the partition.
	endTimeout = 5 * time.Second
	// giveUpEvery is how often events are looked for that waited too long, at
	// most.
	giveUpEvery = 10 * time.Second
)

// partition releases the parked events of one partition, exactly once.
//
// Its producer has a transactional id that belongs to the partition. Starting
// it fences off whoever released the partition before, in Kafka itself, and
// ends a transaction that was left open. After that a barrier record is
// written; once it is read back, nothing from an earlier owner can follow, so
// what is then in the waiting room is exactly what is outstanding. An event's
// release and its tombstone are one transaction. Any error drops all state and
// starts over the same way.
type partition struct {
	number  int32
	config  Config
	known   func(user string) (string, bool)
	metrics *metrics
	log     *zap.Logger

	mu      sync.Mutex
	room    *waitingRoom
	current bool          // the room holds all that is outstanding
	wake    chan struct{} // an event of the room became ready
}

func newPartition(number int32, c Config, known func(string) (string, bool), m *metrics, log *zap.Logger) *partition {
	return &partition{
		number: number, config: c, known: known, metrics: m, log: log.With(zap.Int32("parked_partition", number)),
		room: newWaitingRoom(known), wake: make(chan struct{}, 1),
	}
}

// learned is called when the account of user becomes known.
func (p *partition) learned(user string) {
	p.mu.Lock()
	any := p.room.learned(user)
	p.mu.Unlock()
	if any {
		select {
		case p.wake <- struct{}{}:
		default:
		}
	}
}

// run releases events until ctx ends.
func (p *partition) run(ctx context.Context) {
	for wait := 100 * time.Millisecond; ctx.Err() == nil; wait = min(2*wait, 5*time.Second) {
		started := time.Now()
		err := p.session(ctx)
		p.mu.Lock()
		p.room, p.current = newWaitingRoom(p.known), false
		p.mu.Unlock()
		if ctx.Err() != nil {
			return
		}
		if time.Since(started) > time.Minute {
			wait = 100 * time.Millisecond
		}
		p.log.Warn("release parked events: start over", zap.Error(err), zap.Duration("retry_in", wait))
		select {
		case <-ctx.Done():
		case <-time.After(wait):
		}
	}
}

// session owns the partition until ctx ends or an error makes its state doubtful.
func (p *partition) session(ctx context.Context) error {
	client, err := p.connect()
	if err != nil {
		return err
	}
	defer client.Close()
	barrier, err := p.writeBarrier(ctx, client)
	if err != nil {
		return fmt.Errorf("take over %s/%d: %w", p.config.Topics.Parked, p.number, err)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	reading := make(chan error, 1)
	go func() { reading <- p.read(ctx, client, barrier) }()
	giveUp := time.NewTicker(min(giveUpEvery, max(p.config.ParkFor, 100*time.Millisecond)))
	defer giveUp.Stop()
	for err == nil {
		select {
		case err := <-reading:
			return err
		case <-p.wake:
			err = p.release(ctx, client)
		case <-giveUp.C:
			err = p.release(ctx, client)
		}
	}
	cancel()
	<-reading //nolint:errcheck // it says that it was cancelled
	return err
}

func (p *partition) connect() (*kgo.Client, error) {
	options, err := p.config.clientOptions()
	if err != nil {
		return nil, err
	}
	parked := p.config.Topics.Parked
	client, err := kgo.NewClient(append(options,
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{parked: {p.number: kgo.NewOffset().AtStart()}}),
		// Reading the log again from its start would bring back released events.
		kgo.ConsumeResetOffset(kgo.NoResetOffset()),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.FetchMaxWait(500*time.Millisecond),
		kgo.TransactionalID(fmt.Sprintf("%s-%s-%d", p.config.Group, parked, p.number)),
		kgo.TransactionTimeout(transactionTimeout),
		kgo.RecordDeliveryTimeout(transactionTimeout),
		kgo.RecordPartitioner(releasePartitioner{parked: parked}),
		kgo.ProducerLinger(0),
	)...)
	if err != nil {
		return nil, fmt.Errorf("kafka client: %w", err)
	}
	return client, nil
}

// writeBarrier fences off earlier owners and returns the offset of a record
// that follows all they wrote.
func (p *partition) writeBarrier(ctx context.Context, client *kgo.Client) (int64, error) {
	record := &kgo.Record{Topic: p.config.Topics.Parked, Partition: p.number, Key: []byte("_barrier")}
	err := transact(ctx, client, []*kgo.Record{record})
	return record.Offset, err
}

// read keeps the room up to date with the log until ctx ends.
func (p *partition) read(ctx context.Context, client *kgo.Client, barrier int64) error {
	for {
		fetches := client.PollFetches(ctx)
		if err := fetches.Err0(); err != nil {
			return err
		}
		var failed error
		fetches.EachError(func(topic string, n int32, err error) {
			batch := (*kgo.ErrDecompressTooLarge)(nil)
			if !errors.As(err, &batch) {
				failed = err
				return
			}
			p.metrics.badRecords.WithLabelValues(topic).Inc()
			p.log.Warn("skip batch", zap.Error(err))
			client.SetOffsets(map[string]map[int32]kgo.EpochOffset{topic: {n: {Epoch: batch.Epoch, Offset: batch.NextOffset}}})
		})
		if failed != nil {
			return fmt.Errorf("read %s/%d: %w", p.config.Topics.Parked, p.number, failed)
		}
		p.mu.Lock()
		fetches.EachRecord(func(r *kgo.Record) {
			if err := p.room.apply(r); err != nil {
				p.metrics.badRecords.WithLabelValues(r.Topic).Inc()
				p.log.Warn("skip record: it cannot be read", zap.String("topic", r.Topic), zap.Int32("partition", r.Partition), zap.Int64("offset", r.Offset)) // err may quote it
			}
			p.current = p.current || r.Offset >= barrier
		})
		ready := p.current && len(p.room.ready) > 0
		p.mu.Unlock()
		if ready {
			select {
			case p.wake <- struct{}{}:
			default:
			}
		}
	}
}

// release moves every event that can leave, one transaction after another.
func (p *partition) release(ctx context.Context, client *kgo.Client) error {
	for ctx.Err() == nil {
		leaving := p.leaving()
		if len(leaving) == 0 {
			return nil
		}
		if err := p.move(ctx, client, leaving); err != nil {
			p.metrics.transactions.WithLabelValues("failed").Inc()
			return fmt.Errorf("release %d events: %w", len(leaving), err)
		}
		p.metrics.transactions.WithLabelValues("committed").Inc()
	}
	return nil
}

func (p *partition) leaving() []departure {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.current {
		return nil
	}
	if leaving := p.room.leave(releaseBatch); len(leaving) > 0 {
		return leaving
	}
	return p.room.giveUp(releaseBatch, p.config.Now().Add(-p.config.ParkFor), p.config.MaxParked)
}

// move writes the events to telemetry and their tombstones to the partition, in
// one transaction, and takes them out of the room.
func (p *partition) move(ctx context.Context, client *kgo.Client, leaving []departure) error {
	events := make([]*kgo.Record, len(leaving))
	tombstones := make([]*kgo.Record, len(leaving))
	for i, d := range leaving {
		var err error
		if events[i], err = d.record(p.config.Topics); err != nil {
			return err
		}
		tombstones[i] = &kgo.Record{Topic: p.config.Topics.Parked, Partition: p.number, Key: []byte(d.key)}
	}
	if err := transact(ctx, client, append(events, tombstones...)); err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for i, d := range leaving {
		p.room.remove(d.key, tombstones[i].Offset)
		result := resultReleased
		if d.account == "" {
			result = resultExpired
		}
		p.metrics.events.WithLabelValues(result).Inc()
	}
	return nil
}

// transact writes the records in one transaction. After an error the outcome is
// unknown and the client must not be used again.
func transact(ctx context.Context, client *kgo.Client, records []*kgo.Record) error {
	if err := client.BeginTransaction(); err != nil {
		return fmt.Errorf("begin transaction: %w", err)
	}
	// Stopping in the middle would make readers wait for the timeout.
	stopping := ctx
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), transactionTimeout)
	defer cancel()
	defer context.AfterFunc(stopping, func() { time.AfterFunc(endTimeout, cancel) })()
	if err := client.ProduceSync(ctx, records...).FirstErr(); err != nil {
		err = fmt.Errorf("produce: %w", err)
		if errors.Is(err, kerr.InvalidProducerEpoch) || errors.Is(err, kerr.ProducerFenced) {
			return err // another owner took over and has ended the transaction
		}
		return errors.Join(err, client.EndTransaction(ctx, kgo.TryAbort))
	}
	if err := client.EndTransaction(ctx, kgo.TryCommit); err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	return nil
}

// releasePartitioner keeps records of the parked topic in the partition that
// they name, so that a tombstone follows its event even after partitions were
// added, and puts telemetry where every other producer puts it.
type releasePartitioner struct{ parked string }

func (r releasePartitioner) ForTopic(topic string) kgo.TopicPartitioner {
	if topic == r.parked {
		return kgo.ManualPartitioner().ForTopic(topic)
	}
	return kgo.StickyKeyPartitioner(nil).ForTopic(topic)
}
