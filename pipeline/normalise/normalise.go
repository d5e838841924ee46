// Package normalise turns raw topics, in the formats of other systems, into Tidemark's own topics, each record exactly once.
//
// A declared topic is read by a consumer group, decoded by its format, and made into records by a mapping or as it is. What a poll
// returned, the records that it makes, its dead letters and its offsets are one Kafka transaction: after any crash the topics hold
// each record once, for readers that read committed ones. Partitions are shared by all processes of the group.
//
// A record that cannot be normalised never stops its partition: it goes to the dead letters. What may pass by itself (Kafka, the schema
// registry, which does not answer) is waited for instead, and holds up its topic alone: each topic has a client of its own.
//
// The record says which account it belongs to, or the users and accounts that the collectors know do. Where nobody knows yet the event is
// parked, and a collector releases it.
package normalise

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sr"
	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"

	"tidemark/pipeline/collect"
	"tidemark/schemas/mapping"
)

// Config is what a stage needs. All fields but Registry are needed, unless they say otherwise.
type Config struct {
	Kafka []kgo.Opt
	Group string
	// Instance names this process in the group: a restart keeps its partitions, and ends a transaction that was left open. It must differ
	// between processes that run at once.
	Instance       string // optional
	SessionTimeout time.Duration
	Topics         mapping.Topics
	DeadLetters    string
	Desk           *collect.Desk // which Stage.Run opens
	Registry       *sr.Client    // of topics whose records name schemas
	Log            *zap.Logger
	Metrics        prometheus.Registerer
}

// Stage normalises all topics. Make one with New and start it with Run.
type Stage struct {
	config  Config
	metrics *metrics
	topics  []*topic
}

// New checks the configuration and registers the metrics. It does not talk to Kafka.
func New(c Config) (*Stage, error) {
	if len(c.Topics) == 0 {
		return nil, errors.New("normalise.topics is empty: declare a topic to read, as docs/sources.md shows")
	}
	m, err := newMetrics(c.Metrics)
	if err != nil {
		return nil, fmt.Errorf("register the metrics: %w", err)
	}
	s := &Stage{config: c, metrics: m}
	for _, name := range slices.Sorted(maps.Keys(c.Topics)) {
		declared := c.Topics[name]
		if declared.Registered() && c.Registry == nil {
			return nil, fmt.Errorf("normalise.topics.%s is in %s, which needs a schema registry: set normalise.registry.urls", name, declared.Format)
		}
		t := &topic{stage: s, name: name, declared: declared, log: c.Log.With(zap.String("topic", name))}
		t.decode = t.decoder()
		m.stalled.WithLabelValues(name).Set(0)
		s.topics = append(s.topics, t)
	}
	return s, nil
}

// Run normalises until ctx ends.
func (s *Stage) Run(ctx context.Context) error {
	known := false
	err := s.config.Desk.Open(ctx, func() error {
		known = true
		group, ctx := errgroup.WithContext(ctx)
		for _, t := range s.topics {
			group.Go(func() error { return t.run(ctx) })
		}
		return group.Wait()
	})
	if !known && ctx.Err() != nil {
		return nil // told to end before it began
	}
	return err
}

// Ready says why the stage does not normalise, or nil.
func (s *Stage) Ready() error {
	var errs []error
	for _, t := range s.topics {
		if why := t.trouble.Load(); why != nil {
			errs = append(errs, fmt.Errorf("%s: %w", t.name, *why))
		}
	}
	return errors.Join(errs...)
}
