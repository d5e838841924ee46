package main

import (
	"context"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"tidemark/bench/figures"
)

// recoveryRun is one end by SIGKILL and what followed.
type recoveryRun struct {
	CaughtUp float64 `json:"caught_up_seconds"` // from the signal to the commit of what was sent meanwhile
	Select   float64 `json:"select_seconds"`
	Rows     int     `json:"open_rows"`
}

// meanwhile is how many records come while nobody reads.
const meanwhile = 2000

// measureRecovery kills an instance with many open rows and starts it again at once, as a supervisor does.
func (b *bench) measureRecovery(ctx context.Context) (err error) {
	const name = "recovery"
	client, db, done, err := b.stage(ctx, name)
	if err != nil {
		return err
	}
	defer func() { err = done(err) }()
	o := &openWindows{bench: b, client: client, db: db, topic: name}
	start := func() (*process, error) { return b.tidemark(name, name, name, db) }
	p, err := start()
	if err != nil {
		return err
	}
	defer func() { p.kill() }()
	if err := while(ctx, []*process{p}, o.fill); err != nil {
		return err
	}
	var runs []recoveryRun
	for i := range b.Runs {
		var r recoveryRun
		if r.Rows, r.Select, err = o.load(ctx); err != nil {
			return err
		}
		killed := time.Now()
		p.kill()
		if p, err = start(); err != nil {
			return err
		}
		err = while(ctx, []*process{p}, func(ctx context.Context) error {
			if err := o.send(ctx, meanwhile); err != nil {
				return err
			}
			return b.awaitEnd(ctx, name, name)
		})
		if err != nil {
			return err
		}
		r.CaughtUp = time.Since(killed).Seconds()
		runs = append(runs, r)
		fmt.Printf("run %d: %d open rows, one SELECT %.2f s, caught up after %.2f s\n", i+1, r.Rows, r.Select, r.CaughtUp)
		if err := b.received(ctx, db, name, o.sent); err != nil {
			return err
		}
	}
	if err := o.verify(ctx); err != nil {
		return err
	}
	s := b.section(fmt.Sprintf("A process of tidemark run with %d partitions, killed by SIGKILL and started again at once with the same instance_id, until it has committed %d records that came meanwhile. "+
		"The SELECT reads the same rows, merged, of all partitions in one query with the same client.", b.Partitions, meanwhile))
	s.Runs = runs
	figure := func(f func(recoveryRun) float64) (all []float64) {
		for _, r := range runs {
			all = append(all, f(r))
		}
		return all
	}
	s.Add("ratio", "SIGKILL to caught up : loading the open rows by one SELECT", "", figures.AtMost(3), figure(func(r recoveryRun) float64 { return r.CaughtUp / r.Select })...)
	s.Add("caught_up", "SIGKILL to caught up", "s", nil, figure(func(r recoveryRun) float64 { return r.CaughtUp })...)
	s.Add("select", "loading the open rows by one SELECT", "s", nil, figure(func(r recoveryRun) float64 { return r.Select })...)
	s.Add("rows", "open rows", "", nil, figure(func(r recoveryRun) float64 { return float64(r.Rows) })...)
	b.keep("recovery", s)
	return nil
}

// openWindows are many accounts' windows of the moment.
type openWindows struct {
	*bench
	client *kgo.Client
	db     *database
	topic  string
	sent   int
	at     time.Time // of all events: their windows stay open
}

// fill sends events of ever more accounts until there are enough open rows.
func (o *openWindows) fill(ctx context.Context) error {
	const step = 20_000
	o.at = time.Now().UTC().Truncate(time.Minute)
	for {
		if err := o.send(ctx, step); err != nil {
			return err
		}
		if err := o.awaitEnd(ctx, o.topic, o.topic); err != nil {
			return err
		}
		rows, _, err := o.load(ctx)
		if err != nil {
			return err
		}
		if rows >= o.Open {
			return nil
		}
		// As many more as are missing by the rows that each has made so far.
		if more := (o.Open-rows)*o.sent/max(rows, 1) - step; more > 0 {
			if err := o.send(ctx, more); err != nil {
				return err
			}
		}
	}
}

// send sends n events, each of an account of its own.
func (o *openWindows) send(ctx context.Context, n int) error {
	at := o.at.Format(stamp)
	for range n {
		account := fmt.Appendf(nil, "acct-%07d", o.sent)
		value := fmt.Appendf(nil, `{"type":"track","event":"Feature Used","messageId":"open-%d","userId":"user-%d","context":{"groupId":"%s"},`+
			`"properties":{"feature":"feature_%02d","duration_ms":100},"originalTimestamp":%q,"sentAt":%[5]q,"receivedAt":%[5]q,"timestamp":%[5]q}`, o.sent, o.sent, account, o.sent%12, at)
		o.client.Produce(ctx, &kgo.Record{Topic: o.topic, Key: account, Value: value}, nil)
		o.sent++
	}
	if err := o.client.Flush(ctx); err != nil {
		return fmt.Errorf("send to %s: %w", o.topic, err)
	}
	return nil
}

// load reads the counters of all windows that are open, as a recovery does, and returns how many and how long it took.
func (o *openWindows) load(ctx context.Context) (rows int, seconds float64, err error) {
	watermark := o.at.Add(-o.cfg.Pipeline.Disorder.Telemetry)
	began := time.Now()
	result, err := o.db.store.Conn().Query(ctx, `
SELECT toInt8(tier), account_id, toInt64(toUnixTimestamp(window_start)), feature, metric, source, max(value), max(applied_offset)
FROM counters_all WHERE generation = 0 AND window_start >= multiIf(tier = 'minute', toStartOfMinute(toDateTime(?, 'UTC')), tier = 'hour', toStartOfHour(toDateTime(?, 'UTC')), toStartOfDay(toDateTime(?, 'UTC')))
GROUP BY tier, account_id, window_start, feature, metric, source`, watermark.Unix(), watermark.Unix(), watermark.Unix())
	if err != nil {
		return 0, 0, fmt.Errorf("load the open rows: %w", err)
	}
	defer result.Close() //nolint:errcheck // Err tells
	for result.Next() {
		var tier int8
		var account, feature, metric, source string
		var start int64
		var value, applied uint64
		if err := result.Scan(&tier, &account, &start, &feature, &metric, &source, &value, &applied); err != nil {
			return 0, 0, fmt.Errorf("load the open rows: %w", err)
		}
		rows++
	}
	return rows, time.Since(began).Seconds(), result.Err()
}

// verify requires that every event was counted once in each tier.
func (o *openWindows) verify(ctx context.Context) error {
	for _, tier := range []string{"minute", "hour", "day"} {
		var events uint64
		row := o.db.admin.QueryRowContext(ctx, `SELECT sum(v) FROM (SELECT max(value) AS v FROM counters WHERE tier = ? AND metric = 'events' GROUP BY account_id, window_start, feature, source)`, tier)
		if err := row.Scan(&events); err != nil {
			return fmt.Errorf("read counters: %w", err)
		}
		if events != uint64(o.sent) {
			return fmt.Errorf("wrong result: %d events by %s, should be %d", events, tier, o.sent)
		}
	}
	return nil
}
