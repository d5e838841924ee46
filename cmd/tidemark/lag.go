package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"tidemark/internal/config"
	"tidemark/internal/rebuild"
	"tidemark/pipeline/lag"
	"tidemark/sinks/clickhouse"
)

type lagCmd struct {
	JSON          bool          `name:"json" help:"Print JSON instead of tables; with --watch one object a line."`
	Watch         bool          `short:"w" help:"Measure again and again until Ctrl-C."`
	Interval      time.Duration `default:"2s" help:"With --watch: how often (${default})."`
	MaxLagSeconds *float64      `name:"max-lag-seconds" placeholder:"N" help:"Exit with 1 as soon as a record has waited longer than this, or for how long cannot be told."`
}

const (
	// lagTimeout bounds one look at Kafka.
	lagTimeout = 30 * time.Second
	// lagStoreTimeout bounds one look at ClickHouse; without it Kafka's part is shown all the same.
	lagStoreTimeout = 15 * time.Second
)

// Run shows how far the pipeline's group is behind, and the normaliser's.
func (l *lagCmd) Run(ctx context.Context, g *globals) error {
	cfg, err := g.load()
	if err != nil {
		return err
	}
	opts, err := kafkaOptions(&cfg.Kafka)
	if err != nil {
		return err
	}
	client, err := kgo.NewClient(opts...)
	if err != nil {
		return fmt.Errorf("connect to Kafka: %w", err)
	}
	defer client.Close()
	store, err := clickhouseClient(&cfg.ClickHouse, cfg.ClickHouse.Reader)
	if err != nil {
		return err
	}
	defer store.Close() //nolint:errcheck // it only reads
	meter := &lag.Meter{Client: client, Kafka: opts, Topics: cfg.Kafka.Topics.Folded()}
	raw := normaliserMeter(&cfg, client, opts)
	for {
		meter.Group = liveGroup(ctx, store, cfg.Kafka.Group)
		err := l.once(ctx, g, meter, raw, store, &cfg.Kafka)
		var exceeded *exceededError
		switch {
		case !l.Watch || errors.As(err, &exceeded):
			return err
		case ctx.Err() != nil:
			return nil // told to end in the middle of a look
		}
		if err != nil {
			fail(g.stderr, err) // the next look may succeed
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(l.Interval):
		}
	}
}

// normaliserMeter measures the lag of raw topics, and of their dead letters on their way to ClickHouse; nil: there are none.
func normaliserMeter(cfg *config.Config, client *kgo.Client, opts []kgo.Opt) *lag.Meter {
	if len(cfg.Normalise.Topics) == 0 {
		return nil
	}
	topics := append(slices.Sorted(maps.Keys(cfg.Normalise.Topics)), cfg.Kafka.Topics.DeadLetters)
	return &lag.Meter{Client: client, Kafka: opts, Group: cfg.Normalise.Group, Topics: topics, Plain: true}
}

func (l *lagCmd) once(ctx context.Context, g *globals, meter, raw *lag.Meter, store *clickhouse.Client, k *config.Kafka) error {
	limited, cancel := context.WithTimeout(ctx, lagTimeout)
	defer cancel()
	if err := meter.Client.Ping(limited); err != nil {
		return fmt.Errorf("Kafka does not answer at %s; is it running, and are kafka.brokers, tls and sasl right? %w", //nolint:staticcheck // a name
			strings.Join(k.Brokers, ", "), err)
	}
	report, err := meter.Measure(limited)
	if err != nil {
		return err
	}
	if raw != nil {
		if report.Normaliser, err = raw.Measure(limited); err != nil {
			return err
		}
	}
	limited, cancel = context.WithTimeout(ctx, lagStoreTimeout)
	defer cancel()
	report.ReadStore(limited, store.Conn())
	if ctx.Err() != nil {
		return nil //nolint:nilerr // told to end
	}
	if err := l.print(g, report); err != nil {
		return err
	}
	return l.exceeded(report)
}

// liveGroup is the group of the generation that is live; if ClickHouse does not tell, that of the first one.
func liveGroup(ctx context.Context, store *clickhouse.Client, base string) string {
	ctx, cancel := context.WithTimeout(ctx, lagStoreTimeout)
	defer cancel()
	live, err := store.LiveGeneration(ctx)
	if err != nil {
		return base // what follows says that ClickHouse does not answer
	}
	return rebuild.Group(base, live)
}

func (l *lagCmd) print(g *globals, report *lag.Report) error {
	if l.JSON {
		encoder := json.NewEncoder(g.stdout)
		if !l.Watch {
			encoder.SetIndent("", "  ")
		}
		return encoder.Encode(report)
	}
	var screen bytes.Buffer // at once, so that a watched screen does not flicker
	if l.Watch {
		if isTerminal(g.stdout) {
			screen.WriteString("\x1b[H\x1b[2J")
		}
		fmt.Fprintln(&screen, report.MeasuredAt.Format(time.RFC3339))
	}
	if err := report.WriteTable(&screen); err != nil {
		return err
	}
	_, err := screen.WriteTo(g.stdout)
	return err
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// exceededError says that a source has waited for longer than allowed.
type exceededError struct{ text string }

func (e *exceededError) Error() string { return e.text }

func (l *lagCmd) exceeded(report *lag.Report) error {
	if l.MaxLagSeconds == nil {
		return nil
	}
	sources := report.Sources
	if report.Normaliser != nil {
		sources = slices.Concat(sources, report.Normaliser.Sources)
	}
	for i := range sources {
		s := &sources[i]
		switch {
		case s.LagSeconds == nil:
			return &exceededError{fmt.Sprintf("the lag of %s/%d is %d records, and how long they have waited was not found out in time",
				s.Topic, s.Partition, s.LagRecords)}
		case *s.LagSeconds > *l.MaxLagSeconds:
			return &exceededError{fmt.Sprintf("the lag of %s/%d is %.1f seconds, more than %g", s.Topic, s.Partition, *s.LagSeconds, *l.MaxLagSeconds)}
		}
	}
	return nil
}
