package eventimport

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"tidemark/pipeline/collect"
	"tidemark/pipeline/decode"
	"tidemark/schemas"
)

const wireTime = "2006-01-02T15:04:05.000Z"

// records makes what the collector would have written, had it received the event now: with the time at which it happened.
func records(b *collect.Batch, raw []byte, now time.Time, limits decode.Limits) ([]*kgo.Record, *decode.Rejection) {
	var event map[string]json.RawMessage
	if err := json.Unmarshal(raw, &event); err != nil {
		return nil, rejected(schemas.Malformed, "", "it is not a JSON object: %v", err)
	}
	said := func(name string) bool { return len(event[name]) > 0 && string(event[name]) != "null" }
	var form func(*collect.Batch, []byte, time.Time) ([]*kgo.Record, *decode.Rejection)
	var at time.Time
	var err error
	switch {
	case said("specversion"):
		form = (*collect.Batch).CloudEvent
		at, err = firstTime(event, "time")
	case said("type"), said("action"):
		form = func(b *collect.Batch, m []byte, now time.Time) ([]*kgo.Record, *decode.Rejection) {
			return b.Message(m, "", now)
		}
		at, err = segment(event)
	case said("distinct_id"):
		form = (*collect.Batch).PostHog
		at, err = posthog(event)
	default:
		return nil, rejected(schemas.MissingType, "", "it is neither an event of Segment's, which has type, nor of PostHog's, which has distinct_id, nor a CloudEvent")
	}
	switch {
	case err != nil:
		return nil, rejected(schemas.BadTime, "timestamp", "%v", err)
	case at.IsZero():
		return nil, rejected(schemas.BadTime, "timestamp", "it does not say when it happened")
	case at.Sub(now) > limits.MaxFuture:
		return nil, rejected(schemas.Future, "timestamp", "it happens at %s", at.Format(wireTime))
	case now.Sub(at) > limits.MaxAge:
		return nil, rejected(schemas.TooOld, "timestamp", "it happened at %s, before what the day tier keeps", at.Format(wireTime))
	}
	if raw, err = json.Marshal(event); err != nil { // all of it was JSON
		return nil, rejected(schemas.Malformed, "", "%v", err)
	}
	return form(b, raw, now)
}

func rejected(reason schemas.Reason, field, detail string, args ...any) *decode.Rejection {
	return &decode.Rejection{Reason: reason, Field: field, Detail: fmt.Sprintf(detail, args...)}
}

// segment brings a message's times into the form of a call that is sent now: a client's clock was corrected when it was received, or by
// what it says of that, and is not again.
func segment(event map[string]json.RawMessage) (time.Time, error) {
	received, err := firstTime(event, "receivedAt")
	if err != nil {
		return received, err
	}
	original, err := firstTime(event, "originalTimestamp")
	if err != nil {
		return original, err
	}
	sent, err := firstTime(event, "sentAt")
	if err != nil {
		return sent, err
	}
	at, err := firstTime(event, "timestamp", "originalTimestamp", "receivedAt")
	if err != nil || at.IsZero() {
		return at, err
	}
	if !received.IsZero() && !original.IsZero() && !sent.IsZero() {
		at = time.UnixMilli(received.UnixMilli() - (sent.UnixMilli() - original.UnixMilli())).UTC()
	}
	for _, name := range []string{"receivedAt", "sentAt", "originalTimestamp", "writeKey"} {
		delete(event, name)
	}
	event["timestamp"] = quote(at)
	return at, nil
}

// posthog brings an exported event into the form of one that is captured: exports have properties as text, too.
func posthog(event map[string]json.RawMessage) (time.Time, error) {
	var text string
	if p := event["properties"]; len(p) > 0 && p[0] == '"' && json.Unmarshal(p, &text) == nil {
		event["properties"] = json.RawMessage(text)
		if !json.Valid(event["properties"]) {
			return time.Time{}, fmt.Errorf("properties is a text that is not JSON")
		}
	}
	at, err := firstTime(event, "timestamp", "created_at")
	if err != nil || at.IsZero() {
		return at, err
	}
	for _, name := range []string{"sent_at", "offset", "api_key", "token"} {
		delete(event, name)
	}
	event["timestamp"] = quote(at)
	return at, nil
}

// firstTime returns the first of the named times that is there, in milliseconds.
func firstTime(event map[string]json.RawMessage, names ...string) (time.Time, error) {
	for _, name := range names {
		raw := event[name]
		var s string
		if len(raw) == 0 || string(raw) == "null" || string(raw) == `""` {
			continue
		}
		if err := json.Unmarshal(raw, &s); err != nil {
			return time.Time{}, fmt.Errorf("%s must be a text with a time, not %.40s", name, raw)
		}
		t, ok := parseTime(s)
		if !ok {
			return t, fmt.Errorf("%s %.40q is no time such as 2026-03-01T09:30:00.000Z", name, s)
		}
		return t, nil
	}
	return time.Time{}, nil
}

// parseTime reads RFC 3339, and what warehouses make of it: a space for the T, and UTC or nothing for the offset.
func parseTime(s string) (time.Time, bool) {
	s = strings.TrimSuffix(s, " UTC")
	if len(s) > 10 && s[10] == ' ' {
		s = s[:10] + "T" + s[11:]
	}
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999", "2006-01-02T15:04:05.999999999-07"} {
		if t, err := time.Parse(layout, s); err == nil {
			return t.UTC().Truncate(time.Millisecond), true
		}
	}
	return time.Time{}, false
}

func quote(t time.Time) json.RawMessage { return json.RawMessage(t.Format(`"` + wireTime + `"`)) }
