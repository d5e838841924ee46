package board

import (
	"context"
	"html/template"
	"time"
)

func accountSupport(ctx context.Context, s *store, q query) (content, error) {
	rows, err := read[ticketRow](ctx, s, "account_support", q.ofAccount())
	if err != nil {
		return nil, err
	}
	marks, err := accountMarks(ctx, s, q)
	if err != nil {
		return nil, err
	}
	t := &Table{Caption: "Tickets", Empty: "No ticket is open, and none was in the time range.", Columns: []Column{
		{Name: "ticket", Label: "Ticket"}, {Name: "life", Label: "Life"}, {Name: "status", Label: "Status"}, {Name: "priority", Label: "Priority"}, {Name: "opened_at", Label: "Opened", Kind: When},
		{Name: "escalations", Label: "Escalations", Kind: Number}, {Name: "escalated_at", Label: "First escalated", Kind: When}, {Name: "first_reply", Label: "First reply after", Kind: Seconds},
		{Name: "resolution", Label: "Solved after", Kind: Seconds}, {Name: "reopened", Label: "Reopened", Kind: Number},
	}}
	for i := range rows {
		r := &rows[i]
		status := Text(r.Status)
		if r.Open {
			status.State = "warn"
		}
		escalations := Num(Number, r.Escalations)
		if r.Escalations > 0 {
			escalations.State = "bad"
		}
		t.Rows = append(t.Rows, []Cell{
			Text(r.Source + " " + r.ID), {Text: "", HTML: r.life(q.from(), q.now, marks)}, status, Text(r.Priority), MaybeAt(When, r.Opened), escalations, MaybeAt(When, r.Escalated),
			Maybe(Seconds, r.FirstReply), Maybe(Seconds, r.Resolution), Num(Number, r.Reopened),
		})
	}
	return t, nil
}

type ticketRow struct {
	Source        string     `ch:"source"`
	ID            string     `ch:"ticket_id"`
	Opened        *time.Time `ch:"opened_at"`
	Solved        *time.Time `ch:"solved_at"`
	Escalated     *time.Time `ch:"escalated_at"`
	LastEscalated *time.Time `ch:"last_escalated_at"`
	Escalations   uint64     `ch:"escalations"`
	Reopened      uint64     `ch:"reopened"`
	Open          bool       `ch:"is_open"`
	Priority      string     `ch:"priority"`
	Status        string     `ch:"status"`
	FirstReply    *float64   `ch:"first_reply_seconds"`
	Resolution    *float64   `ch:"resolution_seconds"`
	Tags          []string   `ch:"tags"`
}

// life draws a ticket on the time range: a bar while it is open, a diamond at an escalation, a line at a release or an alert. The
// columns beside it, and the charts, say the same.
func (r *ticketRow) life(from, to time.Time, marks []Mark) template.HTML {
	line := newTimeline(from, to)
	for _, m := range marks {
		if m.Kind != "escalation" {
			line.mark(m)
		}
	}
	begin, end, class := from, to, "open"
	if r.Opened != nil {
		begin = *r.Opened
	}
	if !r.Open {
		class = "done"
		if r.Solved != nil {
			end = *r.Solved
		}
	}
	line.bar(class, begin, end)
	for i, at := range []*time.Time{r.Escalated, r.LastEscalated} {
		if at != nil && (i == 0 || r.Escalated == nil || !at.Equal(*r.Escalated)) {
			line.diamond(*at)
		}
	}
	return line.html()
}
