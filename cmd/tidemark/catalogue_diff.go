package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"tidemark/internal/config"
	"tidemark/schemas"
	"tidemark/sinks/clickhouse/migrate"
)

type catalogueDiffCmd struct {
	Files []string `arg:"" optional:"" name:"file" help:"[OLD] NEW. Without OLD: what tidemark migrate applied last. Without NEW: the configured catalogue."`
}

// Run compares two catalogues, each with the built-in one in it.
func (d *catalogueDiffCmd) Run(ctx context.Context, g *globals) error {
	if len(d.Files) > 2 {
		return fmt.Errorf("catalogue diff: %d files are given, two at most are compared", len(d.Files))
	}
	cfg, err := g.load()
	if err != nil {
		return err
	}
	path := cfg.Pipeline.Catalogue
	if n := len(d.Files); n > 0 {
		path = d.Files[n-1]
	}
	to, err := schemas.Load(path)
	if err != nil {
		return err
	}
	if len(d.Files) == 2 {
		from, err := schemas.Load(d.Files[0])
		if err != nil {
			return err
		}
		return showDiff(g.stdout, from, to)
	}
	from, at, err := lastCatalogue(ctx, &cfg)
	if err != nil {
		return err
	}
	if from == nil {
		return fmt.Errorf("catalogue diff: ClickHouse does not know which catalogue its views are of: run tidemark migrate, or name two files to compare")
	}
	fmt.Fprintf(g.stdout, "Compared with the catalogue that was applied on %s:\n", at.UTC().Format(time.DateTime+" UTC"))
	return showDiff(g.stdout, from, to)
}

func lastCatalogue(ctx context.Context, cfg *config.Config) (*schemas.Catalogue, time.Time, error) {
	db, err := migratorDB(&cfg.ClickHouse)
	if err != nil {
		return nil, time.Time{}, err
	}
	defer db.Close() //nolint:errcheck // it only asked
	return migrate.LastCatalogue(ctx, db)
}

// showDiff prints a line for each change, and what to do about them.
func showDiff(out io.Writer, from, to *schemas.Catalogue) error {
	changes := schemas.Diff(from, to)
	if len(changes) == 0 {
		_, err := fmt.Fprintln(out, "No changes.")
		return err
	}
	for _, c := range changes {
		fmt.Fprintln(out, c)
	}
	text := "No rebuild is needed: only views change. tidemark migrate makes them."
	if schemas.RebuildAdvised(changes) {
		text = "A rebuild is advised for what is written after the colons: give the catalogue to the pipelines and to tidemark rebuild, then run tidemark migrate for the views."
	}
	_, err := fmt.Fprintln(out, text)
	return err
}
