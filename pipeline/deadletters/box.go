package deadletters

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// Box is the dead-letter topic.
type Box struct {
	Kafka []kgo.Opt // how to reach Kafka
	Topic string
}

// Standing is what became of a letter.
type Standing struct {
	State string // Open, Redriven or Dropped
	By    string // who did it
	At    time.Time
}

// Standings are the letters that are not open any more.
type Standings map[ID]Standing

// Of is what became of the letter.
func (s Standings) Of(id ID) Standing {
	if st, ok := s[id]; ok {
		return st
	}
	return Standing{State: Open}
}

// Each reads the topic to its end and hands each letter that is meant to fn, once, in the order in which they were found. What became
// of each is known by then: the topic is read twice.
func (b *Box) Each(ctx context.Context, f *Filter, fn func(*Letter, Standing) error) error {
	settled, err := b.Standings(ctx)
	if err != nil {
		return err
	}
	seen := map[ID]bool{}
	return b.read(ctx, func(r *kgo.Record) error {
		l, _, ok := parse(r)
		if !ok || l == nil || seen[l.ID] || !f.Means(l) {
			return nil
		}
		seen[l.ID] = true
		return fn(l, settled.Of(l.ID))
	})
}

// Standings reads what became of letters. A letter that was sent again stays so, whatever is said of it later.
func (b *Box) Standings(ctx context.Context) (Standings, error) {
	settled := Standings{}
	err := b.read(ctx, func(r *kgo.Record) error {
		if _, m, ok := parse(r); ok && m != nil && settled[m.id].State != Redriven {
			settled[m.id] = Standing{State: m.state, By: m.by, At: m.at}
		}
		return nil
	})
	return settled, err
}

// read hands every committed record that the topic now has to fn.
func (b *Box) read(ctx context.Context, fn func(*kgo.Record) error) error {
	client, err := kgo.NewClient(append(b.Kafka[:len(b.Kafka):len(b.Kafka)], kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.KeepControlRecords())...)
	if err != nil {
		return fmt.Errorf("kafka client: %w", err)
	}
	defer client.Close()
	left, err := b.ends(ctx, client)
	if err != nil {
		return err
	}
	for len(left) > 0 {
		fetches := client.PollFetches(ctx)
		if err := fetches.Err0(); err != nil {
			return fmt.Errorf("read %s: %w", b.Topic, err)
		}
		if errs := fetches.Errors(); len(errs) > 0 {
			return fmt.Errorf("read %s/%d: %w", b.Topic, errs[0].Partition, errs[0].Err)
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

// ends has the client read the topic from its start, and returns where each partition that is not empty ends.
func (b *Box) ends(ctx context.Context, client *kgo.Client) (map[int32]int64, error) {
	admin := kadm.NewClient(client)
	starts, err := admin.ListStartOffsets(ctx, b.Topic)
	if err == nil {
		err = starts.Error()
	}
	if errors.Is(err, kerr.UnknownTopicOrPartition) {
		return nil, fmt.Errorf("the topic %s does not exist: tidemark migrate makes it", b.Topic)
	}
	if err != nil {
		return nil, fmt.Errorf("look for the start of %s: %w", b.Topic, err)
	}
	ends, err := admin.ListCommittedOffsets(ctx, b.Topic)
	if err == nil {
		err = ends.Error()
	}
	if err != nil {
		return nil, fmt.Errorf("look for the end of %s: %w", b.Topic, err)
	}
	left, from := map[int32]int64{}, map[int32]kgo.Offset{}
	ends.Each(func(end kadm.ListedOffset) {
		if start, ok := starts.Lookup(b.Topic, end.Partition); ok && start.Offset < end.Offset {
			left[end.Partition], from[end.Partition] = end.Offset, kgo.NewOffset().At(start.Offset)
		}
	})
	if len(from) > 0 {
		client.AddConsumePartitions(map[string]map[int32]kgo.Offset{b.Topic: from})
	}
	return left, nil
}
