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
	"github.com/twmb/franz-go/pkg/kerr"
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
func (b *bench) pipeline(ctx context.Context, topic *written, group string) (run pipelineRun, err error) {
	db, err := b.services.database(ctx, "tidemark_"+group, topic.Topic)
	if err != nil {
		return run, err
	}
	defer func() { err = errors.Join(err, db.settle(ctx)) }()
	store := &countingStore{Client: db.store, traffic: traffic{RowsByTable: map[string]int{}}}
	before, err := db.events(ctx)
	if err != nil {
		return run, err
	}
	m := newMeter(b.services.kafkaID, b.services.server.PID())
	cfg, err := b.pipelineConfig(topic.Topic, group, m)
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
	err = b.awaitEnd(running, topic.Topic, group)
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
	after, err := db.events(ctx)
	run.Written.Server = after.since(before)
	return run, errors.Join(err, db.size(ctx, &run.Written), topic.verify(ctx, db))
}

// pipelineConfig is what cmd/tidemark makes of the default configuration.
func (b *bench) pipelineConfig(telemetry, group string, m *meter) (pipeline.Config, error) {
	catalogue, err := schemas.Builtin()
	if err != nil {
		return pipeline.Config{}, err
	}
	program, err := schemas.Compile(catalogue)
	if err != nil {
		return pipeline.Config{}, err
	}
	k, p, names := b.cfg.Kafka, b.cfg.Pipeline, b.names(telemetry)
	return pipeline.Config{
		Kafka: b.clientOptions(m), Group: group, SessionTimeout: k.SessionTimeout,
		Topics: []pipeline.Topic{
			{Name: names.Telemetry, Content: worker.Telemetry, Disorder: p.Disorder.Telemetry},
			{Name: names.Tickets, Content: worker.Tickets, Disorder: p.Disorder.Tickets},
			{Name: names.Accounts, Content: worker.Accounts, Disorder: p.Disorder.Accounts},
			{Name: names.Signals, Content: worker.Signals, Disorder: p.Disorder.Signals},
		},
		DeadLetters: names.DeadLetters, Program: program,
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
func (b *bench) awaitEnd(ctx context.Context, topic, group string) error {
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
		if kerr.IsRetriable(err) { // nobody has joined yet
			continue
		}
		if err != nil {
			return fmt.Errorf("fetch the commits of %s: %w", group, err)
		}
		done := true
		for n, end := range want {
			c, ok := commits.Lookup(topic, n)
			done = done && (end == 0 || ok && c.At >= end) // a transaction may have ended since
		}
		if done {
			return nil
		}
	}
}
