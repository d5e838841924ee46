package pipeline

import (
	"context"
	"fmt"
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
	seen := observations{map[string]statement{}, map[string]standing{}}
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-ticker.C:
			if err := p.observe(ctx, store, now, seen); err != nil && ctx.Err() == nil {
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

// standing is where a source was first seen to stand with records of the log left, and when.
type standing struct {
	position uint64
	since    time.Time
}

// observations are what is remembered of the sources from one measurement to the next, by their names.
type observations struct {
	stated   map[string]statement
	standing map[string]standing
}

func (p *Pipeline) observe(ctx context.Context, store ProgressStore, now time.Time, seen observations) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	ends, err := p.broker.Admin.ListCommittedOffsets(ctx, p.cfg.TopicNames()...)
	if err != nil {
		return err
	}
	highs, err := p.broker.Admin.ListEndOffsets(ctx, p.cfg.TopicNames()...)
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
		if !ok || end.Err != nil {
			continue
		}
		high := end.Offset
		if h, ok := highs.Lookup(s.ID.Topic, s.ID.Partition); ok && h.Err == nil {
			high = max(high, h.Offset)
		}
		p.measure(s, high, commits, seen.stands(s, high, now), now)
		if !s.Folding {
			continue
		}
		is := statement{s.Position, uint64(end.Offset), now} //nolint:gosec // an offset
		was := seen.stated[s.ID.String()]
		if was.position == is.position && was.end == is.end && now.Sub(was.at) < restateEvery {
			continue
		}
		seen.stated[s.ID.String()] = is
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

// stands returns for how long the source has stood where it is, with records left before the log's end at high.
func (o *observations) stands(s worker.Status, high int64, now time.Time) time.Duration {
	key := fmt.Sprintf("%s/%d", s.ID.Topic, s.ID.Partition)
	if high <= int64(s.Position) { //nolint:gosec // an offset
		delete(o.standing, key)
		return 0
	}
	was, ok := o.standing[key]
	if !ok || was.position != s.Position {
		was = standing{s.Position, now}
		o.standing[key] = was
	}
	return now.Sub(was.since)
}

// measure sets the metrics of a source whose log ends at high, records of open transactions included. A record that cannot even be
// fetched, or is not folded as the source still recovers, has no timestamp here: it has waited for as long as the source stands.
//
// It does nothing when the source was taken away meanwhile: its metrics are forgotten, and must stay so.
func (p *Pipeline) measure(s worker.Status, high int64, commits kadm.OffsetResponses, stands time.Duration, now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.workers[partition{s.ID.Topic, s.ID.Partition}] == nil {
		return
	}
	m, label := p.cfg.Metrics, metrics.Partition(s.ID.Topic, s.ID.Partition)
	m.LagRecords.WithLabelValues(label...).Set(float64(max(high-int64(s.Position), 0))) //nolint:gosec // an offset
	if c, ok := commits.Lookup(s.ID.Topic, s.ID.Partition); ok && c.At >= 0 {
		m.Uncommitted.WithLabelValues(label...).Set(float64(max(high-c.At, 0)))
	}
	age := stands
	if !s.Oldest.IsZero() {
		age = max(age, now.Sub(s.Oldest))
	}
	m.LagSeconds.WithLabelValues(label...).Set(age.Seconds())
	stopped := 0.0
	if s.Stopped != "" {
		stopped = 1
	}
	m.Stopped.WithLabelValues(label...).Set(stopped)
}
