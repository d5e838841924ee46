package board

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
)

type accountNow struct {
	standing
	Stage         string     `ch:"stage"`
	FrequencyBand string     `ch:"frequency_band"`
	ActiveDays    uint64     `ch:"active_days_28d"`
	Adopted       uint64     `ch:"key_features_adopted"`
	Entitled      uint64     `ch:"key_features_entitled"`
	Onboarding    *float64   `ch:"onboarding_progress"`
	ComputedAt    *time.Time `ch:"computed_at"`
}

func accountSummary(ctx context.Context, s *store, q query) (content, error) {
	rows, err := read[accountNow](ctx, s, "account_summary", q.ofAccount())
	if err != nil {
		return nil, err
	}
	if len(rows) == 0 {
		return Message{"Not in the portfolio", "Either nothing is known of this account, or it became known within the last minute, after which the portfolio is computed anew."}, nil
	}
	return rows[0].figures(q), nil
}

func (r *accountNow) figures(q query) Figures {
	why := func(metric string) string { return whyURL(q.account, metric, q.today("28d"), "") }
	trend := Maybe(Percent, r.Trend)
	trend.Signed = true
	users := Num(Number, r.ActiveUsers)
	note := "in 28 days"
	if r.Seats != nil {
		note = fmt.Sprintf("of %d seats, in 28 days", *r.Seats)
	}
	below := func(panel string) string { return accountURL(q.account) + "#panel-" + panel } // the panel that says more
	health := Figure{Label: "Health", Value: Maybe(Number, r.Health), State: healthBands[r.Band], Note: r.Band, Why: below("health")}
	if r.HealthReason != "" {
		health.Note += "; " + r.HealthReason
	}
	return Figures{
		{Label: "Account", Value: Text(r.Name), Note: join(r.Plan, r.Segment, r.Stage)},
		{Label: "Owner", Value: Text(r.Owner)},
		health,
		{Label: "Active users", Value: users, Note: note, Why: why("active_users")},
		{Label: "Events, 7 days", Value: trend, Note: "against the 7 before", Spark: spark(r.Daily)},
		{Label: "Active days", Value: Num(Number, r.ActiveDays), Note: "of 28: " + r.FrequencyBand, Why: why("active_days")},
		{Label: "Key features", Value: Maybe(Percent, r.Adoption), Note: fmt.Sprintf("%d of %d adopted", r.Adopted, r.Entitled), Why: below("features")},
		{Label: "Open tickets", Value: Num(Number, r.Open), State: mark(r.Escalations > 0, "bad"), Note: fmt.Sprintf("%d escalated in 30 days", r.Escalations), Why: whyURL(q.account, "tickets_backlog", q.today("28d"), "")},
		{Label: "NPS", Value: Maybe(Number, r.NPS), Note: fmt.Sprintf("of %d answers in 90 days", r.NPSAnswers), Why: below("surveys")},
		{Label: "Onboarding", Value: Maybe(Percent, r.Onboarding)},
		{Label: "Renewal", Value: MaybeAt(Ago, r.Renewal)},
		{Label: "MRR", Value: Maybe(Number, r.MRR), Note: "a month"},
		{Label: "As of", Value: MaybeAt(Clock, r.ComputedAt)},
	}
}

// join puts what is known of some words side by side.
func join(words ...string) string {
	return strings.Join(slices.DeleteFunc(words, func(w string) bool { return w == "" }), " · ")
}

func accountToday(ctx context.Context, s *store, q query) (content, error) {
	rows, err := read[usageRow](ctx, s, "account_today", q.ofAccount())
	if err != nil {
		return nil, err
	}
	if len(rows) == 0 {
		return Message{"Nothing is known of this account today", "It was removed, or no event, ticket or record of it was ever read."}, nil
	}
	r := rows[0]
	figure := func(label, metric string, value Cell) Figure {
		f := Figure{Label: label, Value: value, Why: whyURL(q.account, metric, q.today("day"), "")}
		if !r.Complete {
			f.Note = "provisional"
		}
		return f
	}
	return Figures{
		figure("Events", "events", Num(Number, r.Events)),
		figure("Active users", "active_users", Num(Number, r.ActiveUsers)),
		figure("Sessions", "sessions", Maybe(Number, r.Sessions)),
		figure("Active minutes", "active_minutes", Maybe(Number, r.ActiveMinutes)),
		figure("Features used", "features_used", Num(Number, r.Features)),
		figure("Errors", "errors", Num(Number, r.Errors)),
	}, nil
}
