package main

import (
	"context"
	"fmt"

	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"

	"tidemark/internal/admin"
	"tidemark/pipeline/collect"
)

type collectCmd struct{}

// Run serves SDKs until it is told to end.
func (*collectCmd) Run(ctx context.Context, g *globals) error {
	cfg, err := g.load()
	if err != nil {
		return err
	}
	log, err := g.logger(cfg.Log)
	if err != nil {
		return err
	}
	cc, err := collectConfig(&cfg)
	if err != nil {
		return err
	}
	if t := cfg.Collector.TLS; t.CertFile != "" {
		if cc.Certificate, err = collect.Certificate(t.CertFile, t.KeyFile); err != nil {
			return fmt.Errorf("collector.tls: %w", err)
		}
	}
	registry := admin.NewRegistry()
	c, err := collect.New(cc, log, registry)
	if err != nil {
		return err
	}
	ops, err := listenAdmin(ctx, &cfg.Admin, registry, func() error { return c.Ready(ctx) })
	if err != nil {
		return err
	}
	log.Info("collector started", zap.String("listen", c.Addr()), zap.String("admin", ops.Addr()))
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return requireRights(ctx, &cfg.Kafka, collectorRights(&cfg.Kafka)) })
	group.Go(func() error { return ops.Run(ctx) })
	group.Go(func() error { return c.Run(ctx) })
	return group.Wait()
}
