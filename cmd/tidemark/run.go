package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/sethvargo/go-retry"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"

	"tidemark/internal/admin"
	"tidemark/internal/config"
	"tidemark/internal/preflight"
	"tidemark/internal/rebuild"
	"tidemark/internal/tracing"
	"tidemark/pipeline"
	"tidemark/pipeline/canary"
	"tidemark/pipeline/metrics"
	"tidemark/schemas"
	"tidemark/sinks/clickhouse"
)

type runCmd struct{}

// Run runs the pipeline until it is told to end.
func (*runCmd) Run(ctx context.Context, g *globals) error {
	cfg, err := g.load()
	if err != nil {
		return err
	}
	log, err := g.logger(cfg.Log)
	if err != nil {
		return err
	}
	pc, err := pipelineConfig(&cfg, log)
	if err != nil {
		return err
	}
	if err := pipeline.TuneMemory(); err != nil {
		log.Warn("the heap is bounded by nothing", zap.Error(err))
	}
	store, err := clickhouseClient(&cfg.ClickHouse, cfg.ClickHouse.Writer)
	if err != nil {
		return err
	}
	defer store.Close() //nolint:errcheck // the process ends
	registry := admin.NewRegistry()
	pc.Metrics = metrics.New(registry)
	if cfg.Tracing.Endpoint != "" {
		traces, err := tracing.Start(ctx, cfg.Tracing.Endpoint, instanceID(&cfg), log.Named("tracing"))
		if err != nil {
			return err
		}
		defer endTraces(traces, log)
		pc.Traces = traces
	}
	pipelines := &rebuild.Follower{Pipeline: pc, Store: store, Program: func() (*schemas.Program, error) { return program(&cfg) }, Forgotten: forgottenIn(&cfg.Kafka)}
	ops, err := listenAdmin(ctx, &cfg.Admin, registry, pipelines.Ready)
	if err != nil {
		return err
	}
	log.Info("pipeline started", zap.String("admin", ops.Addr()), zap.String("group", cfg.Kafka.Group))
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return ops.Run(ctx) })
	group.Go(func() error {
		if err := requireRights(ctx, &cfg.Kafka, pipelineRights(&cfg.Kafka, cfg.Canary.Enabled)); err != nil {
			return err
		}
		if err := awaitStore(ctx, &cfg.ClickHouse, log); err != nil {
			if ctx.Err() != nil {
				return nil // told to end while it waited
			}
			return err
		}
		group.Go(func() error { return runCanary(ctx, &cfg, pc.Metrics, registry, log) })
		return pipelines.Run(ctx)
	})
	err = group.Wait()
	log.Info("pipeline ended")
	return err
}

// tracesTimeout bounds the wait for the last spans to be sent.
const tracesTimeout = 5 * time.Second

func endTraces(traces interface{ Shutdown(context.Context) error }, log *zap.Logger) {
	ctx, cancel := context.WithTimeout(context.Background(), tracesTimeout)
	defer cancel()
	if err := traces.Shutdown(ctx); err != nil {
		log.Warn("the last spans are lost", zap.Error(err))
	}
}

const (
	// firstLook and lastLook bound the pause between two looks at a ClickHouse that does not answer yet.
	firstLook = 100 * time.Millisecond
	lastLook  = 5 * time.Second
)

// awaitStore waits until every server of ClickHouse answers, and refuses one on which an invariant would not hold.
func awaitStore(ctx context.Context, c *config.ClickHouse, log *zap.Logger) error {
	for _, addr := range c.Addr {
		one := *c
		one.Addr = []string{addr}
		client, err := clickhouseClient(&one, c.Writer)
		if err != nil {
			return err
		}
		backoff := retry.WithCappedDuration(lastLook, retry.NewExponential(firstLook))
		err = retry.Do(ctx, backoff, func(ctx context.Context) error {
			err := preflight.Invariants(ctx, client.Conn(), durability(c))
			var violation *preflight.Violation
			if err == nil || errors.As(err, &violation) {
				return err
			}
			log.Warn("ClickHouse does not answer yet; trying again until it does", zap.String("addr", addr), zap.Error(err))
			return retry.RetryableError(err)
		})
		if err = errors.Join(err, client.Close()); err != nil {
			return err
		}
	}
	return nil
}

// runCanary measures freshness from outside until ctx ends: it reads what it sent as dashboards do.
func runCanary(ctx context.Context, cfg *config.Config, m *metrics.Pipeline, registry prometheus.Registerer, log *zap.Logger) error {
	if !cfg.Canary.Enabled {
		return nil
	}
	opts, err := kafkaOptions(&cfg.Kafka)
	if err != nil {
		return err
	}
	client, err := kgo.NewClient(append(opts, kgo.RequiredAcks(kgo.AllISRAcks()))...)
	if err != nil {
		return fmt.Errorf("connect to Kafka: %w", err)
	}
	defer client.Close()
	store, err := clickhouseClient(&cfg.ClickHouse, cfg.ClickHouse.Reader)
	if err != nil {
		return err
	}
	defer store.Close() //nolint:errcheck // it only reads
	canary.New(canary.Config{
		Topic: cfg.Kafka.Topics.Telemetry, Account: cfg.Canary.Account, Instance: instanceID(cfg), Interval: cfg.Canary.Interval,
		Client: client, Store: store.Conn(), Freshness: m.Canary, Log: log.Named("canary"),
	}, registry).Run(ctx)
	return nil
}

// newPipeline returns the pipeline of the generation that is live, and its store.
func newPipeline(ctx context.Context, cfg *config.Config, log *zap.Logger, registry prometheus.Registerer) (*pipeline.Pipeline, *clickhouse.Client, error) {
	pc, err := pipelineConfig(cfg, log)
	if err != nil {
		return nil, nil, err
	}
	store, err := clickhouseClient(&cfg.ClickHouse, cfg.ClickHouse.Writer)
	if err != nil {
		return nil, nil, err
	}
	live, err := store.LiveGeneration(ctx)
	if err == nil {
		pc.Forgotten, err = forgottenIn(&cfg.Kafka)(ctx)
	}
	if err != nil {
		return nil, nil, errors.Join(err, store.Close())
	}
	store = store.OfGeneration(live)
	pc.Store, pc.Metrics, pc.Group = store, metrics.New(registry), rebuild.Group(pc.Group, live)
	p, err := pipeline.New(pc)
	return p, store, err
}
