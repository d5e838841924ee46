package views

import (
	"fmt"
	"strings"
	"time"

	"tidemark/schemas"
)

// Lengths of the rolling windows, by family; each ends with every day.
var (
	usageDays    = []int64{7, 14, 28, 30, 90}
	featureDays  = []int64{7, 28}
	workflowDays = []int64{7, 28}
	supportDays  = []int64{7, 28, 30}
)

// kind is how the values of days make that of a rolling window.
type kind string

const (
	summed  kind = "summed"  // over the days of the window
	running kind = "running" // over all days so far: changes of a set or a level
	lastDay kind = "lastDay" // of the window's last day alone
)

// rollingMeasure is a column of a rolling view, or a helper that its other columns use.
type rollingMeasure struct {
	measure
	Kind     kind
	Days     int64
	Previous bool   // with the value of the window before
	Of       string // SQL over the values of a day, NAME_day; empty: the column's own
}

func (m rollingMeasure) ofDay() string {
	if m.Of != "" {
		return m.Of
	}
	return m.Column + "_day"
}

// Over is the SQL of the window's value, before Merge.
func (m rollingMeasure) Over(by string) string {
	switch m.Kind {
	case summed:
		return fmt.Sprintf("sum(%s) OVER (%s RANGE BETWEEN %d PRECEDING AND CURRENT ROW)", m.ofDay(), by, m.Days-1)
	case running:
		return fmt.Sprintf("sum(%s) OVER (%s ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)", m.ofDay(), by)
	default:
		return m.ofDay()
	}
}

// OverBefore is Over for the window that ends where this one starts.
func (m rollingMeasure) OverBefore(by string) string {
	from := "UNBOUNDED"
	if m.Kind == summed {
		from = itoa(2*m.Days - 1)
	}
	return fmt.Sprintf("sum(%s) OVER (%s RANGE BETWEEN %s PRECEDING AND %d PRECEDING)", m.ofDay(), by, from, m.Days)
}

// Rolled is the SQL of the column.
func (m rollingMeasure) Rolled() string { return strings.ReplaceAll(m.Merge, "%s", m.whole("_sum")) }

// RolledBefore is Rolled for the window before.
func (m rollingMeasure) RolledBefore() string {
	return strings.ReplaceAll(m.Merge, "%s", m.whole("_before"))
}

func (m rollingMeasure) whole(suffix string) string {
	if m.fractional() {
		return m.Column + suffix
	}
	if m.Type == "Int64" { // a time between two moments: in another order than they should come in, it is below zero
		return "toInt64(" + m.Column + suffix + ")"
	}
	return "toUInt64(" + m.Column + suffix + ")"
}

// fractional reports whether the parts themselves are fractions, as against whole milliseconds that Merge divides.
func (m rollingMeasure) fractional() bool { return m.Type == "Float64" && m.Merge == "%s" }

// extra is a column that is SQL over the columns of a rolling view.
type extra struct {
	column
	SQL string
}

// rolling is the data of the template rolling.sql.
type rolling struct {
	*builder
	Days      int64
	Keys      []string
	Topic     string // whose completeness counts
	Measures  []rollingMeasure
	Helpers   []rollingMeasure // measured as well, but not shown
	Extra     []extra
	Fits      []string // columns whose slope over as many windows as they have days is NAME_slope, per day
	Derived   []schemas.Metric
	Dimension bool // with the account as of the window's end
	Slices    []slice
	Today     string   // template that gives the present window alone, in place of Slices; they are this window
	rows      []string // templates whose rows together are the daily rows: keys, day, is_shown and a part of each measure

	Uses, ActiveUsers string // metrics that say that a feature was used, or a user active
	OfValue           bool   // members are the users who had a value event, whatever metric says so of the account's segment
}

// All are the measures and the helpers.
func (r rolling) All() []rollingMeasure {
	return append(r.Measures[:len(r.Measures):len(r.Measures)], r.Helpers...)
}

// LastFitted is the oldest day that a slope is fitted to, before the last one.
func (r rolling) LastFitted() int64 { return r.Days - 1 }

// sliced is the query of the windows of some slices, with the named columns at least.
func (r rolling) sliced(s []slice, columns []string) (string, error) {
	r = r.only(columns)
	r.Slices = s
	return r.render("rolling", r)
}

// Slice is for the templates.
func (r rolling) Slice(s slice) rollingSlice { return rollingSlice{r, s} }

// rollingSlice is the data of the template rolling_slice.sql.
type rollingSlice struct {
	rolling
	Ages slice
}

// Over is how the days of one key are ordered.
func (r rollingSlice) Over() string {
	return "PARTITION BY " + strings.Join(r.Keys, ", ") + " ORDER BY day"
}

// Rows are the daily rows.
func (r rollingSlice) Rows() (string, error) {
	parts := make([]string, len(r.rows))
	for i, name := range r.rows {
		var err error
		if parts[i], err = r.render(name, r); err != nil {
			return "", err
		}
	}
	return strings.Join(parts, "\nUNION ALL\n"), nil
}

// Parts are the columns of one branch of the daily rows: zeros where the branch has nothing to say.
func (r rollingSlice) Parts(from branch) string {
	all := r.All()
	parts := make([]string, len(all))
	for i, m := range all {
		convert := "toInt64("
		if m.fractional() {
			convert = "toFloat64("
		}
		part := convert + "0)"
		if m.From == from {
			part = convert + m.Part + ")"
		}
		parts[i] = part + " AS " + m.Column + "_part"
	}
	return strings.Join(parts, ",\n            ")
}

// Names are the metrics of the branch, as a list of SQL strings.
func (r rollingSlice) Names(from branch) string {
	var names []string
	for _, m := range r.All() {
		if m.From == from {
			names = append(names, Quote(m.Name))
		}
	}
	return strings.Join(names, ", ")
}

// MemberMetrics are the metrics of members that the measures count.
func (r rollingSlice) MemberMetrics() []string {
	var out []string
	for _, m := range r.All() {
		if m.From == fromMembers {
			out = append(out, m.Name)
		}
	}
	return out
}

// AreMembers is the SQL condition on rows of members that they are those of the measures.
func (r rollingSlice) AreMembers() string {
	if r.OfValue {
		return r.HasValue()
	}
	return "metric IN (" + r.Names(fromMembers) + ")"
}

// Month is the SQL of 28 bits, for the last 28 days.
func (r rollingSlice) Month() string { return "toUInt64(268435455)" }

// FirstDay is the SQL of the first day that the slice needs, as a DateTime.
func (r rollingSlice) FirstDay() string {
	return r.StartOfDay((r.Ages.To - 1 + r.reach() - 1) * day)
}

// reach is how many days up to its last one a window needs: its own, and where something is compared with it, the window before.
func (r rolling) reach() int64 {
	days := r.Days
	if len(r.Fits) > 0 {
		days += r.LastFitted()
	}
	for _, m := range r.All() {
		days = max(days, m.Days)
		if m.Previous {
			days = max(days, r.Days+m.Days)
		}
	}
	return days
}

// LastDay is the SQL of the last day of the slice.
func (r rollingSlice) LastDay() string { return r.StartOfDay(r.Ages.From * day) }

// MinutesFrom is the SQL of the first minute that the slice needs. Of sessions the window before is not shown.
func (r rollingSlice) MinutesFrom() string {
	return r.StartOfDay((r.Ages.To-1+r.Days-1)*day + int64(time.Duration(r.cat.SessionGap)/time.Second) + minute)
}

// Tier is that of days, for the templates that rolling views share with tumbling ones.
func (r rolling) Tier() tier { return r.tiers()[2] }

// DistinctDays is the SQL of the changes of sets of members, whose days a template gives.
func (r rollingSlice) DistinctDays(rows string) (string, error) {
	return r.overDays("distinct_days", rows)
}

// FilledDays is the SQL of the days whose window has data, of the days that a template gives.
func (r rollingSlice) FilledDays(rows string) (string, error) { return r.overDays("filled_days", rows) }

func (r rollingSlice) overDays(name, rows string) (string, error) {
	text, err := r.render(rows, r)
	if err != nil {
		return "", err
	}
	return r.render(name, struct {
		Keys        []string
		Days        int64
		Rows, Today string
	}{r.Keys, r.Days, text, "toInt32(toUnixTimestamp(" + r.StartOfDay(0) + ") / 86400)"})
}

// StartOfDay is the SQL of the start of the day that was so many seconds ago.
func (b *builder) StartOfDay(ago int64) string {
	return fmt.Sprintf("(toStartOfDay(%s) - %d)", b.Now, ago)
}

// rollingSlices are ranges of ages of rolling windows: each reads as many more days than it shows as its windows have, or twice that.
func (b *builder) rollingSlices() []slice {
	return ages(day, int64(b.DayRetention/time.Second), 8*day, 100*day)
}

func (b *builder) rollingUsage() ([]view, error) {
	var out []view
	for _, days := range usageDays {
		v, err := b.rollingUsageOf(days)
		if err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	return out, nil
}

func (b *builder) rollingUsageOf(days int64) (view, error) {
	uses, err := b.featureUses()
	if err != nil {
		return view{}, err
	}
	active, err := b.metricOf("usage", "active_users", schemas.Distinct)
	if err != nil {
		return view{}, err
	}
	r := rolling{
		builder: b, Days: days, Keys: []string{"account_id"}, Topic: b.Topics.Telemetry.Name, Dimension: true,
		Slices: b.rollingSlices(), rows: []string{"rows_spine", "rows_counters", "rows_members", "rows_features", "rows_active", "rows_minutes"}, Uses: uses, ActiveUsers: active,
		Derived: append(b.derived("usage"), b.derived("usage_rolling")...),
	}
	measures, err := b.measures("usage", "usage_rolling")
	if err != nil {
		return view{}, err
	}
	types := map[string]string{}
	for _, m := range measures {
		rm := rollingMeasure{measure: m, Kind: summed, Days: days}
		switch m.From {
		case fromMembers:
			rm.Kind, rm.Part = running, "sumIf(delta, metric = "+Quote(m.Name)+")"
		case fromFeatures:
			rm.Kind, rm.Part = running, "sum(delta)"
		case fromMinutes:
			rm.Merge, rm.Type = "if(window_start < minutes_from, NULL, "+m.Merge+")", "Nullable("+m.Type+")"
		}
		rm.Previous = m.Column == "events" || m.Column == "active_users"
		types[m.Column] = rm.Type
		r.Measures = append(r.Measures, rm)
	}
	today := rollingMeasure{measure: measure{Metric: schemas.Metric{Column: "active_users_today"}, From: fromActive, Part: "count()", Merge: "%s"}, Kind: lastDay}
	r.Helpers = []rollingMeasure{today}
	r.Extra = usageExtras(days)
	query, err := b.render("rolling", r)
	if err != nil {
		return view{}, err
	}
	columns := append(windowColumns("account_id"), b.metricColumns("usage", types)...)
	columns = append(columns, b.metricColumns("usage_rolling", types)...)
	for _, e := range r.Extra {
		columns = append(columns, e.column)
	}
	columns = append(columns, complete)
	return view{
		Name:    fmt.Sprintf("usage_%dd", days),
		Comment: fmt.Sprintf("Usage of each account over %d days (UTC), up to the end of every day, silent accounts included.", days),
		Columns: append(columns, dimension()...),
		Query:   query,
		sliced:  r.sliced,
	}, nil
}

func usageExtras(days int64) []extra {
	var out []extra
	for _, name := range []string{"events", "active_users"} {
		out = append(out,
			extra{column{name + "_previous", "UInt64", "", fmt.Sprintf("%s over the %d days before the window.", name, days)}, "w." + name + "_previous"},
			extra{column{name + "_trend", "Nullable(Float64)", "ratio", fmt.Sprintf("%s divided by %s_previous, less 1 (metrics.md rows 7 and 39); NULL if that is 0.", name, name)},
				fmt.Sprintf("if(w.%[1]s_previous > 0, w.%[1]s / w.%[1]s_previous - 1, NULL)", name)})
	}
	if days == 28 || days == 30 {
		out = append(out, extra{column{"stickiness", "Nullable(Float64)", "ratio",
			"Active users of the window's last day divided by those of the window, DAU/MAU (metrics.md row 6); NULL without active users."},
			"if(w.active_users > 0, w.active_users_today / w.active_users, NULL)"})
	}
	return append(out, extra{seatUtilization, "if(h.seats > 0, w.active_users / h.seats, NULL)"})
}

// bounded are the data of a template that needs the known accounts' windows of some days only.
type bounded interface {
	FirstDay() string
	LastDay() string
}

// spineFrom is the SQL of the first day that the data of the template spine.sql needs; empty: all.
func spineFrom(data any) string {
	if d, ok := data.(bounded); ok {
		return d.FirstDay()
	}
	return ""
}

// spineTo is the same of the last day.
func spineTo(data any) string {
	if d, ok := data.(bounded); ok {
		return d.LastDay()
	}
	return ""
}
