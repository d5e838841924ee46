package collect

import (
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"
)

// Message types of the Segment spec.
const (
	typeTrack    = "track"
	typeIdentify = "identify"
	typeGroup    = "group"
	typePage     = "page"
	typeScreen   = "screen"
	typeAlias    = "alias"
)

// maxMessageID is the longest messageId, in characters, as Segment has it.
const maxMessageID = 100

// message is one event of a request, checked, with the fields that decide where
// it goes. body keeps everything that the client sent.
type message struct {
	body object
	kind string

	messageID   string
	userID      string
	anonymousID string
	previousID  string
	groupID     string // of a group call
	contextID   string // context.groupId
	companyID   string // traits.company.id of an identify call
	traits      object // nil when absent
	company     object // traits.company of an identify call

	joins    bool     // the event's account is its user's from now on
	waitsFor []string // identities that tell the account, where they are not the message's users

	original time.Time // zero when absent
	sent     time.Time // zero when absent
	at       time.Time // the corrected event time, set by stamp
	account  string    // "" while unknown, set by the directory
}

// parseMessage checks one message. kind is the type that the request's path
// names, "" for a batch. Refusals name the field and say what to do.
func parseMessage(body object, kind string) (*message, *refusal) {
	m, r := readMessage(body, kind)
	if r == nil && m.userID == "" && m.anonymousID == "" {
		return nil, invalid("userId", "userId and anonymousId are both missing: send at least one of them")
	}
	return m, r
}

// readMessage is parseMessage for what may have no user.
func readMessage(body object, kind string) (*message, *refusal) {
	m := &message{body: body}
	if r := m.readType(kind); r != nil {
		return nil, r
	}
	for _, f := range []struct {
		name string
		into *string
	}{{"userId", &m.userID}, {"anonymousId", &m.anonymousID}, {"previousId", &m.previousID}, {"groupId", &m.groupID}} {
		if r := readID(&m.body, "", f.name, f.into); r != nil {
			return nil, r
		}
	}
	if r := m.readMessageID(); r != nil {
		return nil, r
	}
	if r := m.readObjects(); r != nil {
		return nil, r
	}
	if r := m.readTimes(); r != nil {
		return nil, r
	}
	return m, m.checkRequired()
}

func (m *message) readType(path string) *refusal {
	field := "type"
	kind, r := readString(m.body, field)
	if r != nil {
		return r
	}
	action, r := readString(m.body, "action")
	if r != nil {
		return r
	}
	if kind == "" && action != "" {
		field, kind = "action", action // older senders of the B2B spec
	}
	switch {
	case kind == "" && path == "":
		return invalid("type", `the type is missing: set it to "track", "identify", "group", "page", "screen" or "alias"`)
	case kind == "":
		kind = path
		m.body.set("type", encodeString(path))
	case path != "" && kind != path:
		return invalid(field, fmt.Sprintf("%s is %q but the request went to /v1/%s: leave it out or send it to /v1/%s", field, kind, path, kind))
	}
	switch kind {
	case typeTrack, typeIdentify, typeGroup, typePage, typeScreen, typeAlias:
		m.kind = kind
		return nil
	}
	return invalid(field, fmt.Sprintf(`%s %q is unknown: use "track", "identify", "group", "page", "screen" or "alias"`, field, kind))
}

func (m *message) readMessageID() *refusal {
	id, r := readString(m.body, "messageId")
	if r != nil {
		return r
	}
	if n := utf8.RuneCountInString(id); n > maxMessageID {
		return invalid("messageId", fmt.Sprintf("messageId has %d characters, at most %d are accepted: send a shorter unique id, for example a UUID", n, maxMessageID))
	}
	m.messageID = id
	return nil
}

// readObjects checks the members that must be objects and takes the accounts
// named inside them.
func (m *message) readObjects() *refusal {
	var nested [3]object
	for i, name := range []string{"context", "traits", "properties"} {
		if !m.body.has(name) {
			continue
		}
		o, err := parseObject(m.body.get(name))
		if err != nil {
			return invalidObject(name, err)
		}
		nested[i] = o
	}
	if o := nested[0]; o.has("groupId") {
		if r := readID(&o, "context.", "groupId", &m.contextID); r != nil {
			return r
		}
		m.body.set("context", o.encode())
	}
	m.traits = nested[1]
	if m.kind != typeIdentify || !m.traits.has("company") {
		return nil
	}
	company, err := parseObject(m.traits.get("company"))
	if errors.Is(err, errNotObject) {
		return nil // some senders put the company's name there: not an account
	}
	if err != nil {
		return invalidObject("traits.company", err)
	}
	m.company = company
	return readID(&m.company, "traits.company.", "id", &m.companyID)
}

func (m *message) readTimes() *refusal {
	client, r := readTime(m.body, "timestamp")
	if r != nil {
		return r
	}
	if m.original, r = readTime(m.body, "originalTimestamp"); r != nil {
		return r
	}
	if m.sent, r = readTime(m.body, "sentAt"); r != nil {
		return r
	}
	// RudderStack's SDKs say when a call was made, and in timestamp when the application says it happened.
	rudder := m.body.has("channel") && !m.body.has("receivedAt") && !m.sent.IsZero()
	if !client.IsZero() && (m.original.IsZero() || rudder) {
		m.original = client
		m.body.set("originalTimestamp", m.body.get("timestamp"))
	}
	return nil
}

func (m *message) checkRequired() *refusal {
	event, r := readString(m.body, "event")
	if r != nil {
		return r
	}
	switch m.kind {
	case typeTrack:
		if event == "" {
			return invalid("event", `event is missing: a track call names what happened, for example "Report Published"`)
		}
	case typeGroup:
		if m.groupID == "" {
			return invalid("groupId", "groupId is missing: a group call names the account")
		}
	case typeAlias:
		if m.previousID == "" {
			return invalid("previousId", "previousId is missing: an alias call names the id that userId replaces")
		}
	}
	return nil
}

// users returns the identities that tell the message's account, the deciding one first.
func (m *message) users() []string {
	if m.waitsFor != nil {
		return m.waitsFor
	}
	users := make([]string, 0, 2)
	if m.userID != "" {
		users = append(users, userKey(m.userID))
	}
	if m.anonymousID != "" {
		users = append(users, anonymousKey(m.anonymousID))
	}
	return users
}

func userKey(userID string) string           { return "u:" + userID }
func anonymousKey(anonymousID string) string { return "a:" + anonymousID }

// readString returns the string called name, "" when it is absent or null.
func readString(o object, name string) (string, *refusal) {
	if !o.has(name) {
		return "", nil
	}
	v := o.get(name)
	if v[0] != '"' {
		return "", invalid(name, fmt.Sprintf("%s must be a string, not %s", name, abbreviate(v)))
	}
	s, err := decodeString(v)
	if err != nil {
		return "", invalid(name, err.Error())
	}
	return s, nil
}

// readID is readString for ids. Some SDKs pass numeric ids on as they get them,
// so a whole number becomes its string, in the event as well.
func readID(o *object, prefix, name string, into *string) *refusal {
	if v := o.get(name); isWholeNumber(v) {
		o.set(name, []byte(`"`+string(v)+`"`))
	}
	s, r := readString(*o, name)
	if r != nil {
		r.Field, r.Message = prefix+r.Field, prefix+r.Message
		return r
	}
	*into = s
	return nil
}

func readTime(o object, name string) (time.Time, *refusal) {
	s, r := readString(o, name)
	if r != nil || s == "" {
		return time.Time{}, r
	}
	t, err := parseTime(s)
	if err != nil {
		return time.Time{}, invalid(name, fmt.Sprintf("%s: %s", name, err))
	}
	return t, nil
}

func isWholeNumber(v []byte) bool {
	digits := strings.TrimPrefix(string(v), "-")
	return digits != "" && strings.Trim(digits, "0123456789") == ""
}

// abbreviate shows the start of a client's value in an error.
func abbreviate(v []byte) string {
	const most = 40
	if len(v) <= most {
		return string(v)
	}
	return strings.ToValidUTF8(string(v[:most]), "") + "..."
}
