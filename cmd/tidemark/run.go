package main

import (
	"context"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"

	"tidemark/internal/admin"
	"tidemark/internal/config"
	"tidemark/pipeline"
	"tidemark/pipeline/metrics"
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
	registry := admin.NewRegistry()
	p, store, err := newPipeline(&cfg, log, registry)
	if err != nil {
		return err
	}
	defer store.Close() //nolint:errcheck // the process ends
	ops, err := admin.Listen(ctx, cfg.Admin.Listen, registry, p.Ready)
	if err != nil {
		return err
	}
	log.Info("pipeline started", zap.String("admin", ops.Addr()), zap.String("group", cfg.Kafka.Group))
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return ops.Run(ctx) })
	group.Go(func() error { return p.Run(ctx) })
	group.Go(func() error { p.Observe(ctx, store); return nil })
	err = group.Wait()
	log.Info("pipeline ended")
	return err
}

func newPipeline(cfg *config.Config, log *zap.Logger, registry prometheus.Registerer) (*pipeline.Pipeline, *clickhouse.Client, error) {
	pc, err := pipelineConfig(cfg, log)
	if err != nil {
		return nil, nil, err
	}
	store, err := clickhouseClient(&cfg.ClickHouse, cfg.ClickHouse.Writer)
	if err != nil {
		return nil, nil, err
	}
	pc.Store, pc.Metrics = store, metrics.New(registry)
	p, err := pipeline.New(pc)
	return p, store, err
}
