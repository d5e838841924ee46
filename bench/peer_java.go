package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"tidemark/bench/peers"
)

// kafkaStreams runs to the last commit; then it is told to end.
func (b *bench) kafkaStreams(ctx context.Context, topic *written, run string) (peerRun, error) {
	return b.java(ctx, peers.KafkaStreams, topic, run)
}

// flink runs to the end of its job, which closes all windows.
func (b *bench) flink(ctx context.Context, topic *written, run string) (peerRun, error) {
	return b.java(ctx, peers.Flink, topic, run)
}

func (b *bench) java(ctx context.Context, job *peers.Job, topic *written, run string) (r peerRun, err error) {
	if b.services.kafkaID == 0 {
		return r, &peers.MissingToolError{Tool: "Apache Kafka", Why: "the embedded Kafka stands in"}
	}
	built, err := peers.Build(ctx, job)
	if err != nil {
		return r, err
	}
	output := "bench-" + run
	client, err := b.producer()
	if err != nil {
		return r, err
	}
	defer client.Close()
	if _, err := kadm.NewClient(client).CreateTopic(ctx, int32(topic.Partitions), 1, nil, output); err != nil {
		return r, fmt.Errorf("create topic %s: %w", output, err)
	}
	state := filepath.Join(b.dir, run)
	if err := os.Mkdir(state, 0o750); err != nil {
		return r, err
	}
	p, err := b.start(run, built.Command(strings.Join(b.services.brokers, ","), "bench-"+run, topic.Topic, output, state))
	if err != nil {
		return r, err
	}
	defer p.kill()
	if job.Finishes {
		r, err = b.clocked(ctx, topic, "bench-"+run, p.pid, b.says(ctx, p, "finished"))
	} else {
		err = while(ctx, []*process{p}, func(ctx context.Context) error {
			r, err = b.clocked(ctx, topic, "bench-"+run, p.pid, nil)
			return err
		})
	}
	if err != nil {
		return r, fmt.Errorf("%w\n%s", err, p.said())
	}
	if err := p.end(); err != nil {
		return r, err
	}
	return r, topic.verifyTopic(ctx, b.services.brokers, output)
}

// says is closed once the child has written a line, or has ended.
func (b *bench) says(ctx context.Context, p *process, line string) <-chan struct{} {
	said := make(chan struct{})
	go func() {
		defer close(said)
		ticker := time.NewTicker(20 * time.Millisecond)
		defer ticker.Stop()
		for {
			select {
			case <-p.done:
				return
			case <-ctx.Done():
				return
			case <-ticker.C:
			}
			if strings.Contains(p.said(), line) {
				return
			}
		}
	}()
	return said
}

// verifyTopic compares a peer's output with the records' truth: the last of each window's rows "events|users", by its key.
func (w *written) verifyTopic(ctx context.Context, brokers []string, topic string) error {
	client, err := kgo.NewClient(kgo.SeedBrokers(brokers...), kgo.ConsumeTopics(topic), kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.KeepControlRecords(), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		return err
	}
	defer client.Close()
	left := int64(0)
	end, err := ends(ctx, kadm.NewClient(client), topic)
	if err != nil {
		return err
	}
	for _, n := range end {
		left += n
	}
	last := map[string]string{}
	for left > 0 {
		fetches := client.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			return fmt.Errorf("read %s: %w", topic, err)
		}
		fetches.EachRecord(func(r *kgo.Record) {
			left--
			if !r.Attrs.IsControl() {
				last[string(r.Key)] = string(r.Value)
			}
		})
	}
	var events uint64
	users := 0
	for key, value := range last {
		e, u, _ := strings.Cut(value, "|")
		n, err := strconv.ParseUint(e, 10, 64)
		m, err2 := strconv.Atoi(u)
		if err != nil || err2 != nil {
			return fmt.Errorf("%s has %q for %q", topic, value, key)
		}
		events, users = events+n, users+m
	}
	if events != w.Truth.WithDuplicates || users != len(w.Truth.MinuteUsers) {
		return fmt.Errorf("wrong result: %d events and %d users by minute in %d windows, should be %d and %d",
			events, users, len(last), w.Truth.WithDuplicates, len(w.Truth.MinuteUsers))
	}
	return nil
}
