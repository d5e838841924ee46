// Package kafka writes what leaves the pipeline for Kafka: the dead letters.
package kafka

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"

	"github.com/twmb/franz-go/pkg/kgo"

	"tidemark/schemas"
)

// Headers of a dead letter, beside those that the record had. Source and offset identify it, so that a dead letter
// produced twice (a crash in mid-flush) can be told from two.
const (
	HeaderReason    = "tidemark-reason"
	HeaderDetail    = "tidemark-detail"
	HeaderSource    = "tidemark-source"
	HeaderOffset    = "tidemark-offset"
	HeaderTimestamp = "tidemark-timestamp"
	HeaderField     = "tidemark-field" // that was wrong, if it is one in particular
	HeaderCut       = "tidemark-cut"   // only of a record that was too large: how many bytes it had
)

const (
	// maxBytes is the most that a dead letter holds of a record's key, value and headers: brokers take batches of 1 MB by
	// default, while a record may come in a compressed batch and be many times larger. One that was never taken would hold
	// up every flush.
	maxBytes = 900_000
	// headerCost is what a header takes at most beside its name and value.
	headerCost = 10
	// maxKey is the most that is kept of the key of a record that has to be cut.
	maxKey = 64 << 10
)

// DeadLetter returns the record to produce to topic for a record that could not be folded: its bytes and headers
// unchanged, with the reason, the position and, if it is one in particular, the field that was wrong added. Of a record too large to be produced it has the key and the value as far
// as they fit, without the headers. It shares no memory with the record, which is part of a large batch.
func DeadLetter(topic, source string, r *kgo.Record, reason schemas.Reason, detail, field string) *kgo.Record {
	key, value, headers := r.Key, r.Value, r.Headers
	size := 0
	for _, h := range headers {
		size += len(h.Key) + len(h.Value)
	}
	cut := len(key)+len(value)+size+headerCost*len(headers) > maxBytes
	if cut {
		key, headers = key[:min(len(key), maxKey)], nil
		value = value[:min(len(value), maxBytes-len(key))]
	}
	out := make([]kgo.RecordHeader, 0, len(headers)+7)
	for _, h := range headers {
		out = append(out, kgo.RecordHeader{Key: h.Key, Value: bytes.Clone(h.Value)})
	}
	out = append(out,
		kgo.RecordHeader{Key: HeaderReason, Value: []byte(reason)},
		kgo.RecordHeader{Key: HeaderDetail, Value: []byte(detail)},
		kgo.RecordHeader{Key: HeaderSource, Value: []byte(source)},
		kgo.RecordHeader{Key: HeaderOffset, Value: strconv.AppendInt(nil, r.Offset, 10)},
		kgo.RecordHeader{Key: HeaderTimestamp, Value: strconv.AppendInt(nil, r.Timestamp.UnixMilli(), 10)},
	)
	if cut {
		out = append(out, kgo.RecordHeader{Key: HeaderCut, Value: fmt.Appendf(nil, "key %d, value %d, %d headers %d bytes", len(r.Key), len(r.Value), len(r.Headers), size)})
	}
	if field != "" {
		out = append(out, kgo.RecordHeader{Key: HeaderField, Value: []byte(field)})
	}
	return &kgo.Record{Topic: topic, Key: bytes.Clone(key), Value: bytes.Clone(value), Headers: slices.Clip(out)}
}
