package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"go.uber.org/zap"

	"tidemark/internal/cataloguetest"
	"tidemark/internal/config"
	"tidemark/internal/demo"
	"tidemark/schemas"
)

type catalogueTestCmd struct {
	Files []string `arg:"" name:"file" type:"existingfile" help:"Files of tests: see docs/catalogue.md."`
}

// Run runs the tests of each file on an engine of its own, with its catalogue.
func (c *catalogueTestCmd) Run(ctx context.Context, g *globals) error {
	cfg, err := g.load()
	if err != nil {
		return err
	}
	failed, run := 0, 0
	for _, path := range c.Files {
		file, err := cataloguetest.Read(path)
		if err != nil {
			return err
		}
		n, err := testCatalogue(ctx, g, &cfg, file)
		if err != nil {
			return err
		}
		failed, run = failed+n, run+len(file.Tests)
	}
	if failed > 0 {
		return fmt.Errorf("catalogue test: %d of %d tests failed", failed, run)
	}
	_, err = fmt.Fprintf(g.stdout, "%d tests passed.\n", run)
	return err
}

// testCatalogue runs the tests of a file and returns how many failed.
func testCatalogue(ctx context.Context, g *globals, cfg *config.Config, file *cataloguetest.File) (failed int, err error) {
	path := file.Catalogue
	if path == "" {
		path = cfg.Pipeline.Catalogue
	}
	catalogue, err := schemas.Load(path)
	if err != nil {
		return 0, err
	}
	runner, err := startTestEngine(ctx, g, cfg, catalogue, file.Now)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, runner.Close()) }()
	for _, t := range file.Tests {
		result, err := runner.Run(ctx, t)
		if err != nil {
			return failed, fmt.Errorf("test %q: %w", t.Name, err)
		}
		if len(result.Failures) > 0 {
			failed++
		}
		showResult(g.stdout, result)
	}
	return failed, nil
}

func showResult(out io.Writer, r cataloguetest.Result) {
	if len(r.Failures) == 0 {
		fmt.Fprintf(out, "ok    %s: %d expectations\n", r.Name, r.Expectations)
		return
	}
	fmt.Fprintf(out, "FAIL  %s\n", r.Name)
	for _, f := range r.Failures {
		fmt.Fprintf(out, "      %s\n", f)
	}
	fmt.Fprintf(out, "      from these records:\n")
	for _, e := range r.Events {
		fmt.Fprintf(out, "        %s\n", e)
	}
}

// startTestEngine starts an engine with the tables and views of a catalogue as of a time, on which tests run.
func startTestEngine(ctx context.Context, g *globals, cfg *config.Config, catalogue *schemas.Catalogue, now time.Time) (*cataloguetest.Runner, error) {
	log := zap.NewNop() // what the embedded parts log is of no interest to who tests a catalogue; their errors are returned
	own := *cfg
	t := &own.Kafka.Topics
	t.Telemetry, t.Tickets, t.Accounts, t.Signals = cataloguetest.Telemetry, cataloguetest.Tickets, cataloguetest.Accounts, cataloguetest.Signals
	p, err := pipelineConfig(&own, log)
	if err != nil {
		return nil, err
	}
	line := demo.NewLine(g.stderr)
	opts := cataloguetest.Options{Catalogue: catalogue, Now: now, Pipeline: p}
	opts.Engine.Progress = func(done, total int64) {
		line.Show(time.Now(), "fetching ClickHouse's engine, once: %d of %d MB", done>>20, total>>20)
	}
	runner, err := cataloguetest.Start(ctx, opts)
	line.End()
	if err != nil {
		return nil, withoutExitCode(err)
	}
	return runner, nil
}
