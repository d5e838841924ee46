package collect

import (
	"context"
	"fmt"
	"net/http"
	"time"

	kafka "github.com/segmentio/kafka-go"

	"tidemark/pipeline/decode"
)

// callSignals takes signals: answers to surveys, KPIs, meters, goals and releases, one of them or a batch.
const callSignals = "signals"

// parseSignals reads the body of a signals call into records. It refuses the whole request for one signal that the
// pipeline would refuse, by the pipeline's own words.
func (c *Collector) parseSignals(body []byte, received time.Time) (*request, []kafka.Message, *refusal) {
	q := &request{}
	if r := checkJSON(body); r != nil {
		return q, nil, r
	}
	envelope, err := parseObject(body)
	if err != nil {
		return q, nil, invalidObject("", err)
	}
	var r *refusal
	if q.writeKey, r = readString(envelope, "writeKey"); r != nil {
		return q, nil, r
	}
	envelope.remove("writeKey")
	if !envelope.has("batch") {
		q.sent = 1
		record, r := c.signalRecord(envelope, received)
		return q, []kafka.Message{record}, r
	}
	elements, ok := splitArray(envelope.get("batch"))
	if !ok {
		return q, nil, invalid("batch", `batch is not an array: send {"batch": [signal, ...]}, or one signal`)
	}
	q.sent = len(elements)
	records := make([]kafka.Message, len(elements))
	for i, raw := range elements {
		signal, err := parseObject(raw)
		if err != nil {
			return q, nil, invalidObject(fmt.Sprintf("batch[%d]", i), err).at(i)
		}
		if records[i], r = c.signalRecord(signal, received); r != nil {
			return q, nil, r.at(i)
		}
	}
	return q, records, nil
}

// signalRecord stamps a signal and checks it. It is keyed by its account, a release by its version.
func (d *Desk) signalRecord(signal object, received time.Time) (kafka.Message, *refusal) {
	if r := d.privacy["signals"].record(&signal); r != nil {
		return kafka.Message{}, r
	}
	signal.set("receivedAt", quoteTime(received))
	value := signal.encode()
	if len(value) > d.config.MaxEventBytes {
		return kafka.Message{}, invalid("", fmt.Sprintf("the signal has %d bytes, at most %d are accepted: shorten it", len(value), d.config.MaxEventBytes))
	}
	s, rejection := decode.DecodeSignal(value, received.UnixMilli(), d.config.Limits)
	if rejection != nil {
		return kafka.Message{}, rejected(rejection)
	}
	key := s.AccountID
	if key == "" {
		key = s.Entity
	}
	return kafka.Message{Topic: d.config.Topics.Signals, Key: []byte(key), Value: value}, nil
}

// takeSignals returns nil once Kafka has every signal of the body.
func (c *Collector) takeSignals(r *http.Request, body []byte, received time.Time) *refusal {
	q, records, refused := c.parseSignals(body, received)
	if refused = c.admit(r, "signals", q, refused, received); refused != nil {
		return refused
	}
	return c.deliver(r.Context(), len(records), func(context.Context) ([]kafka.Message, error) { return records, nil })
}
