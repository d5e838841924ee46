package decode

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/cespare/xxhash/v2"

	"tidemark/schemas"
)

// ticketKinds are the transitions of a ticket's life (docs/formats.md).
var ticketKinds = []string{
	"created", "replied_customer", "replied_agent", "status", "priority", "assignment", "tag", "sla_breach", "csat",
	"reopened", "solved", "merged", "deleted",
}

// Ticket is one normalised ticket event.
type Ticket struct {
	TicketID      string   `json:"ticket_id"`
	Source        string   `json:"source"`
	AccountID     string   `json:"account_id"`
	OccurredAt    string   `json:"occurred_at"`
	ReceivedAt    string   `json:"receivedAt"`
	Kind          string   `json:"kind"`
	From          string   `json:"from"`
	To            string   `json:"to"`
	Priority      string   `json:"priority"`
	Status        string   `json:"status"`
	Channel       string   `json:"channel"`
	Tags          []string `json:"tags"`
	RequesterID   string   `json:"requester_id"`
	SourceEventID string   `json:"source_event_id"`

	ID       uint64 `json:"-"` // hash of source and source_event_id; 0 = it has none
	Time     int64  `json:"-"` // Unix ms
	Received int64  `json:"-"` // Unix ms
}

// DecodeTicket reads a normalised ticket event; recordTime is in Unix ms.
func DecodeTicket(value []byte, recordTime int64, limits Limits) (*Ticket, *Rejection) {
	if len(value) > MaxValue {
		return nil, reject(schemas.Oversize, "%d bytes, at most %d are taken", len(value), MaxValue)
	}
	var t Ticket
	if err := json.Unmarshal(value, &t); err != nil {
		return nil, reject(schemas.Malformed, "not a ticket event: %v", err)
	}
	for _, f := range []struct{ name, value string }{
		{"ticket_id", t.TicketID}, {"account_id", t.AccountID}, {"occurred_at", t.OccurredAt}, {"kind", t.Kind},
	} {
		if f.value == "" {
			return nil, reject(schemas.MissingField, "a ticket event needs %s", f.name)
		}
	}
	if !slices.Contains(ticketKinds, t.Kind) {
		return nil, reject(schemas.UnknownKind, "kind %.40q is none of %s", t.Kind, strings.Join(ticketKinds, ", "))
	}
	var ok bool
	if t.Time, ok = parseTime([]byte(t.OccurredAt)); !ok {
		return nil, reject(schemas.BadTime, "occurred_at %.60q is not an RFC 3339 time", t.OccurredAt)
	}
	t.Received = recordTime
	if t.ReceivedAt != "" {
		if t.Received, ok = parseTime([]byte(t.ReceivedAt)); !ok {
			return nil, reject(schemas.BadTime, "receivedAt %.60q is not an RFC 3339 time", t.ReceivedAt)
		}
	}
	if rej := limits.check(t.Time, t.Received); rej != nil {
		return nil, rej
	}
	if t.SourceEventID != "" {
		t.ID = max(xxhash.Sum64String(t.Source+"|"+t.SourceEventID), 1)
	}
	return &t, nil
}

// Escalation returns why this event, by itself, moves the ticket into an escalated state, or "".
// The rule that counts reopenings needs the ticket's whole life and is read from its facts.
func (t *Ticket) Escalation(when schemas.EscalatedWhen) string {
	switch t.Kind {
	case "priority":
		if slices.Contains(when.Priorities, t.To) && !slices.Contains(when.Priorities, t.From) {
			return "priority"
		}
	case "assignment":
		if slices.Contains(when.Groups, t.To) {
			return "assignment"
		}
	case "tag":
		for _, tag := range append([]string{t.To}, t.Tags...) {
			if slices.Contains(when.Tags, tag) {
				return "tag"
			}
		}
	case "sla_breach":
		if when.SLABreach {
			return "sla_breach"
		}
	}
	return ""
}
