package normalise

import "github.com/prometheus/client_golang/prometheus"

// Results of a raw record in tidemark_normalise_records_total.
const (
	resultNormalised   = "normalised"
	resultParked       = "parked"  // waits for its account
	resultIgnored      = "ignored" // makes no event, by its format or its rules
	resultDeadLettered = "dead_lettered"
)

type metrics struct {
	records      *prometheus.CounterVec
	deadLetters  *prometheus.CounterVec
	transactions *prometheus.CounterVec
	waits        *prometheus.CounterVec
	stalled      *prometheus.GaugeVec
	lag          *prometheus.GaugeVec
}

func newMetrics(r prometheus.Registerer) (*metrics, error) {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: "tidemark_normalise_" + name, Help: help}, labels)
	}
	gauge := func(name, help string, labels ...string) *prometheus.GaugeVec {
		return prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "tidemark_normalise_" + name, Help: help}, labels)
	}
	m := &metrics{
		records:      counter("records_total", "Raw records by result: normalised, parked, ignored or dead_lettered.", "topic", "result"),
		deadLetters:  counter("dead_letters_total", "Raw records that could not be normalised, by reason.", "topic", "reason"),
		transactions: counter("transactions_total", "Kafka transactions by result: committed, aborted (repeated after a rebalance) or failed.", "topic", "result"),
		waits:        counter("registry_errors_total", "Failed requests to the schema registry, which are repeated.", "topic"),
		stalled:      gauge("stalled", "1 while a topic does not go on; the log and /readyz say why.", "topic"),
		lag:          gauge("lag_seconds", "Age of the latest raw record that was normalised, where more wait behind it; 0: none does.", "topic", "partition"),
	}
	for _, c := range []prometheus.Collector{m.records, m.deadLetters, m.transactions, m.waits, m.stalled, m.lag} {
		if err := r.Register(c); err != nil {
			return nil, err
		}
	}
	return m, nil
}
