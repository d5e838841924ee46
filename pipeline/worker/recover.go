package worker

import (
	"context"
	"fmt"
	"time"

	"github.com/sethvargo/go-retry"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"go.uber.org/zap"

	"tidemark/pipeline/source"
	"tidemark/sinks/clickhouse"
)

// StopError is why a source cannot go on without a person. It says what to do.
type StopError struct{ Reason string }

// Error makes the reason printable.
func (e *StopError) Error() string { return e.Reason }

func stop(format string, args ...any) error { return &StopError{fmt.Sprintf(format, args...)} }

// replicaPatience is how long recovery waits for rows that a commit promises: a replica may still be catching up.
const replicaPatience = 30 * time.Second

// Broker is what recovery asks of Kafka.
type Broker struct {
	Client *kgo.Client
	Admin  *kadm.Client
	Group  string
	Read   []kgo.Opt // to open a connection of its own, for re-reading a range
}

// Start is where a source's log and its commit stood when the source was assigned. Fetching and recovery both begin there: the commit
// may move back afterwards, when one that was made before gets through late.
type Start struct {
	id           source.ID
	first, end   uint64 // the log
	committed    uint64
	hasCommitted bool
	metadata     string
}

// Fetch returns where fetching starts: at the commit; without one, and when it is of a log that was there before under the topic's
// name, at the log's start.
func (s *Start) Fetch() kgo.Offset {
	meta, err := source.ParseMetadata(s.metadata)
	if !s.hasCommitted || err == nil && meta.TopicID != s.id.Log() {
		return kgo.NoResetOffset().At(int64(s.first)) //nolint:gosec // an offset
	}
	return kgo.NoResetOffset().At(int64(s.committed)) //nolint:gosec // an offset
}

// Locate asks Kafka where the source stands.
func (b *Broker) Locate(ctx context.Context, topic string, partition int32) (s Start, err error) {
	if s.id, err = b.identify(ctx, topic, partition); err != nil {
		return s, fmt.Errorf("describe topic %s: %w", topic, err)
	}
	first, err := b.Admin.ListStartOffsets(ctx, topic)
	if err == nil {
		err = first.Error()
	}
	if err != nil {
		return s, fmt.Errorf("list the start of %s: %w", s.id, err)
	}
	end, err := b.Admin.ListCommittedOffsets(ctx, topic)
	if err == nil {
		err = end.Error()
	}
	if err != nil {
		return s, fmt.Errorf("list the end of %s: %w", s.id, err)
	}
	f, _ := first.Lookup(topic, partition)
	e, ok := end.Lookup(topic, partition)
	if !ok {
		return s, fmt.Errorf("partition %s does not exist", s.id)
	}
	s.first, s.end = uint64(f.Offset), uint64(e.Offset) //nolint:gosec // offsets
	commits, err := b.Admin.FetchOffsetsForTopics(ctx, b.Group, topic)
	if err == nil {
		err = commits.Error()
	}
	if err != nil {
		return s, fmt.Errorf("fetch the commit of %s: %w", s.id, err)
	}
	if c, ok := commits.Lookup(topic, partition); ok && c.At >= 0 {
		s.committed, s.hasCommitted, s.metadata = uint64(c.At), true, c.Metadata
	}
	return s, nil
}

// identify asks for the topic's id, past the client's cache: a topic that was just created anew has another one.
func (b *Broker) identify(ctx context.Context, topic string, partition int32) (source.ID, error) {
	req := kmsg.NewPtrMetadataRequest()
	t := kmsg.NewMetadataRequestTopic()
	t.Topic = kmsg.StringPtr(topic)
	req.Topics = append(req.Topics, t)
	resp, err := req.RequestWith(ctx, b.Client)
	if err != nil {
		return source.ID{}, err
	}
	if len(resp.Topics) != 1 {
		return source.ID{}, fmt.Errorf("the broker answers for %d topics", len(resp.Topics))
	}
	return source.ID{Topic: topic, Partition: partition, TopicID: resp.Topics[0].TopicID}, kerr.ErrorForCode(resp.Topics[0].ErrorCode)
}

// recovered makes the core that goes on where the commit stands. A StopError means that going on would be a guess.
func (w *Worker) recovered(ctx context.Context, s Start) (*Core, error) {
	if !s.hasCommitted {
		return w.begin(ctx, s)
	}
	if s.metadata == "" {
		return w.adopt(ctx, s)
	}
	meta, err := source.ParseMetadata(s.metadata)
	if err != nil {
		return nil, stop("%s: %v", s.id, err)
	}
	if meta.TopicID != s.id.Log() {
		w.log.Warn("the topic was created anew: reading the new log from its start", zap.String("was", meta.TopicID))
		return w.begin(ctx, s)
	}
	if s.committed < s.first || s.committed > s.end {
		return nil, stop("%s: the committed offset %d is outside the log, which holds %d to %d: records between were deleted before they "+
			"were read. Restore the log; or accept the loss by setting the group's offset to %d (kafka-consumer-groups --reset-offsets "+
			"--to-earliest, with the pipelines stopped for kafka.session_timeout): counting goes on from there", s.id, s.committed, s.first, s.end, s.first)
	}
	if meta.Catalogue != w.spec.Program.Hash {
		w.log.Info("the catalogue has changed: new metrics count from here on", zap.Uint64("offset", s.committed),
			zap.String("was", meta.Catalogue), zap.String("is", w.spec.Program.Hash))
	}
	point, open, err := w.promised(ctx, s, meta)
	if err != nil {
		return nil, err
	}
	return w.resume(ctx, s, point, open)
}

// begin starts a source that has no commit. Rows may be there all the same: of a flush whose commit did not get through.
func (w *Worker) begin(ctx context.Context, s Start) (*Core, error) {
	last, found, err := w.store.LastCheckpoint(ctx, w.spec.Source)
	if err != nil {
		return nil, err
	}
	core := NewCore(w.spec, s.first)
	if !found {
		w.log.Info("reading a new source from the start of its log", zap.Uint64("offset", s.first))
		return core, nil
	}
	if s.first > 0 {
		return nil, stop("%s: ClickHouse has rows up to offset %d, but the group %s has no committed offset, and the log no longer starts at 0. "+
			"Set the group's offset to %d (kafka-consumer-groups --reset-offsets, with the pipelines stopped for kafka.session_timeout)", s.id, last, w.broker.Group, max(last, s.first))
	}
	open, err := w.store.OpenCounters(ctx, w.spec.Source, 0)
	if err != nil {
		return nil, err
	}
	core.Resume(clickhouse.Checkpoint{Source: w.spec.Source}, open)
	w.log.Info("nothing was committed: reading the log again from its start", zap.Uint64("rows reach", last))
	return core, nil
}

// adopt goes on from an offset that was committed by hand, with no metadata: from a checkpoint, or past a gap in the log
// whose loss somebody has accepted. Anything between would leave records uncounted, or make the account a guess.
func (w *Worker) adopt(ctx context.Context, s Start) (*Core, error) {
	last, found, err := w.store.LastCheckpoint(ctx, w.spec.Source)
	if err != nil {
		return nil, err
	}
	point, exact, err := w.store.Checkpoint(ctx, w.spec.Source, s.committed)
	if err != nil {
		return nil, err
	}
	switch {
	case s.committed < s.first || s.committed > s.end:
		return nil, stop("%s: the offset %d that was set by hand is outside the log, which holds %d to %d", s.id, s.committed, s.first, s.end)
	case exact:
	case !found && s.committed == s.first:
		return w.begin(ctx, s)
	case found && last < s.first && s.committed == s.first:
		if point, _, err = w.store.Checkpoint(ctx, w.spec.Source, last); err != nil {
			return nil, err
		}
		w.log.Warn("going on past a gap in the log, as was asked for by setting the offset by hand; the records between are lost",
			zap.Uint64("from", last), zap.Uint64("to", s.committed))
		point.Offset = s.committed
	default:
		return nil, stop("%s: the offset %d was set by hand, but is neither a checkpoint nor the end of a gap: set it to a checkpoint's "+
			"(SELECT offset FROM checkpoints WHERE source = '%s'), the last of which is %d", s.id, s.committed, s.id, last)
	}
	open, err := w.store.OpenCounters(ctx, w.spec.Source, point.Watermark)
	if err != nil {
		return nil, err
	}
	return w.resume(ctx, s, point, open)
}

// promised loads what the commit promises: its checkpoint, and the counters of the windows open at its watermark.
func (w *Worker) promised(ctx context.Context, s Start, meta source.Metadata) (point clickhouse.Checkpoint, open *clickhouse.Counters, err error) {
	backoff := retry.WithMaxDuration(replicaPatience, retry.WithCappedDuration(lastRetry, retry.NewExponential(firstRetry)))
	err = retry.Do(ctx, backoff, func(ctx context.Context) error {
		var found bool
		var err error
		if point, found, err = w.store.Checkpoint(ctx, w.spec.Source, s.committed); err != nil {
			return err
		}
		if !found {
			return retry.RetryableError(stop("%s: the checkpoint of the committed offset %d is not in ClickHouse. "+
				"Is this the database, and the replica, that it was written to?", s.id, s.committed))
		}
		if open, err = w.store.OpenCounters(ctx, w.spec.Source, meta.Watermark); err != nil {
			return err
		}
		// Since the commit somebody was forgotten: how many of the promised rows are gone with them cannot be told.
		if n := len(open.Value); n < meta.OpenRows && meta.Forgotten == w.spec.Forgotten.Len() {
			return retry.RetryableError(stop("%s: the commit at offset %d promises %d open rows, ClickHouse shows %d. "+
				"Is this the database, and the replica, that they were written to?", s.id, s.committed, meta.OpenRows, n))
		}
		return nil
	})
	point.Watermark = meta.Watermark
	return point, open, err
}

// resume makes the core that goes on from a checkpoint.
func (w *Worker) resume(ctx context.Context, s Start, point clickhouse.Checkpoint, open *clickhouse.Counters) (*Core, error) {
	core := NewCore(w.spec, s.first)
	core.Resume(point, open)
	if w.spec.Content != Accounts {
		err := s.id.ReadRange(ctx, w.broker.Read, max(core.WarmFrom(), s.first), s.committed, func(r *kgo.Record) {
			rec := record(r)
			core.Warm(&rec)
		})
		if err != nil {
			return nil, fmt.Errorf("warm the duplicate filter: %w", err)
		}
	}
	w.log.Info("going on from the committed offset", zap.Uint64("offset", s.committed), zap.Int("open rows", len(open.Value)))
	return core, nil
}

func record(r *kgo.Record) Record {
	return Record{Offset: uint64(r.Offset), Time: r.Timestamp.UnixMilli(), Key: r.Key, Value: r.Value} //nolint:gosec // an offset
}
