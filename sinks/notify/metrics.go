package notify

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics is what delivery tells Prometheus, by target. Accounts and rules are no labels.
type metrics struct {
	attempts *prometheus.CounterVec
	settled  *prometheus.CounterVec
	waiting  *prometheus.GaugeVec
	oldest   *prometheus.GaugeVec
	dead     *prometheus.GaugeVec
	breaker  *prometheus.GaugeVec
	gone     *prometheus.GaugeVec
	latency  *prometheus.HistogramVec
}

func newMetrics(reg prometheus.Registerer) *metrics {
	opts := func(name, help string) prometheus.Opts {
		return prometheus.Opts{Namespace: "tidemark", Subsystem: "deliveries", Name: name, Help: help}
	}
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		v := prometheus.NewCounterVec(prometheus.CounterOpts(opts(name, help)), labels)
		reg.MustRegister(v)
		return v
	}
	gauge := func(name, help string) *prometheus.GaugeVec {
		v := prometheus.NewGaugeVec(prometheus.GaugeOpts(opts(name, help)), []string{"target"})
		reg.MustRegister(v)
		return v
	}
	m := &metrics{
		attempts: counter("attempts_total", "Messages sent to a target, by what came of it.", "target", "outcome"),
		settled:  counter("settled_total", "Transitions of alerts that need no more sending, by where they stand.", "target", "outcome"),
		waiting:  gauge("waiting", "Transitions that wait to be delivered, but for those that wait for the end of quiet hours."),
		oldest:   gauge("oldest_waiting_seconds", "For how long the oldest of them has; 0 when there is none."),
		dead:     gauge("dead", "Transitions that were given up: tidemark triggers deliveries ls --outcome dead."),
		breaker:  gauge("breaker_state", "0: sends; 1: tries whether the target is back; 2: leaves it alone for a while."),
		gone:     gauge("target_disabled", "1 while nothing is sent as the target said that it is gone."),
		latency: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Namespace: "tidemark", Subsystem: "deliveries", Name: "seconds", Help: "From when a transition was known, or quiet hours ended, to its delivery.",
			Buckets: []float64{.01, .025, .05, .1, .2, .3, .5, .75, 1, 2, 5, 10, 60, 300, 3600, 86400},
		}, []string{"target"}),
	}
	reg.MustRegister(m.latency)
	return m
}

// observe takes in what became of a message.
func (m *metrics) observe(target string, out *outgoing, r Result, rows []row, now time.Time) {
	m.attempts.WithLabelValues(target, r.Outcome.String()).Inc()
	m.count(target, rows)
	if r.Outcome != Delivered {
		return
	}
	for _, e := range out.entries {
		m.latency.WithLabelValues(target).Observe(now.Sub(latest(e.KnownAt, e.NotBefore)).Seconds())
	}
}

func (m *metrics) count(target string, rows []row) {
	for _, r := range rows {
		if r.Outcome != pending {
			m.settled.WithLabelValues(target, string(r.Outcome)).Inc()
		}
	}
}

// show sets the gauges.
func (m *metrics) show(q *queue, now time.Time) {
	n, since := q.backlog(now)
	age := 0.0
	if n > 0 {
		age = max(0, now.Sub(since).Seconds())
	}
	m.waiting.WithLabelValues(q.target).Set(float64(n))
	m.oldest.WithLabelValues(q.target).Set(age)
	m.breaker.WithLabelValues(q.target).Set(float64(q.state(now)))
	disabled := 0.0
	if q.gone != "" {
		disabled = 1
	}
	m.gone.WithLabelValues(q.target).Set(disabled)
}
