package main

import (
	"context"
	"fmt"
	"time"

	"tidemark/bench/figures"
)

// settleIn is how long a rate runs before it is measured.
const settleIn = 10 * time.Second

// liveRun is what happened while traffic came in at a rate.
type liveRun struct {
	Sent       int       `json:"sent"`
	Events     int       `json:"events"` // of them track and page events
	Seconds    float64   `json:"seconds"`
	Freshness  []float64 `json:"visible_p50_p90_p99_seconds"`
	LookMillis float64   `json:"view_query_ms"` // median
	Left       int       `json:"records_left"`  // not committed at the end
	Lag        float64   `json:"lag_seconds"`   // the same in seconds of traffic
	Pipeline   float64   `json:"pipeline_cpu"`  // cores
	ClickHouse float64   `json:"clickhouse_cpu"`
	Kafka      float64   `json:"kafka_cpu"`
	Generator  float64   `json:"generator_cpu"`
	Inserts    float64   `json:"inserts_per_second"`
	NewParts   float64   `json:"new_parts_per_second"`
	Written    float64   `json:"clickhouse_written_bytes_per_second"`
}

// beyond is a rate, in events a second, that no machine of this kind can send.
const beyond = 5e6

// measureFreshness measures how long an event takes from Kafka's acknowledgement to a view, at half of the highest rate and
// nearly idle.
func (b *bench) measureFreshness(ctx context.Context) error {
	rate, ofWhat := float64(b.Rate), "as asked for"
	var most *liveRun
	if b.Rate == 0 {
		var err error
		if most, err = b.liveRun(ctx, "fresh_most", beyond); err != nil {
			return err
		}
		highest := float64(most.Sent-most.Left) / most.Seconds
		rate, ofWhat = highest/2, fmt.Sprintf("half of %.0f, which is what got through when as many were sent as could be", highest)
	}
	busy, err := b.liveRun(ctx, "fresh_busy", rate)
	if err != nil {
		return err
	}
	idle, err := b.liveRun(ctx, "fresh_idle", rate/100)
	if err != nil {
		return err
	}
	s := b.section(fmt.Sprintf("%.0f events a second (%s) for %s, by a process of tidemark run; beside them 20 probes a second, each timed from Kafka's acknowledgement "+
		"to when the first query of the view counters that counts it was asked. A reader on the same machine asks it all the time, with pauses of %s. Another asks usage_minute every second, "+
		"which must count at least what counters had before. Idle is a hundredth of the rate.", rate, ofWhat, b.Measured, lookPause))
	s.Runs = map[string]*liveRun{"most": most, "busy": busy, "idle": idle}
	s.Add("p50", "freshness, median", "s", figures.AtMost(0.5), busy.Freshness[0])
	s.Add("p90", "freshness, 90 % within", "s", nil, busy.Freshness[1])
	s.Add("p99", "freshness, 99 % within", "s", figures.AtMost(1.2), busy.Freshness[2])
	s.Add("rate", "traffic", "events/s", nil, float64(busy.Sent)/busy.Seconds)
	s.Add("lag", "not committed at the end", "s of traffic", nil, busy.Lag)
	if most != nil {
		s.Add("most_rate", "as many as can be sent: traffic", "events/s", nil, float64(most.Sent)/most.Seconds)
		s.Add("most_lag", "as many as can be sent: not committed at the end", "s of traffic", nil, most.Lag)
		s.Add("most_p50", "as many as can be sent: freshness, median", "s", nil, most.Freshness[0])
		s.Add("most_p99", "as many as can be sent: freshness, 99 % within", "s", nil, most.Freshness[2])
	}
	s.Add("idle_p50", "idle: freshness, median", "s", nil, idle.Freshness[0])
	s.Add("idle_p99", "idle: freshness, 99 % within", "s", nil, idle.Freshness[2])
	for _, part := range []struct {
		id, what string
		cores    float64
	}{{"pipeline_cpu", "pipeline", busy.Pipeline}, {"clickhouse_cpu", "ClickHouse, with the view's queries", busy.ClickHouse}, {"kafka_cpu", "Kafka", busy.Kafka}, {"generator_cpu", "what sends and looks", busy.Generator}} {
		s.Add(part.id, "CPU: "+part.what, "µs/event", nil, part.cores*busy.Seconds/float64(busy.Sent)*1e6)
	}
	s.Add("inserts", "inserts", "1/s", nil, busy.Inserts)
	s.Add("new_parts", "parts written by inserts", "1/s", nil, busy.NewParts)
	s.Add("idle_inserts", "idle: inserts", "1/s", nil, idle.Inserts)
	s.Add("idle_new_parts", "idle: parts written by inserts", "1/s", nil, idle.NewParts)
	s.Add("view", "a query of usage_minute", "ms", nil, busy.LookMillis)
	b.keep("freshness", s)
	return nil
}

// liveRun sends at a rate to an instance of the pipeline, and probes.
func (b *bench) liveRun(ctx context.Context, name string, rate float64) (r *liveRun, err error) {
	client, db, done, err := b.stage(ctx, name)
	if err != nil {
		return nil, err
	}
	defer func() { err = done(err) }()
	p, err := b.tidemark(name, name, name, db)
	if err != nil {
		return nil, err
	}
	defer p.kill()
	probes, err := b.newProbes(name, db)
	if err != nil {
		return nil, err
	}
	defer probes.close() //nolint:errcheck // reads only
	err = while(ctx, []*process{p}, func(ctx context.Context) error {
		r, err = b.watch(ctx, watched{topic: name, rate: rate, process: p, db: db, probes: probes, client: client})
		return err
	})
	if err != nil {
		return nil, err
	}
	fmt.Printf("%.0f events/s: freshness p50 %.3f s, p99 %.3f s\n", rate, r.Freshness[0], r.Freshness[2])
	return r, p.end()
}
