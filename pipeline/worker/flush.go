package worker

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/sethvargo/go-retry"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"go.opentelemetry.io/otel/trace"
	"go.uber.org/zap"

	"tidemark/pipeline/metrics"
	"tidemark/pipeline/source"
	"tidemark/sinks/clickhouse"
)

// Store is ClickHouse as the pipeline uses it. Tests put a model with faults in its place.
type Store interface {
	Write(ctx context.Context, rows *clickhouse.Batch) error
	WriteCheckpoints(ctx context.Context, p *clickhouse.Checkpoints) error
	OpenCounters(ctx context.Context, source string, watermark int64) (*clickhouse.Counters, error)
	WindowCounters(ctx context.Context, source string, keys []clickhouse.WindowKey) (*clickhouse.Counters, error)
	UserAccounts(ctx context.Context, source string, users []uint64, before uint64) (map[uint64]string, error)
	Checkpoint(ctx context.Context, source string, offset uint64) (clickhouse.Checkpoint, bool, error)
	LastCheckpoint(ctx context.Context, source string) (offset uint64, found bool, err error)
}

const (
	// writeTimeout bounds one attempt to write; a server that hangs is tried again on another connection.
	writeTimeout = 60 * time.Second
	// firstRetry and lastRetry bound the pause between attempts: the first soon, for a restart; the last not so late that
	// a recovered ClickHouse is left idle.
	firstRetry = 100 * time.Millisecond
	lastRetry  = 5 * time.Second
	// commitTimeout bounds one commit, which nothing is written during: records must not be late because a coordinator is away or a rebalance
	// under way. The next flush commits anyhow.
	commitTimeout = 3 * time.Second
)

// Flusher writes the flushes of all sources of an instance, those that wait together in one: dead letters, rows,
// checkpoints, then the commit (invariant 3). Writing many sources' rows in one INSERT keeps the parts in ClickHouse few.
type Flusher struct {
	store   Store
	client  *kgo.Client
	log     *zap.Logger
	metrics *metrics.Pipeline
	tracer  trace.Tracer
	backlog *Backlog
	gather  time.Duration // the longest that a round waits for another flush
	in      chan *request
	joined  clickhouse.Batch // the rows of a round, in one
}

const (
	// lookEvery is how often a round that waits looks whether there still is another flush to wait for.
	lookEvery = 5 * time.Millisecond
	// patient is how long, in times of gather, a round waits whose sources are behind: they are busy folding, and in no hurry.
	patient = 2
)

// request is one source's flush, on its way.
type request struct {
	ctx    context.Context //nolint:containedctx // the source's life: a source given up takes its requests with it
	id     source.ID
	flush  Flush
	from   uint64 // offset of the first record
	dead   []*kgo.Record
	links  []trace.Link
	behind bool       // the source has more to fold than it can in an interval
	done   chan error // receives once
}

// maxRequests bounds the flushes that wait; a source has at most one on its way, so this is never the limit in practice.
const maxRequests = 1024

// NewFlusher returns a flusher that commits with, and produces dead letters through, the client, for sources that flush
// every interval and share the backlog. Without a provider there are no traces.
func NewFlusher(store Store, client *kgo.Client, interval time.Duration, backlog *Backlog, log *zap.Logger, m *metrics.Pipeline, traces trace.TracerProvider) *Flusher {
	return &Flusher{
		store: store, client: client, log: log, metrics: m, tracer: tracer(traces), backlog: backlog, gather: interval / 4, in: make(chan *request, maxRequests),
	}
}

// Run writes flushes until ctx ends.
func (f *Flusher) Run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case first := <-f.in:
			f.round(ctx, f.joining(ctx, first))
		}
	}
}

// joining returns a flush and those that it waits for. Sources flush at the same moments, but on a busy machine one may come late; alone, it
// would cost ClickHouse as much as all.
func (f *Flusher) joining(ctx context.Context, first *request) []*request {
	round, since := []*request{first}, time.Now()
	for {
		for len(f.in) > 0 { // nobody else receives
			round, since = append(round, <-f.in), time.Now()
		}
		waits, wait := f.backlog.waitsBeside(round), f.gather
		if round[len(round)-1].behind {
			waits, wait = true, patient*f.gather
		}
		if !waits || time.Since(since) >= wait {
			return round
		}
		select {
		case <-time.After(lookEvery):
		case <-ctx.Done(): // round tells
			return round
		}
	}
}

// round writes some sources' flushes together, however long that takes, and tells each.
func (f *Flusher) round(ctx context.Context, round []*request) {
	start := time.Now()
	ctx, span := f.span(ctx, round)
	err := retry.Do(ctx, retry.WithCappedDuration(lastRetry, retry.NewExponential(firstRetry)), func(ctx context.Context) error {
		round = living(round)
		if len(round) == 0 {
			return nil
		}
		if err := f.write(ctx, round); err != nil {
			f.metrics.Inserts.WithLabelValues("retried").Inc()
			span.RecordError(err)
			f.log.Error("flush failed; trying again until it succeeds", zap.Int("sources", len(round)), zap.Error(err))
			return retry.RetryableError(err)
		}
		f.metrics.Inserts.WithLabelValues("ok").Inc()
		return nil
	})
	if err == nil && len(round) > 0 {
		reach("checkpoints acknowledged")
		f.commit(ctx, round)
		f.metrics.FlushTime.Observe(time.Since(start).Seconds())
	}
	end(span, err)
	for _, r := range round {
		r.done <- err
	}
}

// living drops the requests of sources that were given up, and tells them.
func living(round []*request) []*request {
	var alive []*request
	for _, r := range round {
		if err := r.ctx.Err(); err != nil {
			r.done <- err
		} else {
			alive = append(alive, r)
		}
	}
	return alive
}

func (f *Flusher) write(ctx context.Context, round []*request) error {
	ctx, cancel := context.WithTimeout(ctx, writeTimeout)
	defer cancel()
	var dead []*kgo.Record
	var points clickhouse.Checkpoints
	batches := make([]*clickhouse.Batch, 0, len(round))
	for _, r := range round {
		batches = append(batches, r.flush.Rows)
		for _, d := range r.dead {
			dead = append(dead, &kgo.Record{Topic: d.Topic, Key: d.Key, Value: d.Value, Headers: d.Headers})
		}
		points.Add(r.flush.Checkpoint)
	}
	reach("flush begun")
	rows := clickhouse.Join(&f.joined, batches)
	if err := f.client.ProduceSync(ctx, dead...).FirstErr(); err != nil {
		return fmt.Errorf("produce %d dead letters: %w", len(dead), err)
	}
	reach("dead letters acknowledged")
	if err := f.store.Write(ctx, rows); err != nil {
		return fmt.Errorf("flush %s: %w", describe(round), err)
	}
	reach("rows acknowledged")
	f.metrics.FlushRows.Observe(float64(rows.Rows()))
	if err := f.store.WriteCheckpoints(ctx, &points); err != nil {
		return fmt.Errorf("flush %s: %w", describe(round), err)
	}
	return nil
}

// describe names the round's first flush, as in "telemetry/3@… to offset 812 and 2 more".
func describe(round []*request) string {
	text := fmt.Sprintf("%s to offset %d", round[0].id, round[0].flush.Checkpoint.Offset)
	if len(round) > 1 {
		text += fmt.Sprintf(" and %d more", len(round)-1)
	}
	return text
}

// commit commits what has been written. A commit that fails loses nothing: the rows are there, the next flush commits
// further, and a successor that starts from an older commit comes to the same rows.
func (f *Flusher) commit(ctx context.Context, round []*request) {
	offsets := map[string]map[int32]kgo.EpochOffset{}
	for _, r := range round {
		if offsets[r.id.Topic] == nil {
			offsets[r.id.Topic] = map[int32]kgo.EpochOffset{}
		}
		offsets[r.id.Topic][r.id.Partition] = kgo.EpochOffset{Epoch: -1, Offset: int64(r.flush.Checkpoint.Offset)} //nolint:gosec // an offset
	}
	ctx, cancel := context.WithTimeout(ctx, commitTimeout)
	defer cancel()
	ctx, span := f.tracer.Start(ctx, "commit")
	ctx = kgo.PreCommitFnContext(ctx, func(req *kmsg.OffsetCommitRequest) error { return annotate(req, round) })
	var err error
	f.client.CommitOffsetsSync(ctx, offsets, func(_ *kgo.Client, _ *kmsg.OffsetCommitRequest, resp *kmsg.OffsetCommitResponse, e error) {
		err = e
		if e == nil {
			for _, t := range resp.Topics {
				for _, p := range t.Partitions {
					err = errors.Join(err, kerr.ErrorForCode(p.ErrorCode))
				}
			}
		}
	})
	end(span, err)
	if err != nil {
		f.metrics.Commits.WithLabelValues("failed").Inc()
		f.log.Warn("commit failed; the next flush commits further", zap.String("flush", describe(round)), zap.Error(err))
		return
	}
	reach("commit acknowledged")
	f.metrics.Commits.WithLabelValues("ok").Inc()
}

// errGivenUp is why nothing is committed: others may have committed further.
var errGivenUp = errors.New("the sources were given up meanwhile")

// annotate adds the metadata to a commit, and takes out of it the sources that were given up. The client calls it once the commit has its
// generation: sources are given up before the group has another one, so a commit that waited for that never moves a successor's back.
func annotate(req *kmsg.OffsetCommitRequest, round []*request) error {
	texts := map[source.ID]string{} // without the topic's id
	for _, r := range round {
		if r.ctx.Err() != nil {
			continue
		}
		p := &r.flush.Checkpoint
		texts[source.ID{Topic: r.id.Topic, Partition: r.id.Partition}] = source.Metadata{
			TopicID: r.id.Log(), Watermark: p.Watermark, WarmFrom: r.flush.WarmFrom, Catalogue: p.Catalogue, OpenRows: r.flush.OpenRows, Forgotten: r.flush.Forgotten,
		}.String()
	}
	for i := range req.Topics {
		t := &req.Topics[i]
		t.Partitions = slices.DeleteFunc(t.Partitions, func(p kmsg.OffsetCommitRequestTopicPartition) bool {
			_, ok := texts[source.ID{Topic: t.Topic, Partition: p.Partition}]
			return !ok
		})
		for j := range t.Partitions {
			t.Partitions[j].Metadata = kmsg.StringPtr(texts[source.ID{Topic: t.Topic, Partition: t.Partitions[j].Partition}])
		}
	}
	req.Topics = slices.DeleteFunc(req.Topics, func(t kmsg.OffsetCommitRequestTopic) bool { return len(t.Partitions) == 0 })
	if len(req.Topics) == 0 {
		return errGivenUp
	}
	return nil
}
