// Package metrics names what the pipeline tells Prometheus. Account ids are never labels.
package metrics

import (
	"strconv"

	"github.com/prometheus/client_golang/prometheus"
)

// Pipeline holds the pipeline's metrics. Sources are labelled by topic and partition.
type Pipeline struct {
	Records      *prometheus.CounterVec // by result: applied, duplicate, filtered, dead_lettered
	DeadLetters  *prometheus.CounterVec // by reason
	LagRecords   *prometheus.GaugeVec   // end of the log less the position folded to
	LagSeconds   *prometheus.GaugeVec   // age of the oldest record that is not yet queryable; 0 when there is none
	Uncommitted  *prometheus.GaugeVec   // end of the log less the committed offset
	Watermark    *prometheus.GaugeVec   // Unix seconds
	Windows      *prometheus.GaugeVec   // windows in memory
	Stopped      *prometheus.GaugeVec   // 1 while a source is stopped by an error that needs a person
	Freshness    prometheus.Histogram   // from the record's timestamp to its rows being queryable
	Canary       prometheus.Histogram   // the same, measured from outside by the canary account
	FlushTime    prometheus.Histogram
	FlushRows    prometheus.Histogram
	Inserts      *prometheus.CounterVec // by result: ok, retried
	Commits      *prometheus.CounterVec // by result: ok, failed
	Loads        prometheus.Counter     // windows and users loaded on demand
	FeaturesOver prometheus.Counter     // uses of features beyond the most that an account can have in a day
	Violations   prometheus.Gauge       // pairs of checkpoints, of all sources, that do not add up
	Recovery     prometheus.Histogram   // from assignment to folding
}

// New registers the pipeline's metrics.
func New(reg prometheus.Registerer) *Pipeline {
	partition := []string{"topic", "partition"}
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		v := prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: "tidemark", Name: name, Help: help}, labels)
		reg.MustRegister(v)
		return v
	}
	gauge := func(name, help string) *prometheus.GaugeVec {
		v := prometheus.NewGaugeVec(prometheus.GaugeOpts{Namespace: "tidemark", Name: name, Help: help}, partition)
		reg.MustRegister(v)
		return v
	}
	histogram := func(name, help string, buckets []float64) prometheus.Histogram {
		h := prometheus.NewHistogram(prometheus.HistogramOpts{Namespace: "tidemark", Name: name, Help: help, Buckets: buckets})
		reg.MustRegister(h)
		return h
	}
	seconds := []float64{.05, .1, .2, .3, .5, .75, 1, 1.5, 2, 3, 5, 10, 30, 60, 300, 3600, 86400}
	loads := prometheus.NewCounter(prometheus.CounterOpts{
		Namespace: "tidemark", Name: "rows_loaded_on_demand_total", Help: "Windows and users loaded from ClickHouse because an event needed them.",
	})
	violations := prometheus.NewGauge(prometheus.GaugeOpts{
		Namespace: "tidemark", Name: "accounting_violations",
		Help: "Pairs of checkpoints of the last two hours, of all sources, that do not add up; anything but 0 is a defect.",
	})
	featuresOver := prometheus.NewCounter(prometheus.CounterOpts{
		Namespace: "tidemark", Name: "features_over_limit_total",
		Help: "Uses of features beyond pipeline.max_features of an account in a day: they count under the feature __other__.",
	})
	reg.MustRegister(loads, violations, featuresOver)
	p := &Pipeline{
		Records:      counter("records_total", "Records by what became of them.", append(partition, "result")...),
		DeadLetters:  counter("dead_letters_total", "Records that could not be folded, by reason.", "topic", "reason"),
		LagRecords:   gauge("source_lag_records", "End of the log less the position whose rows are queryable."),
		LagSeconds:   gauge("source_lag_seconds", "Age of the oldest record whose rows are not queryable yet; 0 when there is none."),
		Uncommitted:  gauge("source_committed_lag_records", "End of the log less the committed offset."),
		Watermark:    gauge("source_watermark_timestamp_seconds", "Event time up to which windows are complete but for late events."),
		Windows:      gauge("source_windows", "Windows of accounts in memory."),
		Stopped:      gauge("source_stopped", "1 while the source is stopped by an error that needs a person."),
		Freshness:    histogram("freshness_seconds", "From a record's timestamp to its rows being queryable, two samples a fetched batch.", seconds),
		Canary:       histogram("canary_freshness_seconds", "From sending a canary event to reading it in ClickHouse.", seconds),
		FlushTime:    histogram("flush_duration_seconds", "Time to write a flush of all sources and to commit it.", seconds),
		FlushRows:    histogram("flush_rows", "Rows a flush.", prometheus.ExponentialBuckets(1, 8, 8)),
		Inserts:      counter("inserts_total", "Flushes sent to ClickHouse, by result.", "result"),
		Commits:      counter("commits_total", "Offset commits, by result.", "result"),
		Loads:        loads,
		Violations:   violations,
		FeaturesOver: featuresOver,
		Recovery:     histogram("recovery_duration_seconds", "From a source's assignment to folding its records.", seconds),
	}
	for _, v := range []*prometheus.CounterVec{p.Inserts, p.Commits} { // a rule that compares with 0 needs the series before the first one
		v.WithLabelValues("ok")
	}
	p.Inserts.WithLabelValues("retried")
	p.Commits.WithLabelValues("failed")
	return p
}

// Partition returns a source's label values.
func Partition(topic string, partition int32) []string {
	return []string{topic, strconv.Itoa(int(partition))}
}

// Forget removes a source that is no longer this instance's.
func (p *Pipeline) Forget(topic string, partition int32) {
	labels := prometheus.Labels{"topic": topic, "partition": strconv.Itoa(int(partition))}
	for _, g := range []*prometheus.GaugeVec{p.LagRecords, p.LagSeconds, p.Uncommitted, p.Watermark, p.Windows, p.Stopped} {
		g.Delete(labels)
	}
}
