package source

import (
	"context"
	"fmt"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// ReadTopic hands every committed record that a topic has at the moment to fn, those of a partition in order, on a connection of its own made
// with opts. The error of a topic that does not exist is kerr.UnknownTopicOrPartition; fn's ends the reading.
func ReadTopic(ctx context.Context, opts []kgo.Opt, topic string, fn func(*kgo.Record) error) error {
	client, err := kgo.NewClient(append(opts[:len(opts):len(opts)], kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.KeepControlRecords())...) // a topic may end in one
	if err != nil {
		return fmt.Errorf("kafka client: %w", err)
	}
	defer client.Close()
	left, err := consumeAll(ctx, client, topic)
	if err != nil {
		return err
	}
	for len(left) > 0 {
		fetches := client.PollFetches(ctx)
		if err := fetches.Err0(); err != nil {
			return fmt.Errorf("read %s: %w", topic, err)
		}
		if errs := fetches.Errors(); len(errs) > 0 {
			return fmt.Errorf("read %s/%d: %w", topic, errs[0].Partition, errs[0].Err)
		}
		for iter := fetches.RecordIter(); !iter.Done(); {
			r := iter.Next()
			end, ok := left[r.Partition]
			if !ok {
				continue
			}
			if r.Offset < end && !r.Attrs.IsControl() {
				if err := fn(r); err != nil {
					return err
				}
			}
			if r.Offset+1 >= end {
				delete(left, r.Partition)
			}
		}
	}
	return nil
}

// consumeAll has the client read a topic from its start, and returns where each partition that is not empty ends.
func consumeAll(ctx context.Context, client *kgo.Client, topic string) (map[int32]int64, error) {
	admin := kadm.NewClient(client)
	starts, err := admin.ListStartOffsets(ctx, topic)
	if err == nil {
		err = starts.Error()
	}
	if err != nil {
		return nil, fmt.Errorf("look for the start of %s: %w", topic, err)
	}
	ends, err := admin.ListCommittedOffsets(ctx, topic)
	if err == nil {
		err = ends.Error()
	}
	if err != nil {
		return nil, fmt.Errorf("look for the end of %s: %w", topic, err)
	}
	left, from := map[int32]int64{}, map[int32]kgo.Offset{}
	ends.Each(func(end kadm.ListedOffset) {
		if start, ok := starts.Lookup(topic, end.Partition); ok && start.Offset < end.Offset {
			left[end.Partition], from[end.Partition] = end.Offset, kgo.NewOffset().At(start.Offset)
		}
	})
	if len(from) > 0 {
		client.AddConsumePartitions(map[string]map[int32]kgo.Offset{topic: from})
	}
	return left, nil
}
