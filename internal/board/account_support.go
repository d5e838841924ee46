package board

import (
	"context"
	"fmt"
	"html/template"
	"strings"
	"time"
)

func accountSupport(ctx context.Context, s *store, q query) (content, error) {
	rows, err := read[ticketRow](ctx, s, "account_support", q.ofAccount())
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
			Text(r.Source + " " + r.ID), {Text: "", HTML: r.life(q.from(), q.now)}, status, Text(r.Priority), MaybeAt(When, r.Opened), escalations, MaybeAt(When, r.Escalated),
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

// lifeWidth is how wide the time range is drawn, in pixels.
const lifeWidth = 220

// life draws a ticket on the time range: a bar while it is open, a diamond at an escalation. The columns beside it say the same.
func (r *ticketRow) life(from, to time.Time) template.HTML {
	x := func(at time.Time) float64 {
		return min(max(lifeWidth*float64(at.Sub(from))/float64(to.Sub(from)), 0), lifeWidth)
	}
	begin, end, class := 0.0, float64(lifeWidth), "open"
	if r.Opened != nil {
		begin = x(*r.Opened)
	}
	if !r.Open {
		class = "done"
		if r.Solved != nil {
			end = x(*r.Solved)
		}
	}
	var out strings.Builder
	fmt.Fprintf(&out, `<svg class="life" width="%d" height="16" viewBox="0 0 %[1]d 16" aria-hidden="true" focusable="false"><line class="axis" x1="0" y1="8" x2="%[1]d" y2="8"/>`+
		`<rect class="%s" x="%.1f" y="5" width="%.1f" height="6" rx="2"/>`, lifeWidth, class, begin, max(end-begin, 3))
	for i, at := range []*time.Time{r.Escalated, r.LastEscalated} {
		if at == nil || at.Before(from) || i == 1 && r.Escalated != nil && at.Equal(*r.Escalated) {
			continue
		}
		fmt.Fprintf(&out, `<path class="escalation" d="M%.1f 2l5 6-5 6-5-6z"/>`, x(*at))
	}
	out.WriteString("</svg>")
	return template.HTML(out.String()) //nolint:gosec // made of numbers alone
}
