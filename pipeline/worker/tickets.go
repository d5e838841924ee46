package worker

import (
	"strings"

	"tidemark/pipeline/decode"
)

// stepTicket keeps a ticket's transition as a fact. Its life is read from the facts in event-time order, so that
// transitions may come in any order and any number of times.
func (c *Core) stepTicket(r *Record) (Verdict, *decode.Rejection) {
	t, rej := decode.DecodeTicket(r.Value, r.Time, c.spec.Limits)
	if rej != nil {
		return DeadLettered, rej
	}
	if c.duplicate(r, t.ID) {
		return Duplicate, nil
	}
	id := t.ID
	if id == 0 {
		id = r.Offset + 1
	}
	attributes := map[string]string{}
	for _, a := range []struct{ name, value string }{
		{"from", t.From}, {"to", t.To}, {"priority", t.Priority}, {"status", t.Status}, {"channel", t.Channel},
		{"tags", strings.Join(t.Tags, ",")}, {"requester_id", t.RequesterID},
		{"escalation", t.Escalation(c.spec.Program.Escalated)},
	} {
		if a.value != "" {
			attributes[a.name] = a.value
		}
	}
	f := &c.state.Batch().Facts
	f.Kind = append(f.Kind, "ticket")
	f.AccountID = append(f.AccountID, t.AccountID)
	f.Entity = append(f.Entity, t.Source+":"+t.TicketID)
	f.At = append(f.At, t.Time)
	f.Name = append(f.Name, t.Kind)
	f.User = append(f.User, 0)
	f.ID = append(f.ID, id)
	f.Source = append(f.Source, c.spec.Source)
	f.Offset = append(f.Offset, r.Offset)
	f.Value = append(f.Value, 0)
	f.Attributes = append(f.Attributes, attributes)
	c.seen(t.Time)
	return Applied, nil
}
