package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"

	"tidemark/internal/admin"
	"tidemark/internal/config"
	"tidemark/pipeline/forgotten"
	"tidemark/pipeline/triggers"
	"tidemark/schemas"
	"tidemark/schemas/rules"
	"tidemark/sinks/clickhouse"
	"tidemark/sinks/clickhouse/views"
	"tidemark/sinks/notify"
)

type triggersRunCmd struct{}

// Run evaluates the rules and delivers their alerts until it is told to end. Of several processes one does; the others stand by.
func (*triggersRunCmd) Run(ctx context.Context, g *globals) error {
	cfg, err := g.load()
	if err != nil {
		return err
	}
	log, err := g.logger(cfg.Log)
	if err != nil {
		return err
	}
	registry := admin.NewRegistry()
	run, err := newTriggers(&cfg, log, registry)
	if err != nil {
		return err
	}
	ops, err := listenAdmin(ctx, &cfg.Admin, registry, func() error { return nil })
	if err != nil {
		return errors.Join(err, run.Close())
	}
	log.Info("triggers started", zap.String("admin", ops.Addr()), zap.Int("rules", len(run.engine.Rules)))
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return ops.Run(ctx) })
	group.Go(func() error { return run.Run(ctx) })
	return errors.Join(group.Wait(), run.Close())
}

// triggersRun is the engine of the rules and the delivery of their alerts, of which the leader runs both.
type triggersRun struct {
	leader *triggers.Leader
	engine *triggers.Engine
	outbox *notify.Outbox
	store  *clickhouse.Client
	gone   *forgotten.Watch
}

func newTriggers(cfg *config.Config, log *zap.Logger, registry prometheus.Registerer) (*triggersRun, error) {
	opts, err := migrateOptions(cfg)
	if err != nil {
		return nil, err
	}
	all, err := rulesFor(cfg, opts.Catalogue)
	if err != nil {
		return nil, err
	}
	kafka, err := kafkaOptions(&cfg.Kafka)
	if err != nil {
		return nil, err
	}
	store, err := clickhouseClient(&cfg.ClickHouse, cfg.ClickHouse.Writer)
	if err != nil {
		return nil, err
	}
	gone := &forgotten.Watch{Read: forgottenIn(&cfg.Kafka), Failed: func(err error) {
		log.Warn("the list of the forgotten cannot be read; trying again", zap.Error(err))
	}}
	outbox, err := notify.New(notify.Options{Store: store, Targets: cfg.Triggers.Targets, Kafka: kafka, Metrics: registry, Log: log.Named("notify"), Forgotten: gone.Account})
	if err != nil {
		return nil, errors.Join(err, store.Close())
	}
	engine, err := triggers.New(triggers.Config{
		Client: store, Catalogue: opts.Catalogue, Rules: all, Tick: cfg.Triggers.Tick, Slow: cfg.Triggers.Slow, Sweep: cfg.Triggers.Sweep,
		Views: views.Options{
			Database: cfg.ClickHouse.Database, Topics: opts.Topics, MinuteRetention: opts.Retention.Minute, HourRetention: opts.Retention.Hour, DayRetention: opts.Retention.Day,
		},
		Link: cfg.Triggers.Link, Forgotten: gone, Notify: outbox.Notify, Metrics: registry, Log: log.Named("triggers"),
	})
	if err != nil {
		outbox.Close()
		return nil, errors.Join(err, store.Close())
	}
	leader := &triggers.Leader{
		Kafka: append(kafka, kgo.SessionTimeout(cfg.Kafka.SessionTimeout)), Group: cfg.Kafka.Group + "-triggers", Topic: cfg.Kafka.Topics.Accounts, Log: log.Named("triggers"),
	}
	return &triggersRun{leader, engine, outbox, store, gone}, nil
}

// Run takes part until ctx ends.
func (t *triggersRun) Run(ctx context.Context) error {
	if t.gone.Begin(ctx) != nil {
		return nil //nolint:nilerr // told to end
	}
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error {
		t.gone.Run(ctx)
		return nil
	})
	group.Go(func() error {
		return t.leader.Run(ctx, func(ctx context.Context) error {
			group, ctx := errgroup.WithContext(ctx)
			group.Go(func() error { return t.engine.Judge(ctx) })
			group.Go(func() error { return t.outbox.Run(ctx) })
			return group.Wait()
		})
	})
	return group.Wait()
}

// Close closes the connections.
func (t *triggersRun) Close() error {
	t.outbox.Close()
	return t.store.Close()
}

// loadRules reads the rules of the configuration, and the catalogue that they are about.
func loadRules(cfg *config.Config) ([]*rules.Rule, error) {
	catalogue, err := schemas.Load(cfg.Pipeline.Catalogue)
	if err != nil {
		return nil, err
	}
	return rulesFor(cfg, catalogue)
}

// rulesFor reads the rules of the configuration. One that names no targets is told to every target that there is, but wakes
// nobody by PagerDuty unless its severity is page.
func rulesFor(cfg *config.Config, catalogue *schemas.Catalogue) ([]*rules.Rule, error) {
	tables, err := views.Tables(catalogue)
	if err != nil {
		return nil, err
	}
	all, err := rules.Load(catalogue, tables, cfg.Triggers.Rules...)
	if err != nil {
		return nil, err
	}
	var errs []error
	every := slices.Sorted(maps.Keys(cfg.Triggers.Targets))
	for _, r := range all {
		if len(r.Targets) == 0 {
			r.Targets = slices.DeleteFunc(slices.Clone(every), func(name string) bool {
				return cfg.Triggers.Targets[name].PagerDuty != nil && r.Severity != rules.Page
			})
		}
		for _, name := range r.Targets {
			if !slices.Contains(every, name) {
				errs = append(errs, fmt.Errorf("%s: rule %s names the target %s, which triggers.targets has not", r.Pos, r.Name, name))
			}
		}
	}
	return all, errors.Join(errs...)
}
