package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"tidemark/pipeline"
	"tidemark/pipeline/decode"
	"tidemark/pipeline/metrics"
	"tidemark/pipeline/worker"
	"tidemark/schemas"
)

// pollCommits is how often a run looks whether it has committed the topic's end.
const pollCommits = 50 * time.Millisecond

// pipelineRun is one run of the pipeline over the whole topic.
type pipelineRun struct {
	usage
	Written traffic `json:"clickhouse"`
}

// pipeline runs the whole pipeline, as `tidemark run` does, on a fresh group and a fresh database, until the topic's end is
// committed; then it compares what is in ClickHouse with the truth.
func (b *bench) pipeline(ctx context.Context, group string) (run pipelineRun, err error) {
	db, err := b.services.database(ctx, "tidemark_"+group)
	if err != nil {
		return run, err
	}
	defer func() { err = errors.Join(err, db.settle(ctx)) }()
	store := &countingStore{Client: db.store, traffic: traffic{RowsByTable: map[string]int{}}}
	m := newMeter(b.services.kafkaID, b.services.server.PID())
	cfg, err := b.pipelineConfig(group, m)
	if err != nil {
		return run, err
	}
	cfg.Store = store
	p, err := pipeline.New(cfg)
	if err != nil {
		return run, err
	}
	running, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	var failed atomic.Pointer[error]
	wg.Go(func() {
		if err := p.Run(running); err != nil {
			failed.Store(&err)
			cancel()
		}
	})
	wg.Go(func() { p.Observe(running, db.store) })
	err = b.awaitEnd(running, group)
	run.usage = m.stop()
	cancel()
	wg.Wait()
	if cause := failed.Load(); cause != nil {
		return run, *cause
	}
	if err != nil {
		return run, err
	}
	run.Written = store.traffic
	return run, errors.Join(db.size(ctx, &run.Written), b.verify(ctx, db))
}

// pipelineConfig is what cmd/tidemark makes of the default configuration.
func (b *bench) pipelineConfig(group string, m *meter) (pipeline.Config, error) {
	catalogue, err := schemas.Builtin()
	if err != nil {
		return pipeline.Config{}, err
	}
	program, err := schemas.Compile(catalogue)
	if err != nil {
		return pipeline.Config{}, err
	}
	k, p := b.cfg.Kafka, b.cfg.Pipeline
	return pipeline.Config{
		Kafka: b.clientOptions(m), Group: group, SessionTimeout: k.SessionTimeout,
		Topics: []pipeline.Topic{
			{Name: k.Topics.Telemetry, Content: worker.Telemetry, Disorder: p.Disorder.Telemetry},
			{Name: k.Topics.Tickets, Content: worker.Tickets, Disorder: p.Disorder.Tickets},
			{Name: k.Topics.Accounts, Content: worker.Accounts, Disorder: p.Disorder.Accounts},
		},
		DeadLetters: k.Topics.DeadLetters, Program: program,
		Limits:       decode.Limits{MaxFuture: p.MaxFuture, MaxAge: p.Retention.Day},
		Retention:    [3]time.Duration{p.Retention.Minute, p.Retention.Hour, p.Retention.Day},
		DedupRecords: int64(p.DedupRecords), MaxFeatures: p.MaxFeatures, MaxWindows: p.MaxCells, FlushInterval: p.FlushInterval, FlushRows: p.FlushRows,
		QueueBytes: int64(p.QueueBytes),
		Log:        b.log, Metrics: metrics.New(prometheus.NewRegistry()),
	}, nil
}

func (b *bench) clientOptions(m *meter) []kgo.Opt {
	return []kgo.Opt{kgo.SeedBrokers(b.services.brokers...), kgo.ClientID("tidemark"), kgo.WithHooks(m)}
}

// awaitEnd returns once the group has committed the topic's end.
func (b *bench) awaitEnd(ctx context.Context, group string) error {
	topic := b.cfg.Kafka.Topics.Telemetry
	client, err := kgo.NewClient(kgo.SeedBrokers(b.services.brokers...))
	if err != nil {
		return err
	}
	defer client.Close()
	admin := kadm.NewClient(client)
	want, err := ends(ctx, admin, topic)
	if err != nil {
		return err
	}
	ticker := time.NewTicker(pollCommits)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait for the commit of %s: %w", topic, ctx.Err())
		case <-ticker.C:
		}
		commits, err := admin.FetchOffsetsForTopics(ctx, group, topic)
		if err != nil {
			return fmt.Errorf("fetch the commits of %s: %w", group, err)
		}
		done := true
		for n, end := range want {
			c, ok := commits.Lookup(topic, n)
			done = done && (end == 0 || ok && c.At == end)
		}
		if done {
			return nil
		}
	}
}
