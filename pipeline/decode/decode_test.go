package decode

import (
	"encoding/json"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/cespare/xxhash/v2"
	"github.com/stretchr/testify/require"

	"tidemark/schemas"
)

var testLimits = Limits{MaxFuture: 10 * time.Minute, MaxAge: 43800 * time.Hour}

func program(t testing.TB) *schemas.Program {
	c, err := schemas.Builtin()
	require.NoError(t, err)
	p, err := schemas.Compile(c)
	require.NoError(t, err)
	return p
}

const recordTime = 1_789_997_600_000 // 2026-09-21T13:33:20Z

func TestTelemetryVerdicts(t *testing.T) {
	for name, tc := range map[string]struct {
		json   string
		reason schemas.Reason
	}{
		"track":              {`{"type":"track","event":"A","userId":"u"}`, ""},
		"action for type":    {`{"action":"track","event":"A"}`, ""},
		"null fields":        {`{"type":"page","userId":null,"context":null,"properties":null,"timestamp":null}`, ""},
		"white space":        {" {\n\t\"type\" : \"page\" } \r\n", ""},
		"unknown nested":     {`{"type":"page","x":{"a":[1,-2.5e+3,{"b":"\u00e9\\"}],"c":false}}`, ""},
		"cut off":            {`{"type":"track","event":"A"`, schemas.Malformed},
		"trailing text":      {`{"type":"page"} x`, schemas.Malformed},
		"array":              {`[]`, schemas.Malformed},
		"empty":              {``, schemas.Malformed},
		"number as user":     {`{"type":"page","userId":7}`, schemas.Malformed},
		"bad escape":         {`{"type":"page","x":"\q"}`, schemas.Malformed},
		"control character":  {"{\"type\":\"page\",\"x\":\"a\nb\"}", schemas.Malformed},
		"leading zero":       {`{"type":"page","x":01}`, schemas.Malformed},
		"no type":            {`{"event":"A"}`, schemas.MissingType},
		"unknown type":       {`{"type":"trak","event":"A"}`, schemas.UnknownType},
		"no event":           {`{"type":"track"}`, schemas.MissingEvent},
		"group without user": {`{"type":"group","groupId":"g"}`, schemas.MissingUser},
		"bad time":           {`{"type":"page","timestamp":"yesterday"}`, schemas.BadTime},
		"bad receivedAt":     {`{"type":"page","receivedAt":"2026-13-01T00:00:00Z"}`, schemas.BadTime},
		"future":             {`{"type":"page","timestamp":"2026-09-21T13:43:20.001Z"}`, schemas.Future},
		"just not future":    {`{"type":"page","timestamp":"2026-09-21T13:43:20.000Z"}`, ""},
		"too old":            {`{"type":"page","timestamp":"2020-09-21T13:43:20Z"}`, schemas.TooOld},
	} {
		t.Run(name, func(t *testing.T) {
			var ev Event
			rej := NewTelemetry(program(t), testLimits).Decode([]byte(tc.json), recordTime, &ev)
			if tc.reason == "" {
				require.Nil(t, rej)
				return
			}
			require.NotNil(t, rej)
			require.Equal(t, tc.reason, rej.Reason, rej.Detail)
		})
	}
}

func TestTelemetryFields(t *testing.T) {
	var ev Event
	rej := NewTelemetry(program(t), testLimits).Decode([]byte(`{"type":"track","event":"Report \u0041","messageId":"m1",
		"userId":"ann","anonymousId":"x","context":{"ip":"1.1.1.1","groupId":"acme"},
		"properties":{"feature":"reports","duration_ms":12.9,"other":{"feature":"no"}},
		"originalTimestamp":"2026-09-21T15:00:00+02:00","sentAt":"2026-09-21T13:00:05.5Z","receivedAt":"2026-09-21T13:33:20.123456Z"}`),
		recordTime, &ev)
	require.Nil(t, rej)
	require.Equal(t, "Report A", string(ev.Name))
	require.Equal(t, "acme", string(ev.Account))
	require.Equal(t, xxhash.Sum64String("u:ann"), ev.User)
	require.Equal(t, xxhash.Sum64String("m1"), ev.ID)
	require.Equal(t, int64(recordTime+123), ev.Received)
	require.Equal(t, int64(recordTime+123-5500), ev.Time, "corrected by the device's clock error")
	require.Equal(t, Value{String, []byte("reports")}, ev.Properties[0])
	n, ok := ev.Properties[1].Number()
	require.True(t, ok)
	require.Equal(t, uint64(12), n)
}

func TestAccountOfAnEvent(t *testing.T) {
	for json, want := range map[string]string{
		`{"type":"group","userId":"u","groupId":"g","context":{"groupId":"c"}}`: "g",
		`{"type":"identify","userId":"u","traits":{"company":{"id":"co"}}}`:     "co",
		`{"type":"identify","userId":"u","traits":{"company":"co"}}`:            "",
		`{"type":"identify","userId":"u","context":{"groupId":"c"}}`:            "",
		`{"type":"track","event":"E","groupId":"g"}`:                            "",
	} {
		var ev Event
		require.Nil(t, NewTelemetry(program(t), testLimits).Decode([]byte(json), recordTime, &ev))
		require.Equal(t, want, string(ev.Account), json)
	}
}

func TestDecodeDoesNotAllocate(t *testing.T) {
	value := []byte(`{"type":"track","event":"Report Published","messageId":"0123456789abcdef","userId":"ann@acme.example",
		"context":{"groupId":"acme","library":{"name":"x","version":"1"}},"properties":{"feature":"reports","duration_ms":12},
		"timestamp":"2026-09-21T13:33:20.123Z","receivedAt":"2026-09-21T13:33:20.123Z"}`)
	d := NewTelemetry(program(t), testLimits)
	var ev Event
	rej := d.Decode(value, recordTime, &ev)
	require.Nil(t, rej)
	require.Zero(t, testing.AllocsPerRun(1000, func() { rej = d.Decode(value, recordTime, &ev) }))
}

func TestTicket(t *testing.T) {
	c, err := schemas.Builtin()
	require.NoError(t, err)
	when := c.Tickets.EscalatedWhen
	decode := func(s string) (*Ticket, *Rejection) { return DecodeTicket([]byte(s), recordTime, testLimits) }
	tk, rej := decode(`{"ticket_id":"1","source":"zendesk","account_id":"acme","occurred_at":"2026-09-21T13:00:00Z","kind":"priority","from":"p3","to":"p1","source_event_id":"e"}`)
	require.Nil(t, rej)
	require.Equal(t, "priority", tk.Escalation(when))
	tk.From = "p2"
	require.Empty(t, tk.Escalation(when), "it was escalated before")
	_, rej = decode(`{"ticket_id":"1","account_id":"acme","kind":"created"}`)
	require.Equal(t, schemas.MissingField, rej.Reason)
	_, rej = decode(`{"ticket_id":"1","account_id":"acme","occurred_at":"2026-09-21T13:00:00Z","kind":"closed"}`)
	require.Equal(t, schemas.UnknownKind, rej.Reason)
}

func TestAccount(t *testing.T) {
	a, rej := DecodeAccount([]byte("acme"), []byte(`{"at":"2026-09-21T13:00:00Z","seats":25,"mrr":99.5,"plan":"pro","external_ids":{"zendesk":"7"},"stage":null}`), recordTime)
	require.Nil(t, rej)
	require.Equal(t, &Account{ID: "acme", ValidFrom: 1789995600000, Attributes: map[string]string{
		"seats": "25", "mrr": "99.5", "plan": "pro", "external_ids.zendesk": "7", "stage": "",
	}}, a)
	a, rej = DecodeAccount([]byte("acme"), nil, recordTime)
	require.Nil(t, rej)
	require.True(t, a.Deleted)
	for text, deleted := range map[string]bool{`{"deleted":true,"plan":"pro"}`: true, `{"deleted":false}`: false, `{"deleted":"true"}`: false, `{"x":{"deleted":true}}`: false, `{"deleted":true,"deleted":false}`: false} {
		a, rej = DecodeAccount([]byte("acme|crm"), []byte(`{"account_id":"acme",`+text[1:]), recordTime)
		require.Nil(t, rej)
		require.Equal(t, deleted, a.Deleted, text)
		require.Equal(t, "acme", a.ID)
	}
	_, rej = DecodeAccount(nil, []byte(`{"plan":"pro"}`), recordTime)
	require.Equal(t, schemas.MissingField, rej.Reason)
}

// FuzzScan holds the scanner to encoding/json: the same texts are taken if they are UTF-8, and strings mean the same.
func FuzzScan(f *testing.F) {
	for _, s := range []string{`{"a":"\ud83d\ude00\ud83d x"}`, `{"a":[1,2.5e-3,{}]}`, `{"a":"é\n"}`, `{"a":-0}`, `{"a":"\u12"}`, `{"":""}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) > 5000 {
			return
		}
		s := scanner{b: b}
		s.skip(0)
		s.next()
		require.Equal(t, json.Valid(b) && utf8.Valid(b), !s.bad && s.i == len(b), "%q", b)
		var want map[string]string
		if json.Unmarshal(b, &want) != nil || want == nil || !utf8.Valid(b) {
			return
		}
		got := map[string]string{}
		s = scanner{b: b}
		for more := s.object(); more; more = s.member() {
			key := s.key()
			got[string(key)] = string(s.text())
		}
		require.False(t, s.bad)
		require.Equal(t, want, got)
	})
}

// FuzzDecodeAfter holds that what a decoder has seen before never shows: it remembers the order of keys and the day.
func FuzzDecodeAfter(f *testing.F) {
	texts := []string{
		`{"type":"track","event":"A","messageId":"m","userId":"u","timestamp":"2026-09-21T13:33:20.123Z"}`,
		`{"type":"page","userId":"u","context":{"groupId":"g"},"receivedAt":"2026-09-21T13:33:59.000Z"}`,
		`{"type" : "page","user\u0049d":"u","userId" :"v","timestamp":"2026-09-21T13:33:2x.123Z"}`,
		`{"typ":"track","event":"A"}`, `{"type":"page","userId":"u"`, `{"type":"page","context":{},"userId":"u"}`,
		`{"type":"page","context":{"x":{},"groupId":"g"},"userId":"u"}`, `{"type":"page","context":null,"properties":{"feature":"f"}}`,
		`{"type":"identify","userId":"u","traits":{"company":{"id":"c"}}}`, `{"type":"identify","userId":"u","traits":{"company":"c"}}`, `{"type":"page","receivedAt":"2026-09-21T13:33:60.000Z"}`,
	}
	for _, a := range texts {
		for _, b := range texts {
			f.Add([]byte(a), []byte(b))
		}
	}
	p := program(f)
	f.Fuzz(func(t *testing.T, a, b []byte) {
		used, fresh := NewTelemetry(p, testLimits), NewTelemetry(p, testLimits)
		var first, got, want Event
		_ = used.Decode(a, recordTime, &first)
		require.Equal(t, fresh.Decode(b, recordTime, &want), used.Decode(b, recordTime, &got))
		require.Equal(t, want, got)
	})
}

// FuzzTime holds the time parser to the standard library.
func FuzzTime(f *testing.F) {
	for _, s := range []string{"2026-02-29T00:00:00Z", "2024-02-29T23:59:59.999999999+14:00", "0000-01-01T00:00:00Z", "1969-12-31T23:59:59.9999-00:30"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		ms, ok := parseTime([]byte(s))
		c := newClock()
		quoted := document(`"` + s + `"}`)
		for range 2 { // once unprepared, once after a time of the same day
			if fast, end := c.read(quoted, 0); fast != 0 {
				require.True(t, ok, s)
				require.Equal(t, ms, fast, s)
				require.Equal(t, len(s)+2, end)
			}
			again, okAgain := c.parse([]byte(s))
			require.Equal(t, ok, okAgain, s)
			if ok {
				require.Equal(t, ms, again, s)
			}
		}
		want, err := time.Parse(time.RFC3339Nano, s)
		if ok {
			require.NoError(t, err, s)
			require.Equal(t, want.UnixMilli(), ms, s)
		} else if err == nil { // the standard library also takes a comma and one-digit hours, which RFC 3339 does not
			require.NotRegexp(t, `^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$`, s)
		}
	})
}
