package views

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"tidemark/schemas"
)

func itoa(n int64) string { return strconv.FormatInt(n, 10) }

// branch is one of the tables that a view puts together.
type branch string

const (
	fromCounters branch = "counters"
	fromFeatures branch = "features" // counters of features
	fromMembers  branch = "members"
	fromMinutes  branch = "minutes"
	fromActive   branch = "active" // active users of days
)

// measure is a column of a view that is read from the tables, as against one that is derived from others.
type measure struct {
	schemas.Metric
	From  branch
	Part  string // SQL over the rows of its branch
	Merge string // SQL that makes the column of the summed parts, with %s for the sum
	Type  string
}

// Sum is the SQL of the column, over the union of the branches.
func (m measure) Sum() string { return strings.ReplaceAll(m.Merge, "%s", "sum("+m.Column+"_part)") }

// measures are the columns of the catalogue's views that are read from the tables.
func (b *builder) measures(of ...string) ([]measure, error) {
	var out []measure
	for _, m := range b.cat.Metrics {
		if !slices.Contains(of, m.View) || m.Aggregate == schemas.Derived {
			continue
		}
		v := measure{Metric: m, Merge: "%s", Type: "UInt64"}
		switch m.Aggregate {
		case schemas.Count, schemas.Sum:
			v.From, v.Part = fromCounters, "maxIf(value, metric = "+Quote(m.Name)+")"
		case schemas.Distinct:
			v.From, v.Part = fromMembers, "uniqExactIf(member, metric = "+Quote(m.Name)+")"
		case schemas.FeaturesUsed:
			v.From, v.Part = fromFeatures, "uniqExact(feature)"
		case schemas.Sessions:
			v.From, v.Part = fromMinutes, "countIf(starts)"
		case schemas.SessionSeconds:
			v.From, v.Part = fromMinutes, "toUInt64(sumIf(ended - at, starts))"
			v.Merge, v.Type = "%s / 1000", "Float64"
		case schemas.ActiveSeconds:
			v.From, v.Part = fromMinutes, "toUInt64(sum(active))"
			v.Merge, v.Type = "%s / 1000", "Float64"
		case schemas.ActiveDays:
			v.From, v.Part = fromActive, "1"
		default:
			return nil, fmt.Errorf("metric %s: the view %s can't show the aggregate %s", m.Name, m.View, m.Aggregate)
		}
		out = append(out, v)
	}
	return out, nil
}

// derived are the columns of a view that are SQL over its other columns.
func (b *builder) derived(view string) []schemas.Metric {
	var out []schemas.Metric
	for _, m := range b.cat.Metrics {
		if m.View == view && m.Aggregate == schemas.Derived {
			out = append(out, m)
		}
	}
	return out
}

// metricColumns describes the columns of a view in the catalogue's order.
func (b *builder) metricColumns(view string, types map[string]string) []column {
	var of []schemas.Metric
	for _, m := range b.cat.Metrics {
		if m.View == view {
			of = append(of, m)
		}
	}
	return metricColumnsOf(of, types)
}

func metricColumnsOf(metrics []schemas.Metric, types map[string]string) []column {
	out := make([]column, len(metrics))
	for i, m := range metrics {
		out[i] = column{m.Column, types[m.Column], m.Unit, m.Description}
		if m.Aggregate == schemas.Derived {
			out[i].Type = "Nullable(Float64)"
		}
	}
	return out
}

// featureUses is the metric that says that a feature was used.
func (b *builder) featureUses() (string, error) {
	return b.metricOf("features", "uses", schemas.Count)
}

// metricOf is the metric in a column that the views themselves build on.
func (b *builder) metricOf(view, column string, a schemas.Aggregate) (string, error) {
	for _, m := range b.cat.Metrics {
		if m.View == view && m.Column == column && m.Aggregate == a {
			return m.Name, nil
		}
	}
	return "", fmt.Errorf("the catalogue needs a metric of the aggregate %s in the column %s of the view %s", a, column, view)
}

// usageMetrics are those that say how much an account did, who was active, and that a feature was used.
func (b *builder) usageMetrics() (events, active, uses string, err error) {
	if events, err = b.metricOf("usage", "events", schemas.Count); err != nil {
		return "", "", "", err
	}
	if active, err = b.metricOf("usage", "active_users", schemas.Distinct); err != nil {
		return "", "", "", err
	}
	uses, err = b.featureUses()
	return events, active, uses, err
}

// windows is the data of the template windows.sql: the windows of one tier.
type windows struct {
	*builder
	Tier     tier
	Measures []measure
	Derived  []schemas.Metric
	Uses     string // the metric that counts uses of features
	Seats    bool   // with seat_utilization
}

// Parts are the columns of one branch of the union: zeros where the branch has nothing to say.
func (w windows) Parts(from branch) string {
	parts := make([]string, len(w.Measures))
	for i, m := range w.Measures {
		part := "toUInt64(0)"
		if m.From == from {
			part = m.Part
		}
		parts[i] = part + " AS " + m.Column + "_part"
	}
	return strings.Join(parts, ",\n            ")
}

// Names are the metrics of the branch, as a list of SQL strings.
func (w windows) Names(from branch) string {
	var names []string
	for _, m := range w.Measures {
		if m.From == from {
			names = append(names, Quote(m.Name))
		}
	}
	return strings.Join(names, ", ")
}

// Reads reports whether any column comes from the branch.
func (w windows) Reads(from branch) bool {
	for _, m := range w.Measures {
		if m.From == from {
			return true
		}
	}
	return false
}

func (b *builder) usage() ([]view, error) {
	var out []view
	for _, t := range b.tiers() {
		v, err := b.usageOf(t)
		if err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	return out, nil
}

func (b *builder) usageOf(t tier) (view, error) {
	measures, err := b.measures("usage")
	if err != nil {
		return view{}, err
	}
	uses, err := b.featureUses()
	if err != nil {
		return view{}, err
	}
	types := map[string]string{}
	for i, m := range measures {
		if m.From == fromMinutes && t.Name == "day" { // days are kept longer than user minutes
			measures[i].Merge = "if(window_start < minutes_from, NULL, " + m.Merge + ")"
			measures[i].Type = "Nullable(" + m.Type + ")"
		}
		types[m.Column] = measures[i].Type
	}
	w := windows{builder: b, Tier: t, Measures: measures, Derived: b.derived("usage"), Uses: uses, Seats: t.Name == "day"}
	query, err := b.render("usage", w)
	if err != nil {
		return view{}, err
	}
	columns := append(windowColumns("account_id"), b.metricColumns("usage", types)...)
	if w.Seats {
		columns = append(columns, seatUtilization)
	}
	columns = append(columns, complete)
	return view{
		Name:    "usage_" + t.Name,
		Comment: "Usage of each account by the " + t.Name + " (UTC), silent windows included.",
		Columns: append(columns, dimension()...),
		Query:   query,
	}, nil
}

var (
	complete = column{"complete", "Bool", "", "Whether all events of the window are in, but for those that come later than the configured disorder."}

	seatUtilization = column{"seat_utilization", "Nullable(Float64)", "ratio",
		"active_users divided by the seats as of the window's end (metrics.md row 8); NULL if the seats are unknown."}
)

func windowColumns(keys ...string) []column {
	meanings := map[string]string{
		"account_id": "Account.", "feature": "Feature of the product.", "workflow": "Workflow of the catalogue.", "segment": "Segment of the accounts as of the window's end; empty if unknown.",
		"tag":      "Tag of the tickets.",
		"priority": "Priority of the tickets, p1 to p4; empty if unknown.",
	}
	var out []column
	for _, k := range keys {
		out = append(out, column{k, "String", "", meanings[k]})
	}
	return append(out,
		column{"window_start", "DateTime('UTC')", "", "Start of the window in event time, inclusive."},
		column{"window_end", "DateTime('UTC')", "", "End of the window, exclusive."},
	)
}
