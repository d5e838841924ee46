package main

import (
	"context"
	"fmt"

	"github.com/twmb/franz-go/pkg/kgo"
)

// bare consumes the topic with franz-go, set up as the pipeline's client is, and touches every cache line of every value.
// It is the most that any consumer of this client can do: the pipeline's figure is read as a part of it.
func (b *bench) bare(ctx context.Context, topic *written, group string) (usage, error) {
	m := newMeter(b.services.kafkaID, b.services.server.PID())
	client, err := kgo.NewClient(append(b.clientOptions(m),
		kgo.ConsumerGroup(group), kgo.ConsumeTopics(topic.Topic),
		kgo.Balancers(kgo.CooperativeStickyBalancer()), kgo.DisableAutoCommit(), kgo.BlockRebalanceOnPoll(),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.KeepControlRecords(),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
	)...)
	if err != nil {
		return usage{}, fmt.Errorf("connect to Kafka: %w", err)
	}
	defer client.CloseAllowingRebalance()
	for left := topic.Events; left > 0; {
		fetches := client.PollRecords(ctx, 50_000)
		if err := fetches.Err(); err != nil {
			return usage{}, fmt.Errorf("bare consume: %w", err)
		}
		fetches.EachRecord(func(r *kgo.Record) {
			left--
			for i := 0; i < len(r.Value); i += 64 {
				b.touched += int(r.Value[i])
			}
		})
		client.AllowRebalance()
	}
	return m.stop(), nil
}
