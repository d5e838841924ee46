//go:build synctests

package pipeline_test

import (
	"context"
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"tidemark/internal/chmodel"
	"tidemark/internal/poison"
	"tidemark/pipeline/unpack"
	"tidemark/pipeline/worker"
)

// TestBatchesTooLargeGoToTheDeadLetters: batches of gigabytes, or of very many records, cost neither the process its memory
// nor the partition its progress: they are dead letters, in the log's order, whoever reads them and where ever he begins.
//
//tidemark:proves "a batch unpacks to gigabytes": 1 5
func TestBatchesTooLargeGoToTheDeadLetters(t *testing.T) {
	// So that what is not collected yet does not count, however far behind the collector is on a busy machine.
	defer debug.SetGCPercent(debug.SetGCPercent(20))
	defer debug.SetMemoryLimit(debug.SetMemoryLimit(768 << 20))
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	in(t, func(w *world) {
		t := w.t
		m := w.join("m")
		w.produce(200)
		offsets := map[int64]int64{} // of the batches in partition 1, first to next
		put := func(batch []byte, err error) {
			require.NoError(t, err)
			first, err := poison.Produce(w.ctx, w.client, "telemetry", 1, batch)
			require.NoError(t, err)
			last := int64(batch[23])<<24 | int64(batch[24])<<16 | int64(batch[25])<<8 | int64(batch[26])
			offsets[first] = first + last + 1
			good := fmt.Appendf(nil, `{"type":"page","context":{"groupId":"a1"},"userId":"u%d"}`, first)
			_, err = poison.Produce(w.ctx, w.client, "telemetry", 1, poison.Batch(0, 1, poison.Record(nil, 0, good)))
			require.NoError(t, err)
		}
		put(poison.Bomb(kgo.CodecGzip, 512<<20))
		require.True(t, w.settle(time.Minute))
		require.Empty(t, stopped(m))
		put(poison.Bomb(kgo.CodecZstd, 1<<30))
		put(poison.Bomb(kgo.CodecLz4, 200<<20))
		w.leave(m)
		put(poison.Crowd(kgo.CodecZstd, unpack.MaxRecords+1))
		w.produce(200)
		m = w.join("m") // whose duplicate filter is warmed with what stands between the batches
		require.True(t, w.settle(time.Minute))
		w.produce(200)
		require.True(t, w.settle(time.Minute))
		require.Empty(t, stopped(m))
		require.NoError(t, m.Ready())
		w.leave(m)
		runtime.ReadMemStats(&after)
		require.Less(t, after.Sys-before.Sys, uint64(1<<30), "bytes that it took of the operating system, which Go does not take off when it gives them back")

		want := chmodel.New()
		for n := range int32(partitions) {
			core := w.core(n)
			w.read(n, func(r *worker.Record) {
				if next, ok := offsets[int64(core.Position())]; ok && n == 1 {
					_, _ = core.Refuse(core.Position(), uint64(next))
				}
				require.Equal(t, core.Position(), r.Offset)
				_, _ = core.Step(r)
			})
			want.Apply(core.Take().Rows, nil)
		}
		require.Empty(t, cmp.Diff(want.Final(), w.model.Final()))

		letters := w.deadLetters()
		for first, next := range offsets {
			require.Equal(t, "oversize", letters[fmt.Sprintf("%s:%d", w.sourceOf(1), first)], "the batch of offsets %d to %d", first, next)
		}
	})
}

// TestBatchesTooLargeOfManyPartitionsAtOnce: the client stops each partition at such a batch, and forgets to say so of one when the offset of
// another is set meanwhile.
func TestBatchesTooLargeOfManyPartitionsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t.Context(), t, 1, nodes)
		defer w.close()
		m := w.join("m")
		w.produce(50)
		require.True(t, w.settle(time.Minute))
		batch, err := poison.Crowd(kgo.CodecZstd, unpack.MaxRecords+1)
		require.NoError(t, err)
		for round := range 10 {
			for n := range int32(partitions) {
				_, err := poison.Produce(w.ctx, w.client, "telemetry", n, batch)
				require.NoError(t, err)
				time.Sleep(time.Duration(round) * time.Millisecond)
			}
			w.produce(20)
			require.True(t, w.settle(time.Minute), "%d records are left", w.left())
		}
		require.Empty(t, stopped(m))
		w.leave(m)
	})
}

// TestALogThatIsDamagedStopsThePartition: what cannot be read at all, which brokers do not take from a producer, is a matter
// for a person. The other partitions go on.
//
//tidemark:proves "a log is damaged": 5
func TestALogThatIsDamagedStopsThePartition(t *testing.T) {
	in(t, func(w *world) {
		t := w.t
		m := w.fed("m", 200)
		_, err := poison.Produce(w.ctx, w.client, "telemetry", 2, poison.Batch(kgo.CodecGzip, 1, []byte("no gzip")))
		require.NoError(t, err, "the embedded broker does not look")
		time.Sleep(10 * time.Second)
		w.produce(200)
		time.Sleep(10 * time.Second)
		why := stopped(m)
		require.Len(t, why, 1)
		require.Contains(t, why[2], "cannot be read")
		require.Contains(t, why[2], "kafka-delete-records")
		require.ErrorContains(t, m.Ready(), "stopped")
		before := len(w.model.Final())
		w.produce(200)
		time.Sleep(10 * time.Second)
		require.Greater(t, len(w.model.Final()), before)
		w.leave(m)
	})
}

// deadLetters returns the reasons in the dead-letter topic by source and offset.
func (w *world) deadLetters() map[string]string {
	letters := map[string]string{}
	client, err := kgo.NewClient(append(w.options(w.stack.DialContext), kgo.ConsumeTopics("dead"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))...)
	require.NoError(w.t, err)
	defer client.Close()
	ctx, cancel := context.WithTimeout(w.ctx, 10*time.Second) // of virtual time: all there is has come by then
	defer cancel()
	for ctx.Err() == nil {
		fetches := client.PollFetches(ctx)
		fetches.EachRecord(func(r *kgo.Record) {
			h := map[string]string{}
			for _, header := range r.Headers {
				h[strings.TrimPrefix(header.Key, "tidemark-")] = string(header.Value)
			}
			letters[h["source"]+":"+h["offset"]] = h["reason"]
		})
	}
	return letters
}
