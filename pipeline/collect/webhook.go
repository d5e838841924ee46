package collect

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"
	"unicode/utf8"

	kafka "github.com/segmentio/kafka-go"

	"tidemark/pipeline/decode"
	"tidemark/schemas/mapping"
)

// webhooksPath is where the sources of the configuration are posted to, each by its name.
const webhooksPath = "/v1/webhooks/"

func (c *Collector) routeWebhooks(mux *http.ServeMux) {
	for name, source := range c.config.Sources {
		mux.HandleFunc("POST "+webhooksPath+name, func(w http.ResponseWriter, r *http.Request) {
			taken := 0
			c.serve(w, r, webhooksPath+name, func(body []byte, received time.Time) (refused *refusal) {
				taken, refused = c.takeWebhook(r, name, source, body, received)
				return refused
			}, func() { writeJSON(w, http.StatusOK, map[string]any{"success": true, "events": taken}) })
		})
	}
}

// takeWebhook returns how many events the webhook made, once Kafka has them. Vendors repeat what was not answered with 200, in
// any order: an event's id is the same each time.
func (c *Collector) takeWebhook(r *http.Request, name string, source *mapping.Source, body []byte, received time.Time) (int, *refusal) {
	if source.Secret.IsSet() {
		if err := source.Verify(r.Header, body, received); err != nil {
			return 0, &refusal{status: http.StatusUnauthorized, Code: "unauthorized", Field: source.Signature.Header, Message: err.Error()}
		}
	} else if refused := c.admit(r, name, &request{}, nil, received); refused != nil {
		return 0, refused
	}
	w, refused := c.readWebhook(name, source, body, received)
	if refused != nil {
		c.metrics.events.WithLabelValues(resultRejected).Inc()
		return 0, refused
	}
	if w.events == 0 {
		c.metrics.events.WithLabelValues(resultIgnored).Inc()
		return 0, nil
	}
	return w.events, c.deliver(r.Context(), w.events, func(ctx context.Context) ([]kafka.Message, error) {
		if err := c.directory.write(ctx, w.accounts); err != nil {
			return nil, err
		}
		records, err := c.prepare(ctx, w.messages, received)
		return append(records, w.records...), err
	})
}

// webhook is what a webhook made.
type webhook struct {
	events   int
	records  []kafka.Message // tickets and signals
	messages []*message      // telemetry
	accounts changes
}

func (c *Collector) readWebhook(name string, source *mapping.Source, body []byte, received time.Time) (*webhook, *refusal) {
	if !utf8.Valid(body) {
		return nil, invalid("", "the body is not UTF-8: encode the JSON as UTF-8")
	}
	if r := checkJSON(body); r != nil {
		return nil, r
	}
	events, err := source.Apply(name, body)
	if err != nil {
		return nil, invalid("", fmt.Sprintf("the mapping of %s does not fit the webhook: %s", name, err))
	}
	w := &webhook{events: len(events), accounts: changes{accounts: map[string]*accountChange{}}}
	for i, e := range events {
		if r := c.takeEvent(w, name, e, received); r != nil {
			return nil, r.at(i)
		}
	}
	if r := c.privacy[name].messages(w.messages); r != nil {
		return nil, r
	}
	return w, stamp(w.messages, received)
}

func (c *Collector) takeEvent(w *webhook, name string, e mapping.Event, received time.Time) *refusal {
	switch e.Role {
	case mapping.Telemetry:
		m, r := c.mappedMessage(e)
		if r == nil {
			w.messages = append(w.messages, m)
		}
		return r
	case mapping.Accounts:
		a, r := mappedAccount(e)
		if r == nil {
			w.accounts.describe(a, received)
		}
		return r
	default:
		record, r := c.mappedRecord(name, e, received)
		w.records = append(w.records, record)
		return r
	}
}

// mappedRecord returns the record of an event: of its topic, or of the parked one while its account is unknown. What the pipeline
// would refuse is refused here, while the sender still listens.
func (d *Desk) mappedRecord(name string, e mapping.Event, received time.Time) (kafka.Message, *refusal) {
	e.Fields["receivedAt"] = received.Format(wireTime)
	account := e.Account
	for _, identity := range e.Waits {
		if account == "" {
			account, _ = d.accountOf(identity)
		}
	}
	if account != "" {
		e.Fields["account_id"] = account
	}
	value, err := json.Marshal(e.Fields)
	if err != nil {
		return kafka.Message{}, invalid("", err.Error())
	}
	if p := d.privacy[name]; p != nil {
		o, err := parseObject(value)
		if err != nil {
			return kafka.Message{}, invalidObject("", err)
		}
		if r := p.record(&o); r != nil {
			return kafka.Message{}, r
		}
		value = o.encode()
	}
	if len(value) > d.config.MaxEventBytes {
		return kafka.Message{}, eventTooLarge(len(value), d.config.MaxEventBytes)
	}
	if r := d.checkMapped(e, value, received); r != nil {
		return kafka.Message{}, r
	}
	topic := d.config.Topics.Tickets
	if e.Role == mapping.Signals {
		topic = d.config.Topics.Signals
	}
	if account != "" {
		return kafka.Message{Topic: topic, Key: []byte(account), Value: value}, nil
	}
	waits := e.Waits
	if len(waits) == 0 {
		waits = []string{orgKey(name, "")} // nothing can tell: it is seen among those that wait, and given up in the end
	}
	value = wrapParked(e.Role, name+" "+e.Kind, waits, quoteTime(received), value)
	return kafka.Message{Topic: d.config.Topics.Parked, Key: []byte(parkedKey(waits[0], e.ID)), Value: value}, nil
}

// checkMapped asks the pipeline's decoder whether it would take the event, with any account while that is unknown.
func (d *Desk) checkMapped(e mapping.Event, value []byte, received time.Time) *refusal {
	if _, ok := e.Fields["account_id"]; !ok {
		o, err := parseObject(value)
		if err != nil {
			return invalidObject("", err)
		}
		o.set("account_id", []byte(`"?"`))
		value = o.encode()
	}
	var rejection *decode.Rejection
	if e.Role == mapping.Signals {
		_, rejection = decode.DecodeSignal(value, received.UnixMilli(), d.config.Limits)
	} else {
		_, rejection = decode.DecodeTicket(value, received.UnixMilli(), d.config.Limits)
	}
	if rejection == nil {
		return nil
	}
	rejection.Detail = strings.TrimSuffix(rejection.Detail, ".") + ": correct the mapping or the sender"
	return rejected(rejection)
}
