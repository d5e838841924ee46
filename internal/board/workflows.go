package board

import (
	"context"
	"fmt"

	"go.yaml.in/yaml/v3"
)

func workflowsPage() page {
	return page{
		path: "/workflows", title: "Workflows", nav: "Workflows", filters: bySegment,
		intro: "Whether customers finish what they begin, and at which step they stop. 28 days, today included.",
		panels: []panel{
			{
				name: "completion", title: "Completion", load: completion, every: slow, wide: true,
				about: "Runs that started in the 28 days. A run is abandoned when the time that the catalogue allows is over; those that are still open count as started.",
			},
			{name: "funnel", title: "Funnels", load: funnel, every: slow, about: "Runs that reached each step, and how many were lost before the next."},
			{name: "days", title: "Completion by day", load: completionDays, every: slow, about: "Completed runs of those that started on the day."},
			{name: "times", title: "Time on task", load: taskTimes, every: slow, about: "From the first step to the last, of completed runs, by segment. Longer may be worse."},
		},
	}
}

func completion(ctx context.Context, s *store, q query) (content, error) {
	q.sortBy = "-started"
	params, replace := q.ofSegment(named("from", q.window()))
	order := q.orderBy(map[string]string{
		"workflow": "workflow", "accounts": "accounts", "started": "started", "completed": "completed", "completion": "completion", "abandonment": "abandonment", "seconds": "seconds",
	})
	rows, err := read[struct {
		Workflow    string   `ch:"workflow"`
		Accounts    uint64   `ch:"accounts"`
		Started     uint64   `ch:"started"`
		Completed   uint64   `ch:"completed"`
		Abandoned   uint64   `ch:"abandoned"`
		Completion  *float64 `ch:"completion"`
		Abandonment *float64 `ch:"abandonment"`
		Seconds     *float64 `ch:"seconds"`
	}](ctx, s, "workflows", params, append(replace, "{order}", order)...)
	if err != nil {
		return nil, err
	}
	t := &Table{
		Caption: "Workflows", Query: q, Empty: "No run of a workflow has started. Workflows are declared in the catalogue, by the events of their steps.",
		Columns: []Column{
			{Name: "workflow", Label: "Workflow", Sort: true},
			{Name: "accounts", Label: "Accounts", Kind: Number, Sort: true},
			{Name: "started", Label: "Started", Kind: Number, Sort: true},
			{Name: "completed", Label: "Completed", Kind: Number, Sort: true},
			{Name: "completion", Label: "Completion", Kind: Percent, Sort: true},
			{Name: "abandoned", Label: "Abandoned", Kind: Number},
			{Name: "abandonment", Label: "Abandonment", Kind: Percent, Sort: true},
			{Name: "seconds", Label: "Average time", Kind: Seconds, Sort: true, Help: "Of completed runs, from the first step to the last"},
		},
	}
	for _, r := range rows {
		rate := Maybe(Percent, r.Completion)
		rate.Bar = r.Completion
		t.Rows = append(t.Rows, []Cell{
			Text(r.Workflow), Num(Number, r.Accounts), Num(Number, r.Started), Num(Number, r.Completed), rate, Num(Number, r.Abandoned), Maybe(Percent, r.Abandonment), Maybe(Seconds, r.Seconds),
		})
	}
	return t, nil
}

func funnel(ctx context.Context, s *store, q query) (content, error) {
	params, replace := q.ofSegment(named("from", q.window()))
	rows, err := read[struct {
		Workflow string `ch:"workflow"`
		Step     uint8  `ch:"step"`
		Runs     uint64 `ch:"runs"`
		Started  uint64 `ch:"started"`
	}](ctx, s, "funnel", params, replace...)
	if err != nil {
		return nil, err
	}
	if len(rows) == 0 {
		return Message{"No run has started", "Workflows are declared in the catalogue, by the events of their steps."}, nil
	}
	names, err := stepNames(ctx, s)
	if err != nil {
		return nil, err
	}
	var all Stack
	var t *Table
	previous := uint64(0)
	for _, r := range rows {
		if r.Step == 1 {
			t = &Table{Caption: r.Workflow, Columns: []Column{
				{Name: r.Workflow, Label: "Step"}, {Name: "runs", Label: "Runs", Kind: Number}, {Name: "share", Label: "Of started", Kind: Percent}, {Name: "lost", Label: "Lost before", Kind: Number},
			}}
			all = append(all, t)
			previous = r.Runs
		}
		name := fmt.Sprintf("Step %d", r.Step)
		if steps := names[r.Workflow]; int(r.Step) <= len(steps) {
			name = fmt.Sprintf("%d. %s", r.Step, steps[r.Step-1])
		}
		share := float64(r.Runs) / float64(r.Started)
		of := Num(Percent, share)
		of.Bar = &share
		t.Rows = append(t.Rows, []Cell{Text(name), Num(Number, r.Runs), of, Num(Number, previous-r.Runs)})
		previous = r.Runs
	}
	return all, nil
}

// stepNames are the events of the steps of each workflow, by the catalogue that the views were made of. Tenants may not read it.
func stepNames(ctx context.Context, s *store) (map[string][]string, error) {
	rows, err := read[struct {
		Declared string `ch:"declared"`
	}](ctx, s, "workflow_steps", nil)
	if err != nil || len(rows) == 0 {
		return nil, err
	}
	var catalogue struct {
		Workflows []struct {
			Name  string   `yaml:"name"`
			Steps []string `yaml:"steps"`
		} `yaml:"workflows"`
	}
	if err := yaml.Unmarshal([]byte(rows[0].Declared), &catalogue); err != nil {
		return nil, fmt.Errorf("read the catalogue that the views were made of: %w", err)
	}
	names := map[string][]string{}
	for _, w := range catalogue.Workflows {
		names[w.Name] = w.Steps
	}
	return names, nil
}

func completionDays(ctx context.Context, s *store, q query) (content, error) {
	params, replace := q.ofSegment(named("from", q.window()))
	rows, err := read[struct {
		Workflow  string `ch:"workflow"`
		Day       int64  `ch:"day"`
		Started   uint64 `ch:"started"`
		Completed uint64 `ch:"completed"`
		Complete  bool   `ch:"complete"`
	}](ctx, s, "workflows_day", params, replace...)
	if err != nil {
		return nil, err
	}
	d := newDaily(q, "Completion of workflows", Percent)
	for _, r := range rows {
		if r.Started > 0 {
			d.add(r.Workflow, r.Day, float64(r.Completed)/float64(r.Started), r.Complete)
		}
	}
	return d.done(false), nil
}

func taskTimes(ctx context.Context, s *store, q query) (content, error) {
	rows, err := read[struct {
		Workflow  string   `ch:"workflow"`
		Segment   string   `ch:"segment"`
		Completed uint64   `ch:"completed"`
		Median    *float64 `ch:"p50"`
		P95       *float64 `ch:"p95"`
	}](ctx, s, "task_times", []any{named("from", q.window())})
	if err != nil {
		return nil, err
	}
	t := &Table{Caption: "Time on task", Empty: "No run was completed.", Columns: []Column{
		{Name: "workflow", Label: "Workflow"}, {Name: "segment", Label: "Segment"}, {Name: "completed", Label: "Completed", Kind: Number},
		{Name: "p50", Label: "Median", Kind: Seconds}, {Name: "p95", Label: "95th percentile", Kind: Seconds},
	}}
	for _, r := range rows {
		t.Rows = append(t.Rows, []Cell{Text(r.Workflow), segmentCell(r.Segment), Num(Number, r.Completed), Maybe(Seconds, r.Median), Maybe(Seconds, r.P95)})
	}
	return t, nil
}
