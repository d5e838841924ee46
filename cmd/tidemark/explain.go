package main

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"tidemark/internal/config"
	"tidemark/internal/explain"
	"tidemark/schemas"
)

type explainCmd struct {
	Account string `arg:"" help:"Account."`
	Metric  string `arg:"" help:"Metric, by its name in the catalogue."`
	Window  string `arg:"" help:"Window in UTC: 'day 2026-11-25', 'hour 2026-11-25T10:00', 'minute 2026-11-25T10:05', or '28d 2026-11-25' and '7d 2026-11-25' for the days up to that one."`

	Tier    string `placeholder:"TIER" help:"Length of the window if WINDOW does not say: minute, hour, day, 7d or 28d."`
	By      string `placeholder:"NAME" help:"Of this feature, or workflow, only."`
	Scan    int64  `default:"1000000" help:"Records of each partition to look for events in, at most (${default})."`
	Samples int    `default:"5" help:"Events of each sort to list, at most (${default})."`
	JSON    bool   `name:"json" help:"Print JSON instead of tables."`
}

// Run tells how a number in a view came about.
func (e *explainCmd) Run(ctx context.Context, g *globals) error {
	cfg, err := g.load()
	if err != nil {
		return err
	}
	log, catalogue, err := recountOptions(&cfg)
	if err != nil {
		return err
	}
	metric, err := explain.Find(catalogue, e.Metric)
	if err != nil {
		return err
	}
	window, err := explain.ParseWindow(e.Window, e.Tier)
	if err != nil {
		return err
	}
	if e.Scan < 0 || e.Samples < 0 {
		return errors.New("--scan and --samples must not be negative")
	}
	store, err := clickhouseClient(&cfg.ClickHouse, cfg.ClickHouse.Reader)
	if err != nil {
		return err
	}
	defer store.Close() //nolint:errcheck // it only reads
	result, err := explain.Run(ctx, store.Conn(), explain.Options{
		Catalogue: catalogue, Log: log, Disorder: disorderOf(&cfg, metric),
		Account: e.Account, Metric: metric, Window: window, By: e.By, Scan: e.Scan, Samples: e.Samples,
	})
	if err != nil {
		return err
	}
	if e.JSON {
		encoder := json.NewEncoder(g.stdout)
		encoder.SetIndent("", "  ")
		return encoder.Encode(result)
	}
	return result.Write(g.stdout)
}

// disorderOf is that of the topic that a metric's events are in.
func disorderOf(cfg *config.Config, m schemas.Metric) time.Duration {
	if m.Aggregate == schemas.TicketFacts {
		return cfg.Pipeline.Disorder.Tickets
	}
	return cfg.Pipeline.Disorder.Telemetry
}
