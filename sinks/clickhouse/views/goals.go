package views

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"tidemark/schemas"
)

// usualMeasures is the view whose columns goals call by their names alone.
const usualMeasures = "usage_28d"

// goalViews is the data of the templates of goals.
type goalViews struct {
	*builder
	Views []goalView
}

// goalView is a view that goals may be measured by.
type goalView struct {
	Name    string
	columns []string
}

// read adds a column to those that goals may be measured by.
func (g *goalViews) read(in schemas.Input) error {
	if text, err := g.accountColumn(in); err != nil || text {
		return cmp.Or(err, fmt.Errorf("%s.%s is text: a goal is measured by a number", in.View, in.Column))
	}
	i := slices.IndexFunc(g.Views, func(v goalView) bool { return v.Name == in.View })
	if i < 0 {
		i, g.Views = len(g.Views), append(g.Views, goalView{Name: in.View})
	}
	if v := &g.Views[i]; !slices.Contains(v.columns, in.Column) {
		v.columns = append(v.columns, in.Column)
	}
	return nil
}

// measureName is what a goal calls a column.
func measureName(view, column string) string {
	if view == usualMeasures {
		return column
	}
	return view + "." + column
}

// Measures are the SQL names of what is read of the view.
func (v goalView) Measures() string {
	names := make([]string, len(v.columns))
	for i, c := range v.columns {
		names[i] = measureName(v.Name, c)
	}
	return quoteStrings(names)
}

// Values is the SQL of an array of names and values.
func (v goalView) Values() string {
	values := make([]string, len(v.columns))
	for i, c := range v.columns {
		values[i] = "(" + Quote(measureName(v.Name, c)) + ", toFloat64(" + quoteName(c) + ")::Nullable(Float64))"
	}
	return "[" + strings.Join(values, ", ") + "]"
}

// Source is what to read like the view: all windows in one slice, as slices cost planning and no condition on time could use them.
func (g goalViews) Source(v goalView) (string, error) {
	i := slices.IndexFunc(g.made, func(m view) bool { return m.Name == v.Name })
	if g.made[i].sliced == nil {
		return g.DB() + "." + quoteName(v.Name), nil
	}
	query, err := g.made[i].sliced(ages(day, int64(g.DayRetention/time.Second)), v.columns)
	return "(" + query + ")", err
}

// find reads what goals may be measured by: any number of usage_28d, and what the catalogue names.
func (g *goalViews) find() error {
	i := slices.IndexFunc(g.made, func(v view) bool { return v.Name == usualMeasures })
	for _, c := range g.made[i].Columns {
		if strings.Contains(c.Type, "Int") || strings.Contains(c.Type, "Float") {
			if err := g.read(schemas.Input{View: usualMeasures, Column: c.Name}); err != nil {
				return err
			}
		}
	}
	for _, of := range g.cat.Goals {
		if in, ok := of.Input(); ok {
			if err := g.read(in); err != nil {
				return fmt.Errorf("%s: goal %s: %w", of.Pos.At("metric"), of.Name, err)
			}
		}
	}
	for _, of := range g.cat.GoalMetrics {
		if in, ok := of.Input(); ok {
			if err := g.read(in); err != nil {
				return fmt.Errorf("%s: goal metric %s: %w", of.Pos.At("metric"), of.Metric, err)
			}
		}
	}
	return nil
}

// goals are the views of what was agreed with the customers, and how far it is reached (metrics.md rows 12 and 13).
func (b *builder) goals() ([]view, error) {
	g := goalViews{builder: b}
	if err := g.find(); err != nil {
		return nil, err
	}
	const at, f = "DateTime64(3, 'UTC')", "Nullable(Float64)"
	key := []column{{"account_id", "String", "", "Account."}, {"goal_id", "String", "", "Goal."}}
	definition := []column{
		{"name", "String", "", "Name of the goal; empty if it has none."},
		{"owner", "String", "", "Who answers for it; empty if nobody."},
		{"measured_by", "LowCardinality(String)", "", "What it is measured by: kpi, meter or metric."},
		{"measure", "String", "", "Which of them: a KPI or a meter of the account, a column of usage_28d, or view.column of another view that the catalogue's goals or goal_metrics name."},
		{"direction", "LowCardinality(String)", "", "up or down."},
		{"start", "Float64", "", "Value at the start."},
		{"target", "Float64", "", "Value to reach."},
		{"starts_at", at, "", "When it starts."},
		{"due_at", at, "", "When it is due."},
	}
	progress := "value less start, divided by target less start: 0 at the start, 1 at the target, whichever the direction; negative when it goes the wrong way (metrics.md row 12)"
	all := []view{
		{
			Name:    "goal_progress",
			Comment: "Each value of a goal's measure from its start on, and how far the goal was reached by then (metrics.md row 12). A goal that was defined anew has the history that its latest definition gives.",
			Columns: join(key, []column{
				{"at", at, "", "When the value held: the end of a KPI's period, or its report if that came before; a meter's reading; the end of a window."},
				{"value", "Float64", "", "The value."},
				{"progress", "Float64", "ratio", progress + "."},
				{"elapsed_share", "Float64", "ratio", "Share of the goal's time that had passed, 0 to 1."},
				{"pace", f, "ratio", "progress divided by elapsed_share: 1 or more is on time; NULL at the very start."},
				{"is_attained", "Bool", "", "Whether the value reaches the target."},
			}),
		},
		{
			Name:    "goals",
			Comment: "Where each goal of each account stands now, by its latest definition (metrics.md rows 12 and 13).",
			Columns: join(key, definition, []column{
				{"defined_at", at, "", "When it was defined, last."},
				{"current_value", f, "", "Latest value since it started; NULL before there is one."},
				{"current_at", "Nullable(" + at + ")", "", "When that held."},
				{"progress", f, "ratio", progress + "; NULL without a value."},
				{"elapsed_share", "Float64", "ratio", "Share of the goal's time that has passed, 0 to 1."},
				{"pace", f, "ratio", "progress divided by elapsed_share: 1 or more is on time; NULL before the start or without a value."},
				{"attained_at", "Nullable(" + at + ")", "", "When a value reached the target first, the milestone (metrics.md row 13): it moves or goes if values are corrected. NULL before it."},
				{"state", "LowCardinality(String)", "", "attained, attained late (after it was due), missed (due and not attained), not started, unknown (no value yet), on track (pace of 1 or more) or behind."},
				{"segment", "LowCardinality(Nullable(String))", "", "Segment of the account now; NULL if unknown."},
			}),
		},
	}
	all = append(all, segmentGoals())
	return b.rendered(all, g)
}

func segmentGoals() view {
	const f = "Nullable(Float64)"
	return view{
		Name:    "segment_goals",
		Comment: "How far the goals of each segment's accounts are reached (metrics.md row 12).",
		Columns: []column{
			{"segment", "String", "", "Segment of the accounts now; empty if unknown."},
			{"goal_id", "String", "", "Goal, as many accounts have it."},
			{"goals", "UInt64", "goals", "Accounts with the goal."},
			{"attained", "UInt64", "goals", "Of those, attained in time."},
			{"attained_late", "UInt64", "goals", "Attained after they were due."},
			{"missed", "UInt64", "goals", "Due and not attained."},
			{"on_track", "UInt64", "goals", "Under way, at a pace of 1 or more."},
			{"behind", "UInt64", "goals", "Under way, at a lower pace."},
			{"unknown", "UInt64", "goals", "Not started, or without a value yet."},
			{"attainment", f, "ratio", "attained divided by the goals that were attained or are due; NULL without any."},
			{"progress_median", f, "ratio", "Median of progress; NULL if it is unknown of all."},
		},
	}
}
