package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"tidemark/internal/devkafka"
)

type devKafkaCmd struct {
	Port    int    `default:"9092" env:"TIDEMARK_DEV_KAFKA_PORT" help:"Port on 127.0.0.1 (${default}; 0: any free one)."`
	DataDir string `default:".tidemark/kafka" env:"TIDEMARK_DEV_KAFKA_DATA_DIR" placeholder:"DIR" help:"Where topics and offsets are kept (${default})."`
}

// diskCheck is how often the broker is asked whether it could write everything.
const diskCheck = time.Second

// Run serves Kafka's protocol until it is told to end.
func (d *devKafkaCmd) Run(ctx context.Context, g *globals) error {
	cfg, err := g.load()
	if err != nil {
		return err
	}
	log, err := g.logger(cfg.Log)
	if err != nil {
		return err
	}
	broker, err := devkafka.Start(ctx, devkafka.Options{DataDir: d.DataDir, Port: d.Port, Logger: log})
	if err != nil {
		return explainDisk(err, d.DataDir)
	}
	fmt.Fprintf(g.stdout, "# Kafka listens on %s and keeps its data in %s. Ctrl-C stops it. To use it:\n%s\n",
		broker.Addrs()[0], shown(d.DataDir), export("TIDEMARK_KAFKA_BROKERS", strings.Join(broker.Addrs(), ",")))
	return explainDisk(errors.Join(d.serve(ctx, broker), broker.Close()), d.DataDir)
}

// serve waits for ctx, or for a failure to write: what is acknowledged from then on may be lost.
func (d *devKafkaCmd) serve(ctx context.Context, broker *devkafka.Broker) error {
	tick := time.NewTicker(diskCheck)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			if err := broker.Err(); err != nil {
				return err
			}
		}
	}
}
