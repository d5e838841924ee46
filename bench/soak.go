package main

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"tidemark/bench/figures"
)

// soakSample is what was seen at a moment of the soak.
type soakSample struct {
	Hour       float64 `json:"hour"`       // of event time
	MostParts  int     `json:"most_parts"` // of a partition of a table
	Parts      int     `json:"parts"`      // all
	Pipeline   float64 `json:"pipeline_bytes"`
	ClickHouse float64 `json:"clickhouse_bytes"`
}

// partsLimit is what a partition's parts must stay below in a soak: ClickHouse begins to delay inserts at 1000.
const partsLimit = 300

// measureSoak lets a day of event time pass in minutes, with late events all the time, and watches what could grow.
func (b *bench) measureSoak(ctx context.Context) (err error) {
	const name = "soak"
	client, db, done, err := b.stage(ctx, name)
	if err != nil {
		return err
	}
	defer func() { err = done(err) }()
	traffic, err := newLive(b.shape(0), livePool)
	if err != nil {
		return err
	}
	p, err := b.tidemark(name, name, name, db)
	if err != nil {
		return err
	}
	defer p.kill()
	var samples []soakSample
	var sent int
	before, err := db.events(ctx)
	if err != nil {
		return err
	}
	err = while(ctx, []*process{p}, func(ctx context.Context) error {
		began := time.Now()
		speed := float64(24*time.Hour) / float64(b.Soak)
		start := began.Add(-24 * time.Hour).Truncate(24 * time.Hour) // yesterday, so that the day's windows are one day's
		when := func(now time.Time) int64 {
			return start.UnixMilli() + int64(float64(now.Sub(began).Milliseconds())*speed)
		}
		sending, stop := context.WithTimeout(ctx, b.Soak)
		defer stop()
		group, inner := errgroup.WithContext(ctx)
		group.Go(func() (err error) {
			defer stop()
			sent, _, err = traffic.run(sending, client, name, float64(b.SoakRate), new(atomic.Int64), when)
			return err
		})
		group.Go(func() (err error) {
			samples, err = b.sampled(inner, sending, p, db, began)
			return err
		})
		if err := group.Wait(); err != nil {
			return err
		}
		return b.received(ctx, db, name, sent)
	})
	if err != nil {
		return err
	}
	after, err := db.events(ctx)
	if err != nil {
		return err
	}
	disk, err := db.merged(ctx)
	if err != nil {
		return err
	}
	s := b.section(fmt.Sprintf("A day of event time in %s: %d events a second of %d accounts with %d users, 1 %% of them up to three hours of event time late, read by a process of tidemark run. "+
		"Seen once a second; then all parts are merged, which says what a day takes on disk.", b.Soak, b.SoakRate, b.Accounts, b.Users))
	s.Runs = samples
	b.soakFigures(s, samples, sent, after.since(before), disk)
	b.keep(name, s)
	return p.end()
}

func (b *bench) soakFigures(s *figures.Section, samples []soakSample, sent int, done serverEvents, disk float64) {
	half := samples[len(samples)/2:]
	most := func(of []soakSample, f func(soakSample) float64) (v float64) {
		for _, at := range of {
			v = max(v, f(at))
		}
		return v
	}
	parts := func(at soakSample) float64 { return float64(at.MostParts) }
	s.Add("parts", "most active parts of a partition of a table", "", figures.AtMost(partsLimit), most(samples, parts))
	s.Add("parts_late", "the same in the second half of the day", "", nil, most(half, parts))
	s.Add("parts_all", "active parts of all tables, at most", "", nil, most(samples, func(at soakSample) float64 { return float64(at.Parts) }))
	s.Add("pipeline_bytes", "memory of the pipeline in the first half, at most", "MB", nil, most(samples[:len(samples)/2], func(at soakSample) float64 { return at.Pipeline / 1e6 }))
	s.Add("pipeline_bytes_late", "memory of the pipeline in the second half, at most", "MB", nil, most(half, func(at soakSample) float64 { return at.Pipeline / 1e6 }))
	seconds := b.Soak.Seconds()
	s.Add("inserts", "inserts", "1/s", nil, float64(done.Inserts)/seconds)
	s.Add("new_parts", "parts written by inserts", "1/s", nil, float64(done.NewParts)/seconds)
	s.Add("merges", "merges", "1/s", nil, float64(done.Merges)/seconds)
	s.Add("rows", "rows written", "1/event", nil, float64(done.InsertedRows)/float64(sent))
	s.Add("written_bytes", "bytes that ClickHouse wrote to files, merges included", "B/event", nil, float64(done.Written)/float64(sent))
	s.Add("account_day_bytes", "an account's day on disk, merged, all tables", "B", nil, disk/float64(b.Accounts))
	s.Add("account_day_events", "events of an account's day", "", nil, float64(sent)/float64(b.Accounts))
	s.Add("event_bytes", "merged bytes on disk", "B/event", nil, disk/float64(sent))
}

// sampled looks every second until sending ends.
func (b *bench) sampled(ctx, sending context.Context, p *process, db *database, began time.Time) (samples []soakSample, err error) {
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	for {
		select {
		case <-sending.Done():
			if len(samples) < 4 {
				return nil, errors.New("too short to tell: more --soak")
			}
			return samples, nil
		case <-ticker.C:
		}
		at := soakSample{
			Hour:     time.Since(began).Seconds() / b.Soak.Seconds() * 24,
			Pipeline: resident(p.pid), ClickHouse: resident(b.services.server.PID()),
		}
		if at.MostParts, err = db.mostParts(ctx); err != nil {
			return nil, err
		}
		if err := db.admin.QueryRowContext(ctx, "SELECT count() FROM system.parts WHERE active AND database = ?", db.name).Scan(&at.Parts); err != nil {
			return nil, fmt.Errorf("count parts: %w", err)
		}
		samples = append(samples, at)
	}
}

// merged merges every table's parts as far as they go, and returns the bytes that are left.
func (d *database) merged(ctx context.Context) (bytes float64, err error) {
	tables, err := d.tables(ctx)
	if err != nil {
		return 0, fmt.Errorf("list the tables of %s: %w", d.name, err)
	}
	for _, name := range tables {
		if _, err := d.admin.ExecContext(ctx, "OPTIMIZE TABLE "+name+" FINAL"); err != nil {
			return 0, fmt.Errorf("merge %s: %w", name, err)
		}
	}
	err = d.admin.QueryRowContext(ctx, "SELECT toFloat64(sum(bytes_on_disk)) FROM system.parts WHERE active AND database = ?", d.name).Scan(&bytes)
	return bytes, err
}

func (d *database) tables(ctx context.Context) (names []string, err error) {
	rows, err := d.admin.QueryContext(ctx, "SELECT name FROM system.tables WHERE database = ? AND engine LIKE '%MergeTree'", d.name)
	if err != nil {
		return nil, err
	}
	defer rows.Close() //nolint:errcheck // Err tells
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			return nil, err
		}
		names = append(names, name)
	}
	return names, rows.Err()
}
