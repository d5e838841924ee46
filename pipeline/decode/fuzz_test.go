package decode

import (
	"bytes"
	"encoding/json"

	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"tidemark/internal/recount"
	"tidemark/schemas"
)

// reasons are what each kind of record can be refused for by its content alone.
var (
	telemetryReasons = []schemas.Reason{
		schemas.Oversize, schemas.Malformed, schemas.MissingType, schemas.UnknownType, schemas.MissingEvent, schemas.MissingUser,
		schemas.BadTime, schemas.Future, schemas.TooOld,
	}
	ticketReasons = []schemas.Reason{
		schemas.Oversize, schemas.Malformed, schemas.MissingField, schemas.UnknownKind, schemas.BadTime, schemas.Future, schemas.TooOld,
	}
	accountReasons = []schemas.Reason{schemas.Oversize, schemas.Malformed, schemas.MissingField, schemas.BadTime}
)

// requireRejection holds that a refusal can go out as it is: a known reason, and a detail for people that is short and UTF-8.
func requireRejection(t *testing.T, rej *Rejection, known []schemas.Reason) {
	t.Helper()
	require.Contains(t, known, rej.Reason)
	require.NotEmpty(t, rej.Detail)
	require.Less(t, len(rej.Detail), 1000, "a detail is no copy of the record")
	require.True(t, utf8.ValidString(rej.Detail), "%q", rej.Detail)
}

// recounted returns the verdict of the code that shares nothing with this package, and what it counts.
func recounted(topic string, key, value []byte) (recount.Verdict, *counted) {
	opts := recount.Options{Telemetry: "telemetry", Tickets: "tickets", Accounts: "accounts", Signals: "signals"}
	var c counted
	fold := recount.NewFold(recount.Partition{Topic: topic, Source: topic + "/0@x"}, opts, &c)
	return fold.Take(recount.Record{Time: recordTime, Key: key, Value: value}), &c
}

// counted is a sink of one record's rows.
type counted struct {
	account, feature string
	uses, duration   uint64
	user             uint64
	key              recount.FactKey
	fact             recount.Fact
	change           recount.AccountChange
}

func (c *counted) Count(k recount.CounterKey, n uint64, _ int64) {
	if c.account = k.Account; k.Feature != "" {
		c.feature = k.Feature
	}
	switch k.Metric {
	case "feature_duration_ms":
		c.duration = n
	case "feature_uses":
		c.uses = n
	}
}

func (c *counted) Member(k recount.MemberKey, _ int64)                                { c.user = k.Member }
func (c *counted) Visit(recount.UserMinuteKey, int64, int64)                          {}
func (c *counted) Fact(k recount.FactKey, f recount.Fact)                             { c.key, c.fact = k, f }
func (c *counted) AccountChange(_ recount.AccountChangeKey, ch recount.AccountChange) { c.change = ch }
func (c *counted) UserAccount(_ recount.UserAccountKey, account string)               { c.account = account }

// repeatsNames reports whether an object in the JSON text names a member twice, also as another spelling of it: readers
// differ on which of the two they take, encoding/json folding case besides.
func repeatsNames(value []byte) bool {
	dec := json.NewDecoder(bytes.NewReader(value))
	dec.UseNumber()
	repeated := false
	var walk func() bool
	walk = func() bool {
		token, err := dec.Token()
		if err != nil {
			return false
		}
		switch token {
		case json.Delim('{'):
			seen := map[string]bool{}
			for dec.More() {
				name, err := dec.Token()
				text, ok := name.(string)
				if err != nil || !ok {
					return false
				}
				repeated = repeated || seen[strings.ToLower(text)]
				seen[strings.ToLower(text)] = true
				if !walk() {
					return false
				}
			}
			_, err = dec.Token()
		case json.Delim('['):
			for dec.More() {
				if !walk() {
					return false
				}
			}
			_, err = dec.Token()
		}
		return err == nil
	}
	walk()
	return repeated
}

var telemetrySeeds = []string{
	`{"type":"track","event":"A","messageId":"m","userId":"u","timestamp":"2026-09-21T13:33:20.123Z"}`,
	`{"type":"page","anonymousId":"u","context":{"groupId":"g","x":[{}]},"receivedAt":"2026-09-21T13:33:59.000Z"}`,
	`{"type":"group","userId":"u","groupId":"g","traits":{"plan":"pro"}}`, `{"type":"alias","userId":"u","previousId":"v"}`,
	`{"type":"identify","userId":"u","traits":{"company":{"id":"co","name":"Co"}}}`, `{"type":"identify","userId":"u","traits":{"company":"co"}}`,
	`{"type":"track","event":"\ud83d\ude00","userId":"\ud800","properties":{"feature":"f","duration_ms":1e3},"originalTimestamp":"2026-09-21T13:33:20Z",
		"sentAt":"2026-09-21T13:33:21Z","receivedAt":"2026-09-21T13:33:22Z"}`,
	`{"type":"track","event":"A","userId":7}`, `{"type":"trak"}`, `{"action":"screen"}`, `{"type":null,"action":"page"}`, `[]`, `null`, ``, "{\"type\":\"page\",\"x\":\"\xff\"}",
	`{"context":{},"type":"page","properties":{ } , "traits":{"company":{"name":"x","id":1}},"userId":"u"}`,
	`{"type":"identify","userId":"u","traits":{"company":{"id":"co"},"x":{"y":[]}},"context":{"groupId":"g"},"properties":{"feature":null}}`,
	`{"type":"identify","userId":"u","traits":{"company":null},"properties":{"duration_ms":true,"feature":{}}}`, `{"type":"page","traits":[]}`,
	`{"type":"page","context":{"groupId":"g"}`, `{"type":"page","context":{"groupId":"g"},}`, `{"type":"page","context":{,"groupId":"g"}}`,
	`{"type":"page","receivedAt":"9999-12-31T23:59:59Z"}`, `{"type":"page","timestamp":"0000-01-01T00:00:00Z"}`,
	`{"type":"track","event":"e","context":{"groupId":"g"},"properties":{"feature":"f","duration_ms":12.` + strings.Repeat("0", 50) + `}}`,
	`{"type":"page","properties":{"duration_ms":9007199254740993}}`, `{"type":"page","context":7}`, strings.Repeat(`{"a":`, 10) + `1` + strings.Repeat(`}`, 10),
}

// FuzzTelemetry holds that every text is an event or has a known reason why not, and that the recount, which reads it with
// encoding/json, says the same.
func FuzzTelemetry(f *testing.F) {
	for _, s := range telemetrySeeds {
		f.Add([]byte(s))
	}
	decoder := NewTelemetry(program(f), testLimits)
	f.Fuzz(func(t *testing.T, value []byte) {
		var ev Event
		rej := decoder.Decode(value, recordTime, &ev)
		if rej != nil {
			requireRejection(t, rej, telemetryReasons)
		} else {
			require.True(t, json.Valid(value))
			require.True(t, utf8.Valid(value))
			requireStorable(t, ev.Time)
			require.LessOrEqual(t, ev.Time, ev.Received+testLimits.MaxFuture.Milliseconds())
		}
		if repeatsNames(value) {
			return
		}
		is, rows := recounted("telemetry", nil, value)
		switch {
		case rej != nil:
			require.Equal(t, string(rej.Reason), is.Reason, rej.Detail)
		case is.Reason != "no_account": // which is no matter of the record alone
			require.Empty(t, is.Reason)
			require.Equal(t, is.At, ev.Time)
			require.Equal(t, is.ID != "", ev.ID != 0)
			if is.Kind == recount.Applied && ev.Type < Identify {
				requireCounted(t, &ev, rows)
			}
		}
	})
}

// requireCounted holds that the recount counts for the same account, user and feature.
func requireCounted(t *testing.T, ev *Event, rows *counted) {
	t.Helper()
	require.Equal(t, rows.account, string(ev.Account))
	require.Equal(t, rows.user, ev.User)
	if feature := ev.Properties[0]; ev.Type == Track && feature.Kind == String {
		require.Equal(t, rows.feature, string(feature.Text))
		if n, _ := ev.Properties[1].Number(); rows.uses > 0 {
			require.Equal(t, rows.duration, n)
		}
	} else {
		require.Empty(t, rows.feature)
	}
}

// requireStorable holds that ClickHouse can keep the time as a DateTime.
func requireStorable(t *testing.T, ms int64) {
	t.Helper()
	require.GreaterOrEqual(t, ms, int64(0))
	require.Less(t, ms, int64(1<<32*1000))
}

// FuzzTicket is FuzzTelemetry of ticket events.
func FuzzTicket(f *testing.F) {
	for _, s := range []string{
		`{"ticket_id":"1","source":"zendesk","account_id":"a","occurred_at":"2026-09-21T13:00:00Z","kind":"priority","from":"p3","to":"p1","source_event_id":"e","tags":["x",null]}`,
		`{"ticket_id":"1","account_id":"a","occurred_at":"2026-09-21T13:00:00Z","kind":"created","receivedAt":"2026-09-21T13:00:01Z"}`,
		`{"ticket_id":1}`, `{"ticket_id":"1","account_id":"a","occurred_at":"now","kind":"solved"}`, `{"TICKET_ID":"1"}`, `null`, ``, `{"tags":[1]}`,
		`{"ticket_id":"1","account_id":"a","occurred_at":"9999-01-01T00:00:00Z","receivedAt":"9999-01-01T00:00:00Z","kind":"solved"}`,
	} {
		f.Add([]byte(s))
	}
	catalogue, err := schemas.Builtin()
	require.NoError(f, err)
	f.Fuzz(func(t *testing.T, value []byte) {
		ticket, rej := DecodeTicket(value, recordTime, testLimits)
		if rej != nil {
			requireRejection(t, rej, ticketReasons)
		} else {
			require.True(t, json.Valid(value))
			require.True(t, utf8.Valid(value))
			requireStorable(t, ticket.Time)
			require.Contains(t, []string{"", "priority", "assignment", "tag", "sla_breach"}, ticket.Escalation(catalogue.Tickets.EscalatedWhen))
		}
		if repeatsNames(value) {
			return
		}
		is, rows := recounted("tickets", nil, value)
		if !sameVerdict(t, rej, is) {
			return
		}
		require.Equal(t, is.At, ticket.Time)
		for name, value := range map[string]string{
			"from": ticket.From, "to": ticket.To, "priority": ticket.Priority, "status": ticket.Status, "channel": ticket.Channel,
			"tags": strings.Join(ticket.Tags, ","), "requester_id": ticket.RequesterID,
			"escalation": ticket.Escalation(catalogue.Tickets.EscalatedWhen),
		} {
			require.Equal(t, rows.fact.Attributes[name], value)
		}
		require.Equal(t, is.ID != "", ticket.ID != 0)
	})
}

// sameVerdict requires that the decoder and the recount refuse a record for the same reason, or both take it, and reports
// whether they do.
func sameVerdict(t *testing.T, rej *Rejection, is recount.Verdict) (taken bool) {
	t.Helper()
	if rej != nil {
		require.Equal(t, string(rej.Reason), is.Reason, rej.Detail)
		return false
	}
	require.Empty(t, is.Reason)
	return true
}

// FuzzAccount is FuzzTelemetry of account records; their attributes stay within the record's own size and a little.
func FuzzAccount(f *testing.F) {
	for _, s := range []string{
		`{"account_id":"acme","at":"2026-09-21T13:00:00Z","seats":25,"mrr":99.5,"plan":"pro","external_ids":{"zendesk":"7"},"stage":null,"x":[1,{"a":true}]}`,
		``, `{}`, `null`, `{"deleted":true,"a":1}`, `{"deleted":"true"}`, `{"account_id":7}`, `{"at":7}`, `{"at":""}`, `{"a":{"b":{"c":1}}}`, `{"a":1}}`, `{"a":1}]`, `{"a":1} {}`, "{\"a\":\"\xff\"}", `{"at":"0001-01-01T00:00:00Z"}`,
		`{"` + strings.Repeat("a", 200) + `":` + strings.Repeat(`{"a":`, 100) + `1` + strings.Repeat(`,"b":1}`, 100) + `}`,
	} {
		f.Add([]byte("acme"), []byte(s))
		f.Add([]byte{}, []byte(s))
	}
	f.Fuzz(func(t *testing.T, key, value []byte) {
		a, rej := DecodeAccount(key, value, recordTime)
		if rej != nil {
			requireRejection(t, rej, accountReasons)
		} else {
			require.NotEmpty(t, a.ID)
			require.True(t, len(value) > 0 || a.Deleted)
			require.True(t, len(value) == 0 || json.Valid(value))
			require.True(t, utf8.Valid(value))
			size := 0
			for name, v := range a.Attributes {
				size += len(name) + len(v)
			}
			require.LessOrEqual(t, size, MaxValue)
		}
		if repeatsNames(value) {
			return
		}
		is, rows := recounted("accounts", key, value)
		if !sameVerdict(t, rej, is) {
			return
		}
		require.Equal(t, is.At, a.ValidFrom)
		require.Equal(t, rows.change.Deleted, a.Deleted)
		if !a.Deleted {
			require.Equal(t, rows.change.Attributes, a.Attributes)
		}
	})
}
