// Package decode turns a Kafka record into what the pipeline folds, or into the reason why it cannot.
//
// Telemetry is the hot path: one pass over the JSON text extracts the fields that identify, date and place the event and
// the properties that the catalogue asks for; everything else is checked and skipped. Nothing is allocated for it.
package decode

import (
	"github.com/cespare/xxhash/v2"

	"tidemark/schemas"
)

// The members of an event that are wanted: strings, of which the last four are times, and objects.
const (
	typeField member = iota + 1
	actionField
	eventField
	messageIDField
	userIDField
	anonymousIDField
	groupIDField
	originalTimestampField
	sentAtField
	receivedAtField
	timestampField
	contextField
	propertiesField
	traitsField
)

var fieldNames = []string{
	"type", "action", "event", "messageId", "userId", "anonymousId", "groupId",
	"originalTimestamp", "sentAt", "receivedAt", "timestamp", "context", "properties", "traits",
}

// fields are the texts found in the event, before they mean anything.
type fields struct {
	text         [originalTimestampField][]byte
	contextGroup []byte
	company      []byte
	time         [timestampField - originalTimestampField + 1]moment
}

// moment is a time in the event.
type moment struct {
	ms   int64  // Unix ms; 0 = it is not of the common form, if it is at all
	text []byte // of any other form
}

// Telemetry decodes canonical telemetry events for one catalogue. It is not safe for concurrent use.
type Telemetry struct {
	limits Limits
	id     []byte // scratch for hashing
	clock  clock

	event, context, properties, traits, company *members
	propertyCount                               int
}

// NewTelemetry returns a decoder that extracts the program's properties.
func NewTelemetry(p *schemas.Program, limits Limits) *Telemetry {
	return &Telemetry{
		limits: limits, clock: newClock(), event: newMembers(fieldNames...), context: newMembers("groupId"),
		properties: newMembers(p.Properties...), propertyCount: len(p.Properties),
		traits: newMembers("company"), company: newMembers("id"),
	}
}

// Decode fills ev from a record's value; recordTime, in Unix ms, dates an event that carries no time of its own.
// It returns nil, or why the record is a dead letter.
func (t *Telemetry) Decode(value []byte, recordTime int64, ev *Event) *Rejection {
	if len(value) > MaxValue {
		return reject(schemas.Oversize, "%d bytes, at most %d are taken", len(value), MaxValue)
	}
	if cap(ev.Properties) < t.propertyCount {
		ev.Properties = make([]Value, t.propertyCount)
	}
	props := ev.Properties[:t.propertyCount]
	clear(props)
	*ev = Event{Properties: props}
	var f fields
	if end := t.scan(value, &f, props); end < 0 {
		return malformed(value, ^end, "not a telemetry event: broken JSON or a field of the wrong type")
	}
	if rej := t.identify(&f, ev); rej != nil {
		return rej
	}
	return t.date(&f, recordTime, ev)
}

// scan gathers the event's fields and properties.
func (t *Telemetry) scan(d document, f *fields, properties []Value) int {
	is, i := t.event.next(d, 0, over)
	for is != over {
		switch {
		case is < originalTimestampField: // strings
			if end := d.simpleString(i); end > 0 {
				f.text[is], i = d[i+1:end-1], end
			} else {
				f.text[is], i = d.text(i)
			}
		case is <= timestampField: // times
			m := &f.time[is-originalTimestampField]
			if ms, end := t.clock.read(d, i); ms != 0 {
				m.ms, i = ms, end
			} else {
				m.ms = 0
				m.text, i = d.text(i)
			}
		case is == contextField:
			i = t.scanContext(d, i, f)
		case is == propertiesField:
			i = t.scanProperties(d, i, properties)
		case is == traitsField:
			i = t.scanTraits(d, i, f)
		default:
			i = d.skip(i, 1)
		}
		is, i = t.event.next(d, i, is)
	}
	return d.end(i)
}

// objectOrNull begins an object; null is taken for one without members.
func (m *members) objectOrNull(d document, i int) (is member, end int) {
	if is, end = m.next(d, i, over); end < 0 && d.at(d.space(i)) == 'n' {
		return over, d.literal(d.space(i), "null")
	}
	return is, end
}

func (t *Telemetry) scanContext(d document, i int, f *fields) int {
	is, i := t.context.objectOrNull(d, i)
	for is != over {
		if is == t.context.other() {
			i = d.skip(i, 2)
		} else {
			f.contextGroup, i = d.text(i)
		}
		is, i = t.context.next(d, i, is)
	}
	return i
}

func (t *Telemetry) scanProperties(d document, i int, properties []Value) int {
	is, i := t.properties.objectOrNull(d, i)
	for is != over {
		if slot := int(is) - 1; slot < len(properties) {
			properties[slot], i = d.value(i, 2)
		} else {
			i = d.skip(i, 2)
		}
		is, i = t.properties.next(d, i, is)
	}
	return i
}

// value reads a value of any kind, which stands in depth objects and arrays.
func (d document) value(i, depth int) (v Value, end int) {
	i = d.space(i)
	switch c := d.at(i); {
	case c == '"':
		v.Kind = String
		v.Text, end = d.string(i)
		return v, end
	case c == '-' || '0' <= c && c <= '9':
		v.Kind, end = Number, d.number(i)
	case c == 't' || c == 'f':
		v.Kind, end = Bool, d.skip(i, depth)
	default:
		return Value{}, d.skip(i, depth)
	}
	if end >= 0 {
		v.Text = d[i:end]
	}
	return v, end
}

// scanTraits finds traits.company.id, the account in Segment's reserved traits of a user.
func (t *Telemetry) scanTraits(d document, i int, f *fields) int {
	is, i := t.traits.objectOrNull(d, i)
	for is != over {
		if is == t.traits.other() || d.at(d.space(i)) != '{' {
			i = d.skip(i, 2)
		} else {
			i = t.scanCompany(d, i, f)
		}
		is, i = t.traits.next(d, i, is)
	}
	return i
}

func (t *Telemetry) scanCompany(d document, i int, f *fields) int {
	is, i := t.company.next(d, i, over)
	for is != over {
		if is == t.company.other() || d.at(d.space(i)) != '"' {
			i = d.skip(i, 3)
		} else {
			f.company, i = d.text(i)
		}
		is, i = t.company.next(d, i, is)
	}
	return i
}

// identify settles what the event is, whose it is and which account it names.
func (t *Telemetry) identify(f *fields, ev *Event) *Rejection {
	kind := f.text[typeField]
	if len(kind) == 0 {
		kind = f.text[actionField]
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
	userID, anonymousID := f.text[userIDField], f.text[anonymousIDField]
	ev.Name = f.text[eventField]
	if ev.Type == Track && len(ev.Name) == 0 {
		return reject(schemas.MissingEvent, "a track event needs its name in event")
	}
	if ev.Type >= Identify && len(userID) == 0 && len(anonymousID) == 0 {
		return reject(schemas.MissingUser, "%s needs userId or anonymousId", kind)
	}
	ev.Account = f.contextGroup
	switch ev.Type {
	case Group:
		if group := f.text[groupIDField]; len(group) > 0 {
			ev.Account = group
		}
	case Identify: // what an identify call names is the account to map the user to, not one to count for
		ev.Account = f.company
	}
	switch {
	case len(userID) > 0:
		ev.User = t.hash("u:", userID)
	case len(anonymousID) > 0:
		ev.User = t.hash("a:", anonymousID)
	}
	if id := f.text[messageIDField]; len(id) > 0 {
		ev.ID = t.hash("", id)
	}
	return nil
}

// hash returns a non-zero 64-bit hash: 0 says that there is none.
func (t *Telemetry) hash(prefix string, b []byte) uint64 {
	if prefix != "" {
		t.id = append(append(t.id[:0], prefix...), b...)
		b = t.id
	}
	return max(xxhash.Sum64(b), 1)
}

// date settles the event's time: Segment's clock correction where the device's clock can be compared with ours.
// Source: the Segment spec, "common fields": timestamp = receivedAt - (sentAt - originalTimestamp).
func (t *Telemetry) date(f *fields, recordTime int64, ev *Event) *Rejection {
	var original, sent int64
	rej := t.time(f, receivedAtField, recordTime, &ev.Received)
	if rej != nil {
		return rej
	}
	switch {
	case f.has(originalTimestampField) && f.has(sentAtField) && f.has(receivedAtField):
		if rej = t.time(f, originalTimestampField, 0, &original); rej == nil {
			rej = t.time(f, sentAtField, 0, &sent)
		}
		ev.Time = ev.Received - (sent - original)
	case f.has(timestampField):
		rej = t.time(f, timestampField, 0, &ev.Time)
	default:
		rej = t.time(f, originalTimestampField, ev.Received, &ev.Time)
	}
	if rej != nil {
		return rej
	}
	return t.limits.check(ev.Time, ev.Received)
}

func (f *fields) has(field member) bool {
	m := &f.time[field-originalTimestampField]
	return m.ms != 0 || len(m.text) > 0
}

// time reads a field that is a time, which is otherwise when the event has none.
func (t *Telemetry) time(f *fields, field member, otherwise int64, into *int64) *Rejection {
	m := &f.time[field-originalTimestampField]
	if *into = m.ms; m.ms != 0 {
		return nil
	}
	if len(m.text) == 0 {
		*into = otherwise
		return nil
	}
	var ok bool
	if *into, ok = t.clock.parse(m.text); !ok {
		return reject(schemas.BadTime, "%s %.60q is not an RFC 3339 time", fieldNames[field-1], m.text)
	}
	return nil
}
