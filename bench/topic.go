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

// written says what a topic holds.
type written struct {
	Topic      string
	Partitions int
	Events     int
	Bytes      int64 // of the records' values
	Stored     int64 // on Kafka's disk, compressed
	Truth      truth
}

// shape is that of the records, for a number of events.
func (b *bench) shape(events int) shape {
	return shape{
		Events: events, Accounts: b.Accounts, Users: b.Users, Features: 12, Minutes: b.Minutes,
		Active: 1.0 / 3, Late: 0.01, Duplicates: 0.01, Seed: b.Seed,
	}
}

// pastDay is a past day's middle, so that nothing lies in the future and late events are of the same day.
func pastDay() time.Time { return time.Now().UTC().Truncate(24 * time.Hour).Add(-14 * time.Hour) }

// backlog returns the topic that throughput, peers and catchup read, and fills it at the first call.
func (b *bench) backlog(ctx context.Context) (*written, error) {
	if b.topic != nil {
		return b.topic, nil
	}
	fmt.Printf("Writing %d records.\n", b.Events)
	var err error
	b.topic, err = b.fill(ctx, b.cfg.Kafka.Topics.Telemetry, b.Partitions, newGenerator(b.shape(b.Events), pastDay()))
	return b.topic, err
}

// names are the topics of a pipeline that reads telemetry from the given one.
func (b *bench) names(telemetry string) config.Topics {
	names := b.cfg.Kafka.Topics
	names.Telemetry = telemetry
	return names
}

// ensure creates the topics of a pipeline.
func (b *bench) ensure(ctx context.Context, client *kgo.Client, telemetry string, partitions int) error {
	names := b.names(telemetry)
	_, err := topics.Ensure(ctx, client, []topics.Topic{
		{Name: names.Telemetry, Partitions: int32(partitions)}, {Name: names.Tickets, Partitions: 1},
		{Name: names.Signals, Partitions: 1}, {Name: names.Accounts, Partitions: 1}, {Name: names.DeadLetters, Partitions: 1},
	})
	return err
}

// producer is a client that writes as fast as it can: lz4, batches that wait a little to get bigger.
func (b *bench) producer(more ...kgo.Opt) (*kgo.Client, error) {
	client, err := kgo.NewClient(append([]kgo.Opt{
		kgo.SeedBrokers(b.services.brokers...), kgo.ProducerBatchCompression(kgo.Lz4Compression()), kgo.ProducerLinger(50 * time.Millisecond),
		kgo.MaxBufferedRecords(100_000),
	}, more...)...)
	if err != nil {
		return nil, fmt.Errorf("connect to Kafka: %w", err)
	}
	return client, nil
}

// fill creates a topic and writes the generator's records to it, keyed by account.
func (b *bench) fill(ctx context.Context, topic string, partitions int, g *generator) (*written, error) {
	client, err := b.producer()
	if err != nil {
		return nil, err
	}
	defer client.Close()
	return b.write(ctx, client, topic, partitions, g)
}

// stage makes what a measure with traffic of its own needs: a topic of its name, what sends to it, and a database that a
// group of that name fills. Call done with how the measure ended, when no pipeline runs any more.
func (b *bench) stage(ctx context.Context, name string) (client *kgo.Client, db *database, done func(error) error, err error) {
	if client, err = b.producer(); err != nil {
		return nil, nil, nil, err
	}
	if err = b.ensure(ctx, client, name, b.Partitions); err == nil {
		db, err = b.services.database(ctx, "tidemark_"+name, name)
	}
	if err != nil {
		client.Close()
		return nil, nil, nil, err
	}
	return client, db, func(ended error) error {
		defer client.Close()
		return errors.Join(ended, db.settle(ctx))
	}, nil
}

// hold is fill in one transaction: no pipeline sees any of the records before release is called, and then all at once.
func (b *bench) hold(ctx context.Context, topic string, partitions int, g *generator) (w *written, release func(context.Context) error, err error) {
	client, err := b.producer(kgo.TransactionalID("bench-"+topic), kgo.TransactionTimeout(10*time.Minute))
	if err != nil {
		return nil, nil, err
	}
	if err := client.BeginTransaction(); err != nil {
		client.Close()
		return nil, nil, fmt.Errorf("begin to fill %s: %w", topic, err)
	}
	if w, err = b.write(ctx, client, topic, partitions, g); err != nil {
		client.Close()
		return nil, nil, err
	}
	return w, func(ctx context.Context) error {
		defer client.Close()
		if err := client.EndTransaction(ctx, kgo.TryCommit); err != nil {
			return fmt.Errorf("commit the records of %s: %w", topic, err)
		}
		return nil
	}, nil
}

func (b *bench) write(ctx context.Context, client *kgo.Client, topic string, partitions int, g *generator) (*written, error) {
	if err := b.ensure(ctx, client, topic, partitions); err != nil {
		return nil, err
	}
	w := &written{Topic: topic, Partitions: partitions, Events: g.Events}
	var mu sync.Mutex
	var failed error
	for m, ok := g.next(); ok; m, ok = g.next() {
		w.Bytes += int64(len(m.value))
		client.Produce(ctx, &kgo.Record{Topic: topic, Key: m.key, Value: m.value}, func(_ *kgo.Record, err error) {
			mu.Lock()
			defer mu.Unlock()
			failed = errors.Join(failed, err)
		})
	}
	if err := errors.Join(client.Flush(ctx), failed); err != nil {
		return nil, fmt.Errorf("fill topic %s: %w", topic, err)
	}
	w.Truth = g.truth
	var err error
	w.Stored, err = stored(ctx, kadm.NewClient(client), topic)
	return w, err
}

// stored returns how many bytes of disk a topic takes; 0 if the broker does not tell.
func stored(ctx context.Context, admin *kadm.Client, topic string) (int64, error) {
	dirs, err := admin.DescribeAllLogDirs(ctx, nil)
	if err != nil {
		return 0, fmt.Errorf("ask for the size of %s: %w", topic, err)
	}
	var bytes int64
	dirs.Each(func(d kadm.DescribedLogDir) {
		d.Topics.Each(func(p kadm.DescribedLogDirPartition) {
			if p.Topic == topic {
				bytes += p.Size
			}
		})
	})
	return bytes, nil
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
