package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"tidemark/internal/config"
	"tidemark/sinks/kafka/rights"
)

// collectorGroup is in which collectors share the parked topic; their transactional ids begin with it.
const collectorGroup = "tidemark-collector"

// pipelineRights are what tidemark run needs of Kafka, and nothing else.
func pipelineRights(k *config.Kafka, canary bool) []rights.Right {
	t := k.Topics
	out := rights.On(rights.Topic, kadm.OpRead, append(t.Folded(), t.Forgotten)...)
	out = append(out, rights.On(rights.Topic, kadm.OpWrite, t.DeadLetters)...)
	if canary {
		out = append(out, rights.On(rights.Topic, kadm.OpWrite, t.Telemetry)...)
	}
	return append(out, rights.On(rights.Group, kadm.OpRead, k.Group)...)
}

// collectorRights are what tidemark collect needs.
func collectorRights(k *config.Kafka) []rights.Right {
	t := k.Topics
	out := rights.On(rights.Topic, kadm.OpWrite, t.Telemetry, t.Signals, t.Tickets, t.Accounts, t.Users, t.Parked)
	out = append(out, rights.On(rights.Topic, kadm.OpRead, t.Accounts, t.Users, t.Parked)...)
	out = append(out, rights.On(rights.Group, kadm.OpRead, collectorGroup)...)
	return append(out, rights.On(rights.TransactionalID, kadm.OpWrite, collectorGroup)...)
}

// normaliseRights are what tidemark normalise needs.
func normaliseRights(cfg *config.Config) []rights.Right {
	t, group := cfg.Kafka.Topics, cfg.Normalise.Group
	out := rights.On(rights.Topic, kadm.OpWrite, t.Telemetry, t.Signals, t.Tickets, t.Accounts, t.Users, t.Parked, t.DeadLetters)
	out = append(out, rights.On(rights.Topic, kadm.OpRead, t.Accounts, t.Users, t.DeadLetters)...)
	out = append(out, rights.On(rights.Topic, kadm.OpRead, slices.Sorted(maps.Keys(cfg.Normalise.Topics))...)...)
	out = append(out, rights.On(rights.Group, kadm.OpRead, group)...)
	return append(out, rights.On(rights.TransactionalID, kadm.OpWrite, group)...)
}

// printRights are the commands by which an administrator of Kafka grants each process what it needs.
func printRights(out io.Writer, cfg *config.Config) error {
	for _, process := range []struct {
		principal, what string
		rights          []rights.Right
	}{
		{"User:tidemark-pipeline", "tidemark run", pipelineRights(&cfg.Kafka, cfg.Canary.Enabled)},
		{"User:tidemark-collector", "tidemark collect", collectorRights(&cfg.Kafka)},
		{"User:tidemark-normalise", "tidemark normalise", normaliseRights(cfg)},
	} {
		if _, err := fmt.Fprintf(out, "# %s\n", process.what); err != nil {
			return err
		}
		for _, r := range process.rights {
			if _, err := fmt.Fprintln(out, r.Command(process.principal)); err != nil {
				return err
			}
		}
	}
	return nil
}

// rightsTimeout bounds the question of what is granted.
const rightsTimeout = 10 * time.Second

// requireRights returns an error that says what to grant where Kafka refuses something that the process needs. Brokers that do not
// answer are left to who connects next, which tells and waits.
func requireRights(ctx context.Context, k *config.Kafka, needed []rights.Right) error {
	opts, err := kafkaOptions(k)
	if err != nil {
		return err
	}
	client, err := kgo.NewClient(opts...)
	if err != nil {
		return fmt.Errorf("connect to Kafka: %w", err)
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(ctx, rightsTimeout)
	defer cancel()
	err = rights.Check(ctx, client, needed)
	var missing rights.MissingError
	if errors.As(err, &missing) {
		return err
	}
	return nil
}
