package simulate

import (
	"fmt"
	"time"
)

// ticketEvent is a normalised ticket event, and what it means.
type ticketEvent struct {
	TicketID      string   `json:"ticket_id"`
	Source        string   `json:"source"`
	AccountID     string   `json:"account_id"`
	OccurredAt    string   `json:"occurred_at"`
	Kind          string   `json:"kind"`
	From          string   `json:"from,omitempty"`
	To            string   `json:"to,omitempty"`
	Priority      string   `json:"priority,omitempty"`
	Status        string   `json:"status,omitempty"`
	Channel       string   `json:"channel,omitempty"`
	Tags          []string `json:"tags,omitempty"`
	RequesterID   string   `json:"requester_id,omitempty"`
	SourceEventID string   `json:"source_event_id"`

	// meaning; a second reopening escalates as well, which the truth finds out
	opens, replies, solves, reopens, escalates, closes bool
}

var helpdesks = []string{"zendesk", "intercom", "jira"}

// ticketStory queues the life of a ticket that the account opens at the
// instant. pace shortens the times between its events.
func (g *Generator) ticketStory(a *account, opened time.Time, pace int) {
	g.stories++
	t := ticketTeller{g: g, account: a, at: opened, pace: time.Duration(pace)}
	t.base = ticketEvent{TicketID: fmt.Sprintf("%d", 1000+g.stories), Source: pick(g.r, helpdesks), AccountID: a.id,
		Channel: pick(g.r, []string{"email", "web", "chat"}), RequesterID: pick(g.r, a.users).id}
	unhappy := a.story == atRisk || a.story == churned

	t.base.Priority = pick(g.r, []string{"p2", "p3", "p3", "p4"})
	t.tell(0, 0, ticketEvent{Kind: "created", Status: "new", Tags: []string{"billing"}, opens: true})
	if chance(g.r, 0.03) {
		t.tell(time.Minute, time.Hour, ticketEvent{Kind: pick(g.r, []string{"merged", "deleted"}), closes: true})
		return
	}
	if chance(g.r, 0.2) {
		t.tell(time.Minute, 30*time.Minute, ticketEvent{Kind: "replied_customer"})
	}
	if unhappy && chance(g.r, 0.5) || chance(g.r, 0.2) {
		t.escalate()
	}
	t.tell(5*time.Minute, 6*time.Hour, ticketEvent{Kind: "replied_agent", replies: true})
	if chance(g.r, 0.4) {
		t.tell(time.Minute, time.Hour, ticketEvent{Kind: "status", From: "open", To: "pending", Status: "pending"})
	}
	if chance(g.r, 0.15) {
		return // nobody comes back to it
	}
	t.solve()
	for unhappy && chance(g.r, 0.5) || chance(g.r, 0.08) {
		t.tell(time.Hour, 20*time.Hour, ticketEvent{Kind: "reopened", Status: "open", reopens: true})
		t.solve()
	}
	if chance(g.r, 0.4) {
		t.tell(time.Hour, 10*time.Hour, ticketEvent{Kind: "csat", To: pick(g.r, []string{"good", "bad"})})
	}
}

// ticketTeller queues one ticket's events, one after the other.
type ticketTeller struct {
	g       *Generator
	account *account
	base    ticketEvent
	at      time.Time
	pace    time.Duration
}

func (t *ticketTeller) solve() {
	t.tell(10*time.Minute, 20*time.Hour, ticketEvent{Kind: "solved", Status: "solved", solves: true})
}

// escalate queues one or two of the transitions that count as an escalation,
// and at times one that does not.
func (t *ticketTeller) escalate() {
	for range 1 + t.g.r.IntN(2) {
		e := ticketEvent{escalates: true}
		switch t.g.r.IntN(5) {
		case 0:
			e.Kind, e.From, e.To = "priority", "p3", pick(t.g.r, []string{"p1", "p2"})
		case 1:
			e.Kind, e.From, e.To = "assignment", "frontline", pick(t.g.r, []string{"escalations", "tier-3"})
		case 2:
			e.Kind, e.To, e.Tags = "tag", "escalated", []string{"billing", "escalated"}
		case 3:
			e.Kind = "sla_breach"
		default:
			e.Kind, e.From, e.To, e.escalates = "priority", "p4", "p3", false
		}
		t.tell(time.Minute, 3*time.Hour, e)
	}
}

// tell queues the ticket's next event, which happens some time after the last.
func (t *ticketTeller) tell(low, high time.Duration, e ticketEvent) {
	r := t.g.r
	if high > low {
		t.at = t.at.Add(between(r, low, high)/t.pace + time.Millisecond)
	}
	e.TicketID, e.Source, e.AccountID, e.Channel = t.base.TicketID, t.base.Source, t.base.AccountID, t.base.Channel
	e.Priority, e.RequesterID = t.base.Priority, t.base.RequesterID
	ms := t.at.UnixMilli()
	e.OccurredAt, e.SourceEventID = stamp(ms), t.g.id()
	due := t.at.Add(delay(r) / t.pace)
	t.g.push(Message{At: due, Via: Tickets, Key: t.account.id, Body: encode(e),
		intent: intent{account: t.account.id, at: ms, ticket: &e}}, nil)
}
