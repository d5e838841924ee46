package normalise

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/zap"

	"tidemark/pipeline/source"
	"tidemark/pipeline/unpack"
	"tidemark/schemas/mapping"
)

const (
	// pollRecords bounds a transaction: readers of the topics wait for its end.
	pollRecords = 1000
	// pollBytes bounds what is fetched ahead, per partition.
	pollBytes = 1 << 20
	// transactionTimeout is how long readers wait at most when a process dies inside a transaction and is not started again.
	transactionTimeout = 15 * time.Second
	// MaxEventBytes is the most that a canonical record may have: with a parked event's wrapping and a batch's it stays below the 1 MiB that
	// brokers take, and one that is never taken would hold up its partition.
	MaxEventBytes = 512 << 10
	// endTimeout is how long a transaction that was begun may still take when the stage stops.
	endTimeout = 10 * time.Second
	// firstRetry and lastRetry bound the pause before a client is made anew, or the registry asked again.
	firstRetry = 100 * time.Millisecond
	lastRetry  = 5 * time.Second
)

// topic is one raw topic and what becomes of its records.
type topic struct {
	stage    *Stage
	name     string
	declared *mapping.Topic
	decode   decoder
	log      *zap.Logger
	id       kadm.TopicID          // of the log that is read
	trouble  atomic.Pointer[error] // why it does not go on; nil: it does
}

// run normalises the topic until ctx ends. Whatever goes wrong with Kafka ends the client, and with it a transaction that is open; another takes
// up where the last one committed.
func (t *topic) run(ctx context.Context) error {
	for wait := firstRetry; ctx.Err() == nil; wait = min(2*wait, lastRetry) {
		started := time.Now()
		err := t.session(ctx)
		switch {
		case ctx.Err() != nil:
			return nil
		case err == nil: // a batch was left out
			wait = firstRetry / 2
			continue
		}
		if fatal := t.hopeless(err); fatal != nil {
			return fatal
		}
		if time.Since(started) > time.Minute {
			wait = firstRetry
		}
		t.stalled(err)
		t.log.Warn("normalise: start over", zap.Error(err), zap.Duration("retry_in", wait))
		pause(ctx, wait)
	}
	return nil
}

// hopeless returns an error that another client would meet again, in words that say what to do; nil for others.
func (t *topic) hopeless(err error) error {
	switch {
	case errors.Is(err, kerr.FencedInstanceID):
		return fmt.Errorf("another process of the group %s has the instance id %s: give each its own kafka.instance_id: %w", t.stage.config.Group, t.stage.config.Instance, err)
	case errors.Is(err, kerr.OffsetOutOfRange):
		return fmt.Errorf("%s: records were deleted before they were normalised: raise the topic's retention; to accept the loss, stop the stage and set the offsets of the group %s "+
			"(kafka-consumer-groups --reset-offsets --to-earliest --topic %s): %w", t.name, t.stage.config.Group, t.name, err)
	}
	return nil
}

// stalled notes why the topic does not go on; nil: it does.
func (t *topic) stalled(err error) {
	why, stalled := &err, 1.0
	if err == nil {
		why, stalled = nil, 0
	}
	t.trouble.Store(why)
	t.stage.metrics.stalled.WithLabelValues(t.name).Set(stalled)
}

// left notes how old what a poll returned is, where more waits behind it: by then it has been normalised.
func (t *topic) left(fetches kgo.Fetches) {
	fetches.EachPartition(func(p kgo.FetchTopicPartition) {
		if len(p.Records) == 0 {
			return
		}
		last, age := p.Records[len(p.Records)-1], 0.0
		if last.Offset+1 < p.HighWatermark {
			age = max(time.Since(last.Timestamp).Seconds(), 0)
		}
		t.stage.metrics.lag.WithLabelValues(t.name, strconv.Itoa(int(p.Partition))).Set(age)
	})
}

// lost forgets partitions that are others' now.
func (t *topic) lost(_ context.Context, _ *kgo.Client, lost map[string][]int32) {
	for _, p := range lost[t.name] {
		t.stage.metrics.lag.DeleteLabelValues(t.name, strconv.Itoa(int(p)))
	}
}

func (t *topic) connect(life context.Context) (*kgo.GroupTransactSession, error) {
	c := t.stage.config
	member := c.Instance + "/" + t.name
	if c.Instance == "" {
		member = uuid.NewString() + member // else processes would fence each other off
	}
	options := append([]kgo.Opt{}, c.Kafka...)
	options = append(options,
		kgo.WithContext(life),
		kgo.ConsumerGroup(c.Group),
		kgo.ConsumeTopics(t.name),
		kgo.Balancers(kgo.CooperativeStickyBalancer()),
		kgo.SessionTimeout(c.SessionTimeout),
		kgo.HeartbeatInterval(c.SessionTimeout/5),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.ConsumeStartOffset(kgo.NewOffset().AtStart()),
		kgo.ConsumeResetOffset(kgo.NoResetOffset()), // never jump
		kgo.FetchMaxWait(250*time.Millisecond),
		kgo.FetchMaxPartitionBytes(pollBytes),
		kgo.WithDecompressor(unpack.New(0)), // a batch is bounded
		kgo.TransactionalID(c.Group+"/"+member),
		kgo.TransactionTimeout(transactionTimeout),
		kgo.RecordDeliveryTimeout(transactionTimeout),
		kgo.ProducerLinger(0),
		kgo.OnPartitionsRevoked(t.lost),
		kgo.OnPartitionsLost(t.lost),
		kgo.RecordPartitioner(kgo.StickyKeyPartitioner(nil)), // as Java's clients and the collector
	)
	if c.Instance != "" {
		options = append(options, kgo.InstanceID(member))
	}
	session, err := kgo.NewGroupTransactSession(options...)
	if err != nil {
		return nil, fmt.Errorf("kafka client: %w", err)
	}
	return session, nil
}

// session normalises what the group gives it until ctx ends, an error makes the client's state doubtful, or batches were left out: to go on
// behind one, another client has to.
func (t *topic) session(ctx context.Context) error {
	life, cut := context.WithCancel(context.WithoutCancel(ctx)) // a transaction that was begun is ended
	defer cut()
	session, err := t.connect(life)
	if err != nil {
		return err
	}
	defer source.Leave(session.Close, cut)
	if err := t.identify(ctx, session.Client()); err != nil {
		return err
	}
	for {
		fetches := session.PollRecords(ctx, pollRecords)
		if ctx.Err() != nil {
			return nil
		}
		committed := true
		if fetches.NumRecords() > 0 {
			if committed, err = t.transact(ctx, session, fetches.Records()); err != nil {
				return err
			}
		}
		// After the records in front of what cannot be read: to leave that out is to commit them as well.
		if err := t.readErrors(fetches); err != nil {
			return err
		}
		if batches, met := tooLarge(fetches); met {
			if !committed {
				return errRebalanced
			}
			return t.skip(ctx, session, batches)
		}
		t.left(fetches)
		t.stalled(nil)
	}
}

// identify finds out which log the topic's name means.
func (t *topic) identify(ctx context.Context, client *kgo.Client) error {
	listed, err := kadm.NewClient(client).ListTopics(ctx, t.name)
	if err != nil {
		return fmt.Errorf("ask kafka for %s: %w", t.name, err)
	}
	found, ok := listed[t.name]
	if !ok || errors.Is(found.Err, kerr.UnknownTopicOrPartition) {
		return fmt.Errorf("the topic %s does not exist: create it, or correct normalise.topics", t.name)
	}
	t.id = found.ID
	return found.Err
}

func (t *topic) source(partition int32) string {
	return source.ID{Topic: t.name, Partition: partition, TopicID: t.id}.String()
}

// errRebalanced says that what a poll returned is another member's now, or to be read again.
var errRebalanced = errors.New("the group was rebalanced")

// readErrors sees to what could not be fetched, but for batches that are too large. The client repeats most by itself.
func (t *topic) readErrors(fetches kgo.Fetches) (fatal error) {
	fetches.EachError(func(_ string, partition int32, err error) {
		t.log.Error("fetch failed", zap.Int32("partition", partition), zap.Error(err))
		switch {
		case errors.Is(err, kerr.OffsetOutOfRange), errors.Is(err, kerr.UnknownTopicID), errors.Is(err, kerr.FencedInstanceID):
			fatal = errors.Join(fatal, err)
		case errors.As(err, new(*kgo.ErrGroupSession)):
			t.stalled(err)
		}
	})
	return fatal
}

// transact normalises the records and writes what they make, with their offsets, as one transaction. After a rebalance it is given up,
// and whoever has the partition then reads them again.
func (t *topic) transact(ctx context.Context, session *kgo.GroupTransactSession, raw []*kgo.Record) (committed bool, err error) {
	out, err := t.normalise(ctx, raw) // may wait; no transaction is open
	if err != nil {
		return false, err
	}
	stopping := ctx
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), transactionTimeout)
	defer cancel()
	defer context.AfterFunc(stopping, func() { time.AfterFunc(endTimeout, cancel) })()
	if err := session.Begin(); err != nil {
		return false, fmt.Errorf("begin transaction: %w", err)
	}
	if err := produce(ctx, session, out.records); err != nil {
		t.stage.metrics.transactions.WithLabelValues(t.name, "failed").Inc()
		return false, errors.Join(fmt.Errorf("produce %d records: %w", len(out.records), err), abort(ctx, session))
	}
	committed, err = session.End(ctx, kgo.TryCommit)
	if err != nil {
		t.stage.metrics.transactions.WithLabelValues(t.name, "failed").Inc()
		return false, fmt.Errorf("commit: %w", err)
	}
	if !committed {
		t.stage.metrics.transactions.WithLabelValues(t.name, "aborted").Inc()
		t.log.Info("the group was rebalanced: the records are normalised again", zap.Int("records", len(raw)))
		return false, nil
	}
	t.stage.metrics.transactions.WithLabelValues(t.name, "committed").Inc()
	out.count(t)
	return true, out.batch.Written(ctx)
}

// produce returns when Kafka has all records, or at the end of ctx: ProduceSync would wait for a broker that hangs, whatever ctx says.
func produce(ctx context.Context, session *kgo.GroupTransactSession, records []*kgo.Record) error {
	results := make(chan error, len(records))
	for _, r := range records {
		session.Produce(ctx, r, func(_ *kgo.Record, err error) { results <- err })
	}
	for range records {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case err := <-results:
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// abort ends a transaction that failed, so that readers need not wait for its timeout.
func abort(ctx context.Context, session *kgo.GroupTransactSession) error {
	_, err := session.End(ctx, kgo.TryAbort)
	return err
}

// pause waits, or until ctx ends.
func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}
