package decode

import (
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
	TicketID    string
	Source      string
	AccountID   string
	Kind        string
	From        string
	To          string
	Priority    string
	Status      string
	Channel     string
	Tags        []string
	RequesterID string

	ID       uint64 // hash of source and source_event_id; 0 = it has none
	Time     int64  // Unix ms
	Received int64  // Unix ms
}

// DecodeTicket reads a normalised ticket event; recordTime is in Unix ms.
func DecodeTicket(value []byte, recordTime int64, limits Limits) (*Ticket, *Rejection) {
	if len(value) > MaxValue {
		return nil, reject(schemas.Oversize, "%d bytes, at most %d are taken", len(value), MaxValue)
	}
	var t Ticket
	var occurredAt, receivedAt, eventID string
	into := map[string]*string{
		"ticket_id": &t.TicketID, "source": &t.Source, "account_id": &t.AccountID, "kind": &t.Kind, "from": &t.From, "to": &t.To,
		"priority": &t.Priority, "status": &t.Status, "channel": &t.Channel, "requester_id": &t.RequesterID,
		"occurred_at": &occurredAt, "receivedAt": &receivedAt, "source_event_id": &eventID,
	}
	s := scanner{b: value}
	for more := s.object(); more; more = s.member() {
		key := s.key()
		if text, ok := into[string(key)]; ok {
			*text = string(s.text())
		} else if string(key) == "tags" {
			t.Tags = s.texts()
		} else {
			s.skip(1)
		}
	}
	if s.end(); s.bad {
		return nil, malformed(value, s.i, "not a ticket event: broken JSON or a field of the wrong type")
	}
	for _, f := range []struct{ name, value string }{
		{"ticket_id", t.TicketID}, {"account_id", t.AccountID}, {"occurred_at", occurredAt}, {"kind", t.Kind},
	} {
		if f.value == "" {
			return nil, reject(schemas.MissingField, "a ticket event needs %s", f.name).named(f.name)
		}
	}
	if !slices.Contains(ticketKinds, t.Kind) {
		return nil, reject(schemas.UnknownKind, "kind %.40q is none of %s", t.Kind, strings.Join(ticketKinds, ", ")).named("kind")
	}
	var ok bool
	if t.Time, ok = parseTime([]byte(occurredAt)); !ok {
		return nil, reject(schemas.BadTime, "occurred_at %.60q is not an RFC 3339 time", occurredAt).named("occurred_at")
	}
	t.Received = recordTime
	if receivedAt != "" {
		if t.Received, ok = parseTime([]byte(receivedAt)); !ok {
			return nil, reject(schemas.BadTime, "receivedAt %.60q is not an RFC 3339 time", receivedAt).named("receivedAt")
		}
	}
	if rej := limits.check(t.Time, t.Received); rej != nil {
		return nil, rej.named("occurred_at")
	}
	if eventID != "" {
		t.ID = max(xxhash.Sum64String(t.Source+"|"+eventID), 1)
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
