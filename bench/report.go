package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"text/tabwriter"
)

// report is everything a benchmark has measured, as latest.json holds it.
type report struct {
	Command    string  `json:"command"`
	GoVersion  string  `json:"go"`
	CPUs       int     `json:"cpus"`
	Kafka      string  `json:"kafka"`
	Partitions int     `json:"partitions"`
	Shape      shape   `json:"records"`
	ValueBytes float64 `json:"value_bytes"` // mean

	FlushInterval string `json:"flush_interval"`
	FlushRows     int    `json:"flush_rows"`

	Bare     []usage       `json:"bare_runs"`
	Pipeline []pipelineRun `json:"pipeline_runs"`

	Ratio    spread `json:"pipeline_to_bare"`     // of events a second, run by run
	CPURatio spread `json:"pipeline_to_bare_cpu"` // of events a CPU second of the client's process
	// PipelineRate and BareRate are events a second: they depend on the machine, their ratio much less.
	PipelineRate spread  `json:"pipeline_events_per_second"`
	BareRate     spread  `json:"bare_events_per_second"`
	WindowBytes  float64 `json:"bytes_per_open_window"`
}

// spread is the median, least and greatest of some runs.
type spread struct {
	Median float64 `json:"median"`
	Min    float64 `json:"min"`
	Max    float64 `json:"max"`
}

func newReport(b *bench, partitions int) *report {
	return &report{
		Command: "make bench", GoVersion: runtime.Version(), CPUs: runtime.NumCPU(), Kafka: b.services.kafka, Partitions: partitions,
		Shape: b.shape, ValueBytes: float64(b.topic.Bytes) / float64(b.shape.Events),
		FlushInterval: b.cfg.Pipeline.FlushInterval.String(), FlushRows: b.cfg.Pipeline.FlushRows,
	}
}

func (r *report) add(bare usage, run pipelineRun) {
	r.Bare, r.Pipeline = append(r.Bare, bare), append(r.Pipeline, run)
}

func (r *report) finish() {
	n := float64(r.Shape.Events)
	r.Ratio = r.over(func(b usage, p pipelineRun) float64 { return b.Seconds / p.Seconds })
	r.CPURatio = r.over(func(b usage, p pipelineRun) float64 { return b.ClientCPU / p.ClientCPU })
	r.PipelineRate = r.over(func(_ usage, p pipelineRun) float64 { return n / p.Seconds })
	r.BareRate = r.over(func(b usage, _ pipelineRun) float64 { return n / b.Seconds })
}

// over gathers a figure over the runs.
func (r *report) over(figure func(usage, pipelineRun) float64) spread {
	all := make([]float64, len(r.Bare))
	for i := range all {
		all[i] = figure(r.Bare[i], r.Pipeline[i])
	}
	slices.Sort(all)
	return spread{Median: (all[(len(all)-1)/2] + all[len(all)/2]) / 2, Min: all[0], Max: all[len(all)-1]}
}

func (r *report) print(to io.Writer) {
	n := float64(r.Shape.Events)
	w := tabwriter.NewWriter(to, 0, 0, 2, ' ', tabwriter.AlignRight)
	line := func(name, format string, figure func(usage, pipelineRun) float64) {
		s := r.over(figure)
		fmt.Fprintf(w, "%s\t"+format+"\t"+format+"\t"+format+"\t\n", name, s.Median, s.Min, s.Max)
	}
	fmt.Fprintf(w, "%d records of %.0f bytes, %d partitions, %s\tmedian\tmin\tmax\t\n", r.Shape.Events, r.ValueBytes, r.Partitions, r.Kafka)
	line("bare consume, events/s", "%.0f", func(b usage, _ pipelineRun) float64 { return n / b.Seconds })
	line("full pipeline, events/s", "%.0f", func(_ usage, p pipelineRun) float64 { return n / p.Seconds })
	line("ratio", "%.3f", func(b usage, p pipelineRun) float64 { return b.Seconds / p.Seconds })
	line("ratio of events per CPU second of the process", "%.3f", func(b usage, p pipelineRun) float64 { return b.ClientCPU / p.ClientCPU })
	line("bare consume, CPU µs/event", "%.2f", func(b usage, _ pipelineRun) float64 { return b.ClientCPU / n * 1e6 })
	line("pipeline, CPU µs/event", "%.2f", func(_ usage, p pipelineRun) float64 { return p.ClientCPU / n * 1e6 })
	line("ClickHouse, CPU µs/event", "%.2f", func(_ usage, p pipelineRun) float64 { return p.ClickHouseCPU / n * 1e6 })
	line("Kafka, CPU µs/event", "%.2f", func(_ usage, p pipelineRun) float64 { return p.KafkaCPU / n * 1e6 })
	line("bare consume, allocations/event", "%.2f", func(b usage, _ pipelineRun) float64 { return float64(b.Allocations) / n })
	line("pipeline, allocations/event", "%.2f", func(_ usage, p pipelineRun) float64 { return float64(p.Allocations) / n })
	line("rows/event", "%.2f", func(_ usage, p pipelineRun) float64 { return float64(p.Written.Rows) / n })
	line("events/insert", "%.0f", func(_ usage, p pipelineRun) float64 { return n / float64(p.Written.Inserts) })
	line("flushes", "%.0f", func(_ usage, p pipelineRun) float64 { return float64(p.Written.Flushes) })
	line("loads for late events", "%.0f", func(_ usage, p pipelineRun) float64 { return float64(p.Written.Loads) })
	fmt.Fprintf(w, "bytes/open window (counters, %d users)\t%.0f\t\t\t\n", measuredUsers, r.WindowBytes)
	_ = w.Flush() // a report that cannot be shown is still saved
}

func (r *report) save(path string) error {
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	if err := os.WriteFile(path, append(text, '\n'), 0o644); err != nil { //nolint:gosec // for everyone to read
		return fmt.Errorf("save the figures: %w", err)
	}
	return nil
}
