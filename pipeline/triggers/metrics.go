package triggers

import "github.com/prometheus/client_golang/prometheus"

// metrics are what the process tells of itself.
type metrics struct {
	leader      prometheus.Gauge
	tick        prometheus.Histogram
	slow        prometheus.Histogram
	decision    prometheus.Histogram
	judged      prometheus.Counter
	failures    *prometheus.CounterVec
	transitions *prometheus.CounterVec
	sweepLeft   prometheus.Gauge
	firing      *prometheus.GaugeVec
}

func newMetrics(r prometheus.Registerer) *metrics {
	seconds := []float64{.01, .025, .05, .1, .25, .5, 1, 2, 5, 10, 30, 60, 300}
	m := &metrics{
		leader: prometheus.NewGauge(prometheus.GaugeOpts{Name: "tidemark_triggers_leader", Help: "1 while this process evaluates the rules, 0 while it stands by."}),
		tick:   prometheus.NewHistogram(prometheus.HistogramOpts{Name: "tidemark_triggers_tick_seconds", Help: "Time that one tick took: what changed, reading, judging, storing.", Buckets: seconds}),
		slow:   prometheus.NewHistogram(prometheus.HistogramOpts{Name: "tidemark_triggers_slow_read_seconds", Help: "Time that one reading of views took, beside the ticks.", Buckets: seconds}),
		decision: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "tidemark_triggers_decision_seconds", Help: "Time from when rows were in ClickHouse to when what follows from them was stored, to the second.", Buckets: seconds,
		}),
		judged:      prometheus.NewCounter(prometheus.CounterOpts{Name: "tidemark_triggers_judged_total", Help: "Rules judged for an account."}),
		failures:    prometheus.NewCounterVec(prometheus.CounterOpts{Name: "tidemark_triggers_failures_total", Help: "What did not work and is tried again, by what it was."}, []string{"what"}),
		transitions: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "tidemark_triggers_transitions_total", Help: "Transitions stored, by rule and kind."}, []string{"rule", "kind"}),
		sweepLeft:   prometheus.NewGauge(prometheus.GaugeOpts{Name: "tidemark_triggers_sweep_left_accounts", Help: "Accounts that the sweep under way has not come to yet."}),
		firing:      prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "tidemark_triggers_firing_alerts", Help: "Alerts that are firing, by rule, on the leader."}, []string{"rule"}),
	}
	r.MustRegister(m.leader, m.tick, m.slow, m.decision, m.judged, m.failures, m.transitions, m.sweepLeft, m.firing)
	return m
}
