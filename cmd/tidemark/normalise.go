package main

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/sr"
	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"

	"tidemark/internal/admin"
	"tidemark/internal/config"
	"tidemark/pipeline/collect"
	"tidemark/pipeline/deadletters"
	"tidemark/pipeline/normalise"
	"tidemark/sinks/kafka/login"
)

type normaliseCmd struct{}

// Run normalises the declared topics until it is told to end.
func (*normaliseCmd) Run(ctx context.Context, g *globals) error {
	cfg, err := g.load()
	if err != nil {
		return err
	}
	log, err := g.logger(cfg.Log)
	if err != nil {
		return err
	}
	nc, err := normaliseConfig(&cfg, log)
	if err != nil {
		return err
	}
	registry := admin.NewRegistry()
	nc.Metrics = registry
	stage, err := normalise.New(nc)
	if err != nil {
		nc.Desk.Close()
		return err
	}
	store, err := clickhouseClient(&cfg.ClickHouse, cfg.ClickHouse.Writer)
	if err != nil {
		nc.Desk.Close()
		return err
	}
	defer store.Close() //nolint:errcheck // what was written is acknowledged
	ops, err := listenAdmin(ctx, &cfg.Admin, registry, stage.Ready)
	if err != nil {
		nc.Desk.Close()
		return err
	}
	letters := deadletters.Copier{
		Box: deadletters.Box{Kafka: nc.Kafka, Topic: nc.DeadLetters}, Group: nc.Group, Instance: nc.Instance, SessionTimeout: nc.SessionTimeout,
		Folded: cfg.Kafka.Topics.Folded(), Store: store, Log: log,
	}
	log.Info("normalising started", zap.String("admin", ops.Addr()), zap.String("group", nc.Group), zap.Int("topics", len(nc.Topics)))
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return requireRights(ctx, &cfg.Kafka, normaliseRights(&cfg)) })
	group.Go(func() error { return ops.Run(ctx) })
	group.Go(func() error { return stage.Run(ctx) })
	group.Go(func() error { return letters.Run(ctx) })
	return group.Wait()
}

// normaliseConfig maps the configuration onto the stage's, but for its metrics.
func normaliseConfig(cfg *config.Config, log *zap.Logger) (normalise.Config, error) {
	kafka, err := kafkaOptions(&cfg.Kafka)
	if err != nil {
		return normalise.Config{}, err
	}
	cc, err := collectConfig(cfg)
	if err != nil {
		return normalise.Config{}, err
	}
	cc.MaxEventBytes = normalise.MaxEventBytes
	cc.ClientID = "tidemark-normalise"
	registry, err := registryClient(&cfg.Normalise.Registry)
	if err != nil {
		return normalise.Config{}, err
	}
	desk, err := collect.NewDesk(cc, log)
	return normalise.Config{
		Kafka: kafka, Group: cfg.Normalise.Group, Instance: instanceID(cfg), SessionTimeout: cfg.Kafka.SessionTimeout, Topics: cfg.Normalise.Topics,
		DeadLetters: cfg.Kafka.Topics.DeadLetters, Desk: desk, Registry: registry, Log: log,
	}, err
}

// registryTimeout bounds one request to the schema registry, which is repeated.
const registryTimeout = 10 * time.Second

// registryClient returns nil when no registry is configured.
func registryClient(r *config.Registry) (*sr.Client, error) {
	if len(r.URLs) == 0 {
		return nil, nil
	}
	tls, err := r.TLS.Client()
	if err != nil {
		return nil, fmt.Errorf("normalise.registry.tls: %w", err)
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	if tls != nil {
		transport.DialTLSContext = login.Dialer(tls, registryTimeout)
	}
	options := []sr.ClientOpt{
		sr.URLs(slices.Clone(r.URLs)...), sr.UserAgent("tidemark"), sr.HTTPClient(&http.Client{Timeout: registryTimeout, Transport: transport}),
	}
	if r.User != "" {
		options = append(options, sr.PreReq(func(req *http.Request) error {
			req.SetBasicAuth(r.User, r.Password.Reveal()) // as it is now
			return nil
		}))
	}
	client, err := sr.NewClient(options...)
	if err != nil {
		return nil, fmt.Errorf("normalise.registry: %w", err)
	}
	return client, nil
}
