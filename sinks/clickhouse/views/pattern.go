package views

import "tidemark/schemas"

// usagePattern is the view of low and erratic usage (metrics.md row 7).
func (b *builder) usagePattern() ([]view, error) {
	r, err := b.usagePatternOf(b.rollingSlices())
	if err != nil {
		return nil, err
	}
	v, err := r.view("usage_pattern_28d", "How steady the usage of each account is over the 28 days (UTC) up to the end of every day: days without usage count as zeros (metrics.md row 7).")
	if err != nil {
		return nil, err
	}
	return b.withSegment(v, 28*day, []segmentColumn{
		sumOver("events"), sumOver("events_7d"), sumOver("events_7d_previous"), medianOver("variation"), medianOver("events_7d_trend"),
		accountsWhere("accounts_low", "u.is_low", "Accounts whose usage is low."), accountsWhere("accounts_erratic", "u.is_erratic", "Accounts whose usage is erratic."),
		accountsWhere("accounts_silent", "u.events = 0", "Accounts without an event."),
	})
}

func (b *builder) usagePatternOf(slices []slice) (rolling, error) {
	events, err := b.metricOf("usage", "events", schemas.Count)
	if err != nil {
		return rolling{}, err
	}
	const days, u, f = 28, "UInt64", "Nullable(Float64)"
	lowBelow := b.bySegment("h.segment", func(t schemas.Target) string { return orNull(t.LowUsage) })
	erraticAbove := b.bySegment("h.segment", func(t schemas.Target) string { return orNull(t.ErraticUsage) })
	r := rolling{
		builder: b, Days: days, Keys: []string{"account_id"}, Topic: b.Topics.Telemetry.Name, Dimension: true,
		Slices: slices, rows: []string{"rows_spine", "rows_counters"},
	}
	r.Measures = []rollingMeasure{
		shown(column{"events", u, "events", "Events of the 28 days."}, fromCounters, "max(value)", summed, days),
		shown(column{"days_known", u, "days", "Days of the window on which the account was known, at most 28; fewer than 400 days back."}, "spine", "1", summed, days),
	}
	r.Measures[0].Name = events
	squares := helper("squares", "", "", summed, days, "pow(toFloat64(events_day), 2)")
	squares.Type = "Float64"
	r.Helpers = []rollingMeasure{
		squares,
		helper("busy", "", "", summed, days, "toInt64(events_day > 0)"),
		helper("events_in_7", "", "", summed, 7, "events_day"),
		helper("events_in_14", "", "", summed, 14, "events_day"),
		helper("events_in_35", "", "", summed, 35, "events_day"),
		helper("known_in_7", "", "", summed, 7, "days_known_day"),
		helper("known_in_35", "", "", summed, 35, "days_known_day"),
	}
	r.Extra = []extra{
		{column{"zero_days", "Nullable(UInt64)", "days", "Of days_known, days without any event."},
			"if(w.days_known > 0, toUInt64(greatest(0, toInt64(w.days_known) - toInt64(w.busy))), NULL)"},
		{column{"events_daily_avg", f, "events", "Mean of the daily events, zero days included."}, "if(w.days_known > 0, w.events / w.days_known, NULL)"},
		{column{"events_daily_stddev", f, "events", "Standard deviation of the daily events, zero days included."},
			"if(w.days_known > 0, sqrt(greatest(0, w.squares / w.days_known - pow(w.events / w.days_known, 2))), NULL)"},
		{column{"variation", f, "ratio", "events_daily_stddev divided by events_daily_avg, the coefficient of variation; NULL without events."},
			"if(events_daily_avg > 0, events_daily_stddev / events_daily_avg, NULL)"},
		{column{"is_erratic", "Nullable(Bool)", "", "Whether variation is above the catalogue's erratic_usage for the segment, 1.5 unless changed; working days alone make 0.63. NULL before the account is known for 14 days, or without events."},
			"if(w.days_known >= 14 AND variation IS NOT NULL, toBool(variation > " + erraticAbove + "), NULL)"},
		{column{"events_7d", u, "events", "Events of the last 7 days of the window."}, "w.events_in_7"},
		{column{"events_7d_previous", u, "events", "Events of the 7 days before those."}, "toUInt64(w.events_in_14 - w.events_in_7)"},
		{column{"events_7d_trend", f, "ratio", "events_7d divided by events_7d_previous, less 1; NULL if that is 0."},
			"if(events_7d_previous > 0, w.events_in_7 / events_7d_previous - 1, NULL)"},
		{column{"events_7d_usual", f, "events", "Events of a usual week: 7 times the daily mean of the 28 days before the last 7; NULL if the account was not known for 7 of those."},
			"if(w.known_in_35 >= w.known_in_7 + 7, (w.events_in_35 - w.events_in_7) / (w.known_in_35 - w.known_in_7) * 7, NULL)"},
		{column{"is_low", "Nullable(Bool)", "", "Whether events_7d is below the catalogue's low_usage for the segment, a half unless changed, of events_7d_usual; NULL if that is unknown or 0."},
			"if(events_7d_usual > 0, toBool(w.events_in_7 < " + lowBelow + " * events_7d_usual), NULL)"},
	}
	return r, nil
}
