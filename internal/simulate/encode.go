package simulate

import (
	"encoding/json"
	"time"
)

// segmentMessage is a message in Segment's format, as its SDKs write it.
type segmentMessage struct {
	Type        string             `json:"type,omitempty"`
	Event       string             `json:"event,omitempty"`
	Name        string             `json:"name,omitempty"`
	MessageID   string             `json:"messageId,omitempty"`
	UserID      string             `json:"userId,omitempty"`
	AnonymousID string             `json:"anonymousId,omitempty"`
	PreviousID  string             `json:"previousId,omitempty"`
	GroupID     string             `json:"groupId,omitempty"`
	Context     *segmentContext    `json:"context,omitempty"`
	Properties  *segmentProperties `json:"properties,omitempty"`
	Traits      map[string]any     `json:"traits,omitempty"`

	OriginalTimestamp string `json:"originalTimestamp,omitempty"`
	SentAt            string `json:"sentAt,omitempty"`
	ReceivedAt        string `json:"receivedAt,omitempty"`
	Timestamp         string `json:"timestamp,omitempty"`
}

type segmentContext struct {
	GroupID string `json:"groupId,omitempty"`
	Library struct {
		Name    string `json:"name"`
		Version string `json:"version"`
	} `json:"library"`
	UserAgent string `json:"userAgent,omitempty"`
}

type segmentProperties struct {
	Feature    string          `json:"feature,omitempty"`
	DurationMS json.RawMessage `json:"duration_ms,omitempty"`
	Path       string          `json:"path,omitempty"`
	Message    string          `json:"message,omitempty"`
}

// compose writes an action of the user as a message, without its times.
func compose(u *user, a action, id string) segmentMessage {
	m := segmentMessage{Type: a.kind, MessageID: id, Context: contextOf(u)}
	if a.kind == "track" {
		m.Event = a.name
	} else {
		m.Name = a.name
	}
	m.Properties = &segmentProperties{Feature: a.feature, DurationMS: json.RawMessage(a.took)}
	if a.failed {
		m.Properties.Message = "could not load the chart"
	}
	if a.kind == "page" {
		m.Properties.Path = "/" + lower(a.name)
	}
	m.identify(u)
	return m
}

func (m *segmentMessage) identify(u *user) {
	if u.anonymous {
		m.AnonymousID = u.id
	} else {
		m.UserID = u.id
	}
}

// contextOf is what the SDK says of itself, with the account if it knows it.
func contextOf(u *user) *segmentContext {
	c := &segmentContext{UserAgent: "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36"}
	c.Library.Name, c.Library.Version = "analytics.js", "4.15.3"
	if u.mobile {
		c.UserAgent, c.Library.Name = "", "analytics-kotlin"
	}
	if u.intro == byEachCall {
		c.GroupID = u.account.id
	}
	return c
}

// stamp writes an instant as SDKs do, to the millisecond.
func stamp(ms int64) string { return time.UnixMilli(ms).UTC().Format("2006-01-02T15:04:05.000Z") }

// encode panics on an error: the values come from this package.
func encode(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return b
}
