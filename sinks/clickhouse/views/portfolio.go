package views

import "fmt"

// part is a query with a row for each account, of which the portfolio shows some columns.
type part struct {
	Alias string
	view
	take [][2]string // column there, and its name in the portfolio; "" is the same
	SQL  string      // the columns, where they are more than those of the query
}

// taken is a column of a part in the portfolio.
type taken struct{ From, Name string }

// Taken is for the template.
func (p part) Taken() []taken {
	var out []taken
	if p.SQL != "" {
		return nil
	}
	for _, t := range p.take {
		out = append(out, taken{p.Alias + "." + t[0], naming(t)})
	}
	return out
}

func naming(t [2]string) string {
	if t[1] != "" {
		return t[1]
	}
	return t[0]
}

func (p part) columns() ([]column, error) {
	var out []column
	for _, t := range p.take {
		found := false
		for _, c := range p.Columns {
			if c.Name == t[0] {
				c.Name, found = naming(t), true
				out = append(out, c)
			}
		}
		if !found {
			return nil, fmt.Errorf("the portfolio takes %s of %s, which has no such column", t[0], p.Alias)
		}
	}
	return out, nil
}

// portfolio is the view of where every account stands now.
func (b *builder) portfolio() ([]view, error) {
	parts, err := b.portfolioParts()
	if err != nil {
		return nil, err
	}
	columns := []column{{"account_id", "String", "", "Account."}}
	for _, a := range b.AllAttributes() {
		columns = append(columns, column{a.Column, a.Type, a.Unit, a.Meaning + " NULL if unknown."})
	}
	columns = append(columns,
		column{"known_since", "DateTime64(3, 'UTC')", "", "The earliest of its creation, its first record, its first day with events and its first ticket event."},
		column{"days_to_renewal", "Nullable(Float64)", "days", "Time until renewal_at, negative after it; NULL if that is unknown."},
		column{"as_of", "DateTime('UTC')", "", "When the row was made: now. Windows of days end with the present day, those of engagement with the last full one."})
	for _, p := range parts {
		more, err := p.columns()
		if err != nil {
			return nil, err
		}
		columns = append(columns, more...)
	}
	columns = append(columns,
		column{"days_since_value", "Nullable(Int64)", "days", "Days since last_value_day, 0 on that day; NULL without one."},
		column{"seats_change_90d", "Nullable(Int64)", "seats", "Seats now less those of 90 days ago (metrics.md row 34); NULL if either is unknown."},
		column{"mrr_change_90d", "Nullable(Float64)", "currency", "Monthly recurring revenue now less that of 90 days ago; NULL if either is unknown."},
		column{"telemetry_complete_to", "Nullable(DateTime64(3, 'UTC'))", "", "Up to when telemetry is complete, for all accounts; NULL before anything was read."})
	v, err := b.simple("portfolio", "Where every account stands now, one row each: who it is, what it uses, how it is supported, and where it goes. Accounts that were removed are left out.",
		columns, "portfolio", struct {
			*builder
			Parts []part
		}{b, parts})
	return []view{v}, err
}

func (b *builder) portfolioParts() ([]part, error) {
	today, yesterday := []slice{{0, 1}}, []slice{{1, 2}}
	var parts []part
	add := func(alias string, r rolling, err error, take ...[2]string) error {
		if err != nil {
			return err
		}
		v, err := r.view(alias, "")
		parts = append(parts, part{alias, v, take, ""})
		return err
	}
	r, err := b.licencesOf(today)
	r.Today = "licences_today"
	if err := add("licences", r, err, [2]string{"users", "users_28d"}, [2]string{"active_users", "active_users_28d"}, [2]string{"seat_utilization"}, [2]string{"seats_unused"},
		[2]string{"limit_level"}, [2]string{"is_under_used"}, [2]string{"seats_reached_at"}); err != nil {
		return nil, err
	}
	r = b.frequencyOf(28, today)
	r.Today = "frequency_today"
	if err := add("frequency", r, nil, [2]string{"active_days", "active_days_28d"}, [2]string{"active_days_per_user", "active_days_per_user_28d"}, [2]string{"band", "frequency_band"},
		[2]string{"target_days"}, [2]string{"frequency_attainment"}); err != nil {
		return nil, err
	}
	r, err = b.usagePatternOf(today)
	if err := add("pattern", r, err, [2]string{"events", "events_28d"}, [2]string{"events_7d"}, [2]string{"events_7d_previous"}, [2]string{"events_7d_trend"}, [2]string{"events_7d_usual"},
		[2]string{"zero_days", "zero_days_28d"}, [2]string{"variation", "variation_28d"}, [2]string{"is_low"}, [2]string{"is_erratic"}); err != nil {
		return nil, err
	}
	r, err = b.engagementOf(yesterday)
	if err := add("engagement", r, err, [2]string{"actions_per_day", "actions_per_day_14d"}, [2]string{"engagement"}, [2]string{"engagement_relative"}); err != nil {
		return nil, err
	}
	adoption, err := b.adoptionToday()
	if err != nil {
		return nil, err
	}
	parts = append(parts, adoption)
	support, err := b.simple("support", "", supportNow, "support_now", b)
	if err != nil {
		return nil, err
	}
	parts = append(parts, part{"support", support, [][2]string{{"tickets_open"}, {"tickets_open_p1_p2"}, {"oldest_open_ticket_at"}, {"tickets_opened_28d"}, {"escalations_7d"}, {"escalations_30d"}}, ""})
	value, err := b.simple("value", "", []column{
		{"first_value_day", "Nullable(Date)", "", "First day (UTC) with a value event; NULL before it. To the minute: first_value."},
		{"last_value_day", "Nullable(Date)", "", "Last day (UTC) with a value event; NULL without one."},
	}, "value_now", b)
	if err != nil {
		return nil, err
	}
	parts = append(parts, part{"value", value, [][2]string{{"first_value_day"}, {"last_value_day"}}, ""})
	return append(parts, part{"onboarding", view{Query: "SELECT * FROM " + b.DB() + ".onboarding", Columns: []column{
		{"progress", "Nullable(Float64)", "ratio", "Share of the onboarding checklist that is done (metrics.md row 17); NULL without a checklist."},
		{"state", "LowCardinality(String)", "", "Onboarding: done, open or stalled."},
	}}, [][2]string{{"progress", "onboarding_progress"}, {"state", "onboarding_state"}}, ""}), nil
}

func (b *builder) adoptionToday() (part, error) {
	a := adopted{b, b.tiers()[2], "a", "adoption.of_features"}
	query, err := b.render("features_now", a)
	if err != nil {
		return part{}, err
	}
	columns, err := b.render("adoption_columns", a)
	return part{"adoption", view{Query: query, Columns: adoptionColumns}, [][2]string{{"key_features_entitled"}, {"key_features_adopted"}, {"breadth", "adoption_breadth"}, {"depth", "adoption_depth"}},
		columns + ",\n    breadth AS adoption_breadth,\n    depth AS adoption_depth,"}, err
}

var supportNow = []column{
	{"tickets_open", "UInt64", "tickets", "Tickets that are open now (metrics.md row 27)."},
	{"tickets_open_p1_p2", "UInt64", "tickets", "Of those, tickets of priority p1 or p2."},
	{"oldest_open_ticket_at", "Nullable(DateTime64(3, 'UTC'))", "", "When the oldest open ticket was opened; NULL if none is open."},
	{"tickets_opened_28d", "UInt64", "tickets", "Tickets opened in the last 28 days, the present one included."},
	{"escalations_7d", "UInt64", "tickets", "Tickets with a transition into an escalated state in the last 7 days, the present one included (metrics.md row 28)."},
	{"escalations_30d", "UInt64", "tickets", "The same in the last 30 days (metrics.md rows 28 and 29)."},
}
