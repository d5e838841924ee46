package views

import (
	"strings"
)

// benchmarks is the view that puts usage beside its past and its peers (metrics.md row 39).
func (b *builder) benchmarks() ([]view, error) {
	r, err := b.benchmarksOf(b.rollingSlices())
	if err != nil {
		return nil, err
	}
	v, err := r.view("benchmarks_28d", "Usage of each account over 28 days (UTC), up to the end of every day, beside that of the 28 days before and that of its segment (metrics.md row 39). "+
		"So a condition on account_id alone reads all accounts.")
	return []view{v}, err
}

func (b *builder) benchmarksOf(slices []slice) (rolling, error) {
	events, active, uses, err := b.usageMetrics()
	if err != nil {
		return rolling{}, err
	}
	const days, u, f = 28, "UInt64", "Nullable(Float64)"
	r := rolling{
		builder: b, Days: days, Keys: []string{"account_id"}, Topic: b.Topics.Telemetry.Name, Dimension: true,
		Slices: slices, rows: []string{"rows_spine", "rows_counters", "rows_members", "rows_active_days", "rows_features"}, Uses: uses, ActiveUsers: active,
	}
	r.Measures = []rollingMeasure{
		shown(column{"events", u, "events", "Track, page and screen events."}, fromCounters, "max(value)", summed, days),
		shown(column{"active_users", u, "users", "Distinct users with an engaged event."}, fromMembers, "sum(delta)", running, days),
		shown(column{"active_days", u, "days", "Days with at least one active user."}, fromActive, "1", summed, days),
		shown(column{"features_used", u, "features", "Distinct features with at least one use."}, fromFeatures, "sum(delta)", running, days),
	}
	r.Measures[0].Name, r.Measures[1].Name = events, active
	const group = "PARTITION BY h.segment, w.window_start"
	r.Extra = []extra{{column{"peers", u, "accounts", "Accounts of the same segment as of the window's end, this one included."}, "count() OVER (" + group + ")"}}
	beside := func(name, unit, value string) {
		fill := func(sql string) string { return strings.NewReplacer("{x}", value, "{group}", group).Replace(sql) }
		r.Extra = append(r.Extra,
			extra{column{name + "_median", f, unit, "Median of " + name + " over the accounts of the segment for which it is known."},
				fill("toFloat64(quantileExactInclusiveOrNull(0.5)({x}) OVER ({group}))")},
			extra{column{name + "_percentile", f, "percent", "Which share of the segment's other accounts has a lower " + name + ", 0 to 100; NULL if there is no other one or the value is unknown."},
				fill("if(count({x}) OVER ({group}) > 1 AND {x} IS NOT NULL, 100 * (toFloat64(rank() OVER ({group} ORDER BY {x} ASC NULLS LAST)) - 1) / (count({x}) OVER ({group}) - 1), NULL)")})
	}
	for i, m := range r.Measures {
		r.Measures[i].Previous = true
		r.Extra = append(r.Extra, extra{column{m.Column + "_previous", u, m.Unit, m.Column + " over the 28 days before the window."}, "w." + m.Column + "_previous"})
		beside(m.Column, m.Unit, "w."+m.Column)
	}
	r.Extra = append(r.Extra, extra{seatUtilization, "if(h.seats > 0, w.active_users / h.seats, NULL)"})
	beside("seat_utilization", "ratio", "if(h.seats > 0, w.active_users / h.seats, NULL)")
	return r, nil
}
