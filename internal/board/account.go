package board

import (
	"context"
	"net/url"
	"time"
)

func accountPage() page {
	return page{
		path: "/accounts/{account}", title: "Account",
		filters: func(_ context.Context, _ *store, q query) (*Filters, error) { return q.filters(q.rangeOfDays()), nil },
		panels: []panel{
			{name: "summary", load: accountSummary, every: 5 * time.Second, wide: true, first: true},
			{name: "today", title: "Today", load: accountToday, every: time.Second, wide: true, about: "The day (UTC) that is going on, as far as its events have come."},
			{
				name: "usage", title: "Usage", load: accountUsage, every: 5 * time.Second, wide: true,
				about: "Events and active users of each window (UTC), silent ones included, beside the licensed seats; releases, alerts and escalations are marked.",
			},
			{name: "health", title: "Health", load: accountHealth, every: time.Minute, about: "What each component gives to the score, and what moved it since the day before."},
			{name: "support", title: "Tickets", load: accountSupport, every: 5 * time.Second, about: "Open tickets, and those of the time range: from opening to solving, with their escalations."},
			{name: "features", title: "Features", load: accountFeatures, every: 10 * time.Second, wide: true, about: "Uses of each feature by the day (UTC): the darker, the more."},
			{name: "workflows", title: "Workflows", load: accountWorkflows, every: time.Minute, about: "Runs that started in the last 28 days, and how many were completed."},
			{name: "surveys", title: "Survey answers", load: accountSurveys, every: time.Minute, about: "Scores of the last 90 days, from the latest answer of each person, and the answers of the time range."},
			{name: "goals", title: "Goals", load: accountGoals, every: time.Minute, about: "How far each goal is, beside how much of its time has passed. A pace of 1 is on time."},
			{name: "kpis", title: "The customer's own KPIs", load: accountKPIs, every: time.Minute, about: "As last reported for each period, beside the usage of the same period. Two things that go together need not have to do with each other."},
			{name: "alerts", title: "Alerts", load: accountAlerts, every: 5 * time.Second, wide: true, about: "What the rules told of this account, the latest first."},
		},
	}
}

func accountURL(id string) string { return "/accounts/" + url.PathEscape(id) }

// whyURL is where it is told how a metric's number in a window came about.
func whyURL(account, metric, window, by string) string {
	values := url.Values{"metric": {metric}, "window": {window}}
	if by != "" {
		values.Set("by", by)
	}
	return accountURL(account) + "/why?" + values.Encode()
}

// ofAccount are the parameters of queries of one account.
func (q query) ofAccount() []any {
	return []any{named("account", q.account), named("from", q.from()), named("now", q.now)}
}

// tier is the length of the windows that are shown: hours of a week, or else days.
func (q query) tier() string {
	if q.days() == 7 {
		return "hour"
	}
	return "day"
}

// windowName is a window as tidemark explain reads it.
func (q query) windowName(at time.Time) string {
	if q.tier() == "hour" {
		return "hour " + at.Format("2006-01-02T15:04")
	}
	return "day " + at.Format(time.DateOnly)
}

// today is the day (UTC) as tidemark explain reads it, alone or as the last of several.
func (q query) today(length string) string { return length + " " + q.now.Format(time.DateOnly) }

type usageRow struct {
	At            uint32   `ch:"at"`
	Events        uint64   `ch:"events"`
	ActiveUsers   uint64   `ch:"active_users"`
	Users         uint64   `ch:"users"`
	Sessions      *uint64  `ch:"sessions"`
	ActiveMinutes *float64 `ch:"active_minutes"`
	Features      uint64   `ch:"features_used"`
	Errors        uint64   `ch:"errors"`
	Seats         *uint64  `ch:"seats"`
	Complete      bool     `ch:"complete"`
}

func accountUsage(ctx context.Context, s *store, q query) (content, error) {
	rows, err := read[usageRow](ctx, s, "account_usage", q.ofAccount(), "{tier}", q.tier())
	if err != nil {
		return nil, err
	}
	if len(rows) == 0 {
		return Message{"Nothing is known of this account", "No event, ticket or record of it was read. Is the id right, and did it come within the time range?"}, nil
	}
	base := Chart{Kind: Number, Days: q.tier() == "day"}
	if base.Marks, err = accountMarks(ctx, s, q); err != nil {
		return nil, err
	}
	var events, errors, users, seats []*float64
	for _, r := range rows {
		base.Times = append(base.Times, int64(r.At))
		if !r.Complete && base.Provisional == 0 {
			base.Provisional = int64(r.At)
		}
		events, errors = append(events, number(r.Events)), append(errors, number(r.Errors))
		users = append(users, number(r.ActiveUsers))
		if r.Seats == nil {
			seats = append(seats, nil)
		} else {
			seats = append(seats, number(*r.Seats))
		}
	}
	base.Why = func(metric string, at time.Time) string { return whyURL(q.account, metric, q.windowName(at), "") }
	volume, people := base, base
	volume.Title = "Events by the " + q.tier()
	volume.Series = []Series{{Label: "Events", Style: "bars", Values: events, Metric: "events"}, {Label: "Errors", Values: errors, Metric: "errors"}}
	people.Title = "Active users and seats"
	people.Series = []Series{{Label: "Active users", Values: users, Metric: "active_users"}, {Label: "Seats", Style: "reference", Values: seats}}
	return Stack{&volume, &people}, nil
}

// accountMarks are the releases, alerts and escalations that are marked wherever the account's time range is drawn.
func accountMarks(ctx context.Context, s *store, q query) ([]Mark, error) {
	rows, err := read[struct {
		At   uint32 `ch:"at"`
		Kind string `ch:"kind"`
		Text string `ch:"text"`
	}](ctx, s, "account_marks", q.ofAccount())
	var marks []Mark
	for _, m := range rows {
		marks = append(marks, Mark{At: int64(m.At), Kind: m.Kind, Text: m.Text})
	}
	return marks, err
}

func number(n uint64) *float64 {
	v := float64(n)
	return &v
}
