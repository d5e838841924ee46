//go:build synctests

package pipeline_test

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"tidemark/pipeline/worker"
	"tidemark/sinks/clickhouse"
	"tidemark/sinks/kafka"
)

// place is a position in a source's log.
type place struct {
	source string
	offset uint64
}

// straight folds the log as it is now in one go, and adds the rows to the truth. It returns the account of every prefix.
func (w *world) straight() map[place]clickhouse.Checkpoint {
	accounts := map[place]clickhouse.Checkpoint{}
	cores := map[int32]*worker.Core{}
	points := map[int32]*clickhouse.Checkpoint{}
	for n := range w.partitions {
		cores[n] = w.core(n)
		points[n] = &clickhouse.Checkpoint{Source: w.sourceOf(n)}
	}
	w.each("telemetry", func(r *kgo.Record) {
		p := points[r.Partition]
		v, _ := cores[r.Partition].Step(record(r))
		p.Offset, p.Received = uint64(r.Offset)+1, p.Received+1
		switch v {
		case worker.Applied:
			p.Applied++
		case worker.Duplicate:
			p.Duplicate++
		case worker.Filtered:
			p.Filtered++
		case worker.DeadLettered:
			p.DeadLettered++
		default:
			require.Fail(w.t, "a core that has seen the whole log needs nothing loaded")
		}
		p.Watermark = cores[r.Partition].Watermark()
		accounts[place{p.Source, p.Offset}] = *p
	})
	for _, c := range cores {
		w.truth.Apply(c.Take().Rows, nil)
	}
	return accounts
}

// each reads a topic from its start to its end.
func (w *world) each(topic string, fn func(*kgo.Record)) {
	from := map[int32]kgo.Offset{}
	left := int64(0)
	for _, p := range w.kafka.PartitionInfos(topic) {
		from[p.Partition] = kgo.NewOffset().At(0)
		left += p.HighWatermark
	}
	client := w.connect(kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: from}))
	defer client.Close()
	ctx, cancel := context.WithTimeout(w.ctx, time.Hour)
	defer cancel()
	for left > 0 {
		fetches := client.PollFetches(ctx)
		require.NoError(w.t, fetches.Err())
		fetches.EachRecord(func(r *kgo.Record) {
			left--
			fn(r)
		})
	}
}

// verify requires that the rows are those of one straight run over each partition, that every checkpoint is the account of
// its prefix, and that every dead letter is in the topic too. It returns how many rows were compared.
func (w *world) verify() int {
	accounts := w.straight()
	differences := w.model.Differences(w.truth)
	if n := len(differences); n > 0 {
		require.Fail(w.t, strconv.Itoa(n)+" rows differ", strings.Join(differences[:min(n, 20)], "\n"))
	}
	points := w.model.Checkpoints()
	for _, p := range points {
		require.Equal(w.t, p.Received, p.Applied+p.Duplicate+p.Filtered+p.DeadLettered, "%s to %d", p.Source, p.Offset)
		if want, ok := accounts[place{p.Source, p.Offset}]; ok { // else of a topic that is gone
			got := p
			got.MaxEventTime, got.LogTime, got.Catalogue = 0, 0, ""
			require.Equal(w.t, want, got)
		}
	}
	dead := map[place]bool{}
	w.each("dead", func(r *kgo.Record) {
		var at place
		for _, h := range r.Headers {
			switch h.Key {
			case kafka.HeaderSource:
				at.source = string(h.Value)
			case kafka.HeaderOffset:
				offset, err := strconv.ParseUint(string(h.Value), 10, 64)
				require.NoError(w.t, err)
				at.offset = offset
			}
		}
		dead[at] = true
	})
	for _, at := range w.model.DeadLetters() {
		require.True(w.t, dead[place{at.Source, at.Offset}], "the dead letter of %s at %d is not in the topic", at.Source, at.Offset)
	}
	return w.model.Rows() + len(points)
}

// core returns a core that begins at the start of the partition.
func (w *world) core(partition int32) *worker.Core {
	spec := w.spec()
	spec.Source = w.sourceOf(partition)
	return worker.NewCore(spec, 0)
}

// read hands over all that the partition holds.
func (w *world) read(partition int32, to func(*worker.Record)) {
	end := uint64(w.kafka.PartitionInfo("telemetry", partition).HighWatermark)
	require.NoError(w.t, w.id(partition).ReadRange(w.ctx, w.options(w.dial), 0, end, func(r *kgo.Record) {
		to(record(r))
	}))
}

func record(r *kgo.Record) *worker.Record {
	return &worker.Record{Offset: uint64(r.Offset), Time: r.Timestamp.UnixMilli(), Key: r.Key, Value: r.Value}
}
