package collect

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestTimeCorrection(t *testing.T) {
	received := time.Date(2026, 3, 1, 12, 0, 0, 500e6, time.UTC)
	for _, test := range []struct{ name, members, original, timestamp string }{
		{"no times", ``, ``, "2026-03-01T12:00:00.500Z"},
		{"timestamp", `,"timestamp":"2026-03-01T11:00:00Z"`, `"2026-03-01T11:00:00Z"`, "2026-03-01T11:00:00.000Z"},
		{"timestamp and sentAt", `,"timestamp":"2026-03-01T13:59:58+01:00","sentAt":"2026-03-01T13:00:00.1239Z"`, `"2026-03-01T13:59:58+01:00"`, "2026-03-01T11:59:58.377Z"},
		{"clock a year behind", `,"timestamp":"2025-03-01T11:59:00Z","sentAt":"2025-03-01T12:00:00Z"`, `"2025-03-01T11:59:00Z"`, "2026-03-01T11:59:00.500Z"},
		{"originalTimestamp is kept", `,"originalTimestamp":"2026-03-01T10:00:00Z","timestamp":"2026-03-01T11:00:00Z","sentAt":"2026-03-01T10:00:01Z"`, `"2026-03-01T10:00:00Z"`, "2026-03-01T11:59:59.500Z"},
		{"only sentAt", `,"sentAt":"2026-03-01T10:00:01Z"`, ``, "2026-03-01T12:00:00.500Z"},
		{"null times", `,"timestamp":null,"originalTimestamp":null,"sentAt":null`, `null`, "2026-03-01T12:00:00.500Z"},
		{"receivedAt of the client", `,"receivedAt":"1999-01-01T00:00:00Z"`, ``, "2026-03-01T12:00:00.500Z"},
	} {
		t.Run(test.name, func(t *testing.T) {
			q, r := parseRequest([]byte(`{"event":"e","userId":"ada","messageId":"m"`+test.members+`}`), typeTrack, testLimits)
			require.Nil(t, r)
			require.Nil(t, stamp(q.messages, received))
			body := q.messages[0].body
			require.Equal(t, test.original, string(body.get("originalTimestamp")))
			require.Equal(t, `"`+test.timestamp+`"`, string(body.get("timestamp")))
			require.Equal(t, `"2026-03-01T12:00:00.500Z"`, string(body.get("receivedAt")))
		})
	}
}

func TestTimeOutOfRange(t *testing.T) {
	q, r := parseRequest([]byte(`{"event":"e","userId":"ada","timestamp":"9999-01-01T00:00:00Z","sentAt":"1990-01-01T00:00:00Z"}`), typeTrack, testLimits)
	require.Nil(t, r)
	r = stamp(q.messages, time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC))
	require.Equal(t, "timestamp", r.Field)
}

// TestGeneratedIDs: a repeated request gets the same ids, another one does not.
func TestGeneratedIDs(t *testing.T) {
	ids := func(body string) []string {
		q, r := parseRequest([]byte(body), callBatch, testLimits)
		require.Nil(t, r)
		require.Nil(t, stamp(q.messages, time.Now()))
		var ids []string
		for _, m := range q.messages {
			require.LessOrEqual(t, len(m.messageID), maxMessageID)
			require.Equal(t, `"`+m.messageID+`"`, string(m.body.get("messageId")))
			ids = append(ids, m.messageID)
		}
		return ids
	}
	timed := `{"sentAt":"2026-03-01T10:00:00Z","batch":[{"type":"track","event":"e","userId":"a"},{"type":"track","event":"e","userId":"a"},{"type":"track","event":"e","userId":"b"}]}`
	first := ids(timed)
	require.Equal(t, first, ids(timed))
	require.NotEqual(t, first[0], first[1], "equal messages of a request are different events")
	require.NotEqual(t, first[0], first[2])
	require.NotEqual(t, first[0], ids(`{"sentAt":"2026-03-01T10:00:01Z","batch":[{"type":"track","event":"e","userId":"a"}]}`)[0])

	untimed := `{"batch":[{"type":"track","event":"e","userId":"a"}]}`
	once, again := ids(untimed), ids(untimed)
	require.NotEqual(t, once, again, "without a client's time equal requests are different events")
	require.Equal(t, []string{"mine"}, ids(`{"batch":[{"type":"track","event":"e","userId":"a","messageId":"mine"}]}`))
}
