package main

import (
	"context"
	"fmt"
	"time"

	"github.com/segmentio/kafka-go"

	"tidemark/internal/config"
	"tidemark/internal/recount"
	"tidemark/schemas"
	"tidemark/sinks/kafka/login"
)

// recountOptions maps the configuration onto the recount's: the same log, catalogue and limits as the pipeline's.
func recountOptions(cfg *config.Config) (recount.Options, *schemas.Catalogue, error) {
	catalogue, err := schemas.Load(cfg.Pipeline.Catalogue)
	if err != nil {
		return recount.Options{}, nil, err
	}
	kafkaOpts, err := kafkaOptions(&cfg.Kafka)
	if err != nil {
		return recount.Options{}, nil, err
	}
	transport, err := kafkaTransport(&cfg.Kafka)
	if err != nil {
		return recount.Options{}, nil, err
	}
	t, p := cfg.Kafka.Topics, cfg.Pipeline
	return recount.Options{
		Brokers: cfg.Kafka.Brokers, Telemetry: t.Telemetry, Tickets: t.Tickets, Accounts: t.Accounts, Signals: t.Signals,
		Transport: transport, Kafka: kafkaOpts, Rules: recount.RulesOf(catalogue),
		Limits: recount.Limits{DedupRecords: int64(p.DedupRecords), MaxFuture: p.MaxFuture, Features: p.MaxFeatures, Retention: map[recount.Tier]time.Duration{
			recount.Minute: p.Retention.Minute, recount.Hour: p.Retention.Hour, recount.Day: p.Retention.Day,
		}},
	}, catalogue, nil
}

// dialTimeout bounds one attempt to reach a broker.
const dialTimeout = 5 * time.Second

// kafkaTransport returns what kafka-go needs to reach Kafka.
func kafkaTransport(k *config.Kafka) (*kafka.Transport, error) {
	tls, err := k.TLS.Client()
	if err != nil {
		return nil, fmt.Errorf("kafka.tls: %w", err)
	}
	t := &kafka.Transport{
		Dial: login.Dialer(tls, dialTimeout), DialTimeout: dialTimeout, ClientID: "tidemark",
		MetadataTopics: k.Topics.Folded(),
		Context:        context.Background(), // of the pool, which ends with CloseIdleConnections
	}
	if t.SASL, err = k.SASL.Login().KafkaGo(); err != nil {
		return nil, fmt.Errorf("kafka.sasl: %w", err)
	}
	return t, nil
}
