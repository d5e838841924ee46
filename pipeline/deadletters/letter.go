// Package deadletters lists what could not be counted, and has it counted after all or settled by hand.
//
// The dead-letter topic holds the letters and, behind them, what became of them: a mark is a record of the same topic that names a
// letter by its source and offset. A record is sent again in one Kafka transaction with its mark, under a transactional id that one
// process has at a time; so whoever reads the topic knows which letters were sent, and nobody sends one twice, whatever dies when.
package deadletters

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"tidemark/pipeline/decode"
	"tidemark/sinks/kafka"
)

// Headers of marks, beside source and offset of the letter, and of records that were sent again.
const (
	// headerSettled makes a record of the dead-letter topic a mark: it says what became of the letter.
	headerSettled = "tidemark-settled"
	headerBy      = "tidemark-by"
	// HeaderRedriven is of a record that was sent again: the letter that it was at first.
	HeaderRedriven = "tidemark-redriven"
	ours           = "tidemark-"
)

// States of a letter.
const (
	Open     = "open"
	Redriven = "redriven"
	Dropped  = "dropped"
)

// ID names a letter by its record: the source, and the offset there.
type ID struct {
	Source string // topic/partition@topic id
	Offset int64
}

// String is the id as commands print and take it: telemetry/3@SZ3fYVOJTLe4qNqvMUcUXg:812.
func (id ID) String() string { return fmt.Sprintf("%s:%d", id.Source, id.Offset) }

// place is the topic and the partition of the source.
func (id ID) place() (topic string, partition int32, ok bool) {
	name := id.Source
	if at := strings.LastIndexByte(name, '@'); at >= 0 {
		name = name[:at]
	}
	slash := strings.LastIndexByte(name, '/')
	if slash <= 0 {
		return "", 0, false
	}
	n, err := strconv.ParseInt(name[slash+1:], 10, 32)
	return name[:slash], int32(n), err == nil && n >= 0
}

// Is reports whether a text means the letter: its id, which may leave out the topic's id.
func (id ID) Is(text string) bool {
	topic, partition, _ := id.place()
	return text == id.String() || text == fmt.Sprintf("%s/%d:%d", topic, partition, id.Offset)
}

// Letter is a record that could not be counted.
type Letter struct {
	ID
	Topic     string    // that it was in
	Partition int32     // likewise
	Reason    string    // code
	Detail    string    // what exactly was wrong
	Field     string    // that was wrong; empty: none in particular
	Producer  string    // that made the record, as far as that says
	At        time.Time // the record's timestamp
	Found     time.Time // when it became a dead letter
	Origin    string    // of a record that was sent again: the letter that it was at first
	Cut       bool      // it was too large to be kept whole
	Key       []byte
	Value     []byte
	Headers   []kgo.RecordHeader // its own

	home int32 // partition of the dead-letter topic
}

// mark is what became of a letter.
type mark struct {
	id    ID
	state string
	by    string
	at    time.Time
}

// parse reads a record of the dead-letter topic: a letter, or a mark. Records of others are neither.
func parse(r *kgo.Record) (l *Letter, m *mark, ok bool) {
	l = &Letter{Found: r.Timestamp, Key: r.Key, Value: r.Value, home: r.Partition}
	m = &mark{at: r.Timestamp}
	var offset, at string
	for _, h := range r.Headers {
		text := string(h.Value)
		switch h.Key {
		case kafka.HeaderReason:
			l.Reason = text
		case kafka.HeaderDetail:
			l.Detail = text
		case kafka.HeaderSource:
			l.Source = text
		case kafka.HeaderOffset:
			offset = text
		case kafka.HeaderTimestamp:
			at = text
		case kafka.HeaderCut:
			l.Cut = true
		case kafka.HeaderField:
			l.Field = text
		case HeaderRedriven:
			l.Origin = text
		case headerSettled:
			m.state = text
		case headerBy:
			m.by = text
		}
		if !strings.HasPrefix(h.Key, ours) {
			l.Headers = append(l.Headers, h)
		}
	}
	n, err := strconv.ParseInt(offset, 10, 64)
	l.Offset = n
	topic, partition, named := l.place()
	if err != nil || !named {
		return nil, nil, false
	}
	if m.id = l.ID; m.state != "" {
		return nil, m, true
	}
	l.Topic, l.Partition, l.Producer = topic, partition, decode.Producer(l.Value)
	ms, err := strconv.ParseInt(at, 10, 64)
	l.At = time.UnixMilli(ms).UTC()
	return l, nil, err == nil
}

// markOf is the record that says what became of the letter. It is as long in the topic as the letter, or longer.
func markOf(topic string, l *Letter, state, by string) *kgo.Record {
	return &kgo.Record{Topic: topic, Partition: l.home, Key: bytes.Clone(l.Key), Headers: []kgo.RecordHeader{
		{Key: headerSettled, Value: []byte(state)},
		{Key: headerBy, Value: []byte(by)},
		{Key: kafka.HeaderSource, Value: []byte(l.Source)},
		{Key: kafka.HeaderOffset, Value: strconv.AppendInt(nil, l.Offset, 10)},
	}}
}
