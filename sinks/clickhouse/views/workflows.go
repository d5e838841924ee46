package views

import (
	"fmt"
	"strings"
	"time"

	"tidemark/schemas"
)

const fromRuns branch = "runs"

// runParts are what runs can be counted by, in the catalogue's view workflows, with the SQL over workflow_runs.
var runParts = map[string]measure{
	"started":      {From: fromRuns, Part: "count()", Merge: "%s", Type: "UInt64"},
	"completed":    {From: fromRuns, Part: "countIf(r.state = 'completed')", Merge: "%s", Type: "UInt64"},
	"abandoned":    {From: fromRuns, Part: "countIf(r.state = 'abandoned')", Merge: "%s", Type: "UInt64"},
	"task_seconds": {From: fromRuns, Part: "toFloat64(ifNull(sum(r.task_seconds), 0))", Merge: "%s", Type: "Float64"},
}

// Workflows is for the templates.
func (b *builder) Workflows() []schemas.Workflow { return b.cat.Workflows }

// Within is the time that a run may take, in milliseconds.
func (b *builder) Within(w schemas.Workflow) int64 { return time.Duration(w.Within).Milliseconds() }

// StepNames are the steps as an SQL array.
func (b *builder) StepNames(w schemas.Workflow) string {
	quoted := make([]string, len(w.Steps))
	for i, s := range w.Steps {
		quoted[i] = Quote(s)
	}
	return "[" + strings.Join(quoted, ", ") + "]"
}

func (b *builder) workflows() ([]view, error) {
	if len(b.cat.Workflows) == 0 {
		return nil, nil
	}
	runs, err := b.workflowRuns()
	if err != nil {
		return nil, err
	}
	out := []view{runs}
	measures, types, err := b.runMeasures()
	if err != nil {
		return nil, err
	}
	bySegment := append(sumsOver(measures), ratiosOver(b.derived("workflows"))...)
	for _, t := range b.tiers()[1:] {
		views, err := b.inTier(t, tiered{"workflows", []string{"account_id", "workflow"}, "Runs of each workflow by the %s (UTC) in which they started. Without runs there is no row.", measures, types, bySegment})
		if err != nil {
			return nil, err
		}
		out = append(out, views...)
	}
	for _, days := range workflowDays {
		v, err := b.rollingWorkflowsOf(days, measures, types)
		if err != nil {
			return nil, err
		}
		both, err := b.withSegment(v, days*day, bySegment)
		if err != nil {
			return nil, err
		}
		out = append(out, both...)
	}
	return out, nil
}

func (b *builder) runMeasures() ([]measure, map[string]string, error) {
	var out []measure
	types := map[string]string{}
	for _, m := range b.cat.Metrics {
		if m.View != "workflows" || m.Aggregate == schemas.Derived {
			continue
		}
		v, ok := runParts[m.Column]
		if m.Aggregate != schemas.WorkflowRuns || !ok {
			return nil, nil, fmt.Errorf("metric %s: the view workflows has started, completed, abandoned and task_seconds of the aggregate workflow, not %s of %s",
				m.Name, m.Column, m.Aggregate)
		}
		v.Metric = m
		types[m.Column] = v.Type
		out = append(out, v)
	}
	return out, types, nil
}

func (b *builder) workflowRuns() (view, error) {
	query, err := b.render("workflow_runs", b)
	if err != nil {
		return view{}, err
	}
	return view{
		Name:    "workflow_runs",
		Comment: "Each run of a workflow by one user (metrics.md rows 15 and 16). A run starts with a first step outside an open run; later steps count in order.",
		Columns: []column{
			{"account_id", "String", "", "Account."},
			{"workflow", "String", "", "Workflow of the catalogue."},
			{"user", "String", "", "Hash of the user: 16 hexadecimal digits."},
			{"started_at", "DateTime64(3, 'UTC')", "", "Time of the first step."},
			{"completed_at", "Nullable(DateTime64(3, 'UTC'))", "", "Time of the last step; NULL unless completed."},
			{"step_reached", "UInt8", "", "Number of the step reached, from 1."},
			{"steps", "UInt8", "steps", "Steps that the workflow has."},
			{"last_step_at", "DateTime64(3, 'UTC')", "", "Time of the step reached."},
			{"state", "LowCardinality(String)", "", "open, completed, or abandoned: the time allowed is over, by the watermark of telemetry."},
			{"task_seconds", "Nullable(Float64)", "s", "Time from the first step to the last; NULL unless completed."},
		},
		Query: query,
	}, nil
}

func (b *builder) rollingWorkflowsOf(days int64, measures []measure, types map[string]string) (view, error) {
	r := rolling{
		builder: b, Days: days, Keys: []string{"account_id", "workflow"}, Topic: b.Topics.Telemetry.Name,
		Slices: b.everything(), rows: []string{"workflows_rolling_rows"}, Derived: b.derived("workflows"),
	}
	for _, m := range measures {
		r.Measures = append(r.Measures, rollingMeasure{measure: m, Kind: summed, Days: days})
	}
	query, err := b.render("rolling", r)
	if err != nil {
		return view{}, err
	}
	return view{
		Name:    fmt.Sprintf("workflows_%dd", days),
		Comment: fmt.Sprintf("Runs of each workflow that started in the %d days (UTC) up to the end of every day. Without runs in the window there is no row.", days),
		Columns: append(append(windowColumns("account_id", "workflow"), b.metricColumns("workflows", types)...), complete),
		Query:   query,
	}, nil
}

// everything is one slice of all ages, for tables that must be read from their beginning whatever is asked for.
func (b *builder) everything() []slice {
	return ages(day, int64(b.DayRetention/time.Second))
}
