// Command bench measures the full pipeline beside a bare franz-go consume of the same topic, in one run on one machine.
//
// It starts Apache Kafka and ClickHouse, fills a topic with realistic telemetry, then consumes the topic alternately with
// nothing but franz-go and with the whole pipeline, and checks what the pipeline has written. docs/benchmarks.md says how
// to read the figures.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/alecthomas/kong"
	"go.uber.org/zap"

	"tidemark/internal/config"
	"tidemark/internal/devclickhouse"
	"tidemark/pipeline"
)

type flags struct {
	Events     int    `default:"5000000" help:"Records in the topic."`
	Accounts   int    `default:"2000" help:"Accounts they are of."`
	Users      int    `default:"20" help:"Users an account."`
	Minutes    int    `default:"50" help:"Minutes of event time that the topic covers."`
	Partitions int    `default:"8" help:"Partitions of the topic."`
	Runs       int    `default:"3" help:"Runs of each kind, alternately."`
	Seed       uint64 `default:"1" help:"Seed of the records."`
	Out        string `default:"bench/out" help:"Directory of latest.json and the profiles."`
	Profile    bool   `help:"Write cpu.prof and allocs.prof of the pipeline's last run to the same directory."`
}

// bench is what all runs share.
type bench struct {
	shape    shape
	cfg      config.Config
	services *services
	topic    written
	log      *zap.Logger
	touched  int // keeps the bare consume's reads from being optimised away
}

func main() {
	if len(os.Args) == 3 && os.Args[1] == engineArg {
		cfg, err := devclickhouse.ParseEngineConfig(strings.TrimPrefix(os.Args[2], "--config-json="))
		exit(errors.Join(err, runEngine(cfg, err)))
	}
	var f flags
	kong.Parse(&f, kong.Description("Measures the pipeline's throughput beside a bare franz-go consume."))
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := errors.Join(pipeline.TuneMemory(), f.run(ctx)) // both consumers have what tidemark run sets
	stop()
	exit(err)
}

func exit(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

func runEngine(cfg devclickhouse.EngineConfig, err error) error {
	if err != nil {
		return nil // already told
	}
	return devclickhouse.RunEngine(cfg)
}

func (f *flags) run(ctx context.Context) (err error) {
	if f.Minutes < 1 || f.Minutes > 600 || min(f.Events, f.Accounts, f.Users, f.Partitions, f.Runs) < 1 {
		return errors.New("--minutes must be 1 to 600, so that the topic stays within a day, and every other number at least 1")
	}
	if err := os.MkdirAll(f.Out, 0o750); err != nil {
		return fmt.Errorf("make the output directory: %w", err)
	}
	dir, err := os.MkdirTemp("", "tidemark-bench-")
	if err != nil {
		return fmt.Errorf("make a directory for the servers: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	self, err := os.Executable()
	if err != nil {
		return err
	}
	b := &bench{cfg: config.Default(), log: logger(), shape: shape{
		Events: f.Events, Accounts: f.Accounts, Users: f.Users, Features: 12, Minutes: f.Minutes,
		Active: 1.0 / 3, Late: 0.01, Duplicates: 0.01, Seed: f.Seed,
	}}
	fmt.Println("Starting Kafka and ClickHouse.")
	if b.services, err = startServices(ctx, dir, self, os.Stdout); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.services.close()) }()
	// A past day, so that nothing lies in the future, and its middle, so that late events are of the same day.
	start := time.Now().UTC().Truncate(24 * time.Hour).Add(-14 * time.Hour)
	fmt.Printf("Writing %d records.\n", f.Events)
	if b.topic, err = writeTopic(ctx, b.services.brokers, b.cfg.Kafka.Topics, f.Partitions, newGenerator(b.shape, start)); err != nil {
		return err
	}
	report, err := f.measure(ctx, b)
	if err != nil {
		return err
	}
	report.print(os.Stdout)
	return report.save(filepath.Join(f.Out, "latest.json"))
}

// measure runs both kinds alternately, after a first run of each that only warms the page cache and the servers.
func (f *flags) measure(ctx context.Context, b *bench) (*report, error) {
	r := newReport(b, f.Partitions)
	if _, err := b.bare(ctx, "warm"); err != nil {
		return nil, err
	}
	if _, err := b.pipeline(ctx, "warm_run"); err != nil {
		return nil, err
	}
	for i := range f.Runs {
		bare, err := b.bare(ctx, fmt.Sprintf("bare_%d", i))
		if err != nil {
			return nil, err
		}
		stop := func() error { return nil }
		if f.Profile && i == f.Runs-1 {
			if stop, err = profile(f.Out); err != nil {
				return nil, err
			}
		}
		run, err := b.pipeline(ctx, fmt.Sprintf("run_%d", i))
		if err := errors.Join(err, stop()); err != nil {
			return nil, err
		}
		r.add(bare, run)
		fmt.Printf("run %d: bare %.0f events/s, pipeline %.0f events/s, ratio %.3f\n", i+1,
			b.rate(bare.Seconds), b.rate(run.Seconds), bare.Seconds/run.Seconds)
	}
	var err error
	r.WindowBytes, err = windowBytes()
	r.finish()
	return r, err
}

func (b *bench) rate(seconds float64) float64 { return float64(b.shape.Events) / seconds }

// logger shows warnings and errors: a benchmark with retries in it is not one to believe.
func logger() *zap.Logger {
	cfg := zap.NewDevelopmentConfig()
	cfg.Level = zap.NewAtomicLevelAt(zap.WarnLevel)
	return zap.Must(cfg.Build())
}
