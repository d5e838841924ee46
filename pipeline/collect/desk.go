package collect

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	kafka "github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/zap"

	"tidemark/pipeline/accountimport"
	"tidemark/pipeline/decode"
	"tidemark/schemas"
	"tidemark/schemas/mapping"
)

// Desk makes records of what is sent: with its account, or parked until that is known. It is the collector without its server, for
// others that write to its topics.
type Desk struct {
	config    Config
	log       *zap.Logger
	metrics   *metrics
	directory *directory
	privacy   policies
}

// NewDesk returns a desk that knows nobody until it is open. Of the configuration it needs the brokers, the topics, MaxEventBytes
// and the limits.
func NewDesk(c Config, log *zap.Logger) (*Desk, error) {
	c, err := c.withDefaults()
	if err != nil {
		return nil, err
	}
	m, err := newMetrics(prometheus.NewRegistry()) // they are a collector's
	if err != nil {
		return nil, err
	}
	d := &Desk{config: c, log: log, metrics: m, privacy: newPolicies(c.Privacy, c.HashKey)}
	d.directory, err = newDirectory(c, m, log)
	return d, err
}

// Open runs what works at the desk: while it follows the users and accounts, and once it knows those that its topics held before. Then it
// is closed.
func (d *Desk) Open(ctx context.Context, work func() error) error {
	following, stop := context.WithCancel(context.WithoutCancel(ctx))
	followed := make(chan struct{})
	go func() {
		defer close(followed)
		d.directory.run(following)
		d.directory.close()
	}()
	defer func() {
		stop()
		<-followed
	}()
	if err := d.directory.catchUp(ctx); err != nil { // what is known already must not be waited for
		return fmt.Errorf("read users and accounts: %w", err)
	}
	return work()
}

// Close ends a desk that was not opened.
func (d *Desk) Close() { d.directory.close() }

// accountOf returns the account of a user or of an organisation.
func (d *Desk) accountOf(user string) (string, bool) {
	m, ok := d.member(user)
	return m.account, ok
}

func (d *Desk) member(user string) (membership, bool) {
	if strings.HasPrefix(user, "o:") {
		account, ok := d.directory.traits.account(user)
		return membership{account: account}, ok
	}
	return d.directory.users.get(user)
}

// mappedMessage returns a track event that a mapping made.
func (d *Desk) mappedMessage(e mapping.Event) (*message, *refusal) {
	raw, err := json.Marshal(e.Fields)
	if err != nil {
		return nil, invalid("", err.Error())
	}
	if len(raw) > d.config.MaxEventBytes {
		return nil, eventTooLarge(len(raw), d.config.MaxEventBytes)
	}
	body, err := parseObject(raw)
	if err != nil {
		return nil, invalidObject("", err)
	}
	body.setText("messageId", shortID(e.ID))
	if e.Account != "" {
		if body, err = withAccount(body, e.Account); err != nil {
			return nil, invalid("", err.Error())
		}
	}
	m, r := readMessage(body, "")
	if r != nil {
		return nil, r
	}
	if e.Account == "" {
		m.waitsFor = e.Waits
	}
	return m, m.belongs("map account_id, organization or user_id")
}

// mappedAccount returns the account that a mapping made.
func mappedAccount(e mapping.Event) (accountimport.Account, *refusal) {
	row := map[string]json.RawMessage{}
	raw, err := json.Marshal(e.Fields)
	if err == nil {
		err = json.Unmarshal(raw, &row)
	}
	if err != nil {
		return accountimport.Account{}, invalid("", err.Error())
	}
	row["account_id"], _ = json.Marshal(e.Account) // a string always encodes
	return readAccount(row)
}

// readAccount checks what is said of an account as an import does.
func readAccount(row map[string]json.RawMessage) (accountimport.Account, *refusal) {
	a, err := accountimport.New(accountimport.Flat(row))
	if err == nil {
		return a, nil
	}
	r := invalid("", err.Error())
	if wrong := (*accountimport.FieldError)(nil); errors.As(err, &wrong) {
		r.Field, r.reason = wrong.Field, schemas.BadValue
		if wrong.Field == "account_id" {
			r.reason = schemas.MissingField
		}
	}
	return a, r
}

// Batch makes the records of what was read from a log, in its order. What a record says of its user counts for those that follow.
type Batch struct {
	desk    *Desk
	users   map[string]membership
	learned []*kgo.Record
}

// Batch returns an empty batch.
func (d *Desk) Batch() *Batch { return &Batch{desk: d, users: map[string]membership{}} }

// Written waits, once the batch's records are in Kafka, until the desk knows what they say of users.
func (b *Batch) Written(ctx context.Context) error {
	for _, r := range b.learned {
		if err := b.desk.directory.users.await(ctx, r.Partition, r.Offset+1); err != nil {
			return err
		}
	}
	return nil
}

// Message makes the records of a message of Segment's, in JSON. id is its messageId if it has none.
func (b *Batch) Message(body []byte, id string, received time.Time) ([]*kgo.Record, *decode.Rejection) {
	o, r := oneObject(body)
	if r != nil {
		return nil, r.rejection()
	}
	if !o.has("messageId") {
		o.set("messageId", encodeString(id))
	}
	q := &request{}
	if r := q.add(0, translated{body: o}, len(body), b.desk.limits(), "send userId, or context.groupId"); r != nil {
		return nil, r.rejection()
	}
	return b.messages("segment", q.messages, received)
}

// CloudEvent makes the records of a CloudEvent in its structured form.
func (b *Batch) CloudEvent(event []byte, received time.Time) ([]*kgo.Record, *decode.Rejection) {
	o, r := oneObject(event)
	q := &request{}
	if r == nil {
		r = q.addCloudEvent(0, o, b.desk.limits())
	}
	if r != nil {
		return nil, r.rejection()
	}
	return b.messages("cloudevents", q.messages, received)
}

// PostHog makes the records of one of PostHog's events, in JSON.
func (b *Batch) PostHog(event []byte, received time.Time) ([]*kgo.Record, *decode.Rejection) {
	o, r := oneObject(event)
	q := &request{}
	if r == nil {
		p := posthog{groups: b.desk.config.PostHogGroups, received: received}
		var t translated
		if t, _, r = p.translate(o); r == nil {
			r = q.add(0, t, len(event), b.desk.limits(), "send distinct_id")
		}
	}
	if r != nil {
		return nil, r.rejection()
	}
	return b.messages("posthog", q.messages, received)
}

// Mapped makes the records of an event that a mapping made; source names where it is from.
func (b *Batch) Mapped(source string, e mapping.Event, received time.Time) ([]*kgo.Record, *decode.Rejection) {
	switch e.Role {
	case mapping.Telemetry:
		m, r := b.desk.mappedMessage(e)
		if r != nil {
			return nil, r.rejection()
		}
		return b.messages(source, []*message{m}, received)
	case mapping.Accounts:
		a, r := mappedAccount(e)
		if r != nil {
			return nil, r.rejection()
		}
		return b.account(source, a, received)
	}
	m, r := b.desk.mappedRecord(source, e, received)
	if r != nil {
		return nil, r.rejection()
	}
	return []*kgo.Record{recordOf(m)}, nil
}

// Account makes the record of an account record, in JSON. All that a source says of an account is one record, so that compaction
// keeps the last word of each source.
func (b *Batch) Account(source string, value []byte, received time.Time) ([]*kgo.Record, *decode.Rejection) {
	var row map[string]json.RawMessage
	if err := json.Unmarshal(value, &row); err != nil {
		return nil, invalid("", fmt.Sprintf("the record is not a JSON object: %s", err)).rejection()
	}
	var at string
	if raw := row["at"]; len(raw) > 0 && string(raw) != "null" {
		t, err := time.Time{}, json.Unmarshal(raw, &at)
		if err == nil {
			t, err = parseTime(at)
		}
		if err != nil {
			return nil, &decode.Rejection{Reason: schemas.BadTime, Field: "at", Detail: "at: " + err.Error()}
		}
		received = t
	}
	a, r := readAccount(row)
	if r != nil {
		return nil, r.rejection()
	}
	return b.account(source, a, received)
}

func (b *Batch) account(source string, a accountimport.Account, at time.Time) ([]*kgo.Record, *decode.Rejection) {
	key, value := []byte(compoundKey(a.ID, source)), a.Record(at)
	if len(value) > b.desk.config.MaxEventBytes {
		return nil, eventTooLarge(len(value), b.desk.config.MaxEventBytes).rejection()
	}
	if _, rejection := decode.DecodeAccount(key, value, at.UnixMilli()); rejection != nil {
		return nil, rejection
	}
	return []*kgo.Record{{Topic: b.desk.config.Topics.Accounts, Key: key, Value: value}}, nil
}

// Ticket makes the record of a ticket event in JSON. id is its source_event_id if it has none.
func (b *Batch) Ticket(value []byte, id string, received time.Time) ([]*kgo.Record, *decode.Rejection) {
	o, r := oneObject(value)
	if r != nil {
		return nil, r.rejection()
	}
	if !o.has("source_event_id") {
		o.set("source_event_id", encodeString(id))
	}
	o.set("receivedAt", quoteTime(received))
	value = o.encode()
	t, rejection := decode.DecodeTicket(value, received.UnixMilli(), b.desk.config.Limits)
	if rejection != nil {
		return nil, rejection
	}
	if len(value) > b.desk.config.MaxEventBytes {
		return nil, eventTooLarge(len(value), b.desk.config.MaxEventBytes).rejection()
	}
	return []*kgo.Record{{Topic: b.desk.config.Topics.Tickets, Key: []byte(t.AccountID), Value: value}}, nil
}

// Signal makes the record of a signal in JSON. What has no id of its own is told from others by all that it says.
func (b *Batch) Signal(value []byte, received time.Time) ([]*kgo.Record, *decode.Rejection) {
	o, r := oneObject(value)
	if r != nil {
		return nil, r.rejection()
	}
	m, r := b.desk.signalRecord(o, received)
	if r != nil {
		return nil, r.rejection()
	}
	return []*kgo.Record{recordOf(m)}, nil
}

// oneObject reads what has to be one JSON object.
func oneObject(text []byte) (object, *refusal) {
	o, _, r := parseJSON(text)
	if r == nil && o == nil {
		r = invalidObject("", errNotObject)
	}
	return o, r
}

// recordOf is the collector's message for the other Kafka client, which has transactions.
func recordOf(m kafka.Message) *kgo.Record {
	return &kgo.Record{Topic: m.Topic, Key: m.Key, Value: m.Value}
}

// messages makes the records of messages: their own, and those of what they say of users and accounts.
func (b *Batch) messages(source string, messages []*message, received time.Time) ([]*kgo.Record, *decode.Rejection) {
	refused := b.desk.privacy[source].messages(messages)
	if refused == nil {
		refused = stamp(messages, received)
	}
	if refused != nil {
		return nil, refused.rejection()
	}
	r := &resolver{known: b.member, received: received, ignored: func(string) {}}
	r.resolve(messages)
	var records []*kgo.Record
	for user, m := range r.changes.users {
		b.users[user] = m
		value, err := json.Marshal(userRecord{AccountID: m.account, At: m.at})
		if err != nil {
			return nil, invalid("", err.Error()).rejection()
		}
		record := &kgo.Record{Topic: b.desk.config.Topics.Users, Key: []byte(user), Value: value}
		b.learned = append(b.learned, record)
		records = append(records, record)
	}
	for id, change := range r.changes.accounts {
		for name, value := range change.patch {
			member, nested := nest(name, value)
			records = append(records, &kgo.Record{
				Topic: b.desk.config.Topics.Accounts, Key: []byte(compoundKey(id, name)), Value: encodeTrait(id, member, nested, change.at),
			})
		}
	}
	for _, m := range messages {
		record, err := b.desk.record(m, received)
		if err != nil {
			return nil, invalid("", err.Error()).rejection()
		}
		records = append(records, recordOf(record))
	}
	return records, nil
}

func (b *Batch) member(user string) (membership, bool) {
	if m, ok := b.users[user]; ok {
		return m, true
	}
	return b.desk.member(user)
}

// Parks says whether events wait in the topic.
func (d *Desk) Parks(topic string) bool { return topic == d.config.Topics.Parked }
