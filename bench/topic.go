package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"tidemark/internal/config"
	"tidemark/sinks/kafka/topics"
)

// written says what the topic holds.
type written struct {
	Bytes   int64 // of the records' values
	Seconds float64
	Truth   truth
}

// writeTopic creates the pipeline's topics and fills the telemetry topic: lz4, keyed by account.
func writeTopic(ctx context.Context, brokers []string, names config.Topics, partitions int, g *generator) (written, error) {
	client, err := kgo.NewClient(
		kgo.SeedBrokers(brokers...), kgo.ProducerBatchCompression(kgo.Lz4Compression()),
		kgo.ProducerLinger(50*time.Millisecond), kgo.MaxBufferedRecords(100_000),
	)
	if err != nil {
		return written{}, fmt.Errorf("connect to Kafka: %w", err)
	}
	defer client.Close()
	declared := []topics.Topic{
		{Name: names.Telemetry, Partitions: int32(partitions)}, {Name: names.Tickets, Partitions: 1}, //nolint:gosec // a small number
		{Name: names.Accounts, Partitions: 1}, {Name: names.DeadLetters, Partitions: 1},
	}
	if _, err := topics.Ensure(ctx, client, declared); err != nil {
		return written{}, err
	}
	var w written
	var mu sync.Mutex
	var failed error
	began := time.Now()
	for m, ok := g.next(); ok; m, ok = g.next() {
		w.Bytes += int64(len(m.value))
		client.Produce(ctx, &kgo.Record{Topic: names.Telemetry, Key: m.key, Value: m.value}, func(_ *kgo.Record, err error) {
			mu.Lock()
			defer mu.Unlock()
			failed = errors.Join(failed, err)
		})
	}
	if err := errors.Join(client.Flush(ctx), failed); err != nil {
		return written{}, fmt.Errorf("fill topic %s: %w", names.Telemetry, err)
	}
	w.Seconds, w.Truth = time.Since(began).Seconds(), g.truth
	return w, nil
}

// ends returns where the topic's partitions end.
func ends(ctx context.Context, admin *kadm.Client, topic string) (map[int32]int64, error) {
	listed, err := admin.ListEndOffsets(ctx, topic)
	if err == nil {
		err = listed.Error()
	}
	if err != nil {
		return nil, fmt.Errorf("list the end of %s: %w", topic, err)
	}
	out := map[int32]int64{}
	for n, o := range listed[topic] {
		out[n] = o.Offset
	}
	return out, nil
}
