package recount

import (
	"encoding/json"
	"slices"
	"strings"
)

var (
	ticketKinds = []string{"created", "replied_customer", "replied_agent", "status", "priority", "assignment",
		"tag", "sla_breach", "csat", "reopened", "solved", "merged", "deleted"}
	escalationGroups = []string{"escalations", "tier-3"}
	escalationTags   = []string{"escalated", "escalation"}
	urgent           = []string{"p1", "p2"}
)

// ticketEvent is a ticket record's content.
type ticketEvent struct {
	ticketID, source, accountID, kind string
	from, to, priority, status        string
	channel, requesterID, eventID     string
	tags                              []string
	at                                int64
}

func parseTicket(r record) (t ticketEvent, reason string) {
	if len(r.value) > maxRecord {
		return t, "oversize"
	}
	var o object
	if err := json.Unmarshal(r.value, &o); err != nil || o == nil {
		return t, "malformed"
	}
	var occurredAt, receivedAt string
	err := o.texts(map[string]*string{
		"ticket_id": &t.ticketID, "source": &t.source, "account_id": &t.accountID, "kind": &t.kind,
		"from": &t.from, "to": &t.to, "priority": &t.priority, "status": &t.status, "channel": &t.channel,
		"requester_id": &t.requesterID, "source_event_id": &t.eventID,
		"occurred_at": &occurredAt, "receivedAt": &receivedAt,
	})
	if err != nil {
		return t, "malformed"
	}
	if raw, ok := o["tags"]; ok && json.Unmarshal(raw, &t.tags) != nil {
		return t, "malformed"
	}
	if t.ticketID == "" || t.accountID == "" || t.kind == "" || occurredAt == "" {
		return t, "missing_field"
	}
	if !slices.Contains(ticketKinds, t.kind) {
		return t, "unknown_kind"
	}
	received := r.time
	if receivedAt != "" {
		if received, err = millis(receivedAt); err != nil {
			return t, "bad_time"
		}
	}
	if t.at, err = millis(occurredAt); err != nil {
		return t, "bad_time"
	}
	return t, checkAge(t.at, received)
}

// escalation is why this event alone escalates its ticket, or "".
func (t ticketEvent) escalation() string {
	switch t.kind {
	case "priority":
		if slices.Contains(urgent, t.to) && !slices.Contains(urgent, t.from) {
			return "priority"
		}
	case "assignment":
		if slices.Contains(escalationGroups, t.to) {
			return "assignment"
		}
	case "tag":
		for _, tag := range append([]string{t.to}, t.tags...) {
			if slices.Contains(escalationTags, tag) {
				return "tag"
			}
		}
	case "sla_breach":
		return "sla_breach"
	}
	return ""
}

// attributes are the columns of the fact that are not its key; empty ones are
// left out.
func (t ticketEvent) attributes() map[string]string {
	all := map[string]string{
		"from": t.from, "to": t.to, "priority": t.priority, "status": t.status, "channel": t.channel,
		"tags": strings.Join(t.tags, ","), "requester_id": t.requesterID, "escalation": t.escalation(),
	}
	for name, value := range all {
		if value == "" {
			delete(all, name)
		}
	}
	return all
}

// ticketFold counts one source of tickets.
type ticketFold struct {
	result *Result
	source string
	seen   recent
}

func newTicketFold(r *Result, source string) *ticketFold {
	return &ticketFold{result: r, source: source, seen: recent{}}
}

func (f *ticketFold) fold(r record) verdict {
	t, reason := parseTicket(r)
	if reason != "" {
		return refuse(reason)
	}
	id := ""
	if t.eventID != "" {
		id = t.source + "|" + t.eventID
	}
	if f.seen.repeated(id, r.offset) {
		return verdict{kind: duplicate}
	}
	key := FactKey{Kind: "ticket", Account: t.accountID, Entity: t.source + ":" + t.ticketID, At: t.at,
		Name: t.kind, ID: factID(id, r.offset), Source: f.source}
	f.result.Facts[key] = Fact{Offset: r.offset, Attributes: t.attributes()}
	return verdict{kind: applied}
}
