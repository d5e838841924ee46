package lag

import (
	"context"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

const (
	// findTimeout bounds the search for the first records that are not committed.
	findTimeout = 10 * time.Second
	// findBytes is how much of a partition one fetch brings: brokers send a whole batch at least.
	findBytes = 16 << 10
)

// ages sets the lag in seconds of every source. Where only the ends of transactions lie beyond the commit it is 0.
func (m *Meter) ages(ctx context.Context, sources []Source) error {
	behind := map[partition]*Source{}
	offsets := map[string]map[int32]kgo.Offset{}
	for i := range sources {
		s := &sources[i]
		if s.LagRecords == 0 {
			s.LagSeconds = new(float64)
			continue
		}
		behind[partition{s.Topic, s.Partition}] = s
		if offsets[s.Topic] == nil {
			offsets[s.Topic] = map[int32]kgo.Offset{}
		}
		offsets[s.Topic][s.Partition] = kgo.NewOffset().At(s.from())
	}
	if len(behind) == 0 {
		return nil
	}
	client, err := kgo.NewClient(append(m.Kafka[:len(m.Kafka):len(m.Kafka)],
		kgo.ConsumePartitions(offsets),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.KeepControlRecords(), // the log may end in one
		kgo.FetchMaxPartitionBytes(findBytes),
	)...)
	if err != nil {
		return fmt.Errorf("read the first records that are not committed: %w", err)
	}
	defer client.Close()
	find, cancel := context.WithTimeout(ctx, findTimeout)
	defer cancel()
	for len(behind) > 0 {
		fetches := client.PollFetches(find)
		if find.Err() != nil {
			return ctx.Err() // what was not found in time stays unknown
		}
		for _, e := range fetches.Errors() {
			return fmt.Errorf("read %s/%d: %w", e.Topic, e.Partition, e.Err)
		}
		fetches.EachPartition(func(f kgo.FetchTopicPartition) {
			key := partition{f.Topic, f.Partition}
			if s := behind[key]; s != nil && s.takeAge(f.Records, time.Now()) {
				delete(behind, key)
				client.PauseFetchPartitions(map[string][]int32{f.Topic: {f.Partition}})
			}
		})
	}
	return nil
}

// takeAge looks through records in the log's order and tells whether the search is over.
func (s *Source) takeAge(records []*kgo.Record, now time.Time) bool {
	for _, r := range records {
		if r.Offset >= s.End {
			break
		}
		if !r.Attrs.IsControl() {
			age := max(now.Sub(r.Timestamp).Seconds(), 0)
			s.LagSeconds = &age
			return true
		}
	}
	if n := len(records); n > 0 && records[n-1].Offset >= s.End-1 {
		s.LagSeconds = new(float64)
		return true
	}
	return false
}
