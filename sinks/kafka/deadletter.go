// Package kafka writes what leaves the pipeline for Kafka: the dead letters.
package kafka

import (
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
)

// DeadLetter returns the record to produce to topic for a record that could not be folded: its bytes and headers
// unchanged, with the reason and the position added.
func DeadLetter(topic, source string, r *kgo.Record, reason schemas.Reason, detail string) *kgo.Record {
	headers := append(slices.Clone(r.Headers),
		kgo.RecordHeader{Key: HeaderReason, Value: []byte(reason)},
		kgo.RecordHeader{Key: HeaderDetail, Value: []byte(detail)},
		kgo.RecordHeader{Key: HeaderSource, Value: []byte(source)},
		kgo.RecordHeader{Key: HeaderOffset, Value: strconv.AppendInt(nil, r.Offset, 10)},
		kgo.RecordHeader{Key: HeaderTimestamp, Value: strconv.AppendInt(nil, r.Timestamp.UnixMilli(), 10)},
	)
	return &kgo.Record{Topic: topic, Key: r.Key, Value: r.Value, Headers: headers}
}
