package collect

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tidemark/pipeline/decode"
	"tidemark/schemas"
)

var testLimits = limits{event: 32 << 10, batch: 500 << 10}

func TestRequestRefusals(t *testing.T) {
	const (
		call  = "/v1/"
		batch = callBatch
	)
	wrap := func(messages ...string) string { return `{"batch":[` + strings.Join(messages, ",") + `]}` }
	good := track("m", "ada")
	for _, test := range []struct {
		name, call, body string
		field            string
		index            int // -1: none
		message          string
	}{
		{"empty", batch, ``, "", -1, "the body is empty"},
		{"not JSON", batch, `{"batch":[}`, "", -1, "not valid JSON: invalid character '}' looking for beginning of value at byte 11"},
		{"two documents", batch, wrap(good) + wrap(good), "", -1, "not valid JSON"},
		{"not UTF-8", typeTrack, "{\"userId\":\"\xff\"}", "", -1, "not UTF-8"},
		{"array", batch, `[]`, "", -1, "the body must be a JSON object"},
		{"no batch", batch, `{}`, "batch", -1, "batch is missing"},
		{"batch is no array", batch, `{"batch":{}}`, "batch", -1, "batch is missing"},
		{"writeKey is no string", batch, `{"writeKey":1,"batch":[]}`, "writeKey", -1, "writeKey must be a string, not 1"},
		{"batch context", batch, `{"batch":[],"context":[]}`, "context", -1, "context: must be a JSON object"},
		{"batch sentAt", batch, `{"batch":[],"sentAt":"yesterday"}`, "sentAt", -1, `sentAt: "yesterday" is not an RFC 3339 time`},
		{"message is no object", batch, wrap(good, `"x"`), "batch[1]", 1, "must be a JSON object"},
		{"member twice", batch, wrap(`{"userId":"a","userId":"b"}`), "batch[0]", 0, `"userId" appears twice`},
		{"no type", batch, wrap(good, `{"userId":"ada"}`), "type", 1, "the type is missing"},
		{"unknown type", batch, wrap(`{"type":"trak","userId":"ada"}`), "type", 0, `type "trak" is unknown: use "track"`},
		{"unknown action", batch, wrap(`{"action":"trak","userId":"ada"}`), "action", 0, `action "trak" is unknown`},
		{"type is no string", batch, wrap(`{"type":7,"userId":"ada"}`), "type", 0, "type must be a string, not 7"},
		{"type of another path", typeIdentify, good, "type", -1, "send it to /v1/track"},
		{"no user", typeTrack, `{"event":"e"}`, "userId", -1, "userId and anonymousId are both missing"},
		{"empty user", typeTrack, `{"event":"e","userId":"","anonymousId":null}`, "userId", -1, "both missing"},
		{"user is an object", typeTrack, `{"event":"e","userId":{"a":1}}`, "userId", -1, `userId must be a string, not {"a":1}`},
		{"user is a fraction", typeTrack, `{"event":"e","userId":1.5}`, "userId", -1, "userId must be a string, not 1.5"},
		{"anonymous is a bool", typeTrack, `{"event":"e","anonymousId":true}`, "anonymousId", -1, "anonymousId must be a string"},
		{"no event", typeTrack, `{"userId":"ada"}`, "event", -1, "event is missing"},
		{"empty event", typeTrack, `{"userId":"ada","event":""}`, "event", -1, "event is missing"},
		{"event is no string", typeTrack, `{"userId":"ada","event":["x"]}`, "event", -1, `event must be a string, not ["x"]`},
		{"event of a page is no string", typePage, `{"userId":"ada","event":5}`, "event", -1, "event must be a string, not 5"},
		{"action beside the type", batch, wrap(`{"type":"page","action":5,"userId":"ada"}`), "action", 0, "action must be a string"},
		{"comma in a time", typeTrack, `{"userId":"ada","event":"e","timestamp":"2026-01-01T00:00:00,5Z"}`, "timestamp", -1, "is not an RFC 3339 time"},
		{"company twice", typeIdentify, `{"userId":"ada","traits":{"company":{"id":"a","id":"b"}}}`, "traits.company", -1, `"id" appears twice`},
		{"no group", typeGroup, `{"userId":"ada"}`, "groupId", -1, "groupId is missing"},
		{"no previous id", typeAlias, `{"userId":"ada"}`, "previousId", -1, "previousId is missing"},
		{"message id too long", typeTrack, `{"userId":"ada","event":"e","messageId":"` + strings.Repeat("é", 101) + `"}`, "messageId", -1, "messageId has 101 characters, at most 100"},
		{"message id is no string", typeTrack, `{"userId":"ada","event":"e","messageId":5}`, "messageId", -1, "messageId must be a string"},
		{"timestamp", typeTrack, `{"userId":"ada","event":"e","timestamp":"2026-02-30T00:00:00Z"}`, "timestamp", -1, "is not an RFC 3339 time: write it like"},
		{"numeric timestamp", typeTrack, `{"userId":"ada","event":"e","timestamp":1767225600}`, "timestamp", -1, "timestamp must be a string"},
		{"no zone", typeTrack, `{"userId":"ada","event":"e","originalTimestamp":"2026-01-01T00:00:00"}`, "originalTimestamp", -1, "is not an RFC 3339 time"},
		{"sentAt", typeTrack, `{"userId":"ada","event":"e","sentAt":"x"}`, "sentAt", -1, "is not an RFC 3339 time"},
		{"properties", typeTrack, `{"userId":"ada","event":"e","properties":[1]}`, "properties", -1, "properties: must be a JSON object"},
		{"context", typeTrack, `{"userId":"ada","event":"e","context":"x"}`, "context", -1, "context: must be a JSON object"},
		{"context twice", typeTrack, `{"userId":"ada","event":"e","context":{"groupId":"a","groupId":"b"}}`, "context", -1, `"groupId" appears twice`},
		{"traits", typeIdentify, `{"userId":"ada","traits":7}`, "traits", -1, "traits: must be a JSON object"},
		{"context.groupId", typeTrack, `{"userId":"ada","event":"e","context":{"groupId":[]}}`, "context.groupId", -1, "context.groupId must be a string, not []"},
		{"company id", typeIdentify, `{"userId":"ada","traits":{"company":{"id":{}}}}`, "traits.company.id", -1, "traits.company.id must be a string"},
		{"event too large", typeTrack, `{"userId":"ada","event":"e","properties":{"x":"` + strings.Repeat("x", 32<<10) + `"}}`, "", -1, "at most 32768 are accepted: shorten"},
		{"event of a batch too large", batch, wrap(good, `{"userId":"ada","event":"`+strings.Repeat("x", 32<<10)+`"}`), "", 1, "at most 32768 are accepted"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, r := parseRequest([]byte(test.body), test.call, testLimits)
			require.NotNil(t, r)
			require.Equal(t, http.StatusBadRequest, r.status, call+test.call)
			require.Equal(t, test.field, r.Field, r.Message)
			require.Contains(t, r.Message, test.message)
			if test.index < 0 {
				require.Nil(t, r.Index)
			} else {
				require.Equal(t, test.index, *r.Index)
			}
		})
	}
}

func TestRequestLimits(t *testing.T) {
	event := func(size int) string {
		empty := `{"type":"track","userId":"ada","event":"e","properties":{"x":""}}`
		return strings.Replace(empty, `""`, `"`+strings.Repeat("x", size-len(empty))+`"`, 1)
	}
	q, r := parseRequest([]byte(event(32<<10)), typeTrack, testLimits)
	require.Nil(t, r)
	require.Len(t, q.messages, 1)
	_, r = parseRequest([]byte(event(32<<10+1)), typeTrack, testLimits)
	require.NotNil(t, r)
	_, r = parseRequest([]byte(`{"batch":[`+event(32<<10)+`]}`), callBatch, testLimits)
	require.Nil(t, r)

	// The batch's context counts for each message.
	large := `"context":{"x":"` + strings.Repeat("x", 30<<10) + `"}`
	_, r = parseRequest([]byte(`{`+large+`,"batch":[`+event(3<<10)+`]}`), callBatch, testLimits)
	require.Equal(t, 0, *r.Index)
	require.Contains(t, r.Message, "shorten its properties or context")
	many := strings.TrimSuffix(strings.Repeat(event(100)+",", 20), ",")
	_, r = parseRequest([]byte(`{`+large+`,"batch":[`+many+`]}`), callBatch, testLimits)
	require.Equal(t, http.StatusRequestEntityTooLarge, r.status)
	require.Equal(t, "context", r.Field)
}

func TestBatchInheritance(t *testing.T) {
	q, r := parseRequest([]byte(`{"writeKey":"k","sentAt":"2026-01-01T00:00:10.123456789+01:00","context":{"groupId":"acme","ip":"1"},"integrations":{"All":false},"batch":[
		{"type":"track","event":"e","userId":"a","writeKey":"k"},
		{"type":"track","event":"e","userId":"b","context":{"ip":"2"},"sentAt":"2026-01-01T00:00:00Z","integrations":null},
		{"type":"page","userId":"c","context":{"groupId":"globex"}}]}`), callBatch, testLimits)
	require.Nil(t, r)
	require.Equal(t, "k", q.writeKey)
	require.Len(t, q.messages, 3)
	a, b, c := q.messages[0], q.messages[1], q.messages[2]
	require.Equal(t, []string{"acme", "acme", "globex"}, []string{a.contextID, b.contextID, c.contextID})
	require.Equal(t, time.Date(2025, 12, 31, 23, 0, 10, 123e6, time.UTC), a.sent)
	require.Equal(t, time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), b.sent)
	require.JSONEq(t, `{"type":"track","event":"e","userId":"a","context":{"groupId":"acme","ip":"1"},"integrations":{"All":false},"sentAt":"2026-01-01T00:00:10.123456789+01:00"}`, string(a.body.encode()))
	require.JSONEq(t, `{"type":"track","event":"e","userId":"b","context":{"groupId":"acme","ip":"2"},"integrations":{"All":false},"sentAt":"2026-01-01T00:00:00Z"}`, string(b.body.encode()))
	require.JSONEq(t, `{"groupId":"globex","ip":"1"}`, string(c.body.get("context")))
}

func TestNumericIDsBecomeStrings(t *testing.T) {
	q, r := parseRequest([]byte(`{"userId":12345678901234567890,"groupId":-7,"anonymousId":0,"context":{"groupId":8,"x":1.0}}`), typeGroup, testLimits)
	require.Nil(t, r)
	m := q.messages[0]
	require.Equal(t, []string{"u:12345678901234567890", "a:0"}, m.users())
	require.Equal(t, `{"userId":"12345678901234567890","groupId":"-7","anonymousId":"0","context":{"groupId":"8","x":1.0},"type":"group"}`, string(m.body.encode()))
}

func TestActionStandsForType(t *testing.T) {
	q, r := parseRequest([]byte(`{"action":"track","event":"e","userId":"ada"}`), typeTrack, testLimits)
	require.Nil(t, r)
	require.Equal(t, typeTrack, q.messages[0].kind)
	require.Nil(t, q.messages[0].body.get("type"))
}

// requireDecodes checks that the pipeline reads an event as the collector does.
func requireDecodes(t *testing.T, m *message, event []byte) {
	t.Helper()
	catalogue, err := schemas.Builtin()
	require.NoError(t, err)
	program, err := schemas.Compile(catalogue)
	require.NoError(t, err)
	forever := decode.Limits{MaxFuture: 1 << 62, MaxAge: 1 << 62}
	var got decode.Event
	rejected := decode.NewTelemetry(program, forever).Decode(event, 0, &got)
	if rejected != nil {
		require.Contains(t, []schemas.Reason{schemas.Future, schemas.TooOld}, rejected.Reason, "%s: %s", rejected, event)
		return
	}
	require.Equal(t, m.at.UnixMilli(), got.Time, "%s", event)
	require.Equal(t, m.userID+m.anonymousID != "", got.User != 0, "%s", event)
	require.NotZero(t, got.ID)
	switch {
	case m.kind == typeGroup:
		require.Equal(t, m.groupID, string(got.Account))
	case m.kind != typeIdentify:
		require.Equal(t, m.contextID, string(got.Account))
	}
}

// FuzzParseRequest: no body makes the parser fail in another way than by a
// refusal, and what it takes is JSON that the pipeline takes as well.
func FuzzParseRequest(f *testing.F) {
	for _, seed := range []string{
		track("m", "ada"), `{"batch":[` + track("m", "ada") + `],"context":{"a":"\u0000"},"sentAt":"2026-01-01T00:00:00Z"}`,
		`{"type":"group","groupId":1,"userId":"\ud800","traits":{"a":[{}]}}`, `{"batch":[{}]}`, `[{`, `{"a":"\`, "\xff", `{"batch":[[],{"":{}}]}`,
	} {
		f.Add([]byte(seed), true)
		f.Add([]byte(seed), false)
	}
	f.Fuzz(func(t *testing.T, body []byte, isBatch bool) {
		call := typeTrack
		if isBatch {
			call = callBatch
		}
		q, r := parseRequest(body, call, testLimits)
		require.NotNil(t, q)
		if r != nil {
			require.NotEmpty(t, r.Message)
			require.GreaterOrEqual(t, r.status, 400)
			return
		}
		if stamp(q.messages, time.Unix(1_770_000_000, 0)) != nil {
			return
		}
		for _, m := range q.messages {
			out := m.body.encode()
			require.True(t, json.Valid(out), "%s", out)
			requireDecodes(t, m, out)
			stamped, err := withAccount(m.body, "acme")
			require.NoError(t, err)
			var event struct {
				MessageID string
				Context   struct{ GroupID string }
			}
			require.NoError(t, json.Unmarshal(stamped.encode(), &event))
			require.Equal(t, "acme", event.Context.GroupID)
			require.NotEmpty(t, event.MessageID)
			_, refused := parseMessage(stamped, "")
			require.Nil(t, refused, "an accepted event is accepted again: %s", fmt.Sprint(refused))
		}
	})
}
