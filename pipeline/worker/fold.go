package worker

import (
	"context"
	"fmt"

	"github.com/twmb/franz-go/pkg/kgo"

	"tidemark/pipeline/decode"
	"tidemark/pipeline/metrics"
	"tidemark/sinks/kafka"
)

// foldQueued folds one fetched batch and comes back for the next.
func (w *Worker) foldQueued(ctx context.Context) error {
	records := w.queue.get()
	if records == nil {
		return nil
	}
	if err := w.fold(ctx, records); err != nil {
		return err
	}
	reach("folded")
	if w.Links {
		w.links = link(w.links, records)
	}
	w.folded += len(records)
	w.samples = append(w.samples, records[0].Timestamp, records[len(records)-1].Timestamp)
	w.publish()
	w.note(w.pending())
	return nil
}

// note tells the backlog how many rows there are to write, and whether there are any beside those that are on their way.
func (w *Worker) note(rows int) {
	w.Backlog.add(rows - w.noted)
	w.Backlog.wait(w.id, rows > 0)
	w.noted = rows
}

func (w *Worker) fold(ctx context.Context, records []*kgo.Record) error {
	before, over := w.core.prefix, w.core.Over()
	for i, r := range records {
		rec := record(r)
		if rec.Offset < w.core.Position() {
			continue // fetched from an older commit than the one recovered from
		}
		if r.Attrs.IsControl() { // the end of a transaction: nothing to fold, but the log has moved on
			w.core.Pass(rec.Offset)
			continue
		}
		if w.refused(r) {
			continue
		}
		v, rej := w.core.Step(&rec)
		for tries := 0; v == Blocked; tries++ {
			if tries > 3 {
				return fmt.Errorf("offset %d of %s stays blocked after loading", rec.Offset, w.id)
			}
			if err := w.load(ctx, records[i:min(i+ahead, len(records))]); err != nil {
				return err
			}
			v, rej = w.core.Step(&rec)
		}
		if v == DeadLettered {
			w.deadLetter(r, rej)
		}
	}
	after := w.core.prefix
	label := metrics.Partition(w.topic, w.partition)
	count := func(result string, n uint64) {
		w.Metrics.Records.WithLabelValues(append(label, result)...).Add(float64(n))
	}
	count("applied", after.Applied-before.Applied)
	count("duplicate", after.Duplicate-before.Duplicate)
	count("filtered", after.Filtered-before.Filtered)
	count("dead_lettered", after.DeadLettered-before.DeadLettered)
	w.Metrics.FeaturesOver.Add(float64(w.core.Over() - over))
	return nil
}

func (w *Worker) deadLetter(r *kgo.Record, rej *decode.Rejection) {
	if w.spec.Forgotten.Key(r.Key) {
		return
	}
	if w.LettersFrom == nil || r.Offset >= w.LettersFrom(w.topic, w.partition) {
		w.deadBytes += len(r.Key) + len(r.Value)
		w.dead = append(w.dead, kafka.DeadLetter(w.DeadLetters, w.spec.Source, r, rej.Reason, rej.Detail, rej.Field))
	}
	w.Metrics.DeadLetters.WithLabelValues(w.topic, string(rej.Reason)).Inc()
}
