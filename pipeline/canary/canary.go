// Package canary measures freshness from outside: the events of a made-up account go the way of all events, and are looked
// for where dashboards look.
package canary

import (
	"context"
	crand "crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/cespare/xxhash/v2"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/zap"
)

// Config says where canaries are sent, and where they should arrive.
type Config struct {
	Topic    string // of telemetry
	Account  string
	Instance string        // tells the canaries of two processes apart; empty: chosen at random
	Interval time.Duration // between two canaries, on average; one that takes longer holds up the next
	Patience time.Duration // after which a canary is lost; 0: a minute

	Client *kgo.Client // sends them
	Store  driver.Conn // finds them

	Freshness prometheus.Observer // seconds from sending to reading
	Log       *zap.Logger
}

const (
	// patience is how long a canary is looked for.
	patience = time.Minute
	// lookEvery is the pause between two looks, and so the error of a measurement.
	lookEvery = 40 * time.Millisecond
	// lookSeldom bounds the pause as it grows with the wait, so that looking adds no load when ClickHouse has too much.
	lookSeldom = time.Second
	// lookTimeout bounds one look.
	lookTimeout = 10 * time.Second
)

// Canary sends one event at a time and waits until it can be read.
type Canary struct {
	cfg  Config
	user string
	hash uint64
	sent uint64
	last int64 // event time of the last canary, Unix ms

	lost prometheus.Counter
	age  prometheus.Gauge
	ill  bool // the last canary was lost, and the log says so
}

// New registers the metrics that are the canary's alone.
func New(cfg Config, registry prometheus.Registerer) *Canary {
	if cfg.Patience == 0 {
		cfg.Patience = patience
	}
	if cfg.Instance == "" {
		cfg.Instance = crand.Text()
	}
	c := &Canary{
		cfg: cfg,
		lost: prometheus.NewCounter(prometheus.CounterOpts{
			Namespace: "tidemark", Name: "canaries_lost_total", Help: "Canary events that could not be read within a minute of being sent.",
		}),
		age: prometheus.NewGauge(prometheus.GaugeOpts{
			Namespace: "tidemark", Name: "canary_last_freshness_seconds",
			Help: "Freshness by the last canary event; while one takes longer, how long it has taken so far.",
		}),
	}
	// One user an instance: a new one for every event would add a member to the account's sets with each, for years.
	c.user = "canary/" + cfg.Instance
	c.hash = xxhash.Sum64String("u:" + c.user)
	registry.MustRegister(c.lost, c.age)
	return c
}

// Run sends canaries until ctx ends.
func (c *Canary) Run(ctx context.Context) {
	for {
		// Not evenly: in step with the flushes, every canary would wait equally long.
		pause := time.Duration((0.5 + rand.Float64()) * float64(c.cfg.Interval))
		next := time.Now().Add(pause)
		err := c.fly(ctx)
		if ctx.Err() != nil {
			return
		}
		c.report(err)
		select {
		case <-ctx.Done():
			return
		case <-time.After(time.Until(next)):
		}
	}
}

// report counts a lost canary, and logs when canaries begin to get lost and when they no longer do.
func (c *Canary) report(err error) {
	if err != nil {
		c.lost.Inc()
	}
	switch {
	case err != nil && !c.ill:
		c.cfg.Log.Error("a canary is lost; until one arrives the rest are only counted", zap.Error(err))
	case err == nil && c.ill:
		c.cfg.Log.Info("canaries arrive again")
	}
	c.ill = err != nil
}

// fly sends one canary and waits until it can be read.
func (c *Canary) fly(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, c.cfg.Patience)
	defer cancel()
	start := time.Now()
	// Never twice the same, also when the clock is set back: that is how this canary is told from the last.
	at := max(start.UnixMilli(), c.last+1)
	c.last = at
	c.sent++
	record := &kgo.Record{
		Topic: c.cfg.Topic,
		Key:   fmt.Appendf(nil, "%s/%d", c.user, c.sent), // another key, and so in time every partition
		Value: c.event(at),
	}
	if err := c.cfg.Client.ProduceSync(ctx, record).FirstErr(); err != nil {
		c.age.Set(time.Since(start).Seconds())
		return fmt.Errorf("send a canary: %w", err)
	}
	err := c.await(ctx, start, at)
	if err != nil {
		return fmt.Errorf("canary at offset %d of %s/%d not seen within %s: %w", record.Offset, record.Topic, record.Partition, c.cfg.Patience, err)
	}
	took := time.Since(start).Seconds()
	c.cfg.Freshness.Observe(took)
	c.age.Set(took)
	return nil
}

func (c *Canary) event(at int64) []byte {
	now := time.UnixMilli(at).UTC().Format("2006-01-02T15:04:05.000Z")
	event, err := json.Marshal(map[string]any{
		"type": "track", "event": "Canary Sent", "messageId": fmt.Sprintf("%s/%d/%d", c.user, at, c.sent), "userId": c.user,
		"context":           map[string]string{"groupId": c.cfg.Account},
		"originalTimestamp": now, "sentAt": now, "receivedAt": now, "timestamp": now,
	})
	if err != nil {
		panic(fmt.Sprintf("marshal a canary: %v", err)) // plain data always marshals
	}
	return event
}

// await looks for the event of that time, in Unix ms, until ctx ends.
func (c *Canary) await(ctx context.Context, start time.Time, at int64) error {
	var failure error // of the last look
	shown := time.Duration(0)
	for {
		waited := time.Since(start)
		if waited > shown+lookSeldom { // a canary on its way says as much as one that has arrived
			c.age.Set(waited.Seconds())
			shown = waited
		}
		select {
		case <-ctx.Done():
			return errors.Join(ctx.Err(), failure)
		case <-time.After(min(max(lookEvery, waited/20), lookSeldom)):
		}
		seen, err := c.look(ctx, at)
		if seen {
			return nil
		}
		if err == nil || ctx.Err() == nil {
			failure = err
		}
	}
}

// look reads the one row that the event is in; it is found by the table's key.
func (c *Canary) look(ctx context.Context, at int64) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	var n uint64
	err := c.cfg.Store.QueryRow(ctx, `
SELECT count() FROM user_minutes
WHERE account_id = {account:String} AND minute = toDateTime({minute:Int64}, 'UTC') AND toDate(minute) = toDate({minute:Int64}, 'UTC')
  AND user = {user:UInt64} AND last >= fromUnixTimestamp64Milli({at:Int64}, 'UTC')`,
		clickhouse.Named("account", c.cfg.Account), clickhouse.Named("minute", at/60_000*60), clickhouse.Named("user", c.hash),
		clickhouse.Named("at", at)).Scan(&n)
	if err != nil {
		return false, fmt.Errorf("look for a canary: %w", err)
	}
	return n > 0, nil
}
