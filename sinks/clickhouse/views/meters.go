package views

import (
	"fmt"
	"strings"
)

// fitDays is how many days of readings the projection of a meter is fitted to, and fitReadings how many it needs at least.
const (
	fitDays     = 28
	fitReadings = 3
)

// meterPeriod is the data of the template meter_periods.sql.
type meterPeriod struct {
	*builder
	Name, Start, Next string // SQL functions of the start of a calendar period, and of the next one
}

// FitDays is for the templates.
func (b *builder) FitDays() int { return fitDays }

// FitReadings is for the templates.
func (b *builder) FitReadings() int { return fitReadings }

// meters are the views of how far entitlements are used, by what gauges report (metrics.md row 9).
func (b *builder) meters() ([]view, error) {
	const at, f = "DateTime64(3, 'UTC')", "Nullable(Float64)"
	key := []column{{"account_id", "String", "", "Account."}, {"meter", "String", "", "What is measured, such as storage_gb."}}
	segment := column{"segment", "LowCardinality(Nullable(String))", "", "Segment of the account then; NULL if unknown."}
	quota := func(what string) []column {
		return []column{
			{"sum_value", "Float64", "", "All readings of the " + what + " added up: for a meter that reports amounts, not levels."},
			{"quota", f, "", "Amount that the account's plan includes in a " + what + ", by the catalogue; NULL if it says nothing of it."},
			{"quota_utilization", f, "ratio", "sum_value divided by quota."},
			segment,
		}
	}
	used := func(what, end string) []column {
		return []column{
			{"readings", "UInt64", "readings", "Readings of the meter in the " + what + "."},
			{"last_value", "Float64", "", "The last of them."},
			{"last_at", at, "", "Its time."},
			{"max_value", "Float64", "", "The highest of them."},
			{"limit", f, "", "What the account is entitled to: the limit of the last reading that tells one, else the attribute limits.METER of the account as of " + end + ", else what its plan includes by the catalogue; NULL if unknown."},
			{"utilization", f, "ratio", "last_value divided by limit; NULL if that is unknown or 0."},
			{"max_utilization", f, "ratio", "max_value divided by limit."},
			{"headroom", f, "", "limit less last_value: the distance to the limit, negative beyond it."},
		}
	}
	query, err := b.render("meters_day", meterPeriod{builder: b, Name: "day"})
	if err != nil {
		return nil, err
	}
	out := []view{{
		Name:    "meters_day",
		Comment: "Entitlements of each account by the day (UTC): what its meters read, against the limit (metrics.md row 9). Days without a reading have no row.",
		Columns: join(key, windowColumns(), used("day", "its end"), quota("day"), []column{complete}),
		Query:   query,
	}}
	for _, p := range []meterPeriod{{b, "week", "toMonday", "addWeeks"}, {b, "month", "toStartOfMonth", "addMonths"}} {
		if query, err = b.render("meter_periods", p); err != nil {
			return nil, err
		}
		out = append(out, view{
			Name: "meters_" + p.Name,
			Comment: "Entitlements of each account by its own calendar " + p.Name + ": that of the time zone which its attribute timezone names, else UTC (metrics.md row 9). " +
				"A condition on account_id makes reading it fast, one on time does not.",
			Columns: join(key, []column{
				{"period_date", "Date", "", "First day of the " + p.Name + " there; weeks begin on Monday."},
				{"time_zone", "String", "", "Time zone of the account, as it is known now."},
			}, windowColumns(), used(p.Name, "its end"), quota(p.Name), []column{complete}),
			Query: query,
		})
	}
	if query, err = b.render("meters", b); err != nil {
		return nil, err
	}
	out = append(out, view{
		Name: "meters",
		Comment: "Where each meter of each account stands, and when it will reach the limit if it goes on as in the last " + itoa(fitDays) +
			" days: a straight line fitted to its readings by least squares (metrics.md row 9).",
		Columns: join(key, used("last "+itoa(fitDays)+" days up to the last one", "the last reading"), []column{
			segment,
			{"slope_per_day", f, "units a day", "Slope of the line; NULL with fewer than " + itoa(fitReadings) + " readings or all on one day."},
			{"limit_reached_at", "Nullable(" + at + ")", "", "When the line reaches the limit. NULL if it does not rise, the limit is unknown or reached, or that is more than ten years away. A projection, not a promise."},
		}),
		Query: query,
	})
	segments, err := b.segmentMeters(key[1])
	return append(out, segments), err
}

func (b *builder) segmentMeters(meter column) (view, error) {
	query, err := b.render("segment_meters", b)
	return view{
		Name:    "segment_meters",
		Comment: "Where the meters of each segment's accounts stand: how many are near their limit (metrics.md rows 9 and 10).",
		Columns: []column{
			{"segment", "String", "", "Segment of the accounts as of their last reading; empty if unknown."},
			meter,
			{"accounts", "UInt64", "accounts", "Accounts with a reading."},
			{"limited_accounts", "UInt64", "accounts", "Of those, accounts whose limit is known."},
			{"utilization_median", "Nullable(Float64)", "ratio", "Median of utilization over those; NULL without any."},
			{"accounts_at_80_percent", "UInt64", "accounts", "Of those, accounts at 0.8 of the limit or more."},
			{"accounts_at_90_percent", "UInt64", "accounts", "At 0.9 or more."},
			{"accounts_at_limit", "UInt64", "accounts", "At the limit or beyond it."},
			{"reaching_within_30_days", "UInt64", "accounts", "Accounts whose limit_reached_at is within 30 days from now."},
		},
		Query: query,
	}, err
}

// Bounds are the bounds of the period, and the SQL of the dates on which they lie there.
func (p meterPeriod) Bounds() map[string]string {
	return map[string]string{"start": "period_date", "end": p.Next + "(period_date, 1)"}
}

// MeterQuota is the SQL of what the plan of the account h includes of the meter r.meter in a period, by the catalogue; of a level
// if the period is empty. NULL if it says nothing of it.
func (b *builder) MeterQuota(period string) string {
	var cases strings.Builder
	for _, plan := range sorted(b.cat.Entitlements) {
		for _, q := range b.cat.Entitlements[plan].Quotas {
			if q.Meter != "" && q.Period == period {
				fmt.Fprintf(&cases, "ifNull(h.plan = %s, false) AND r.meter = %s, toNullable(toFloat64(%s)), ", Quote(plan), Quote(q.Meter), number(q.Limit))
			}
		}
	}
	if cases.Len() == 0 {
		return "CAST(NULL, 'Nullable(Float64)')"
	}
	return "multiIf(" + cases.String() + "NULL)"
}
