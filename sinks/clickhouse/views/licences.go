package views

import (
	"fmt"
	"strings"

	"tidemark/schemas"
)

// licences are the views of how many of the licensed seats are used (metrics.md rows 8, 10 and 11).
func (b *builder) licences() ([]view, error) {
	r, err := b.licencesOf(b.rollingSlices())
	if err != nil {
		return nil, err
	}
	v, err := r.view("licences_28d", "How many of its licensed seats each account uses, over 28 days (UTC) up to the end of every day, silent accounts included (metrics.md rows 8, 10 and 11). By feature: features_28d.seat_utilization.")
	if err != nil {
		return nil, err
	}
	return b.withSegment(v, 28*day, []segmentColumn{
		sumOver("users"), sumOver("active_users"), sumOver("seats"), sumOver("seats_unused"), medianOver("seat_utilization"),
		accountsWhere("near_limit", "u.limit_level IS NOT NULL", "Accounts at or above a level of near_limit."),
		accountsWhere("under_used", "u.is_under_used", "Accounts below under_use."),
	})
}

func (b *builder) licencesOf(slices []slice) (rolling, error) {
	users, err := b.metricOf("usage", "users", schemas.Distinct)
	if err != nil {
		return rolling{}, err
	}
	active, err := b.metricOf("usage", "active_users", schemas.Distinct)
	if err != nil {
		return rolling{}, err
	}
	const days, u, f = 28, "UInt64", "Nullable(Float64)"
	r := rolling{
		builder: b, Days: days, Keys: []string{"account_id"}, Topic: b.Topics.Telemetry.Name, Dimension: true,
		Slices: slices, rows: []string{"rows_spine", "rows_members"}, Fits: []string{"active_users"},
	}
	for _, m := range []struct {
		metric string
		column
	}{{users, column{"users", u, "users", "Distinct users with any event."}}, {active, column{"active_users", u, "users", "Distinct users with an engaged event."}}} {
		s := shown(m.column, fromMembers, "sumIf(delta, metric = "+Quote(m.metric)+")", running, days)
		s.Name = m.metric
		r.Measures = append(r.Measures, s)
	}
	r.Extra = []extra{
		{column{"seat_utilization", f, "ratio", "active_users divided by the seats as of the window's end (metrics.md row 8); NULL if those are unknown."}, "if(h.seats > 0, w.active_users / h.seats, NULL)"},
		{column{"seats_unused", "Nullable(Int64)", "seats", "Seats less active_users: the distance to the limit, negative beyond it; NULL if the seats are unknown."}, "toInt64(h.seats) - toInt64(w.active_users)"},
		{column{"limit_level", f, "ratio", "Highest level of the catalogue's near_limit that seat_utilization has reached (metrics.md row 10); NULL below the first."}, b.limitLevel("seat_utilization")},
		{column{"is_under_used", "Nullable(Bool)", "", "Whether seat_utilization is below the catalogue's under_use for the segment (metrics.md row 11); NULL if it is unknown."}, b.underUsed("seat_utilization")},
		{column{"active_users_per_day", f, "users a day", "Slope of a straight line fitted to active_users of the windows that end with the 28 days; NULL with one window."},
			"if(isFinite(w.active_users_slope), w.active_users_slope, NULL)"},
		{column{"seats_reached_at", "Nullable(DateTime('UTC'))", "", "When that slope, from the window's end on, uses all seats. NULL if it does not rise, the seats are unknown or used, or that is more than ten years away. A projection, not a promise."},
			"if(seats_unused > 0 AND active_users_per_day > 0.0001 AND seats_unused < 3650 * active_users_per_day, w.window_start + toUInt32(28 * 86400 + ifNull(seats_unused / active_users_per_day, 0) * 86400), NULL)"},
	}
	return r, nil
}

// limitLevel is the SQL of the highest level of near_limit that a ratio has reached.
func (b *builder) limitLevel(ratio string) string {
	return b.bySegment("h.segment", func(t schemas.Target) string {
		var cases []string
		for i := len(t.NearLimit) - 1; i >= 0; i-- {
			cases = append(cases, fmt.Sprintf("%s >= %s, toNullable(toFloat64(%[2]s))", ratio, number(t.NearLimit[i])))
		}
		if len(cases) == 0 {
			return "CAST(NULL, 'Nullable(Float64)')"
		}
		return "multiIf(" + strings.Join(cases, ", ") + ", NULL)"
	})
}

// underUsed is the SQL of whether a ratio is below under_use.
func (b *builder) underUsed(ratio string) string {
	limit := b.bySegment("h.segment", func(t schemas.Target) string { return orNull(t.UnderUse) })
	return "if(" + ratio + " IS NULL OR " + limit + " IS NULL, NULL, toBool(" + ratio + " < " + limit + "))"
}
