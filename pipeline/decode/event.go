package decode

import (
	"fmt"
	"time"
	"unicode/utf8"

	"tidemark/schemas"
)

// Type is the kind of a telemetry event.
type Type uint8

// The kinds of telemetry events; the first three are those that metrics match.
const (
	Track    = Type(schemas.Track)
	Page     = Type(schemas.Page)
	Screen   = Type(schemas.Screen)
	Identify = Screen + 1 + iota
	Group
	Alias
)

// MaxValue is the largest record value, in bytes, that the pipeline decodes; the collector takes far less.
const MaxValue = 1 << 20

// Limits bound the event times that are believed. Both are part of a row's definition: they may not depend on the clock.
type Limits struct {
	MaxFuture time.Duration // how far an event may lie after it was received
	MaxAge    time.Duration // how far before
}

// Event is one decoded telemetry event. Its slices point into the record's value and live as long as that.
type Event struct {
	Type       Type
	Name       []byte // of a track event
	ID         uint64 // hash of the message id; 0 = it has none
	User       uint64 // hash of the user's identity; 0 = it has none
	Account    []byte // the account that the event itself names; empty = none
	Time       int64  // corrected event time, Unix ms
	Received   int64  // Unix ms
	Properties []Value
}

// Value is one property's value as it stands in the text.
type Value struct {
	Kind Kind
	Text []byte // a string's content, a number's or boolean's literal
}

// Kind is the JSON kind of a property.
type Kind uint8

// The kinds of a property. Objects, arrays and null are as good as absent.
const (
	Absent Kind = iota
	String
	Number
	Bool
)

// Number returns a non-negative number rounded down, at most 2^53; ok is false for anything else.
func (v Value) Number() (n uint64, ok bool) {
	if v.Kind != Number {
		return 0, false
	}
	return wholeNumber(v.Text)
}

// Rejection is why a record cannot be folded: it becomes a dead letter.
type Rejection struct {
	Reason schemas.Reason
	Detail string // for people: what was wrong where
	Field  string // that is wrong, such as userId or properties.duration_ms; empty = none in particular
}

// Error makes a rejection printable.
func (r *Rejection) Error() string { return fmt.Sprintf("%s: %s", r.Reason, r.Detail) }

func reject(reason schemas.Reason, format string, args ...any) *Rejection {
	return &Rejection{Reason: reason, Detail: fmt.Sprintf(format, args...)}
}

// malformed refuses a text that is broken at a byte. What is not UTF-8 is refused because JSON's readers disagree on it: some
// keep such bytes, some replace them, and a name would be two.
func malformed(value []byte, at int, what string) *Rejection {
	if !utf8.Valid(value) {
		return reject(schemas.Malformed, "the record is not UTF-8, as JSON has to be")
	}
	return reject(schemas.Malformed, "%s near byte %d", what, at).named(fieldAt(value, at))
}

// endOfTime is the first time, in Unix ms, that no window can begin at: ClickHouse's DateTime ends in 2106.
const endOfTime = 4_291_747_200_000 // 2106-01-01T00:00:00Z

func (l Limits) check(at, received int64) *Rejection {
	switch {
	case at >= endOfTime:
		return reject(schemas.Future, "%s is later than can be stored, which is the year 2105; check the sender's clock",
			time.UnixMilli(at).UTC().Format(time.RFC3339))
	case at > received+l.MaxFuture.Milliseconds():
		return reject(schemas.Future, "%s is more than %s after it was received; check the sender's clock",
			time.UnixMilli(at).UTC().Format(time.RFC3339), l.MaxFuture)
	case at < received-l.MaxAge.Milliseconds() || at < 0:
		return reject(schemas.TooOld, "%s is older than the longest retention of %s",
			time.UnixMilli(at).UTC().Format(time.RFC3339), l.MaxAge)
	}
	return nil
}
