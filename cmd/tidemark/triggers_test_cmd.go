package main

import (
	"context"
	"fmt"

	"tidemark/internal/backtest"
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
		all, err := rulesOf(&cfg, file.Rules)
		if err != nil {
			return err
		}
		for _, t := range file.Tests {
			if err := ctx.Err(); err != nil {
				return err
			}
			failures, err := t.Run(all)
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
