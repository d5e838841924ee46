// Package decode turns a Kafka record into what the pipeline folds, or into the reason why it cannot.
//
// Telemetry is the hot path: one pass over the JSON text extracts the fields that identify, date and place the event and
// the properties that the catalogue asks for; everything else is checked and skipped. Nothing is allocated for it.
package decode

import (
	"github.com/cespare/xxhash/v2"

	"tidemark/schemas"
)

// The members of an event, and of the objects in it, as far as they are told apart.
const (
	// Strings.
	typeField member = root + 1 + iota
	actionField
	eventField
	messageIDField
	userIDField
	anonymousIDField
	groupIDField
	contextGroupField
	// Times.
	originalTimestampField
	sentAtField
	receivedAtField
	timestampField
	// Objects.
	contextField
	propertiesField
	traitsField
	companyField
	// The company's id, which is wanted only as a string.
	companyIDField
	// What is not wanted of each object.
	otherField
	otherContext
	otherProperty
	otherTrait
	otherOfCompany
	// The properties that the catalogue asks for.
	firstProperty
)

func telemetryOutline(properties []string) outline {
	o := newOutline(int(firstProperty)+len(properties), otherField, map[string]member{
		"type": typeField, "action": actionField, "event": eventField, "messageId": messageIDField,
		"userId": userIDField, "anonymousId": anonymousIDField, "groupId": groupIDField,
		"originalTimestamp": originalTimestampField, "sentAt": sentAtField, "receivedAt": receivedAtField, "timestamp": timestampField,
		"context": contextField, "properties": propertiesField, "traits": traitsField,
	})
	o.add(contextField, otherContext, map[string]member{"groupId": contextGroupField})
	o.add(traitsField, otherTrait, map[string]member{"company": companyField})
	o.add(companyField, otherOfCompany, map[string]member{"id": companyIDField})
	wanted := map[string]member{}
	for i, name := range properties {
		wanted[name] = firstProperty + member(i)
	}
	o.add(propertiesField, otherProperty, wanted)
	return o
}

// fields are the texts found in the event, before they mean anything.
type fields struct {
	text    [originalTimestampField][]byte
	company []byte
	time    [timestampField - originalTimestampField + 1]moment
}

// moment is a time in the event.
type moment struct {
	ms   int64  // Unix ms; 0 = it is not of the common form, if it is at all
	text []byte // of any other form
}

// Telemetry decodes canonical telemetry events for one catalogue. It is not safe for concurrent use.
type Telemetry struct {
	limits Limits
	user   []byte // scratch for hashing
	clock  clock

	outline       outline
	propertyCount int
}

// NewTelemetry returns a decoder that extracts the program's properties.
func NewTelemetry(p *schemas.Program, limits Limits) *Telemetry {
	return &Telemetry{limits: limits, clock: newClock(), outline: telemetryOutline(p.Properties), propertyCount: len(p.Properties)}
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
	is, i := root, 0
	for {
		// What next does first, without a call.
		if h := t.outline[is].latestHead(); i >= 0 && i < len(d)-headSize && h.begins(d[i:]) {
			is, i = h.is, i+h.len
		} else if is, i = t.outline.next(d, i, is); is == root {
			return d.end(i)
		}
		switch {
		case is < originalTimestampField:
			f.text[is], i = d.text(i)
		case is <= timestampField:
			m := &f.time[is-originalTimestampField]
			if m.ms, i = t.clock.read(d, i); m.ms == 0 {
				m.text, i = d.text(i)
			}
		case is >= firstProperty:
			i = d.value(i, t.outline[is].in.depth, &properties[is-firstProperty])
		case is <= traitsField:
			return broken(i) // it is no object
		case is == companyIDField && d.at(d.space(i)) == '"':
			f.company, i = d.text(i)
		default:
			i = d.skip(i, t.outline[is].in.depth)
		}
	}
}

// value reads a value of any kind, which stands in depth objects and arrays, into v.
func (d document) value(i, depth int, v *Value) (end int) {
	i = d.space(i)
	switch c := d.at(i); {
	case c == '"':
		v.Kind = String
		v.Text, end = d.string(i)
		return end
	case c == '-' || '0' <= c && c <= '9':
		v.Kind, end = Number, d.number(i)
	case c == 't' || c == 'f':
		v.Kind, end = Bool, d.skip(i, depth)
	default:
		*v = Value{}
		return d.skip(i, depth)
	}
	if end >= 0 {
		v.Text = d[i:end]
	}
	return end
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
		return reject(schemas.MissingType, "the event has no type; one of track, page, screen, identify, group, alias is needed").named("type")
	default:
		return reject(schemas.UnknownType, "type %.40q is none of track, page, screen, identify, group, alias", kind).named("type")
	}
	userID, anonymousID := f.text[userIDField], f.text[anonymousIDField]
	ev.Name = f.text[eventField]
	if ev.Type == Track && len(ev.Name) == 0 {
		return reject(schemas.MissingEvent, "a track event needs its name in event").named("event")
	}
	if ev.Type >= Identify && len(userID) == 0 && len(anonymousID) == 0 {
		return reject(schemas.MissingUser, "%s needs userId or anonymousId", kind).named("userId")
	}
	ev.Account = f.text[contextGroupField]
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
		ev.User = t.hashUser("u:", userID)
	case len(anonymousID) > 0:
		ev.User = t.hashUser("a:", anonymousID)
	}
	if id := f.text[messageIDField]; len(id) > 0 {
		ev.ID = hash(id)
	}
	return nil
}

// hashUser returns the hash of a kind of id and the id.
func (t *Telemetry) hashUser(kind string, id []byte) uint64 {
	t.user = append(append(t.user[:0], kind...), id...)
	return hash(t.user)
}

// hash returns a non-zero 64-bit hash: 0 says that there is none.
func hash(b []byte) uint64 { return max(xxhash.Sum64(b), 1) }

// date settles the event's time: Segment's clock correction where the device's clock can be compared with ours.
// Source: the Segment spec, "common fields": timestamp = receivedAt - (sentAt - originalTimestamp).
func (t *Telemetry) date(f *fields, recordTime int64, ev *Event) *Rejection {
	var original, sent int64
	is := originalTimestampField
	rej := t.time(f, receivedAtField, recordTime, &ev.Received)
	switch {
	case rej != nil:
	case f.has(originalTimestampField) && f.has(sentAtField) && f.has(receivedAtField):
		if rej = t.time(f, originalTimestampField, 0, &original); rej == nil {
			rej = t.time(f, sentAtField, 0, &sent)
		}
		ev.Time = ev.Received - (sent - original)
	case f.has(timestampField):
		is = timestampField
		rej = t.time(f, timestampField, 0, &ev.Time)
	default:
		rej = t.time(f, originalTimestampField, ev.Received, &ev.Time)
	}
	if rej != nil {
		return rej
	}
	if rej = t.limits.check(ev.Time, ev.Received); rej != nil {
		return rej.named(timeNames[is-originalTimestampField])
	}
	return nil
}

func (f *fields) has(field member) bool {
	m := &f.time[field-originalTimestampField]
	return m.ms != 0 || len(m.text) > 0
}

var timeNames = [...]string{"originalTimestamp", "sentAt", "receivedAt", "timestamp"}

// time reads a field that is a time, which is otherwise when the event has none.
func (t *Telemetry) time(f *fields, field member, otherwise int64, into *int64) *Rejection {
	m := &f.time[field-originalTimestampField]
	switch {
	case m.ms != 0:
		*into = m.ms
	case len(m.text) == 0:
		*into = otherwise
	default:
		var ok bool
		if *into, ok = t.clock.parse(m.text); !ok {
			return reject(schemas.BadTime, "%s %.60q is not an RFC 3339 time", timeNames[field-originalTimestampField], m.text).named(timeNames[field-originalTimestampField])
		}
	}
	return nil
}
