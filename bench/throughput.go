package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime/pprof"

	"tidemark/bench/figures"
)

// pair is a bare consume and the pipeline's run that followed it.
type pair struct {
	Bare     usage       `json:"bare"`
	Pipeline pipelineRun `json:"pipeline"`
}

func (b *bench) measureThroughput(ctx context.Context) error {
	_, err := b.throughput(ctx, nil)
	return err
}

// throughput runs the bare consume, the pipeline and what else is given in turns, after a first run of the two that only warms
// the page cache and the servers.
func (b *bench) throughput(ctx context.Context, others func(context.Context, *written, int) error) ([]pair, error) {
	topic, err := b.backlog(ctx)
	if err != nil {
		return nil, err
	}
	if _, err := b.bare(ctx, topic, "warm"); err != nil {
		return nil, err
	}
	if _, err := b.pipeline(ctx, topic, "warm_run"); err != nil {
		return nil, err
	}
	var runs []pair
	for i := range b.Runs {
		p, err := b.pair(ctx, topic, i)
		if err != nil {
			return nil, err
		}
		runs = append(runs, p)
		fmt.Printf("run %d: bare %.0f events/s, pipeline %.0f events/s, ratio %.3f\n", i+1,
			float64(topic.Events)/p.Bare.Seconds, float64(topic.Events)/p.Pipeline.Seconds, p.Bare.Seconds/p.Pipeline.Seconds)
		if others == nil {
			continue
		}
		if err := others(ctx, topic, i); err != nil {
			return nil, err
		}
	}
	s := b.section(fmt.Sprintf("%d records of %.0f bytes in %d partitions, %d accounts of %d users, over %d minutes of event time; "+
		"rows are flushed every %s and every tenth time while the log is behind, or from %d rows of a partition on.", topic.Events, float64(topic.Bytes)/float64(topic.Events),
		topic.Partitions, b.Accounts, b.Users, b.Minutes, b.cfg.Pipeline.FlushInterval, b.cfg.Pipeline.FlushRows))
	s.Runs = runs
	throughputFigures(s, topic, runs)
	b.keep("throughput", s)
	return runs, nil
}

func (b *bench) pair(ctx context.Context, topic *written, i int) (p pair, err error) {
	if p.Bare, err = b.bare(ctx, topic, fmt.Sprintf("bare_%d", i)); err != nil {
		return p, err
	}
	stop := func() error { return nil }
	if b.Profile && i == b.Runs-1 {
		if stop, err = profile(b.Out); err != nil {
			return p, err
		}
	}
	p.Pipeline, err = b.pipeline(ctx, topic, fmt.Sprintf("run_%d", i))
	return p, errors.Join(err, stop())
}

func throughputFigures(s *figures.Section, topic *written, runs []pair) {
	n := float64(topic.Events)
	add := func(id, what, unit string, goal *figures.Goal, figure func(usage, pipelineRun) float64) {
		values := make([]float64, len(runs))
		for i, r := range runs {
			values[i] = figure(r.Bare, r.Pipeline)
		}
		s.Add(id, what, unit, goal, values...)
	}
	add("ratio", "full pipeline : bare consume, events a second", "", figures.AtLeast(0.5), func(b usage, p pipelineRun) float64 { return b.Seconds / p.Seconds })
	add("cpu_ratio", "the same, events a CPU second of the consuming process", "", nil, func(b usage, p pipelineRun) float64 { return b.ClientCPU / p.ClientCPU })
	add("bare_rate", "bare consume", "events/s", nil, func(b usage, _ pipelineRun) float64 { return n / b.Seconds })
	add("rate", "full pipeline", "events/s", nil, func(_ usage, p pipelineRun) float64 { return n / p.Seconds })
	add("bare_cpu", "CPU: bare consume", "µs/event", nil, func(b usage, _ pipelineRun) float64 { return b.ClientCPU / n * 1e6 })
	add("pipeline_cpu", "CPU: pipeline", "µs/event", nil, func(_ usage, p pipelineRun) float64 { return p.ClientCPU / n * 1e6 })
	add("clickhouse_cpu", "CPU: ClickHouse", "µs/event", nil, func(_ usage, p pipelineRun) float64 { return p.ClickHouseCPU / n * 1e6 })
	add("kafka_cpu", "CPU: Kafka", "µs/event", nil, func(_ usage, p pipelineRun) float64 { return p.KafkaCPU / n * 1e6 })
	add("allocations", "allocations of the pipeline", "1/event", figures.AtMost(0.1), func(_ usage, p pipelineRun) float64 { return float64(p.Allocations) / n })
	add("bare_allocations", "allocations of the bare consume", "1/event", nil, func(b usage, _ pipelineRun) float64 { return float64(b.Allocations) / n })
	add("rows", "rows written", "1/event", nil, func(_ usage, p pipelineRun) float64 { return float64(p.Written.Rows) / n })
	add("insert_bytes", "bytes sent to ClickHouse", "B/event", nil, func(_ usage, p pipelineRun) float64 { return float64(p.Written.Server.Received) / n })
	add("written_bytes", "bytes that ClickHouse wrote to files, merges included", "B/event", nil, func(_ usage, p pipelineRun) float64 { return float64(p.Written.Server.Written) / n })
	add("disk_bytes", "bytes of parts at the end", "B/event", nil, func(_ usage, p pipelineRun) float64 { return float64(p.Written.Bytes) / n })
	add("new_parts", "parts written by inserts", "1/million events", nil, func(_ usage, p pipelineRun) float64 { return float64(p.Written.Server.NewParts) / n * 1e6 })
	add("inserts", "inserts while it catches up", "1/s", nil, func(_ usage, p pipelineRun) float64 { return float64(p.Written.Inserts) / p.Seconds })
	add("insert_events", "events an insert", "", nil, func(_ usage, p pipelineRun) float64 { return n / float64(p.Written.Inserts) })
	add("loads", "loads for late events", "", nil, func(_ usage, p pipelineRun) float64 { return float64(p.Written.Loads) })
	s.Add("event_bytes", "a record's value", "B", nil, float64(topic.Bytes)/n)
	if topic.Stored > 0 {
		s.Add("kafka_bytes", "a record on Kafka's disk and on the network, lz4", "B", nil, float64(topic.Stored)/n)
	}
}

// profile records CPU and allocations until stop, into dir.
func profile(dir string) (stop func() error, err error) {
	cpu, err := os.Create(filepath.Join(dir, "cpu.prof"))
	if err != nil {
		return nil, fmt.Errorf("profile: %w", err)
	}
	if err := pprof.StartCPUProfile(cpu); err != nil {
		return nil, fmt.Errorf("profile: %w", errors.Join(err, cpu.Close()))
	}
	return func() error {
		pprof.StopCPUProfile()
		allocs, err := os.Create(filepath.Join(dir, "allocs.prof"))
		if err != nil {
			return fmt.Errorf("profile: %w", errors.Join(err, cpu.Close()))
		}
		return errors.Join(pprof.Lookup("allocs").WriteTo(allocs, 0), allocs.Close(), cpu.Close())
	}, nil
}
