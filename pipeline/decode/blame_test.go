package decode

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Whatever is wrong with a record, the field is named if it is one.
func TestTheWrongFieldIsNamed(t *testing.T) {
	for text, field := range map[string]string{
		`{"type":"page","userId":7}`:                                     "userId",
		`{"type":"page","context":{"x":[1,{"y":2}],"groupId":{}}}`:       "context.groupId",
		`{"type":"page","properties":[]}`:                                "properties",
		`{"type":"page","properties":{"a":1,"b":{"c":tru}}}`:             "properties.b.c",
		`{"type":"page","timestamp":12}`:                                 "timestamp",
		`{"type":"page","timestamp":"yesterday"}`:                        "timestamp",
		`{"type":"page","timestamp":"2020-09-21T13:43:20Z"}`:             "timestamp",
		`{"type":"page","originalTimestamp":"2026-09-21T14:43:20.001Z"}`: "originalTimestamp",
		`{"event":"A"}`:                  "type",
		`{"type":"track"}`:               "event",
		`{"type":"group","groupId":"g"}`: "userId",
		`[]`:                             "",
		`{"type":"page",`:                "",
		"{\"type\":\"page\",\"userId\":\"\xff\"}":                "",
		`{"type":"page","` + strings.Repeat("x", 1000) + `":{]}`: strings.Repeat("x", maxBlame),
		`{"ticket_id":1}`: "type",
	} {
		rej := NewTelemetry(program(t), testLimits).Decode([]byte(text), recordTime, &Event{})
		require.NotNil(t, rej, text)
		require.Equal(t, field, rej.Field, text)
	}
	for text, field := range map[string]string{
		`{"ticket_id":1}`:   "ticket_id",
		`{"ticket_id":"1"}`: "account_id",
		`{"ticket_id":"1","account_id":"a","kind":"x","occurred_at":"2026-09-21T13:33:20Z"}`:      "kind",
		`{"ticket_id":"1","account_id":"a","kind":"solved","occurred_at":"never"}`:                "occurred_at",
		`{"ticket_id":"1","account_id":"a","kind":"solved","occurred_at":"1999-01-01T00:00:00Z"}`: "occurred_at",
		`{"ticket_id":"1","account_id":"a","kind":"solved","tags":"vip","occurred_at":"2026-09"}`: "tags",
	} {
		_, rej := DecodeTicket([]byte(text), recordTime, testLimits)
		require.NotNil(t, rej, text)
		require.Equal(t, field, rej.Field, text)
	}
	_, rej := DecodeAccount(nil, []byte(`{"plan":"pro"}`), recordTime)
	require.Equal(t, "account_id", rej.Field)
	_, rej = DecodeAccount([]byte("a"), []byte(`{"at":"x"}`), recordTime)
	require.Equal(t, "at", rej.Field)
}

func TestProducer(t *testing.T) {
	for text, producer := range map[string]string{
		`{"type":"page","context":{"app":{"name":"shop"},"library":{"version":"2.1","name":"analytics-node"}},"source":"x"}`: "analytics-node/2.1",
		`{"context":{"library":{"name":"own"},"x":[{}]}}`:                                                                    "own",
		`{"context":{"library":7,"app":{"name":"shop","build":1}}}`:                                                          "shop",
		`{"source":"zendesk","context":null}`:                                                                                "zendesk",
		`{"source":{"a":1},"userId":7,"context":{"app":{"name":"shop"}}}`:                                                    "shop",
		`{"source":"zendesk","userId":`:                                                                                      "zendesk",
		`{}`:                                                                                                                 "", `[]`: "", `x`: "", ``: "",
		`{"source":"` + strings.Repeat("é", 1000) + `"}`: strings.Repeat("é", maxBlame/2),
	} {
		require.Equal(t, producer, Producer([]byte(text)), text)
	}
}
