package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"tidemark/internal/backtest"
)

type triggersBacktestCmd struct {
	Rule     string        `arg:"" help:"Rule, by its name."`
	Files    []string      `name:"rules" placeholder:"FILE" type:"existingfile" help:"Files of rules; without any, those of triggers.rules."`
	From     string        `placeholder:"DATE" help:"First day, UTC; 180 days before --to unless it is given."`
	To       string        `placeholder:"DATE" help:"Last day, UTC; yesterday unless it is given."`
	Accounts []string      `placeholder:"ID" help:"Of these accounts only."`
	Horizon  time.Duration `default:"2160h" help:"How long before a customer is lost an alert counts as a warning (${default})."`
	SVG      string        `name:"svg" placeholder:"FILE" help:"Draw the chart into this file as well."`
}

// Run plays a rule over what ClickHouse has of the past.
func (c *triggersBacktestCmd) Run(ctx context.Context, g *globals) error {
	cfg, err := g.load()
	if err != nil {
		return err
	}
	all, err := rulesOf(&cfg, c.Files)
	if err != nil {
		return err
	}
	if _, err := findRule(all, c.Rule); err != nil {
		return err
	}
	past, err := c.past(time.Now())
	if err != nil {
		return err
	}
	store, err := clickhouseClient(&cfg.ClickHouse, cfg.ClickHouse.Reader)
	if err != nil {
		return err
	}
	defer store.Close() //nolint:errcheck // it only reads
	report, err := backtest.Run(ctx, store.Conn(), all, c.Rule, past, c.Horizon)
	if err != nil {
		return err
	}
	if c.SVG != "" {
		if err := os.WriteFile(c.SVG, report.SVG(), 0o644); err != nil {
			return fmt.Errorf("write the chart: %w", err)
		}
	}
	return report.Write(g.stdout)
}

// past is what the flags ask for: from the beginning of the first day to the end of the last one.
func (c *triggersBacktestCmd) past(now time.Time) (backtest.Range, error) {
	const day = 24 * time.Hour
	r := backtest.Range{To: now.UTC().Truncate(day), Accounts: c.Accounts}
	if c.To != "" {
		to, err := time.Parse(time.DateOnly, c.To)
		if err != nil {
			return r, fmt.Errorf("--to %q is no day such as 2026-11-25", c.To)
		}
		r.To = to.Add(day)
	}
	r.From = r.To.Add(-180 * day)
	if c.From != "" {
		from, err := time.Parse(time.DateOnly, c.From)
		if err != nil {
			return r, fmt.Errorf("--from %q is no day such as 2026-06-01", c.From)
		}
		r.From = from
	}
	if !r.From.Before(r.To) {
		return r, fmt.Errorf("--from %s is not before --to %s", r.From.Format(time.DateOnly), r.To.Format(time.DateOnly))
	}
	if c.Horizon <= 0 {
		return r, fmt.Errorf("--horizon %s must be positive", c.Horizon)
	}
	return r, nil
}
