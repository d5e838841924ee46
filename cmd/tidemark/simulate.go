package main

import (
	"context"
	"fmt"
	"time"

	"github.com/segmentio/kafka-go"

	"tidemark/internal/config"
	"tidemark/internal/demo"
	"tidemark/internal/simulate"
	"tidemark/sinks/kafka/login"
)

type simulateCmd struct {
	Collector string        `default:"http://127.0.0.1:8080" help:"The collector's address (${default})."`
	WriteKey  string        `default:"simulate" help:"Write key to send with."`
	StateDir  string        `default:".tidemark/simulator" placeholder:"DIR" help:"Where the truth and the progress are kept (${default})."`
	Rate      float64       `default:"200" help:"Live events a second (${default})."`
	Accounts  int           `default:"50" help:"Simulated accounts (${default})."`
	Seed      uint64        `default:"1" help:"Seed of the simulated customer base (${default})."`
	History   time.Duration `default:"336h" help:"Past that is filled in first (${default})."`
	Duration  time.Duration `help:"End after this much live traffic; without it, run until Ctrl-C."`
}

// Run plays a customer base against a running collector and Kafka.
func (s *simulateCmd) Run(ctx context.Context, g *globals) error {
	cfg, err := g.load()
	if err != nil {
		return err
	}
	transport, err := kafkaGoTransport(&cfg.Kafka)
	if err != nil {
		return err
	}
	line := demo.NewLine(g.stdout)
	t := cfg.Kafka.Topics
	truth, err := simulate.Run(ctx, simulate.Options{
		CollectorURL: s.Collector, WriteKey: s.WriteKey, Brokers: cfg.Kafka.Brokers, Transport: transport,
		Topics: simulate.Topics{Telemetry: t.Telemetry, Tickets: t.Tickets, Accounts: t.Accounts, Signals: t.Signals},
		Seed:   s.Seed, Accounts: s.Accounts, Rate: s.Rate, History: s.History, Duration: s.Duration, StateDir: s.StateDir,
		OnProgress: func(p simulate.Progress) {
			line.Show(time.Now(), "%d messages acknowledged, %.0f a second", p.Acked, p.Rate)
		},
	})
	line.End()
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(g.stdout, "%d messages; the truth about them is in %s/truth.json\n", truth.Messages, s.StateDir)
	return err
}

// kafkaGoTransport returns what kafka-go needs to reach Kafka.
func kafkaGoTransport(k *config.Kafka) (*kafka.Transport, error) {
	tls, err := k.TLS.Client()
	if err != nil {
		return nil, fmt.Errorf("kafka.tls: %w", err)
	}
	mechanism, err := k.SASL.Login().KafkaGo()
	if err != nil {
		return nil, fmt.Errorf("kafka.sasl: %w", err)
	}
	return &kafka.Transport{Dial: login.Dialer(tls, dialTimeout), SASL: mechanism}, nil
}
