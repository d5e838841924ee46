package worker

import (
	"strings"

	"tidemark/pipeline/decode"
	"tidemark/pipeline/forgotten"
	"tidemark/sinks/clickhouse"
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
	if c.spec.Forgotten.Account([]byte(t.AccountID)) {
		c.seen(t.Time)
		return Applied, nil
	}
	if c.spec.Forgotten.User(forgotten.User("u:" + t.RequesterID).Hash) {
		t.RequesterID = ""
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
	c.state.Batch().Facts.Add(clickhouse.Fact{
		Kind: "ticket", AccountID: t.AccountID, Entity: t.Source + ":" + t.TicketID, At: t.Time, Name: t.Kind,
		ID: t.ID, Source: c.spec.Source, Offset: r.Offset, Attributes: attributes,
	})
	c.seen(t.Time)
	return Applied, nil
}
