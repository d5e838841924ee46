package main

import (
	"context"
	"errors"
	"fmt"
	"text/tabwriter"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"tidemark/internal/admin"
	"tidemark/internal/config"
	"tidemark/internal/demo"
	"tidemark/internal/rebuild"
	"tidemark/pipeline"
	"tidemark/pipeline/metrics"
	"tidemark/sinks/clickhouse"
	"tidemark/sinks/clickhouse/migrate"
)

type rebuildCmd struct {
	Build  rebuildBuildCmd  `cmd:"" default:"withargs" help:"Compute a new generation from the logs, or go on with the one that is being built, and switch to it."`
	Switch rebuildSwitchCmd `cmd:"" help:"Catch up with the logs, and switch to the generation that was built with --no-switch."`
	Back   rebuildBackCmd   `cmd:"" help:"Switch back to the generation that was live before."`
	Drop   rebuildDropCmd   `cmd:"" help:"Remove a generation that is not live."`
	List   rebuildListCmd   `cmd:"" help:"List the generations."`
}

type rebuildBuildCmd struct {
	NoSwitch       bool `help:"End when the new generation has caught up, and leave the switch to tidemark rebuild switch."`
	FromWhatIsLeft bool `help:"Rebuild although the beginning of a log is gone: what was counted from there will be missing."`
}

type (
	rebuildSwitchCmd struct{}
	rebuildBackCmd   struct{}
	rebuildDropCmd   struct {
		Generation uint16 `arg:"" help:"Number of the generation, as tidemark rebuild list shows it."`
	}
	rebuildListCmd struct{}
)

// Run builds a generation.
func (r *rebuildBuildCmd) Run(ctx context.Context, g *globals) error {
	return runRebuild(ctx, g, rebuild.Options{NoSwitch: r.NoSwitch, FromWhatIsLeft: r.FromWhatIsLeft})
}

// Run switches to the generation that is being built.
func (*rebuildSwitchCmd) Run(ctx context.Context, g *globals) error {
	return runRebuild(ctx, g, rebuild.Options{Resume: true})
}

// generations are the ways to Kafka and ClickHouse that work on generations takes.
type generations struct {
	cfg   config.Config
	store *clickhouse.Client
	admin *kadm.Client
}

func openGenerations(g *globals) (*generations, func(), error) {
	cfg, err := g.load()
	if err != nil {
		return nil, nil, err
	}
	opts, err := kafkaOptions(&cfg.Kafka)
	if err != nil {
		return nil, nil, err
	}
	client, err := kgo.NewClient(opts...)
	if err != nil {
		return nil, nil, fmt.Errorf("connect to Kafka: %w", err)
	}
	store, err := clickhouseClient(&cfg.ClickHouse, cfg.ClickHouse.Writer)
	if err != nil {
		client.Close()
		return nil, nil, err
	}
	return &generations{cfg, store, kadm.NewClient(client)}, func() {
		client.Close()
		_ = store.Close()
	}, nil
}

func runRebuild(ctx context.Context, g *globals, o rebuild.Options) error {
	s, done, err := openGenerations(g)
	if err != nil {
		return err
	}
	defer done()
	log, err := g.logger(s.cfg.Log)
	if err != nil {
		return err
	}
	if err := pipeline.TuneMemory(); err != nil {
		log.Sugar().Warnf("the heap is bounded by nothing: %v", err)
	}
	if o.Pipeline, err = pipelineConfig(&s.cfg, log); err != nil {
		return err
	}
	// Faster than the running pipeline, so that there are moments at which it is not behind it.
	o.Pipeline.FlushInterval /= 4
	o.Pipeline.Metrics = metrics.New(admin.NewRegistry())
	if err := awaitStore(ctx, &s.cfg.ClickHouse, log); err != nil {
		return err
	}
	bar := newRebuildBar(demo.NewLine(g.stderr))
	o.Store, o.Admin, o.Progress = s.store, s.admin, bar.show
	o.Forgotten = forgottenIn(&s.cfg.Kafka)
	o.Begun = func(n uint16, resumed bool) {
		fmt.Fprintf(g.stdout, "%s generation %d beside the live one. It may be cut short and run again.\n",
			map[bool]string{false: "Building", true: "Going on with"}[resumed], n)
	}
	o.Switched = func(ctx context.Context) error {
		bar.line.End()
		fmt.Fprintln(g.stdout, "Switched. Bringing the views to the catalogue, and waiting for a running pipeline to take over.")
		if err := migrateUp(ctx, &s.cfg); err != nil {
			return fmt.Errorf("the new generation is live, but the views are not those of its catalogue: run tidemark migrate; %w", err)
		}
		return nil
	}
	report, err := rebuild.Run(ctx, o)
	bar.line.End()
	if report != nil {
		sayRebuilt(g, report, &s.cfg, err)
	}
	return err
}

func sayRebuilt(g *globals, r *rebuild.Report, cfg *config.Config, err error) {
	switch {
	case !r.Switched && err != nil:
		fmt.Fprintf(g.stdout, "Generation %d is not finished, and nothing has changed for readers. To go on: tidemark rebuild. To give up: tidemark rebuild drop %[1]d.\n", r.Generation)
	case !r.Switched:
		fmt.Fprintf(g.stdout, "Generation %d has caught up, and nothing has changed for readers. To switch to it: tidemark rebuild switch.\n", r.Generation)
	default:
		fmt.Fprintf(g.stdout, "Generation %d is live; generation %d is kept. To go back: tidemark rebuild back. To free its space: tidemark rebuild drop %[2]d.\n", r.Generation, r.Was)
		if !r.TakenOver {
			fmt.Fprintf(g.stdout, "No running pipeline has taken over yet, as the group %s: is tidemark run running, with this catalogue?\n",
				rebuild.Group(cfg.Kafka.Group, r.Generation))
		}
	}
}

// Run switches back.
func (*rebuildBackCmd) Run(ctx context.Context, g *globals) error {
	s, done, err := openGenerations(g)
	if err != nil {
		return err
	}
	defer done()
	from, to, err := rebuild.Back(ctx, s.store)
	if err != nil {
		return err
	}
	fmt.Fprintf(g.stdout, "Generation %d is live again, as it was left; generation %d is kept. Running pipelines look every 10 seconds, and then catch up as the group %s.\n",
		to.Number, from.Number, rebuild.Group(s.cfg.Kafka.Group, to.Number))
	p, err := program(&s.cfg)
	switch {
	case err != nil:
		return err
	case to.Catalogue == "" || to.Catalogue == p.Hash:
		return migrateUp(ctx, &s.cfg)
	default:
		fmt.Fprintf(g.stdout, "It was computed with another catalogue (hash %s, not %s): give that one to the pipelines, which wait for it, and run tidemark migrate with it for the views.\n",
			to.Catalogue, p.Hash)
	}
	return nil
}

// Run drops a generation.
func (r *rebuildDropCmd) Run(ctx context.Context, g *globals) error {
	s, done, err := openGenerations(g)
	if err != nil {
		return err
	}
	defer done()
	db, err := migratorDB(&s.cfg.ClickHouse)
	if err != nil {
		return err
	}
	defer db.Close() //nolint:errcheck // nothing is left to lose
	if err := rebuild.Drop(ctx, s.store, db, s.admin, s.cfg.Kafka.Group, r.Generation); err != nil {
		return err
	}
	_, err = fmt.Fprintf(g.stdout, "Generation %d is gone.\n", r.Generation)
	return err
}

// Run lists the generations.
func (*rebuildListCmd) Run(ctx context.Context, g *globals) error {
	s, done, err := openGenerations(g)
	if err != nil {
		return err
	}
	defer done()
	db, err := migratorDB(&s.cfg.ClickHouse)
	if err != nil {
		return err
	}
	defer db.Close() //nolint:errcheck // it only reads
	all, err := s.store.Generations(ctx)
	if err != nil {
		return err
	}
	rows, err := migrate.CountRows(ctx, db)
	if err != nil {
		return err
	}
	w := tabwriter.NewWriter(g.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "GENERATION\tSTATE\tSINCE\tROWS\tGROUP\tCATALOGUE")
	for _, gen := range all {
		since := "the beginning"
		if gen.Since.Unix() > 0 {
			since = gen.Since.UTC().Format(time.RFC3339)
		}
		fmt.Fprintf(w, "%d\t%s\t%s\t%d\t%s\t%s\n", gen.Number, gen.State, since, rows[gen.Number], rebuild.Group(s.cfg.Kafka.Group, gen.Number), gen.Catalogue)
	}
	return errors.Join(w.Flush(), ctx.Err())
}

// rebuildBar shows how far a rebuild is: on a terminal a bar, elsewhere a line now and then.
type rebuildBar struct {
	line  *demo.Line
	start time.Time
	done  int64 // at the start, as a rebuild may go on with an earlier one
}

func newRebuildBar(line *demo.Line) *rebuildBar { return &rebuildBar{line: line} }

func (b *rebuildBar) show(p rebuild.Progress) {
	now := time.Now()
	if b.start.IsZero() {
		b.start, b.done = now, p.Done
	}
	share, rate, left := 1.0, 0.0, "unknown"
	if p.Total > 0 {
		share = float64(p.Done) / float64(p.Total)
	}
	if took := now.Sub(b.start).Seconds(); took > 0 && p.Done > b.done {
		rate = float64(p.Done-b.done) / took
		left = time.Duration(float64(p.Total-p.Done) / rate * float64(time.Second)).Round(time.Second).String()
	}
	b.line.Show(now, "%s %3.0f%% generation %d · %d of %d offsets · %.0f/s · %s left", drawn(share), 100*share, p.Generation, p.Done, p.Total, rate, left)
}
