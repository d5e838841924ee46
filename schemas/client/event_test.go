package client

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 123_456_789, time.FixedZone("", 3600))

func TestCanonicalJSON(t *testing.T) {
	who := Who{UserID: "ada", AccountID: "acme", MessageID: "m1", Time: noon}
	for name, c := range map[string]struct {
		message Message
		key     string
		body    string
	}{
		"track": {Track{Who: who, Event: "Report Published", Properties: map[string]any{"feature": "reports"}}, "acme",
			`{"type":"track","event":"Report Published","messageId":"m1","userId":"ada","timestamp":"2026-03-01T11:00:00.123Z","context":{"groupId":"acme"},"properties":{"feature":"reports"}}`},
		"page": {Page{Who: Who{AnonymousID: "a1", MessageID: "m1", Context: map[string]any{"locale": "de"}}, Name: "Home"}, "",
			`{"type":"page","name":"Home","messageId":"m1","anonymousId":"a1","timestamp":"2026-03-01T11:00:00.123Z","context":{"locale":"de"}}`},
		"identify": {Identify{Who: who, Traits: map[string]any{"company": map[string]any{"plan": "pro"}}}, "acme",
			`{"type":"identify","messageId":"m1","userId":"ada","timestamp":"2026-03-01T11:00:00.123Z","traits":{"company":{"id":"acme","plan":"pro"}}}`},
		"group": {Group{Who: who, Traits: map[string]any{"seats": 25}}, "acme",
			`{"type":"group","messageId":"m1","userId":"ada","groupId":"acme","timestamp":"2026-03-01T11:00:00.123Z","traits":{"seats":25}}`},
		"signal": {Signal{Type: "survey.responded", AccountID: "acme", Fields: map[string]any{"score": 9}}, "acme",
			`{"account_id":"acme","score":9,"type":"survey.responded"}`},
		"release": {Signal{Type: "release.deployed", Fields: map[string]any{"version": "2.0"}}, "2.0", `{"type":"release.deployed","version":"2.0"}`},
	} {
		t.Run(name, func(t *testing.T) {
			e, err := c.message.event(noon)
			require.NoError(t, err)
			require.Equal(t, c.body, string(e.Body))
			require.Equal(t, c.key, e.Key)
		})
	}
	first, err := Track{Who: Who{UserID: "ada"}, Event: "A"}.event(noon)
	require.NoError(t, err)
	second, err := Track{Who: Who{UserID: "ada"}, Event: "A"}.event(noon)
	require.NoError(t, err)
	require.NotEqual(t, first.ID, second.ID)
	require.Contains(t, string(first.Body), `"messageId":"`+first.ID+`"`)
}

func TestInvalidEvents(t *testing.T) {
	for want, message := range map[string]Message{
		"set UserID or AnonymousID": Track{Event: "A"},
		"set Event":                 Track{Who: Who{UserID: "ada"}},
		"set AccountID":             Group{Who: Who{UserID: "ada"}},
		"set Type":                  Signal{},
		"at most 100":               Page{Who: Who{UserID: "ada", MessageID: strings.Repeat("x", 101)}},
		"RFC 3339":                  Page{Who: Who{UserID: "ada", Time: time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)}},
		"encode the event":          Page{Who: Who{UserID: "ada"}, Properties: map[string]any{"f": func() {}}},
	} {
		_, err := message.event(noon)
		require.ErrorContains(t, err, want)
	}
}
