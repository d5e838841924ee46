package source

import (
	"context"
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kgo"

	"tidemark/pipeline/unpack"
)

// ReadRange reads the source's records from an offset up to, but not including, another, on a connection of its own made
// with opts, and hands them to fn in order. It starts at the log's start where that is later than from. Batches that are too large to be
// unpacked are left out.
func (s ID) ReadRange(ctx context.Context, opts []kgo.Opt, from, to uint64, fn func(*kgo.Record)) error {
	if from >= to {
		return nil
	}
	cl, err := kgo.NewClient(append(opts[:len(opts):len(opts)],
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{s.Topic: {s.Partition: kgo.NewOffset().At(int64(from))}}), //nolint:gosec // an offset
		kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.KeepControlRecords(), // the range may end in one
		kgo.WithDecompressor(unpack.New(0)),
	)...)
	if err != nil {
		return fmt.Errorf("read %s from %d to %d: %w", s, from, to, err)
	}
	defer cl.Close()
	for {
		fetches := cl.PollFetches(ctx)
		for _, e := range fetches.Errors() {
			var batch *kgo.ErrDecompressTooLarge
			if !errors.As(e.Err, &batch) {
				return fmt.Errorf("read %s from %d to %d: %w", s, from, to, e.Err)
			}
			if uint64(batch.NextOffset) >= to { //nolint:gosec // an offset
				return nil
			}
			cl.SetOffsets(map[string]map[int32]kgo.EpochOffset{s.Topic: {s.Partition: {Epoch: batch.Epoch, Offset: batch.NextOffset}}})
		}
		for iter := fetches.RecordIter(); !iter.Done(); {
			r := iter.Next()
			if uint64(r.Offset) >= to { //nolint:gosec // an offset
				return nil
			}
			if !r.Attrs.IsControl() {
				fn(r)
			}
			if uint64(r.Offset)+1 >= to { //nolint:gosec // an offset
				return nil
			}
		}
	}
}
