package collect

import "github.com/prometheus/client_golang/prometheus"

// Results of an event in tidemark_collector_events_total.
const (
	resultAccepted = "accepted" // written to telemetry at once
	resultParked   = "parked"   // written to parked, to wait for its account
	resultRejected = "rejected" // in a request that was refused for its content
	resultIgnored  = "ignored"  // a webhook that makes no event
	resultReleased = "released" // moved from parked to telemetry with its account
	resultExpired  = "expired"  // moved from parked to telemetry without one
)

type metrics struct {
	requests       *prometheus.CounterVec
	requestSeconds *prometheus.HistogramVec
	events         *prometheus.CounterVec
	writeSeconds   prometheus.Histogram
	writeErrors    prometheus.Counter
	badRecords     *prometheus.CounterVec
	badTraits      *prometheus.CounterVec
	transactions   *prometheus.CounterVec
}

// gauges are read when Prometheus asks.
type gauges struct{ inFlight, users, traits, parked, parkedOldest, partitions, ready func() float64 }

func newMetrics(r prometheus.Registerer) (*metrics, error) {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: "tidemark_collector_" + name, Help: help}, labels)
	}
	m := &metrics{
		requests: counter("requests_total", "Requests by path and status code.", "path", "code"),
		events:   counter("events_total", "Events by result: accepted, parked, rejected, ignored, released or expired.", "result"),
		requestSeconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "tidemark_collector_request_seconds", Help: "Time to answer a request.",
			Buckets: prometheus.ExponentialBuckets(0.001, 2, 14),
		}, []string{"path"}),
		writeSeconds: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "tidemark_collector_kafka_write_seconds", Help: "Time until Kafka acknowledged all events of a request.",
			Buckets: prometheus.ExponentialBuckets(0.001, 2, 14),
		}),
		writeErrors: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "tidemark_collector_kafka_write_errors_total", Help: "Failed attempts to write to Kafka, retries included.",
		}),
		badRecords:   counter("bad_records_total", "Records of the users, accounts and parked topics that cannot be read.", "topic"),
		badTraits:    counter("ignored_traits_total", "Account traits of the wrong type, left out of the account record.", "trait"),
		transactions: counter("release_transactions_total", "Kafka transactions that release parked events, by result.", "result"),
	}
	for _, c := range []prometheus.Collector{m.requests, m.events, m.requestSeconds, m.writeSeconds, m.writeErrors, m.badRecords, m.badTraits, m.transactions} {
		if err := r.Register(c); err != nil {
			return nil, err
		}
	}
	return m, nil
}

func registerGauges(r prometheus.Registerer, g gauges) error {
	for _, f := range []struct {
		name, help string
		value      func() float64
	}{
		{"in_flight", "Events being written to Kafka.", g.inFlight},
		{"users", "Users with a known account.", g.users},
		{"traits", "Records of accounts and of their traits that are known.", g.traits},
		{"parked", "Events waiting for their user's account in the partitions of this instance.", g.parked},
		{"parked_oldest_seconds", "Age of the oldest waiting event of this instance, 0 when none waits.", g.parkedOldest},
		{"parked_partitions", "Partitions of the parked topic that this instance releases.", g.partitions},
		{"ready", "1 when the collector accepts events.", g.ready},
	} {
		err := r.Register(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "tidemark_collector_" + f.name, Help: f.help}, f.value))
		if err != nil {
			return err
		}
	}
	return nil
}
