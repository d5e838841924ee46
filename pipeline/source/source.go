// Package source names the logs that Tidemark reads and keeps what a commit says beside its offset.
//
// A source is one partition of one topic by the topic's id: a topic that is deleted and created again under its name is
// another log, whose offsets mean other records.
package source

import (
	"encoding/base64"
	"encoding/json"
	"fmt"

	"github.com/twmb/franz-go/pkg/kadm"
)

// ID names a source.
type ID struct {
	Topic     string
	Partition int32
	TopicID   kadm.TopicID
}

// String returns the source's name in ClickHouse: topic/partition@topic id.
func (s ID) String() string { return fmt.Sprintf("%s/%d@%s", s.Topic, s.Partition, s.Log()) }

// Log returns the topic's id as Kafka's own tools print it.
func (s ID) Log() string { return base64.RawURLEncoding.EncodeToString(s.TopicID[:]) }

// Metadata is what a commit carries beside its offset, so that recovery can tell whether it sees everything it should.
type Metadata struct {
	TopicID   string `json:"topic"`               // of the log that the offset is from
	Watermark int64  `json:"watermark"`           // Unix ms
	WarmFrom  uint64 `json:"warm"`                // offset from which the duplicate filter must be warmed
	Catalogue string `json:"catalogue"`           // hash of the catalogue that folded the rows
	OpenRows  int    `json:"open"`                // counter rows that must be found in the windows open at the watermark, at least
	Forgotten int    `json:"forgotten,omitempty"` // how many accounts and users were forgotten when it was written
}

// String returns the metadata as it is committed.
func (m Metadata) String() string {
	text, err := json.Marshal(m)
	if err != nil {
		panic(fmt.Sprintf("marshal commit metadata: %v", err)) // plain data always marshals
	}
	return string(text)
}

// ParseMetadata reads what String wrote.
func ParseMetadata(text string) (Metadata, error) {
	var m Metadata
	if err := json.Unmarshal([]byte(text), &m); err != nil || m.TopicID == "" {
		return m, fmt.Errorf("commit metadata %.80q was not written by Tidemark: does another consumer use its group?", text)
	}
	return m, nil
}
