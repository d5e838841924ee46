package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// drained is what ClickHouse was asked to do while a backlog was read.
type drained struct {
	Seconds   float64   `json:"seconds"`
	Inserts   uint64    `json:"inserts"`
	Rows      int       `json:"rows_written"`
	PerSecond []float64 `json:"inserts_by_second"`
	MostParts int       `json:"most_active_parts_of_a_partition"`
	After     *liveRun  `json:"after"`
}

// measureCatchUp lets an instance that has nothing find a backlog, and then sends it traffic: how hard it is on ClickHouse while
// it is behind, and how soon it is as fresh as ever.
func (b *bench) measureCatchUp(ctx context.Context) (err error) {
	const name = "backlog"
	topic, release, err := b.hold(ctx, name, b.Partitions, newGenerator(b.shape(b.Events), pastDay()))
	if err != nil {
		return err
	}
	db, err := b.services.database(ctx, "tidemark_"+name, name)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.settle(ctx)) }()
	if err := release(ctx); err != nil {
		return err
	}
	p, err := b.tidemark(name, name, name, db)
	if err != nil {
		return err
	}
	defer p.kill()
	d := &drained{}
	err = while(ctx, []*process{p}, func(ctx context.Context) error {
		if err := b.drain(ctx, topic, db, d); err != nil {
			return err
		}
		if err := topic.verify(ctx, db); err != nil {
			return err
		}
		return b.afterwards(ctx, topic, db, p, d)
	})
	if err != nil {
		return err
	}
	rate := float64(topic.Events) / d.Seconds
	s := b.section(fmt.Sprintf("A backlog of %d records, found by a process of tidemark run that starts; from its first insert to the commit of the end. Then %.0f events a second for %s, with probes as in freshness.",
		b.Events, rate/10, b.Measured))
	s.Runs = d
	s.Add("rate", "events of the backlog", "1/s", nil, rate)
	s.Add("inserts", "inserts while it is behind", "1/s", nil, float64(d.Inserts)/d.Seconds)
	s.Add("most_inserts", "the most in a second", "1/s", nil, slices.Max(d.PerSecond))
	s.Add("insert_rows", "rows an insert", "", nil, float64(d.Rows)/float64(d.Inserts))
	s.Add("parts", "most active parts of a partition of a table meanwhile", "", nil, float64(d.MostParts))
	s.Add("after_p50", "freshness afterwards, median", "s", nil, d.After.Freshness[0])
	s.Add("after_p99", "freshness afterwards, 99 % within", "s", nil, d.After.Freshness[2])
	s.Add("after_inserts", "inserts afterwards", "1/s", nil, d.After.Inserts)
	b.keep("catchup", s)
	return p.end()
}

// drain watches the backlog being read.
func (b *bench) drain(ctx context.Context, topic *written, db *database, d *drained) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	start, err := db.events(ctx)
	if err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() { ended <- b.awaitEnd(ctx, topic.Topic, topic.Topic) }()
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	var began time.Time
	last := start
	for {
		var done bool
		select {
		case err := <-ended:
			if err != nil {
				return err
			}
			done = true
		case <-ticker.C:
		}
		now, err := db.events(ctx)
		if err != nil {
			return err
		}
		parts, err := db.mostParts(ctx)
		if err != nil {
			return err
		}
		if n := now.since(last).Inserts; n > 0 || !began.IsZero() {
			if began.IsZero() {
				began = time.Now().Add(-time.Second)
			}
			d.PerSecond = append(d.PerSecond, float64(n))
		}
		d.MostParts = max(d.MostParts, parts)
		last = now
		if done {
			d.Seconds, d.Inserts = time.Since(began).Seconds(), now.since(start).Inserts
			d.Rows = int(now.since(start).InsertedRows)
			return nil
		}
	}
}

// afterwards measures freshness of a tenth of the rate, with the same instance.
func (b *bench) afterwards(ctx context.Context, topic *written, db *database, p *process, d *drained) error {
	client, err := b.producer()
	if err != nil {
		return err
	}
	defer client.Close()
	probes, err := b.newProbes(topic.Topic, db)
	if err != nil {
		return err
	}
	defer probes.close() //nolint:errcheck // reads only
	d.After, err = b.watch(ctx, watched{
		topic: topic.Topic, already: topic.Events, rate: float64(topic.Events) / d.Seconds / 10, process: p, db: db, probes: probes, client: client,
	})
	return err
}

// mostParts returns how many active parts the partition with the most has, of any table.
func (d *database) mostParts(ctx context.Context) (most int, err error) {
	row := d.admin.QueryRowContext(ctx, "SELECT max(n) FROM (SELECT count() AS n FROM system.parts WHERE active AND database = ? GROUP BY table, partition_id)", d.name)
	if err := row.Scan(&most); err != nil {
		return 0, fmt.Errorf("count the parts of %s: %w", d.name, err)
	}
	return most, nil
}
