package views

import (
	"fmt"

	"tidemark/schemas"
)

// A user or account is daily, weekly or monthly by the share of days on which it was active: four days in seven, one in
// seven, one at all.
func dailyFrom(days int64) int64  { return days * 4 / 7 }
func weeklyFrom(days int64) int64 { return days / 7 }

const fromBands branch = "bands"

// DailyFrom is the number of active days from which on a user of the window counts as daily.
func (r rolling) DailyFrom() int64 { return dailyFrom(r.Days) }

// WeeklyFrom is the same for weekly.
func (r rolling) WeeklyFrom() int64 { return weeklyFrom(r.Days) }

// BandDays is the SQL of the changes of the numbers of users in each band, by day.
func (r rollingSlice) BandDays() (string, error) { return r.render("band_days", r) }

// helper is a measure that other columns of a rolling view use.
func helper(name string, from branch, part string, k kind, days int64, of string) rollingMeasure {
	return rollingMeasure{measure: measure{Metric: schemas.Metric{Column: name}, From: from, Part: part, Merge: "%s"}, Kind: k, Days: days, Of: of}
}

// shown is a measure that is a column of a rolling view of its own, not of the catalogue.
func shown(c column, from branch, part string, k kind, days int64) rollingMeasure {
	m := helper(c.Name, from, part, k, days, "")
	m.Unit, m.Description, m.Type = c.Unit, c.Meaning, c.Type
	return m
}

// view is the rolling view: its keys and window, measures, extras, and the account as of the window's end.
func (r rolling) view(name, comment string) (view, error) {
	query, err := r.render("rolling", r)
	if err != nil {
		return view{}, err
	}
	columns := windowColumns(r.Keys...)
	for _, m := range r.Measures {
		columns = append(columns, column{m.Column, m.Type, m.Unit, m.Description})
	}
	for _, e := range r.Extra {
		columns = append(columns, e.column)
	}
	columns = append(columns, complete)
	if r.Dimension {
		columns = append(columns, dimension()...)
	}
	return view{Name: name, Comment: comment, Columns: columns, Query: query, sliced: r.sliced}, nil
}

// frequency are the views of how often an account and its users come back (metrics.md rows 2 and 3).
func (b *builder) frequency() ([]view, error) {
	var out []view
	for _, days := range []int64{7, 28} {
		r := b.frequencyOf(days, b.rollingSlices())
		v, err := r.view(fmt.Sprintf("frequency_%dd", days),
			fmt.Sprintf("How often each account and its users come back, over %d days (UTC) up to the end of every day, silent accounts included (metrics.md rows 2 and 3).", days))
		if err != nil {
			return nil, err
		}
		both, err := b.withSegment(v, days*day, []segmentColumn{
			sumOver("active_users"), sumOver("active_user_days"), medianOver("active_days"), medianOver("frequency_attainment"),
			accountsWhere("accounts_daily", "u.band = 'daily'", "Accounts of band daily."), accountsWhere("accounts_weekly", "u.band = 'weekly'", "Accounts of band weekly."),
			accountsWhere("accounts_monthly", "u.band = 'monthly'", "Accounts of band monthly."), accountsWhere("accounts_inactive", "u.band = 'inactive'", "Accounts without a value event."),
			accountsWhere("accounts_on_target", "u.frequency_attainment >= 1", "Accounts that came back as often as their target says (metrics.md row 3)."),
		})
		if err != nil {
			return nil, err
		}
		out = append(out, both...)
	}
	return out, nil
}

func (b *builder) frequencyOf(days int64, slices []slice) rolling {
	r := rolling{
		builder: b, Days: days, Keys: []string{"account_id"}, Topic: b.Topics.Telemetry.Name, Dimension: true,
		Slices: slices, rows: []string{"rows_spine", "rows_members", "rows_user_days"}, OfValue: true,
	}
	const u = "UInt64"
	r.Measures = []rollingMeasure{
		shown(column{"active_days", u, "days", "Days of the window with at least one user who had a value event (metrics.md row 2)."}, fromActive, "1", summed, days),
		shown(column{"active_users", u, "users", "Distinct users with a value event in the window."}, fromMembers, "sum(delta)", running, days),
		shown(column{"active_user_days", u, "days", "Days on which each user was active, added up over the users."}, fromActive, "count()", summed, days),
	}
	r.Measures[1].Name = b.cat.ValueMetric("")
	if days >= 28 { // in a week there is no difference between weekly and monthly
		r.rows = append(r.rows, "rows_bands")
		r.Measures = append(r.Measures,
			shown(column{"users_daily", u, "users", fmt.Sprintf("Users who were active on %d days or more.", dailyFrom(days))}, fromBands, "sum(daily)", running, days),
			shown(column{"users_weekly", u, "users", fmt.Sprintf("Users who were active on %d days or more, and fewer than %d.", weeklyFrom(days), dailyFrom(days))}, fromBands, "sum(weekly)", running, days),
			shown(column{"users_monthly", u, "users", fmt.Sprintf("Users who were active on fewer than %d days.", weeklyFrom(days))}, fromBands, "sum(monthly)", running, days),
			shown(column{"users_regular", u, "users", "Users who were active on 10 days or more, whatever their band: Gainsight's healthy users."}, fromBands, "sum(regular)", running, days),
		)
	}
	target := b.targetDays(days)
	r.Extra = []extra{
		{column{"active_days_per_user", "Nullable(Float64)", "days", "active_user_days divided by active_users: the mean number of active days of a user (metrics.md row 2); NULL without active users."},
			"if(w.active_users > 0, w.active_user_days / w.active_users, NULL)"},
		{column{"band", "LowCardinality(String)", "", fmt.Sprintf("Band of the account by active_days: daily from %d, weekly from %d, monthly from 1, inactive.", dailyFrom(days), weeklyFrom(days))},
			fmt.Sprintf("CAST(multiIf(w.active_days >= %d, 'daily', w.active_days >= %d, 'weekly', w.active_days > 0, 'monthly', 'inactive'), 'LowCardinality(String)')", dailyFrom(days), weeklyFrom(days))},
		{column{"target_days", "Nullable(Float64)", "days", "Active days that a satisfied customer has in such a window: the account's own target active_days, which is of 28 days, else return_days of its segment in the catalogue; NULL without either."},
			target},
		{column{"frequency_attainment", "Nullable(Float64)", "ratio", "active_days divided by target_days, 1 at most (metrics.md row 3); NULL without a target."},
			"if(target_days > 0, least(1, w.active_days / target_days), NULL)"},
	}
	return r
}

// targetDays is the SQL of the active days that are aimed at in a window of so many days, over the account h.
func (b *builder) targetDays(days int64) string {
	segments := b.bySegment("h.segment", func(t schemas.Target) string {
		if days == 7 {
			return orNull(t.ReturnDays.Of7)
		}
		return orNull(t.ReturnDays.Of28)
	})
	return fmt.Sprintf("if(mapContains(h.targets, 'active_days'), h.targets['active_days'] * %d / 28, toFloat64OrNull(toString(%s)))", days, segments)
}
