package views

import "strings"

// goalViews is the data of the templates of goals.
type goalViews struct {
	*builder
	Metrics []string // the columns of usage_28d that a goal may be measured by
}

// goals are the views of what was agreed with the customers, and how far it is reached (metrics.md rows 12 and 13).
func (b *builder) goals() ([]view, error) {
	usage, err := b.rollingUsageOf(28)
	if err != nil {
		return nil, err
	}
	g := goalViews{builder: b}
	for _, c := range usage.Columns {
		if strings.Contains(c.Type, "Int") || strings.Contains(c.Type, "Float") {
			g.Metrics = append(g.Metrics, c.Name)
		}
	}
	const at, f = "DateTime64(3, 'UTC')", "Nullable(Float64)"
	key := []column{{"account_id", "String", "", "Account."}, {"goal_id", "String", "", "Goal."}}
	definition := []column{
		{"name", "String", "", "Name of the goal; empty if it has none."},
		{"owner", "String", "", "Who answers for it; empty if nobody."},
		{"measured_by", "LowCardinality(String)", "", "What it is measured by: kpi, meter or metric."},
		{"measure", "String", "", "Which of them: a KPI or a meter of the account, or a column of usage_28d."},
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
				{"at", at, "", "When the value held: the end of a KPI's period, or its report if that came before; a meter's reading; the end of a usage window."},
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
