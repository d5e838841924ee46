package client

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"
)

// Kind says which of Tidemark's topics an event is for.
type Kind byte

// Kinds of events.
const (
	Telemetry Kind = iota
	Signals
)

// Event is a message as it goes over the wire.
type Event struct {
	Kind Kind
	ID   string // message id, by which duplicates are found; "" of a signal, which all that it says tells from others
	Key  string // the account, by which Kafka partitions; "" when only the collector can find it
	Body []byte // JSON
}

// Message is a call that an Emitter can send: Track, Page, Identify, Group or Signal.
type Message interface {
	event(now time.Time) (Event, error)
}

// Who says who did something, when, and under which id. All but one of UserID and AnonymousID may be left out.
type Who struct {
	UserID, AnonymousID string
	// AccountID is the customer. Without it the collector looks up the user's; Kafka needs it.
	AccountID string
	MessageID string         // at most 100 characters; default a random one, made when Send is called
	Time      time.Time      // when it happened; default when Send is called
	Context   map[string]any // as in Segment's calls
}

// Track says that a user did something, such as "Report Published".
type Track struct {
	Who
	Event      string
	Properties map[string]any
}

// Page says that a user saw a page.
type Page struct {
	Who
	Name       string
	Properties map[string]any
}

// Identify says what is known of a user, and with an AccountID that the user belongs to it.
type Identify struct {
	Who
	Traits map[string]any
}

// Group says that a user belongs to the account, and what is known of the account.
type Group struct {
	Who
	Traits map[string]any
}

// Signal is an answer to a survey, a KPI, a meter, a goal or a release; docs/formats.md says which fields each has.
type Signal struct {
	Type      string // such as "survey.responded"
	AccountID string
	Fields    map[string]any
}

const (
	maxMessageID = 100
	wireTime     = "2006-01-02T15:04:05.000Z"
)

// wire is a message of Segment's, its fields in one order.
type wire struct {
	Type        string         `json:"type"`
	Event       string         `json:"event,omitempty"`
	Name        string         `json:"name,omitempty"`
	MessageID   string         `json:"messageId"`
	UserID      string         `json:"userId,omitempty"`
	AnonymousID string         `json:"anonymousId,omitempty"`
	GroupID     string         `json:"groupId,omitempty"`
	Timestamp   string         `json:"timestamp"`
	Context     map[string]any `json:"context,omitempty"`
	Properties  map[string]any `json:"properties,omitempty"`
	Traits      map[string]any `json:"traits,omitempty"`
}

// event completes the wire form of a call.
func (w Who) event(m wire, now time.Time) (Event, error) {
	if w.UserID == "" && w.AnonymousID == "" {
		return Event{}, errors.New("the event names no user: set UserID or AnonymousID")
	}
	if n := utf8.RuneCountInString(w.MessageID); n > maxMessageID {
		return Event{}, fmt.Errorf("MessageID has %d characters, at most %d are accepted", n, maxMessageID)
	}
	at := w.Time
	if at.IsZero() {
		at = now
	}
	if at = at.UTC(); at.Year() < 1 || at.Year() > 9999 {
		return Event{}, fmt.Errorf("the event's Time is in the year %d: RFC 3339 has 1 to 9999", at.Year())
	}
	m.MessageID = cmp.Or(w.MessageID, uuid.NewString())
	m.UserID, m.AnonymousID, m.Timestamp = w.UserID, w.AnonymousID, at.Format(wireTime)
	if m.Context == nil {
		m.Context = w.Context
	}
	body, err := json.Marshal(m)
	if err != nil {
		return Event{}, fmt.Errorf("encode the event: %w", err)
	}
	return Event{Kind: Telemetry, ID: m.MessageID, Key: w.AccountID, Body: body}, nil
}

// of returns the context with the account in it.
func (w Who) of() map[string]any {
	if w.AccountID == "" {
		return w.Context
	}
	return with(w.Context, "groupId", w.AccountID)
}

func with(m map[string]any, name string, value any) map[string]any {
	out := make(map[string]any, len(m)+1)
	maps.Copy(out, m)
	out[name] = value
	return out
}

func (t Track) event(now time.Time) (Event, error) {
	if t.Event == "" {
		return Event{}, errors.New("the track call names no event: set Event")
	}
	return t.Who.event(wire{Type: "track", Event: t.Event, Context: t.of(), Properties: t.Properties}, now)
}

func (p Page) event(now time.Time) (Event, error) {
	return p.Who.event(wire{Type: "page", Name: p.Name, Context: p.of(), Properties: p.Properties}, now)
}

func (i Identify) event(now time.Time) (Event, error) {
	traits := i.Traits
	if i.AccountID != "" {
		company := map[string]any{}
		if given, ok := traits["company"].(map[string]any); ok {
			company = given
		}
		traits = with(traits, "company", with(company, "id", i.AccountID))
	}
	return i.Who.event(wire{Type: "identify", Traits: traits}, now)
}

func (g Group) event(now time.Time) (Event, error) {
	if g.AccountID == "" {
		return Event{}, errors.New("the group call names no account: set AccountID")
	}
	return g.Who.event(wire{Type: "group", GroupID: g.AccountID, Traits: g.Traits}, now)
}

func (s Signal) event(time.Time) (Event, error) {
	if s.Type == "" {
		return Event{}, errors.New(`the signal has no type: set Type, for example to "survey.responded"`)
	}
	fields := with(s.Fields, "type", s.Type)
	key := s.AccountID
	if key == "" {
		key, _ = fields["version"].(string) // a release is nobody's
	} else {
		fields["account_id"] = s.AccountID
	}
	body, err := json.Marshal(fields)
	if err != nil {
		return Event{}, fmt.Errorf("encode the signal: %w", err)
	}
	return Event{Kind: Signals, Key: key, Body: body}, nil
}
