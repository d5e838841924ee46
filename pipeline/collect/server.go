package collect

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"time"

	kafka "github.com/segmentio/kafka-go"
	"go.uber.org/zap"

	"tidemark/schemas/mapping"
)

// calls maps the paths below /v1/ to what they take. The SDKs for Node and
// Python post to batch; those for browsers and mobile to the one-letter names.
var calls = map[string]string{
	"track": typeTrack, "identify": typeIdentify, "group": typeGroup, "page": typePage, "screen": typeScreen, "alias": typeAlias,
	"t": typeTrack, "i": typeIdentify, "g": typeGroup, "p": typePage, "s": typeScreen, "a": typeAlias,
	"batch": callBatch, "import": callBatch, "b": callBatch,
	"signals": callSignals,
}

func (c *Collector) routes() http.Handler {
	mux := http.NewServeMux()
	for path, call := range calls {
		mux.HandleFunc("POST /v1/"+path, func(w http.ResponseWriter, r *http.Request) {
			c.serve(w, r, "/v1/"+path, func(body []byte, received time.Time) *refusal {
				return c.take(r, call, body, received)
			}, func() { writeJSON(w, http.StatusOK, map[string]bool{"success": true}) })
		})
	}
	c.routeDialects(mux)
	c.routeWebhooks(mux)
	c.routeAccounts(mux)
	mux.HandleFunc("GET /v1/parked", c.serveParked)
	mux.HandleFunc("GET /livez", func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, http.StatusOK, map[string]bool{"live": true})
	})
	mux.HandleFunc("GET /readyz", c.serveReady)
	return mux
}

// serve answers one request of a client. take returns nil once Kafka has every event of its body, and success says so.
func (c *Collector) serve(w http.ResponseWriter, r *http.Request, path string, take func(body []byte, received time.Time) *refusal, success func()) {
	started := time.Now()
	code := http.StatusOK
	if refused := c.accept(r, take); refused != nil {
		code = refused.status
		refused.write(w)
		// Not the message, nor the field: both may quote what was sent.
		c.log.Info("refused", requestID(r.Context()), zap.String("path", path), zap.Int("status", code), zap.String("error", refused.Code))
	} else {
		success()
	}
	c.metrics.requests.WithLabelValues(path, strconv.Itoa(code)).Inc()
	c.metrics.requestSeconds.WithLabelValues(path).Observe(time.Since(started).Seconds())
}

// accept reads the body and has it taken, within the bounds of what is handled at once.
func (c *Collector) accept(r *http.Request, take func(body []byte, received time.Time) *refusal) *refusal {
	if !c.requests.TryAcquire(1) {
		return overloaded("too many requests at once")
	}
	defer c.requests.Release(1)
	if !c.ready.Load() {
		return unavailable("the collector is starting or stopping")
	}
	body, refused := readBody(r, c.config.MaxBatchBytes)
	if refused != nil {
		return refused
	}
	return take(body, c.config.Now().UTC().Truncate(time.Millisecond))
}

// take returns nil once Kafka has every event of a call of Segment's.
func (c *Collector) take(r *http.Request, call string, body []byte, received time.Time) *refusal {
	if call == callSignals {
		return c.takeSignals(r, body, received)
	}
	q, refused := parseRequest(body, call, c.limits())
	return c.takeMessages(r, "segment", q, refused, received)
}

func (d *Desk) limits() limits {
	return limits{event: d.config.MaxEventBytes, batch: d.config.MaxBatchBytes}
}

// takeMessages returns nil once Kafka has every message of the request, which was refused before if refused is set.
func (c *Collector) takeMessages(r *http.Request, source string, q *request, refused *refusal, received time.Time) *refusal {
	if refused == nil {
		refused = c.privacy[source].messages(q.messages)
	}
	if refused == nil {
		refused = stamp(q.messages, received)
	}
	if refused = c.admit(r, source, q, refused, received); refused != nil {
		return refused
	}
	return c.deliver(r.Context(), len(q.messages), func(ctx context.Context) ([]kafka.Message, error) {
		return c.prepare(ctx, q.messages, received)
	})
}

// admit returns why the request is not taken: its key, what was found wrong with it, or too many events of the key. A body that cannot be
// read may hold a good key: then say what is wrong with it.
func (c *Collector) admit(r *http.Request, source string, q *request, refused *refusal, now time.Time) *refusal {
	var key *writeKey
	if refused == nil || q.key(r) != "" {
		var wrong *refusal
		if key, wrong = c.keys.identify(q.key(r), now); wrong == nil {
			wrong = key.permit(source, q.types())
		}
		if wrong != nil {
			return wrong
		}
	}
	if refused != nil {
		c.metrics.events.WithLabelValues(resultRejected).Add(float64(q.sent))
		return refused
	}
	return key.spend(q.sent, now)
}

// deliver makes the records of a request's events, whose number is given, and writes them, by the write timeout.
func (c *Collector) deliver(ctx context.Context, events int, prepare func(context.Context) ([]kafka.Message, error)) *refusal {
	n := min(int64(events), int64(c.config.MaxInFlight))
	if !c.events.TryAcquire(n) {
		return overloaded("too many events at once")
	}
	c.inFlight.Add(n)
	defer func() {
		c.inFlight.Add(-n)
		c.events.Release(n)
	}()
	started := time.Now()
	deadline := started.Add(c.config.WriteTimeout)
	ctx, cancel := context.WithDeadline(ctx, deadline)
	defer cancel()
	records, err := prepare(ctx)
	if err != nil {
		c.log.Warn("write users and accounts", requestID(ctx), zap.Error(err))
		return unavailable("kafka did not take the users and accounts of the request in time")
	}
	if headers := traceHeaders(ctx); headers != nil {
		for i := range records {
			records[i].Headers = headers
		}
	}
	if err := c.writer.write(records, deadline); err != nil {
		c.log.Warn("write events", requestID(ctx), zap.Int("events", len(records)), zap.Error(err))
		return unavailable("kafka did not take all events in time")
	}
	c.metrics.writeSeconds.Observe(time.Since(started).Seconds())
	c.countWritten(records)
	return nil
}

// prepare brings what the messages say of users and accounts into Kafka and
// returns the records of the messages themselves.
func (c *Collector) prepare(ctx context.Context, messages []*message, received time.Time) ([]kafka.Message, error) {
	r := &resolver{known: c.member, received: received, ignored: func(trait string) {
		c.metrics.badTraits.WithLabelValues(trait).Inc()
	}}
	r.resolve(messages)
	if err := c.directory.write(ctx, r.changes); err != nil {
		return nil, err
	}
	records := make([]kafka.Message, len(messages))
	for i, m := range messages {
		var err error
		if records[i], err = c.record(m, received); err != nil {
			return nil, err
		}
	}
	return records, nil
}

// record returns the event for telemetry, or for parked while its account is
// unknown.
func (d *Desk) record(m *message, received time.Time) (kafka.Message, error) {
	if m.account == "" {
		key := parkedKey(m.users()[0], m.messageID)
		value := m.body.encode()
		if m.waitsFor != nil {
			value = wrapParked(mapping.Telemetry, m.kind, m.waitsFor, quoteTime(received), value)
		}
		return kafka.Message{Topic: d.config.Topics.Parked, Key: []byte(key), Value: value}, nil
	}
	body := m.body
	if m.contextID == "" {
		var err error
		if body, err = withAccount(body, m.account); err != nil {
			return kafka.Message{}, err
		}
	}
	return kafka.Message{Topic: d.config.Topics.Telemetry, Key: []byte(m.account), Value: body.encode()}, nil
}

func (c *Collector) countWritten(records []kafka.Message) {
	parked := 0
	for _, r := range records {
		if r.Topic == c.config.Topics.Parked {
			parked++
		}
	}
	c.metrics.events.WithLabelValues(resultParked).Add(float64(parked))
	c.metrics.events.WithLabelValues(resultAccepted).Add(float64(len(records) - parked))
}

func (c *Collector) serveParked(w http.ResponseWriter, r *http.Request) {
	const sample = 100
	key, refused := c.keys.identify((&request{}).key(r), c.config.Now())
	if refused == nil {
		refused = key.permit(parkedSource, nil)
	}
	if refused != nil {
		refused.write(w)
		return
	}
	writeJSON(w, http.StatusOK, c.releaser.report(sample))
}

func (c *Collector) serveReady(w http.ResponseWriter, r *http.Request) {
	if err := c.Ready(r.Context()); err != nil {
		unavailable(err.Error()).write(w)
		return
	}
	writeJSON(w, http.StatusOK, map[string]bool{"ready": true})
}

// Ready says within 2 seconds why it cannot accept events, or nil.
func (c *Collector) Ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	if !c.ready.Load() {
		return errors.New("the collector is starting or stopping")
	}
	if err := c.directory.ping(ctx); err != nil {
		return errors.New("kafka does not answer")
	}
	return nil
}
