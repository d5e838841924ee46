// Package decode turns a Kafka record into what the pipeline folds, or into the reason why it cannot.
//
// Telemetry is the hot path: one pass over the JSON text extracts the fields that identify, date and place the event and
// the properties that the catalogue asks for; everything else is checked and skipped. Nothing is allocated for it.
package decode

import (
	"fmt"
	"time"
	"unicode/utf8"

	"github.com/cespare/xxhash/v2"

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
}

// notUTF8 refuses what JSON's readers disagree on: some keep such bytes, some replace them, and a name would be two.
var notUTF8 = &Rejection{Reason: schemas.Malformed, Detail: "the record is not UTF-8, as JSON has to be"}

// Error makes a rejection printable.
func (r *Rejection) Error() string { return fmt.Sprintf("%s: %s", r.Reason, r.Detail) }

func reject(reason schemas.Reason, format string, args ...any) *Rejection {
	return &Rejection{Reason: reason, Detail: fmt.Sprintf(format, args...)}
}

// Telemetry decodes canonical telemetry events for one catalogue. It is not safe for concurrent use.
type Telemetry struct {
	properties []string
	limits     Limits
	id         []byte // scratch for hashing
	times      times
	clock      clock
	order      order
}

// times holds the time fields of the event at hand.
type times struct{ original, sent, received, timestamp []byte }

// NewTelemetry returns a decoder that extracts the program's properties.
func NewTelemetry(p *schemas.Program, limits Limits) *Telemetry {
	return &Telemetry{properties: p.Properties, limits: limits}
}

// Decode fills ev from a record's value; recordTime, in Unix ms, dates an event that carries no time of its own.
// It returns nil, or why the record is a dead letter.
func (t *Telemetry) Decode(value []byte, recordTime int64, ev *Event) *Rejection {
	if len(value) > MaxValue {
		return reject(schemas.Oversize, "%d bytes, at most %d are taken", len(value), MaxValue)
	}
	if cap(ev.Properties) < len(t.properties) {
		ev.Properties = make([]Value, len(t.properties))
	}
	props := ev.Properties[:len(t.properties)]
	clear(props)
	*ev = Event{Properties: props}
	t.times = times{}
	f, s := t.scan(value, ev)
	if !s.bad && !utf8.Valid(value) {
		return notUTF8
	}
	if s.bad {
		return reject(schemas.Malformed, "not a telemetry event: broken JSON or a field of the wrong type near byte %d", s.i)
	}
	if rej := t.identify(&f, ev); rej != nil {
		return rej
	}
	return t.date(recordTime, ev)
}

// fields are the texts found in the event, before they mean anything.
type fields struct {
	kind, action, messageID, userID, anonymousID, groupID, contextGroup, company []byte
}

func (t *Telemetry) scan(value []byte, ev *Event) (f fields, s scanner) {
	s = scanner{b: value}
	place := 0
	for more := s.object(); more; more = s.member() {
		switch t.order.key(&s, place) {
		case typeField:
			f.kind = s.text()
		case actionField:
			f.action = s.text()
		case eventField:
			ev.Name = s.text()
		case messageIDField:
			f.messageID = s.text()
		case userIDField:
			f.userID = s.text()
		case anonymousIDField:
			f.anonymousID = s.text()
		case groupIDField:
			f.groupID = s.text()
		case originalTimestampField:
			t.times.original = s.text()
		case sentAtField:
			t.times.sent = s.text()
		case receivedAtField:
			t.times.received = s.text()
		case timestampField:
			t.times.timestamp = s.text()
		case contextField:
			for more := s.objectOrNull(); more; more = s.member() {
				if string(s.key()) == "groupId" {
					f.contextGroup = s.text()
				} else {
					s.skip(2)
				}
			}
		case propertiesField:
			t.scanProperties(&s, ev)
		case traitsField:
			f.company = scanTraits(&s, f.company)
		default:
			s.skip(1)
		}
		place++
	}
	if !s.bad { // where it broke is where it is
		s.end()
	}
	return f, s
}

// objectOrNull is object, with null taken for an object without members.
func (s *scanner) objectOrNull() bool {
	if s.next() == 'n' {
		s.literal("null")
		return false
	}
	return s.object()
}

func (t *Telemetry) scanProperties(s *scanner, ev *Event) {
	for more := s.objectOrNull(); more; more = s.member() {
		key := s.key()
		slot := -1
		for i, name := range t.properties {
			if string(key) == name {
				slot = i
				break
			}
		}
		if slot < 0 {
			s.skip(2)
			continue
		}
		v := Value{}
		switch c := s.next(); {
		case c == '"':
			v = Value{String, s.string()}
		case c == '-' || '0' <= c && c <= '9':
			v = Value{Number, s.number()}
		case c == 't' || c == 'f':
			start := s.i
			s.skip(2)
			v = Value{Bool, s.b[start:s.i]}
		default:
			s.skip(2)
		}
		ev.Properties[slot] = v
	}
}

// scanTraits finds traits.company.id, the account in Segment's reserved traits of a user.
func scanTraits(s *scanner, company []byte) []byte {
	for more := s.objectOrNull(); more; more = s.member() {
		if string(s.key()) != "company" || s.next() != '{' {
			s.skip(2)
			continue
		}
		for more := s.object(); more; more = s.member() {
			if string(s.key()) == "id" && s.next() == '"' {
				company = s.string()
			} else {
				s.skip(3)
			}
		}
	}
	return company
}

// identify settles what the event is, whose it is and which account it names.
func (t *Telemetry) identify(f *fields, ev *Event) *Rejection {
	kind := f.kind
	if len(kind) == 0 {
		kind = f.action
	}
	switch string(kind) {
	case "track":
		ev.Type = Track
	case "page":
		ev.Type = Page
	case "screen":
		ev.Type = Screen
	case "identify":
		ev.Type = Identify
	case "group":
		ev.Type = Group
	case "alias":
		ev.Type = Alias
	case "":
		return reject(schemas.MissingType, "the event has no type; one of track, page, screen, identify, group, alias is needed")
	default:
		return reject(schemas.UnknownType, "type %.40q is none of track, page, screen, identify, group, alias", kind)
	}
	if ev.Type == Track && len(ev.Name) == 0 {
		return reject(schemas.MissingEvent, "a track event needs its name in event")
	}
	if ev.Type >= Identify && len(f.userID) == 0 && len(f.anonymousID) == 0 {
		return reject(schemas.MissingUser, "%s needs userId or anonymousId", kind)
	}
	ev.Account = f.contextGroup
	switch ev.Type {
	case Group:
		if len(f.groupID) > 0 {
			ev.Account = f.groupID
		}
	case Identify: // what an identify call names is the account to map the user to, not one to count for
		ev.Account = f.company
	}
	switch {
	case len(f.userID) > 0:
		ev.User = t.hash("u:", f.userID)
	case len(f.anonymousID) > 0:
		ev.User = t.hash("a:", f.anonymousID)
	}
	if len(f.messageID) > 0 {
		ev.ID = t.hash("", f.messageID)
	}
	return nil
}

// hash returns a non-zero 64-bit hash: 0 says that there is none.
func (t *Telemetry) hash(prefix string, id []byte) uint64 {
	t.id = append(append(t.id[:0], prefix...), id...)
	return max(xxhash.Sum64(t.id), 1)
}

// date settles the event's time: Segment's clock correction where the device's clock can be compared with ours.
// Source: the Segment spec, "common fields": timestamp = receivedAt - (sentAt - originalTimestamp).
func (t *Telemetry) date(recordTime int64, ev *Event) *Rejection {
	ev.Received = recordTime
	in := &t.times
	var original, sent int64
	ok := true
	parse := func(field string, text []byte, into *int64) *Rejection {
		if *into, ok = t.clock.parse(text); !ok {
			return reject(schemas.BadTime, "%s %.60q is not an RFC 3339 time", field, text)
		}
		return nil
	}
	if len(in.received) > 0 {
		if rej := parse("receivedAt", in.received, &ev.Received); rej != nil {
			return rej
		}
	}
	var rej *Rejection
	switch {
	case len(in.original) > 0 && len(in.sent) > 0 && len(in.received) > 0:
		if rej = parse("originalTimestamp", in.original, &original); rej == nil {
			rej = parse("sentAt", in.sent, &sent)
		}
		ev.Time = ev.Received - (sent - original)
	case len(in.timestamp) > 0:
		rej = parse("timestamp", in.timestamp, &ev.Time)
	case len(in.original) > 0:
		rej = parse("originalTimestamp", in.original, &ev.Time)
	default:
		ev.Time = ev.Received
	}
	if rej != nil {
		return rej
	}
	return t.limits.check(ev.Time, ev.Received)
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
