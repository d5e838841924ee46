package board

import (
	"encoding/json"
	"fmt"
	"html/template"
	"math"
	"strings"
	"time"
)

// Chart is lines or bars over time, drawn by uPlot in the browser; its table is there for those who don't see it.
type Chart struct {
	Title  string   `json:"-"`
	Series []Series `json:"series"`
	// Times are the starts of the windows, in Unix seconds.
	Times []int64 `json:"times"`
	Days  bool    `json:"days,omitempty"` // the windows are days of UTC, and are named by these wherever the viewer is
	Kind  Kind    `json:"kind"`           // of the values
	// Provisional is the start of the first window that more events can still change, in Unix seconds; 0: none can. From there
	// on lines are dashed and bars are pale.
	Provisional int64  `json:"provisional,omitempty"`
	Marks       []Mark `json:"marks,omitempty"`
	Empty       string `json:"-"` // what is said when there is nothing to draw
	// Why is where it is told how a metric's number of a window came about; nil: nowhere.
	Why func(metric string, at time.Time) string `json:"-"`
}

// Series is one line of a chart, a value for each time; nil is a gap.
type Series struct {
	Label  string     `json:"label"`
	Style  string     `json:"style,omitempty"` // line (the default), bars, band (from Low to Values) or reference
	Values []*float64 `json:"values"`
	Low    []*float64 `json:"low,omitempty"`
	Metric string     `json:"-"` // by its name in the catalogue, for Why; empty: none
}

// Mark is an event on a chart's time axis: a release, an alert, an escalation.
type Mark struct {
	At   int64  `json:"at"` // Unix seconds
	Kind string `json:"kind"`
	Text string `json:"text"`
	Link string `json:"link,omitempty"`
}

// When is the mark's time in RFC 3339.
func (m Mark) When() string { return time.Unix(m.At, 0).UTC().Format(time.RFC3339) }

func (*Chart) template() string { return "chart" }

// JSON is the chart as assets/board.js reads it.
func (c *Chart) JSON() (string, error) {
	text, err := json.Marshal(c)
	return string(text), err
}

// Any says whether there is anything to draw.
func (c *Chart) Any() bool {
	for _, s := range c.Series {
		for _, v := range s.Values {
			if v != nil {
				return true
			}
		}
	}
	return false
}

// Summary says in words what the chart shows: each series from its first to its last value.
func (c *Chart) Summary() string {
	parts := []string{c.Title}
	for _, s := range c.Series {
		var known []float64
		for _, v := range s.Values {
			if v != nil {
				known = append(known, *v)
			}
		}
		if len(known) > 0 {
			format := func(v float64) string { return Num(c.Kind, math.Round(v*1000)/1000).Shown() }
			parts = append(parts, fmt.Sprintf("%s from %s to %s", s.Label, format(known[0]), format(known[len(known)-1])))
		}
	}
	return strings.Join(parts, ": ")
}

// AsTable is the chart's numbers.
func (c *Chart) AsTable() *Table {
	first := When
	if c.Days {
		first = Day
	}
	t := &Table{Caption: c.Title, Columns: []Column{{Name: "window_start", Label: "From", Kind: first}}}
	for _, s := range c.Series {
		t.Columns = append(t.Columns, Column{Name: s.Label, Label: s.Label, Kind: c.Kind})
	}
	for i, at := range c.Times {
		start := time.Unix(at, 0).UTC()
		row := []Cell{At(first, start)}
		if c.Provisional != 0 && at >= c.Provisional {
			row[0].State = "quiet"
		}
		for _, s := range c.Series {
			cell := Maybe(c.Kind, s.Values[i])
			if c.Why != nil && s.Metric != "" && cell.Known() {
				cell.Why = c.Why(s.Metric, start)
			}
			row = append(row, cell)
		}
		t.Rows = append(t.Rows, row)
	}
	return t
}

func (c *Chart) tables() []*Table { return []*Table{c.AsTable()} }

// The size of a spark-line, in pixels.
const sparkWidth, sparkHeight = 90, 22

// spark is a small line of values, drawn here: 0 is at the bottom. It is decoration to a number that stands beside it.
func spark[N uint64 | float64](values []N) template.HTML {
	if len(values) < 2 {
		return ""
	}
	top := 0.0
	for _, v := range values {
		top = max(top, float64(v))
	}
	if top == 0 {
		top = 1
	}
	var points strings.Builder
	var x, y float64
	for i, v := range values {
		x = 1 + float64(i)*(sparkWidth-4)/float64(len(values)-1)
		y = 2 + (1-max(float64(v), 0)/top)*(sparkHeight-4)
		fmt.Fprintf(&points, "%.1f,%.1f ", x, y)
	}
	return template.HTML(fmt.Sprintf( //nolint:gosec // made of numbers alone
		`<svg class="spark" width="%d" height="%d" viewBox="0 0 %[1]d %[2]d" aria-hidden="true" focusable="false">`+
			`<polyline points="%s"/><circle cx="%.1f" cy="%.1f" r="1.8"/></svg>`, sparkWidth, sparkHeight, strings.TrimSpace(points.String()), x, y))
}

// barWidth is how long a full bar is, in pixels.
const barWidth = 44

// bar is a share of 0 to 1 as a bar; the number stands beside it.
func bar(share *float64) template.HTML {
	return template.HTML(fmt.Sprintf( //nolint:gosec // made of numbers alone
		`<svg class="share" width="%d" height="8" viewBox="0 0 %[1]d 8" aria-hidden="true" focusable="false"><rect class="all" width="%[1]d" height="8" rx="2"/><rect width="%.1f" height="8" rx="2"/></svg>`,
		barWidth, barWidth*min(max(*share, 0), 1)))
}
