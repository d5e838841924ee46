package kafka

import (
	"bytes"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"tidemark/schemas"
)

func headers(r *kgo.Record) map[string]string {
	all := map[string]string{}
	for _, h := range r.Headers {
		all[h.Key] = string(h.Value)
	}
	return all
}

func TestADeadLetterIsTheRecord(t *testing.T) {
	r := &kgo.Record{
		Key: []byte{0xff, 0}, Value: bytes.Repeat([]byte("x"), 800_000), Headers: []kgo.RecordHeader{{Key: "trace", Value: []byte("7")}},
		Offset: 12, Timestamp: time.UnixMilli(5),
	}
	d := DeadLetter("dead", "telemetry/0@x", r, schemas.Malformed, "why", "")
	require.Equal(t, r.Key, d.Key)
	require.Equal(t, r.Value, d.Value)
	require.Equal(t, map[string]string{
		"trace": "7", HeaderReason: "malformed", HeaderDetail: "why", HeaderSource: "telemetry/0@x", HeaderOffset: "12", HeaderTimestamp: "5",
	}, headers(d))
	r.Value[0] = 'y'
	require.Equal(t, byte('x'), d.Value[0], "a batch of 64 MiB is not kept for one of its records")
	require.Nil(t, DeadLetter("dead", "s", &kgo.Record{}, "r", "d", "").Value, "a tombstone stays one")
}

// TestADeadLetterCanBeProduced: whatever the record, the producer takes what becomes of it.
func TestADeadLetterCanBeProduced(t *testing.T) {
	big := bytes.Repeat([]byte("x"), 16<<20)
	many := make([]kgo.RecordHeader, 300_000)
	for name, r := range map[string]*kgo.Record{
		"value": {Key: []byte("k"), Value: big}, "key": {Key: big, Value: []byte("v")}, "both": {Key: big, Value: big},
		"header": {Key: []byte("k"), Headers: []kgo.RecordHeader{{Key: "h", Value: big}}}, "name": {Headers: []kgo.RecordHeader{{Key: string(big)}}}, "headers": {Headers: many},
	} {
		d := DeadLetter("dead", "telemetry/0@x", r, schemas.Oversize, "why", "")
		size := len(d.Key) + len(d.Value)
		for _, h := range d.Headers {
			size += len(h.Key) + len(h.Value) + 10
		}
		require.Less(t, size, 1_000_000, name)
		require.NotEmpty(t, headers(d)[HeaderCut], name)
	}
	d := DeadLetter("dead", "s", &kgo.Record{Key: []byte("k"), Value: big, Headers: []kgo.RecordHeader{{Key: "h", Value: []byte("v")}}}, "r", "d", "")
	require.Equal(t, "key 1, value 16777216, 1 headers 2 bytes", headers(d)[HeaderCut])
	require.Equal(t, "k", string(d.Key))
	require.Len(t, d.Value, maxBytes-1)
}
