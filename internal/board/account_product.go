package board

import (
	"context"
	"strconv"
	"time"
)

// Heat is a table of days whose cells are the darker the more there is.
type Heat struct {
	Caption string
	Days    []HeatDay
	Rows    []HeatRow
}

// HeatDay is a column of it.
type HeatDay struct {
	Start       time.Time
	Provisional bool   // more events can still change it
	Marks       []Mark // that happened on it
}

// HeatRow is a row of it.
type HeatRow struct {
	Label  string
	Link   string
	Values []float64 // by the day
	Levels []int     // 0 to 4, for the colours
	Total  float64
	Why    string
}

func (*Heat) template() string { return "heat" }

func (h *Heat) tables() []*Table {
	t := &Table{Caption: h.Caption, Columns: []Column{{Name: "feature", Label: "Feature"}}}
	for _, d := range h.Days {
		t.Columns = append(t.Columns, Column{Name: d.Start.Format(time.DateOnly), Kind: Number})
	}
	for _, r := range h.Rows {
		row := []Cell{Text(r.Label)}
		for _, v := range r.Values {
			row = append(row, Num(Number, v))
		}
		t.Rows = append(t.Rows, row)
	}
	return []*Table{t}
}

// shade sets the levels: quarters of the highest value of all rows.
func (h *Heat) shade() {
	top := 0.0
	for _, r := range h.Rows {
		for _, v := range r.Values {
			top = max(top, v)
		}
	}
	for i := range h.Rows {
		r := &h.Rows[i]
		for _, v := range r.Values {
			level := 0
			if v > 0 {
				level = min(1+int(4*v/top), 4)
			}
			r.Levels = append(r.Levels, level)
		}
	}
}

func accountFeatures(ctx context.Context, s *store, q query) (content, error) {
	rows, err := read[struct {
		Feature string `ch:"feature"`
		At      uint32 `ch:"at"`
		Uses    uint64 `ch:"uses"`
		Users   uint64 `ch:"users"`
		Errors  uint64 `ch:"errors"`
		Whole   bool   `ch:"complete"`
	}](ctx, s, "account_features", q.ofAccount())
	if err != nil {
		return nil, err
	}
	if len(rows) == 0 {
		return Message{"No feature was used", "Events with the property feature are uses of it; there was none in the time range."}, nil
	}
	marks, err := accountMarks(ctx, s, q)
	if err != nil {
		return nil, err
	}
	h := &Heat{Caption: "Uses of each feature by the day"}
	days := int(q.now.Sub(q.from())/(24*time.Hour)) + 1
	for i := range days {
		start := q.from().AddDate(0, 0, i)
		h.Days = append(h.Days, HeatDay{Start: start, Provisional: start.AddDate(0, 0, 1).After(q.now)})
	}
	day := func(at int64) int { return int(time.Unix(at, 0).Sub(q.from()) / (24 * time.Hour)) }
	for _, m := range marks {
		if i := day(m.At); i >= 0 && i < days {
			h.Days[i].Marks = append(h.Days[i].Marks, m)
		}
	}
	for _, r := range rows {
		if n := len(h.Rows); n == 0 || h.Rows[n-1].Label != r.Feature {
			h.Rows = append(h.Rows, HeatRow{Label: r.Feature, Values: make([]float64, days), Why: whyURL(q.account, "feature_uses", q.today("28d"), r.Feature)})
		}
		row := &h.Rows[len(h.Rows)-1]
		if i := day(int64(r.At)); i >= 0 && i < days {
			h.Days[i].Provisional = h.Days[i].Provisional || !r.Whole
			row.Values[i] = float64(r.Uses)
			row.Total += float64(r.Uses)
		}
	}
	h.shade()
	return h, nil
}

func accountWorkflows(ctx context.Context, s *store, q query) (content, error) {
	rows, err := read[struct {
		Workflow   string   `ch:"workflow"`
		Started    uint64   `ch:"started"`
		Completed  uint64   `ch:"completed"`
		Abandoned  uint64   `ch:"abandoned"`
		Completion *float64 `ch:"completion_rate"`
		Seconds    *float64 `ch:"task_seconds_avg"`
	}](ctx, s, "account_workflows", q.ofAccount())
	if err != nil {
		return nil, err
	}
	var all Stack
	for _, r := range rows {
		why := func(metric string) string { return whyURL(q.account, metric, q.today("28d"), r.Workflow) }
		step := func(label, metric string, n uint64) []Cell {
			part := 0.0
			if r.Started > 0 {
				part = float64(n) / float64(r.Started)
			}
			share := Num(Percent, part)
			share.Bar = &part
			count := Num(Number, n)
			count.Why = why(metric)
			return []Cell{Text(label), count, share}
		}
		t := &Table{Caption: r.Workflow, Columns: []Column{{Name: r.Workflow, Label: "Runs that were"}, {Name: "runs", Label: "Runs", Kind: Number}, {Name: "share", Label: "Of started", Kind: Percent}}}
		t.Rows = [][]Cell{step("started", "workflow_started", r.Started), step("completed", "workflow_completed", r.Completed), step("abandoned", "workflow_abandoned", r.Abandoned)}
		if r.Seconds != nil {
			t.Caption += ", " + strconv.FormatFloat(*r.Seconds/60, 'f', 1, 64) + " minutes on average"
		}
		all = append(all, t)
	}
	if len(all) == 0 {
		return Message{"No workflow was started", "Workflows are declared in the catalogue, by the events of their steps."}, nil
	}
	return all, nil
}

// healthBands mark the bands of health.
var healthBands = map[string]string{"good": "good", "average": "warn", "poor": "bad"}

func accountHealth(ctx context.Context, s *store, q query) (content, error) {
	rows, err := read[struct {
		Component    string   `ch:"component"`
		Shown        string   `ch:"shown"`
		Points       *float64 `ch:"points"`
		Contribution *float64 `ch:"contribution"`
		Reason       string   `ch:"reason"`
		Day          uint32   `ch:"day"`
		Complete     bool     `ch:"complete"`
		Profile      string   `ch:"profile"`
	}](ctx, s, "account_health", q.ofAccount())
	if err != nil {
		return nil, err
	}
	t := &Table{Empty: "Health is scored from an account's second day on.", Columns: []Column{
		{Name: "component", Label: "Component"}, {Name: "value", Label: "Value"}, {Name: "points", Label: "Points", Kind: Number}, {Name: "contribution", Label: "Of the score", Kind: Number},
		{Name: "reason", Label: "Since the day before"},
	}}
	for _, r := range rows {
		if r.Day != rows[0].Day {
			continue
		}
		t.Rows = append(t.Rows, []Cell{Text(r.Component), Text(r.Shown), Maybe(Number, r.Points), Maybe(Number, r.Contribution), Text(r.Reason)})
		t.Caption = "Profile " + r.Profile + ", " + time.Unix(int64(r.Day), 0).UTC().Format(time.DateOnly)
		if !r.Complete {
			t.Caption += " so far: provisional"
		}
	}
	return t, nil
}
