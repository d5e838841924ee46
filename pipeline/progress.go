package pipeline

import (
	"context"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"go.uber.org/zap"

	"tidemark/pipeline/metrics"
	"tidemark/pipeline/worker"
	"tidemark/sinks/clickhouse"
)

const (
	// observeEvery is how often lag is measured.
	observeEvery = time.Second
	// restateEvery is how often a source that does not move says so in ClickHouse, where completeness is read.
	restateEvery = 10 * time.Second
)

// ProgressStore keeps observations of where sources stand.
type ProgressStore interface {
	WriteProgress(ctx context.Context, p *clickhouse.Progress) error
}

// Observe measures the lag of this instance's sources until ctx ends: for Prometheus, and for the views, which learn from
// it that an idle source holds nothing back.
func (p *Pipeline) Observe(ctx context.Context, store ProgressStore) {
	ticker := time.NewTicker(observeEvery)
	defer ticker.Stop()
	stated := map[string]statement{}
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-ticker.C:
			if err := p.observe(ctx, store, now, stated); err != nil && ctx.Err() == nil {
				p.cfg.Log.Warn("lag not measured", zap.Error(err))
			}
		}
	}
}

// statement is what ClickHouse was last told of a source.
type statement struct {
	position, end uint64
	at            time.Time
}

func (p *Pipeline) observe(ctx context.Context, store ProgressStore, now time.Time, stated map[string]statement) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	ends, err := p.broker.Admin.ListCommittedOffsets(ctx, p.cfg.TopicNames()...)
	if err != nil {
		return err
	}
	topics := p.present(ends)
	all := p.Status()
	if len(all) == 0 || len(topics) == 0 {
		return nil
	}
	commits, err := p.broker.Admin.FetchOffsetsForTopics(ctx, p.cfg.Group, topics...)
	if err != nil {
		return err
	}
	var rows clickhouse.Progress
	for _, s := range all {
		end, ok := ends.Lookup(s.ID.Topic, s.ID.Partition)
		if !ok || end.Err != nil || !s.Folding {
			continue
		}
		p.measure(s, end, commits, now)
		is := statement{s.Position, uint64(end.Offset), now} //nolint:gosec // an offset
		was := stated[s.ID.String()]
		if was.position == is.position && was.end == is.end && now.Sub(was.at) < restateEvery {
			continue
		}
		stated[s.ID.String()] = is
		rows.Source = append(rows.Source, s.ID.String())
		rows.ObservedAt = append(rows.ObservedAt, now.UnixMilli())
		rows.Position = append(rows.Position, is.position)
		rows.EndOffset = append(rows.EndOffset, is.end)
		rows.Watermark = append(rows.Watermark, max(s.Watermark, 0))
		rows.Instance = append(rows.Instance, p.cfg.InstanceID)
	}
	if len(rows.Source) == 0 {
		return nil
	}
	return store.WriteProgress(ctx, &rows)
}

func (p *Pipeline) measure(s worker.Status, end kadm.ListedOffset, commits kadm.OffsetResponses, now time.Time) {
	m, label := p.cfg.Metrics, metrics.Partition(s.ID.Topic, s.ID.Partition)
	m.LagRecords.WithLabelValues(label...).Set(float64(max(end.Offset-int64(s.Position), 0))) //nolint:gosec // an offset
	if c, ok := commits.Lookup(s.ID.Topic, s.ID.Partition); ok && c.At >= 0 {
		m.Uncommitted.WithLabelValues(label...).Set(float64(max(end.Offset-c.At, 0)))
	}
	age := 0.0
	if !s.Oldest.IsZero() {
		age = max(now.Sub(s.Oldest).Seconds(), 0)
	}
	m.LagSeconds.WithLabelValues(label...).Set(age)
}
