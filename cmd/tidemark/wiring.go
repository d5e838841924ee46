package main

import (
	"context"
	stdtls "crypto/tls"
	"database/sql"
	"fmt"
	"os"
	"time"

	driver "github.com/ClickHouse/clickhouse-go/v2"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/zap"

	"tidemark/internal/admin"
	"tidemark/internal/config"
	"tidemark/pipeline"
	"tidemark/pipeline/collect"
	"tidemark/pipeline/decode"
	"tidemark/pipeline/forgotten"
	"tidemark/pipeline/worker"
	"tidemark/schemas"
	"tidemark/sinks/clickhouse"
	"tidemark/sinks/clickhouse/migrate"
	"tidemark/sinks/clickhouse/views"
	"tidemark/sinks/kafka/login"
	"tidemark/sinks/kafka/topics"
)

// kafkaOptions returns what every franz-go client needs to reach Kafka.
func kafkaOptions(k *config.Kafka) ([]kgo.Opt, error) {
	tls, err := k.TLS.Client()
	if err != nil {
		return nil, fmt.Errorf("kafka.tls: %w", err)
	}
	opts := []kgo.Opt{kgo.SeedBrokers(k.Brokers...), kgo.ClientID("tidemark"), kgo.Dialer(login.Dialer(tls, dialTimeout))}
	mechanism, err := k.SASL.Login().Franz()
	if err != nil {
		return nil, fmt.Errorf("kafka.sasl: %w", err)
	}
	if mechanism != nil {
		opts = append(opts, kgo.SASL(mechanism))
	}
	return opts, nil
}

// declaredTopics are the topics that Tidemark needs.
func declaredTopics(k *config.Kafka) []topics.Topic {
	topic := func(name string, partitions int, configs map[string]string) topics.Topic {
		return topics.Topic{
			Name: name, Partitions: int32(partitions), ReplicationFactor: int16(k.ReplicationFactor), Configs: configs, //nolint:gosec // validated
		}
	}
	// The log is what rollups can be rebuilt from: keep it for a month at least.
	log := map[string]string{"retention.ms": fmt.Sprint((31 * 24 * time.Hour).Milliseconds())}
	compacted := map[string]string{"cleanup.policy": "compact"}
	return []topics.Topic{
		topic(k.Topics.Telemetry, k.Partitions, log),
		topic(k.Topics.Tickets, k.Partitions, log),
		topic(k.Topics.Signals, k.Partitions, log),
		topic(k.Topics.Accounts, 1, compacted),
		topic(k.Topics.Users, 1, compacted),
		topic(k.Topics.Parked, k.Partitions, compacted),
		topic(k.Topics.DeadLetters, 1, log),
		topic(k.Topics.Forgotten, 1, compacted),
	}
}

func clickhouseConfig(c *config.ClickHouse, as config.Login) (clickhouse.Config, error) {
	tls, err := c.TLS.Client()
	if err != nil {
		return clickhouse.Config{}, fmt.Errorf("clickhouse.tls: %w", err)
	}
	return clickhouse.Config{
		Addr: c.Addr, HTTP: c.Protocol == "http", Database: c.Database, User: as.User, PasswordNow: as.Password.Reveal, TLS: tls,
		DialTimeout: c.DialTimeout, ReadTimeout: c.ReadTimeout, Quorum: c.InsertQuorum,
	}, nil
}

func clickhouseClient(c *config.ClickHouse, as config.Login) (*clickhouse.Client, error) {
	cfg, err := clickhouseConfig(c, as)
	if err != nil {
		return nil, err
	}
	return clickhouse.Open(cfg)
}

// migratorDB returns a database/sql handle with the migrator's rights.
func migratorDB(c *config.ClickHouse) (*sql.DB, error) {
	cfg, err := clickhouseConfig(c, c.Migrator)
	if err != nil {
		return nil, err
	}
	protocol := driver.Native
	if cfg.HTTP {
		protocol = driver.HTTP
	}
	var tls *stdtls.Config // database/sql has one for all its connections, as it has one password
	if cfg.TLS != nil {
		tls = cfg.TLS()
	}
	return driver.OpenDB(&driver.Options{
		Addr: cfg.Addr, Protocol: protocol, TLS: tls, DialTimeout: cfg.DialTimeout, ReadTimeout: 5 * time.Minute, // views of a big database take a while
		Auth: driver.Auth{Database: cfg.Database, Username: cfg.User, Password: cfg.PasswordNow()},
	}), nil
}

func migrateOptions(cfg *config.Config) (migrate.Options, error) {
	catalogue, err := schemas.Load(cfg.Pipeline.Catalogue)
	if err != nil {
		return migrate.Options{}, err
	}
	t, p := cfg.Kafka.Topics, cfg.Pipeline
	return migrate.Options{
		Catalogue: catalogue,
		Tenants:   cfg.ClickHouse.Tenants.Accounts(),
		Refresh:   cfg.ClickHouse.Refresh,
		Retention: migrate.Retention{Minute: p.Retention.Minute, Hour: p.Retention.Hour, Day: p.Retention.Day},
		Topics: views.Topics{
			Telemetry: views.Topic{Name: t.Telemetry, Disorder: p.Disorder.Telemetry},
			Tickets:   views.Topic{Name: t.Tickets, Disorder: p.Disorder.Tickets},
			Accounts:  views.Topic{Name: t.Accounts, Disorder: p.Disorder.Accounts},
			Signals:   views.Topic{Name: t.Signals, Disorder: p.Disorder.Signals},
		},
	}, nil
}

// listenAdmin opens the port of metrics and health, with Go's profiles if they are wanted.
func listenAdmin(ctx context.Context, cfg *config.Admin, registry *prometheus.Registry, ready func() error) (*admin.Server, error) {
	server, err := admin.Listen(ctx, cfg.Listen, registry, ready)
	if err == nil && cfg.Pprof {
		server.Profile()
	}
	return server, err
}

// forgottenIn reads who is forgotten.
func forgottenIn(k *config.Kafka) func(context.Context) (*forgotten.List, error) {
	return func(ctx context.Context) (*forgotten.List, error) {
		opts, err := kafkaOptions(k)
		if err != nil {
			return nil, err
		}
		return forgotten.Read(ctx, opts, k.Topics.Forgotten)
	}
}

// program compiles the catalogue.
func program(cfg *config.Config) (*schemas.Program, error) {
	catalogue, err := schemas.Load(cfg.Pipeline.Catalogue)
	if err != nil {
		return nil, err
	}
	return schemas.Compile(catalogue)
}

// pipelineConfig maps the configuration onto the pipeline's, but for its store, log and metrics.
func pipelineConfig(cfg *config.Config, log *zap.Logger) (pipeline.Config, error) {
	kafka, err := kafkaOptions(&cfg.Kafka)
	if err != nil {
		return pipeline.Config{}, err
	}
	program, err := program(cfg)
	if err != nil {
		return pipeline.Config{}, err
	}
	t, p := cfg.Kafka.Topics, cfg.Pipeline
	return pipeline.Config{
		Kafka: kafka, Group: cfg.Kafka.Group, InstanceID: instanceID(cfg), SessionTimeout: cfg.Kafka.SessionTimeout,
		Topics: []pipeline.Topic{
			{Name: t.Telemetry, Content: worker.Telemetry, Disorder: p.Disorder.Telemetry},
			{Name: t.Tickets, Content: worker.Tickets, Disorder: p.Disorder.Tickets},
			{Name: t.Accounts, Content: worker.Accounts, Disorder: p.Disorder.Accounts},
			{Name: t.Signals, Content: worker.Signals, Disorder: p.Disorder.Signals},
		},
		DeadLetters: t.DeadLetters, Program: program,
		Limits:       decode.Limits{MaxFuture: p.MaxFuture, MaxAge: p.Retention.Day},
		Retention:    [3]time.Duration{p.Retention.Minute, p.Retention.Hour, p.Retention.Day},
		DedupRecords: int64(p.DedupRecords), MaxFeatures: p.MaxFeatures, MaxWindows: p.MaxCells, FlushInterval: p.FlushInterval, FlushRows: p.FlushRows,
		QueueBytes: int64(p.QueueBytes),
		Log:        log,
	}, nil
}

// instanceID names this process in the group. The admin port tells two processes of one host apart.
func instanceID(cfg *config.Config) string {
	if cfg.Kafka.InstanceID != "" {
		return cfg.Kafka.InstanceID
	}
	host, err := os.Hostname()
	if err != nil {
		return "" // dynamic membership then
	}
	return host + "/" + cfg.Admin.Listen
}

func collectConfig(cfg *config.Config) (collect.Config, error) {
	tls, err := cfg.Kafka.TLS.Client()
	if err != nil {
		return collect.Config{}, fmt.Errorf("kafka.tls: %w", err)
	}
	c, t := cfg.Collector, cfg.Kafka.Topics
	out := collect.Config{
		Listen: c.Listen, Brokers: cfg.Kafka.Brokers, TLS: tls, SASL: cfg.Kafka.SASL.Login(), Instance: instanceID(cfg), SessionTimeout: cfg.Kafka.SessionTimeout,
		Topics:        collect.Topics{Telemetry: t.Telemetry, Users: t.Users, Accounts: t.Accounts, Signals: t.Signals, Tickets: t.Tickets, Parked: t.Parked},
		Limits:        decode.Limits{MaxFuture: cfg.Pipeline.MaxFuture, MaxAge: cfg.Pipeline.Retention.Day},
		MaxEventBytes: int(c.MaxEvent), MaxBatchBytes: int(c.MaxBatch), MaxInFlight: c.MaxInFlight,
		PostHogGroups: c.PostHogGroups, Sources: c.Sources, Keys: c.Keys, Origins: c.CORSOrigins, Privacy: c.Privacy, HashKey: []byte(c.HashKey.Reveal()),
		WriteKeys: c.WriteKeys,
	}
	return out, nil
}
