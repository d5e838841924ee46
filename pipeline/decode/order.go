package decode

import "bytes"

// field is a member of a telemetry event that decoding reads; the zero field is any other.
type field uint8

const (
	otherField field = iota
	typeField
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

var fieldNames = map[string]field{
	"type": typeField, "action": actionField, "event": eventField, "messageId": messageIDField,
	"userId": userIDField, "anonymousId": anonymousIDField, "groupId": groupIDField,
	"originalTimestamp": originalTimestampField, "sentAt": sentAtField, "receivedAt": receivedAtField, "timestamp": timestampField,
	"context": contextField, "properties": propertiesField, "traits": traitsField,
}

// order remembers which key stood at which place of the event before. Events of one sender have their keys in the same
// order, so that most keys are found by one comparison.
type order [24]struct {
	text  []byte // the key as it was written, from its quote to its colon
	field field
}

// key reads the key of an event's member, by its place in the event, and its colon.
func (o *order) key(s *scanner, place int) field {
	s.next()
	if place >= len(o) {
		return fieldNames[string(s.key())]
	}
	was := &o[place]
	if len(was.text) > 0 && bytes.HasPrefix(s.b[s.i:], was.text) {
		s.i += len(was.text)
		return was.field
	}
	start := s.i
	is := fieldNames[string(s.key())]
	if !s.bad && s.i-start < 40 { // not to keep much of what a hostile sender writes
		was.text, was.field = append(was.text[:0], s.b[start:s.i]...), is
	}
	return is
}
