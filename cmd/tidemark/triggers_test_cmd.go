package main

import (
	"context"
	"errors"
	"fmt"

	"tidemark/internal/backtest"
	"tidemark/internal/config"
	"tidemark/schemas"
	"tidemark/schemas/rules"
)

type triggersTestCmd struct {
	Files []string `arg:"" name:"file" type:"existingfile" help:"Files of tests: see docs/triggers.md."`
}

// Run plays the tests of each file by the state machine, with the rules that it names.
func (c *triggersTestCmd) Run(ctx context.Context, g *globals) error {
	cfg, err := g.load()
	if err != nil {
		return err
	}
	failed, run := 0, 0
	for _, path := range c.Files {
		file, err := backtest.ReadTests(path)
		if err != nil {
			return err
		}
		own := cfg
		if file.Catalogue != "" {
			own.Pipeline.Catalogue = file.Catalogue
		}
		all, err := rulesOf(&own, file.Rules)
		if err != nil {
			return err
		}
		happened, err := happen(ctx, g, &own, file, all)
		if err != nil {
			return err
		}
		for _, t := range file.Tests {
			if err := ctx.Err(); err != nil {
				return err
			}
			failures, err := t.Run(all, happened)
			if err != nil {
				return err
			}
			run++
			if len(failures) == 0 {
				fmt.Fprintf(g.stdout, "ok    %s\n", t.Name)
				continue
			}
			failed++
			fmt.Fprintf(g.stdout, "FAIL  %s (%s)\n", t.Name, t.Pos)
			for _, f := range failures {
				fmt.Fprintf(g.stdout, "      %s\n", f)
			}
		}
	}
	if failed > 0 {
		return fmt.Errorf("triggers test: %d of %d tests failed", failed, run)
	}
	_, err = fmt.Fprintf(g.stdout, "%d tests passed.\n", run)
	return err
}

// happen has the records of a file's tests folded by the pipeline, on an engine of its own; nil: it has none.
func happen(ctx context.Context, g *globals, cfg *config.Config, file *backtest.File, all []*rules.Rule) (h *backtest.History, err error) {
	if !file.Happens() {
		return nil, nil //nolint:nilnil // nothing happens
	}
	catalogue, err := schemas.Load(cfg.Pipeline.Catalogue)
	if err != nil {
		return nil, err
	}
	runner, err := startTestEngine(ctx, g, cfg, catalogue, file.Now)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, runner.Close()) }()
	return file.Happen(ctx, runner, all)
}
