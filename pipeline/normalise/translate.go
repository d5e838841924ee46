package normalise

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"
	"unicode/utf8"

	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/zap"

	"tidemark/pipeline/collect"
	"tidemark/pipeline/decode"
	"tidemark/schemas"
	"tidemark/schemas/mapping"
	"tidemark/sinks/kafka"
)

// document is what a format makes of a record.
type document struct {
	json    []byte    // an object; nil = the record says nothing
	at      time.Time // when it holds from, if the format says so; else the record's timestamp
	deleted bool      // of a row: it is gone, and json is what is known of it
}

// decoder reads a record of a format. An error that is no *decode.Rejection may pass: the record is to be decoded again.
type decoder func(ctx context.Context, r *kgo.Record) (document, error)

// output is what the records of a poll make.
type output struct {
	batch   *collect.Batch
	records []*kgo.Record
	results map[string]int
	reasons map[schemas.Reason]int
}

func (o *output) count(t *topic) {
	for result, n := range o.results {
		t.stage.metrics.records.WithLabelValues(t.name, result).Add(float64(n))
	}
	for reason, n := range o.reasons {
		t.stage.metrics.deadLetters.WithLabelValues(t.name, string(reason)).Add(float64(n))
	}
}

// normalise makes the records of a poll. It waits as long as it takes, or until ctx ends, for what may pass.
func (t *topic) normalise(ctx context.Context, raw []*kgo.Record) (*output, error) {
	out := &output{batch: t.stage.config.Desk.Batch(), results: map[string]int{}, reasons: map[schemas.Reason]int{}}
	for _, r := range raw {
		doc, err := t.await(ctx, r)
		rejection := (*decode.Rejection)(nil)
		if err != nil && !errors.As(err, &rejection) {
			return nil, err
		}
		var made []*kgo.Record
		if rejection == nil && doc.json != nil {
			made, rejection = t.make(out.batch, r, doc)
		}
		result := resultNormalised
		switch {
		case rejection != nil:
			result, made = resultDeadLettered, []*kgo.Record{t.deadLetter(r, rejection)}
			out.reasons[rejection.Reason]++
		case len(made) == 0:
			result = resultIgnored
		case t.stage.config.Desk.Parks(made[len(made)-1].Topic):
			result = resultParked
		}
		out.results[result]++
		out.records = append(out.records, made...)
	}
	return out, nil
}

// await decodes a record, and does so again for as long as the registry cannot say what it needs.
func (t *topic) await(ctx context.Context, r *kgo.Record) (document, error) {
	for wait := firstRetry; ; wait = min(2*wait, lastRetry) {
		doc, err := t.decode(ctx, r)
		if err == nil || errors.As(err, new(*decode.Rejection)) {
			return doc, err
		}
		if ctx.Err() != nil {
			return doc, ctx.Err()
		}
		t.stage.metrics.waits.WithLabelValues(t.name).Inc()
		t.stalled(err)
		t.log.Warn("the record waits", zap.Int32("partition", r.Partition), zap.Int64("offset", r.Offset), zap.Error(err), zap.Duration("retry_in", wait))
		pause(ctx, wait)
	}
}

func (t *topic) deadLetter(r *kgo.Record, rejection *decode.Rejection) *kgo.Record {
	return kafka.DeadLetter(t.stage.config.DeadLetters, t.source(r.Partition), r, rejection.Reason, rejection.Detail, rejection.Field)
}

// make makes the records of a document.
func (t *topic) make(b *collect.Batch, r *kgo.Record, doc document) ([]*kgo.Record, *decode.Rejection) {
	received := r.Timestamp.UTC().Truncate(time.Millisecond)
	if !doc.at.IsZero() {
		received = doc.at
	}
	id := t.position(r)
	if t.declared.To == "" {
		return t.apply(b, doc, id, received)
	}
	switch t.declared.To {
	case mapping.Accounts:
		return b.Account(t.name, named(doc, r.Key), received)
	case mapping.Tickets:
		return b.Ticket(doc.json, id, received)
	case mapping.Signals:
		return b.Signal(doc.json, received)
	}
	if t.declared.Format == "cloudevents" {
		return b.CloudEvent(doc.json, received)
	}
	return b.Message(doc.json, id, received)
}

// apply makes the records of the events of a document, by the topic's rules. A row that is gone removes its account, and nothing else.
func (t *topic) apply(b *collect.Batch, doc document, id string, received time.Time) ([]*kgo.Record, *decode.Rejection) {
	var content any
	d := json.NewDecoder(bytes.NewReader(doc.json))
	d.UseNumber()
	if err := d.Decode(&content); err != nil {
		return nil, &decode.Rejection{Reason: schemas.Malformed, Detail: err.Error()}
	}
	events, err := t.declared.Apply(t.name, content, id)
	if err != nil {
		return nil, unmapped(err)
	}
	var records []*kgo.Record
	for _, e := range events {
		if doc.deleted && e.Role != mapping.Accounts {
			continue
		}
		if doc.deleted {
			e.Fields = map[string]any{"deleted": true}
		}
		made, rejection := b.Mapped(t.name, e, received)
		if rejection != nil {
			return nil, rejection
		}
		records = append(records, made...)
	}
	return records, nil
}

// unmapped says why the mapping does not fit.
func unmapped(err error) *decode.Rejection {
	out := &decode.Rejection{Reason: schemas.Malformed, Detail: "the mapping does not fit: " + err.Error()}
	if wrong := (*mapping.FieldError)(nil); errors.As(err, &wrong) {
		out.Field, out.Reason = wrong.Field, schemas.BadValue
		switch {
		case wrong.Missing:
			out.Reason = schemas.MissingField
		case wrong.Field == "occurred_at" || wrong.Field == "responded_at":
			out.Reason = schemas.BadTime
		}
	}
	return out
}

// named is an account's row with its account_id: its own, or else its id, or else the record's key. Of a row that is gone nothing else counts.
func named(doc document, key []byte) []byte {
	var row map[string]json.RawMessage
	if json.Unmarshal(doc.json, &row) != nil || row == nil {
		return doc.json
	}
	if id := row["id"]; len(row["account_id"]) == 0 && len(id) > 0 {
		row["account_id"] = id
		delete(row, "id")
	}
	if len(row["account_id"]) == 0 && len(key) > 0 && utf8.Valid(key) {
		row["account_id"], _ = json.Marshal(string(key)) // a string always encodes
	}
	if doc.deleted {
		row = map[string]json.RawMessage{"account_id": row["account_id"], "deleted": []byte("true")}
	}
	out, err := json.Marshal(row)
	if err != nil {
		return doc.json
	}
	return out
}

// position is the id of an event that has none of its own: the same however often the record is read.
func (t *topic) position(r *kgo.Record) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s %d", t.source(r.Partition), r.Offset))
	return "raw-" + hex.EncodeToString(sum[:16])
}
