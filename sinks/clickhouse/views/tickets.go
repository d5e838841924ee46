package views

import (
	"fmt"

	"tidemark/schemas"
)

const (
	fromMoments    branch = "moments"
	fromTicketDays branch = "ticketdays"
)

// moments are what can happen to a ticket, as the template ticket_moments.sql names it.
var moments = []string{"opened", "solved", "reopened", "escalated", "replied", "reply_ms", "resolved", "resolution_ms", "backlog"}

// supportMerge is the SQL of the columns that the view support can have, over the sums of the moments.
var supportMerge = map[string]string{
	"opened":                  "toUInt64(opened_n)",
	"solved":                  "toUInt64(solved_n)",
	"reopened":                "toUInt64(reopened_n)",
	"escalated":               "toUInt64(escalated_n)",
	"backlog":                 "toUInt64(backlog_n)",
	"first_reply_seconds_avg": "if(replied_n > 0, reply_ms_n / replied_n / 1000, NULL)",
	"resolution_seconds_avg":  "if(resolved_n > 0, resolution_ms_n / resolved_n / 1000, NULL)",
}

// Moments is for the templates.
func (b *builder) Moments() []string { return moments }

// ReopenedOften is the reopening from which on a ticket counts as escalated; 0: never.
func (b *builder) ReopenedOften() int { return b.cat.Tickets.EscalatedWhen.Reopened }

// ticketMoments is the SQL of the moments in windows of so many seconds.
func (b *builder) ticketMoments(seconds int64) (string, error) {
	lives, err := b.render("ticket_lives", b)
	if err != nil {
		return "", err
	}
	return b.render("ticket_moments", struct {
		Seconds int64
		Lives   string
	}{seconds, lives})
}

// TicketMoments is for the templates.
func (w windows) TicketMoments() (string, error) { return w.ticketMoments(w.Tier.Seconds) }

// TicketMoments is for the templates.
func (r rolling) TicketMoments() (string, error) { return r.ticketMoments(day) }

func (b *builder) tickets() ([]view, error) {
	all, err := b.ticketList()
	if err != nil {
		return nil, err
	}
	out := []view{all}
	measures, types, err := b.supportMeasures()
	if err != nil {
		return nil, err
	}
	for _, t := range b.tiers() {
		views, err := b.inTier(t, tiered{"support", []string{"account_id"}, "Tickets of each account by the %s (UTC), windows without any included.", measures, types, segmentSupport})
		if err != nil {
			return nil, err
		}
		out = append(out, views...)
	}
	for _, days := range supportDays {
		v, err := b.rollingSupportOf(days, measures, types)
		if err != nil {
			return nil, err
		}
		both, err := b.withSegment(v, days*day, segmentSupport)
		if err != nil {
			return nil, err
		}
		out = append(out, both...)
	}
	return out, nil
}

// segmentSupport is what support is for segments; times are in segment_ticket_times.
var segmentSupport = []segmentColumn{
	sumOver("opened"), sumOver("solved"), sumOver("reopened"), sumOver("escalated"), sumOver("backlog"),
	accountsWhere("accounts_escalated", "u.escalated > 0", "Accounts with an escalation (metrics.md row 28)."),
}

func (b *builder) supportMeasures() ([]measure, map[string]string, error) {
	var out []measure
	types := map[string]string{}
	for _, m := range b.cat.Metrics {
		if m.View != "support" || m.Aggregate == schemas.Derived {
			continue
		}
		merge, ok := supportMerge[m.Column]
		if m.Aggregate != schemas.TicketFacts || !ok {
			return nil, nil, fmt.Errorf("metric %s: the view support has no column %s of the aggregate %s to show", m.Name, m.Column, m.Aggregate)
		}
		v := measure{Metric: m, From: fromMoments, Merge: merge, Type: "UInt64"}
		if m.Column == "first_reply_seconds_avg" || m.Column == "resolution_seconds_avg" {
			v.Type = "Nullable(Float64)"
		}
		types[m.Column] = v.Type
		out = append(out, v)
	}
	return out, types, nil
}

// rollingSupportOf measures the moments as helpers and makes the columns of them.
func (b *builder) rollingSupportOf(days int64, measures []measure, types map[string]string) (view, error) {
	r := rolling{
		builder: b, Days: days, Keys: []string{"account_id"}, Topic: b.Topics.Tickets.Name,
		Slices: b.everything(), rows: []string{"support_rolling_rows"}, Derived: b.derived("support"),
	}
	for _, what := range moments {
		h := rollingMeasure{measure: measure{Metric: schemas.Metric{Column: what + "_n"}, From: fromMoments, Merge: "%s"}, Kind: summed, Days: days}
		h.Part = "sumIf(amount, what = " + Quote(what) + ")"
		switch what {
		case "solved", "reopened", "escalated":
			h.From, h.Kind, h.Part = fromTicketDays, running, "sumIf(delta, metric = "+Quote(what)+")"
		case "backlog":
			h.Kind = running
		case "reply_ms", "resolution_ms":
			h.Type = "Int64"
		}
		r.Helpers = append(r.Helpers, h)
	}
	for _, m := range measures {
		r.Extra = append(r.Extra, extra{column{m.Column, m.Type, m.Unit, m.Description}, m.Merge})
	}
	query, err := b.render("rolling", r)
	if err != nil {
		return view{}, err
	}
	return view{
		Name:    fmt.Sprintf("support_%dd", days),
		Comment: fmt.Sprintf("Tickets of each account over %d days (UTC), up to the end of every day, accounts without any included.", days),
		Columns: append(append(windowColumns("account_id"), b.metricColumns("support", types)...), complete),
		Query:   query,
		sliced:  r.sliced,
	}, nil
}

func (b *builder) ticketList() (view, error) {
	query, err := b.render("tickets", b)
	if err != nil {
		return view{}, err
	}
	const at = "Nullable(DateTime64(3, 'UTC'))"
	return view{
		Name:    "tickets",
		Comment: "The current state of each ticket.",
		Columns: []column{
			{"account_id", "String", "", "Account."},
			{"source", "String", "", "Ticket system, such as zendesk."},
			{"ticket_id", "String", "", "Id of the ticket in it."},
			{"opened_at", at, "", "When it was created; NULL if that event has not come."},
			{"first_reply_at", at, "", "First reply of an agent; NULL before it."},
			{"solved_at", at, "", "Last solve; NULL if there is none or the ticket was open again after it."},
			{"reopened", "UInt64", "times", "How often it was open again after a solve."},
			{"escalated_at", at, "", "First transition into an escalated state (metrics.md row 28); NULL if none."},
			{"last_escalated_at", at, "", "Last such transition."},
			{"escalations", "UInt64", "transitions", "Number of such transitions."},
			{"is_open", "Bool", "", "Whether it is open now: opened, and not solved, closed, merged or deleted since."},
			{"priority", "LowCardinality(String)", "", "Priority, p1 to p4; empty if unknown."},
			{"status", "LowCardinality(String)", "", "new, open, pending, hold, solved or closed; merged or deleted where that was the end."},
			{"channel", "LowCardinality(String)", "", "Channel that it came by; empty if unknown."},
			{"tags", "Array(String)", "", "Tags, as last told."},
			{"requester_id", "String", "", "Who asked; empty if unknown."},
			{"first_reply_seconds", "Nullable(Float64)", "s", "Time from opening to the first reply; NULL before it."},
			{"resolution_seconds", "Nullable(Float64)", "s", "Time from opening to solved_at; NULL without it."},
			{"updated_at", "DateTime64(3, 'UTC')", "", "Time of its last event."},
		},
		Query: query,
	}, nil
}
