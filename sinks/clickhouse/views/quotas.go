package views

import (
	"fmt"
	"strings"
)

// quota is what one plan allows of a feature's uses.
type quota struct {
	Name, Feature, Period, Plan string
	Limit                       float64
}

// featureQuotas are the quotas of the catalogue that are counted here; those of meters are read by the views of meters.
func (b *builder) featureQuotas() []quota {
	var out []quota
	for _, plan := range sorted(b.cat.Entitlements) {
		for _, q := range b.cat.Entitlements[plan].Quotas {
			if q.Feature != "" {
				out = append(out, quota{q.Name, q.Feature, q.Period, plan, q.Limit})
			}
		}
	}
	return out
}

// Quotas is the SQL of the different quotas: name, feature and period.
func (b *builder) Quotas() string {
	seen := map[string]bool{}
	var out []string
	for _, q := range b.featureQuotas() {
		t := "(" + quoteStrings([]string{q.Name, q.Feature, q.Period}) + ")"
		if !seen[t] {
			seen[t] = true
			out = append(out, t)
		}
	}
	return "CAST([" + strings.Join(out, ", ") + "], 'Array(Tuple(String, String, String))')"
}

// QuotaFeatures is the SQL list of the features of the quotas.
func (b *builder) QuotaFeatures() string {
	names := []string{""}
	for _, q := range b.featureQuotas() {
		names = append(names, q.Feature)
	}
	return quoteStrings(names)
}

// QuotaLimits is the SQL of the limits: plan, quota and limit.
func (b *builder) QuotaLimits() string {
	var out []string
	for _, q := range b.featureQuotas() {
		out = append(out, fmt.Sprintf("(%s, (%s), %s)", Quote(q.Plan), quoteStrings([]string{q.Name, q.Feature, q.Period}), number(q.Limit)))
	}
	return "CAST([" + strings.Join(out, ", ") + "], 'Array(Tuple(String, Tuple(String, String, String), Float64))')"
}

// PeriodStart is the SQL of the date on which the period of a quota starts that holds a date.
func (b *builder) PeriodStart(period, date string) string {
	return strings.NewReplacer("{p}", period, "{d}", date).Replace("multiIf({p} = 'day', toDate({d}), {p} = 'week', toMonday({d}), {p} = 'month', toStartOfMonth({d}), {p} = 'quarter', toStartOfQuarter({d}), toStartOfYear({d}))")
}

// PeriodEnd is the SQL of the date on which the period ends that starts on a date.
func (b *builder) PeriodEnd(period, date string) string {
	return strings.NewReplacer("{p}", period, "{d}", date).Replace("multiIf({p} = 'day', addDays({d}, 1), {p} = 'week', addWeeks({d}, 1), {p} = 'month', addMonths({d}, 1), {p} = 'quarter', addQuarters({d}, 1), addYears({d}, 1))")
}

// QuotaDays is how far back quotas are shown: four quarters of uses by the hour.
func (b *builder) QuotaDays() int64 { return min(int64(b.HourRetention.Hours()/24), 366) }

// quotas is the view of how much of their quotas accounts use (metrics.md rows 9, 10 and 11).
func (b *builder) quotas() ([]view, error) {
	const f = "Nullable(Float64)"
	v, err := b.simple("quotas", "How much each account has used of the quotas of its plan, by the calendar period of its own time zone: that which its attribute timezone names, else UTC; "+
		"a year back, periods without use included (metrics.md rows 9, 10 and 11). Uses are counted by the UTC hour, so where local time is half an hour off, up to half an hour counts in the next period.", []column{
		{"account_id", "String", "", "Account."},
		{"quota", "String", "", "Quota of the catalogue's entitlements."},
		{"feature", "String", "", "Feature whose uses count."},
		{"period", "LowCardinality(String)", "", "Calendar period: day, week (from Monday), month, quarter or year."},
		{"period_date", "Date", "", "First day of the period there."},
		{"time_zone", "String", "", "Time zone of the account, as it is known now."},
		{"window_start", "DateTime('UTC')", "", "Start of the period, inclusive."},
		{"window_end", "DateTime('UTC')", "", "End of the period, exclusive."},
		{"uses", "UInt64", "uses", "Uses of the feature in the period."},
		{"limit", f, "uses", "What the plan allows: the account's attribute limits.QUOTA, else the catalogue's limit for the plan, as of the end of the period or now."},
		{"utilization", f, "ratio", "uses divided by limit (metrics.md row 9)."},
		{"headroom", f, "uses", "limit less uses: the distance to the limit, negative beyond it."},
		{"limit_level", f, "ratio", "Highest level of the catalogue's near_limit that utilization has reached (metrics.md row 10); NULL below the first."},
		{"is_under_used", "Nullable(Bool)", "", "Whether utilization is below the catalogue's under_use for the segment (metrics.md row 11)."},
		{"uses_per_day", f, "uses a day", "Slope of a straight line fitted to the uses of the 28 days up to now, added up day by day; NULL for periods that are over."},
		{"limit_reached_at", "Nullable(DateTime('UTC'))", "", "When that slope, from now on, reaches the limit within the period; NULL if it does not, or the limit is reached already. A projection, not a promise."},
		complete,
	}, "quotas", b)
	return []view{v}, err
}

// Bounds are those of a period.
func (b *builder) Bounds() []string { return []string{"start", "end"} }

// LimitLevel is the SQL of the level that the utilization of h has reached.
func (b *builder) LimitLevel() string { return b.limitLevel("utilization") }

// UnderUsed is the SQL of whether the utilization of h is low.
func (b *builder) UnderUsed() string { return b.underUsed("utilization") }

// FeatureUses is the metric that says that a feature was used.
func (b *builder) FeatureUses() (string, error) { return b.featureUses() }

// DaySpine is the SQL of the days of every known account.
func (b *builder) DaySpine() (string, error) {
	return b.render("spine", windows{builder: b, Tier: b.tiers()[2]})
}

// StartOfYearAgo is the SQL of the first day of which quotas are shown: they begin with a whole year, quarter, month and week.
func (b *builder) StartOfYearAgo() string {
	return fmt.Sprintf("toDateTime(toStartOfYear(toDate(%s - %d)), 'UTC')", b.Now, b.QuotaDays()*day)
}
