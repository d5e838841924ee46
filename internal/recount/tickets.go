package recount

import (
	"encoding/json"
	"slices"
	"strings"
)

var ticketKinds = []string{"created", "replied_customer", "replied_agent", "status", "priority", "assignment",
	"tag", "sla_breach", "csat", "reopened", "solved", "merged", "deleted"}

// builtinEscalation is the built-in catalogue's meaning of an escalation.
var builtinEscalation = Escalation{
	Priorities: []string{"p1", "p2"}, Groups: []string{"escalations", "tier-3"}, Tags: []string{"escalated", "escalation"}, SLABreach: true,
}

// ticketEvent is a ticket record's content.
type ticketEvent struct {
	ticketID, source, accountID, kind string
	from, to, priority, status        string
	channel, requesterID, eventID     string
	tags                              []string
	at                                int64
}

func (f *Fold) parseTicket(r Record) (t ticketEvent, reason string) {
	if len(r.Value) > maxRecord {
		return t, "oversize"
	}
	var o object
	if err := json.Unmarshal(r.Value, &o); err != nil || o == nil {
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
	received := r.Time
	if receivedAt != "" {
		if received, err = millis(receivedAt); err != nil {
			return t, "bad_time"
		}
	}
	if t.at, err = millis(occurredAt); err != nil {
		return t, "bad_time"
	}
	return t, f.limits.checkAge(t.at, received)
}

// escalation is why this event alone escalates its ticket, or "".
func (t ticketEvent) escalation(when Escalation) string {
	switch t.kind {
	case "priority":
		if slices.Contains(when.Priorities, t.to) && !slices.Contains(when.Priorities, t.from) {
			return "priority"
		}
	case "assignment":
		if slices.Contains(when.Groups, t.to) {
			return "assignment"
		}
	case "tag":
		for _, tag := range append([]string{t.to}, t.tags...) {
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

// attributes are the columns of the fact that are not its key; empty ones are
// left out.
func (t ticketEvent) attributes(when Escalation) map[string]string {
	all := map[string]string{
		"from": t.from, "to": t.to, "priority": t.priority, "status": t.status, "channel": t.channel,
		"tags": strings.Join(t.tags, ","), "requester_id": t.requesterID, "escalation": t.escalation(when),
	}
	for name, value := range all {
		if value == "" {
			delete(all, name)
		}
	}
	return all
}

// ticket keeps a ticket's event as a fact.
func (f *Fold) ticket(r Record) Verdict {
	t, reason := f.parseTicket(r)
	if reason != "" {
		return refuse(reason)
	}
	id := ""
	if t.eventID != "" {
		id = t.source + "|" + t.eventID
	}
	v := Verdict{Kind: Applied, ID: id, Name: t.kind, At: t.at}
	to := f.sink
	if f.seen.repeated(id, r.Offset) {
		v.Kind, to = Duplicate, f.Repeats
	}
	if to == nil {
		return v
	}
	escalated := builtinEscalation
	if f.opts.Rules != nil {
		escalated = f.opts.Rules.Escalated
	}
	to.Fact(FactKey{Kind: "ticket", Account: t.accountID, Entity: t.source + ":" + t.ticketID, At: t.at,
		Name: t.kind, ID: factID(id, r.Offset), Source: f.source}, Fact{Offset: r.Offset, Attributes: t.attributes(escalated)})
	return v
}
