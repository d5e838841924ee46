package board

import (
	"context"
	"fmt"
	"html/template"
	"strings"
	"time"
)

func segmentsPage() page {
	return page{
		path: "/segments", title: "Segments", nav: "Segments",
		intro: "What is usual in each segment, to hold an account against. 28 days, today included.",
		panels: []panel{
			{name: "usage", title: "Usage", every: slow, about: bandsHelp, load: bands(
				band{"active_users_28d", "Active users", Number}, band{"seat_utilization", "Active users of seats", Percent}, band{"active_days_28d", "Active days", Number})},
			{name: "value", title: "Adoption, health and support", every: slow, about: bandsHelp, load: bands(
				band{"adoption_breadth", "Key features adopted", Percent}, band{"health_score", "Health, 0 to 100", Number}, band{"tickets_opened_28d", "Tickets opened", Number})},
			{name: "days", title: "Active users by day", load: segmentDays, every: slow, about: "Users with an engaged event; one who is in two accounts counts twice."},
			{name: "churn", title: "Churn and retention", load: churn, every: slow, wide: true, about: "Of the last six months: accounts lost of those at the month's start, and what is left of their revenue without (gross) and with (net) growth."},
		},
	}
}

const bandsHelp = "Of the segment's accounts: the box has the middle half, the line in it is the median, and a tenth lies outside on either side."

// band is a column of portfolio_now whose spread over accounts is shown.
type band struct {
	column, label string
	kind          Kind
}

// bands shows how columns of portfolio_now spread over the accounts of each segment.
func bands(of ...band) func(context.Context, *store, query) (content, error) {
	values := make([]string, len(of))
	for i, b := range of {
		values[i] = fmt.Sprintf("('%[1]s', toFloat64(%[1]s))", b.column)
	}
	return func(ctx context.Context, s *store, _ query) (content, error) {
		rows, err := read[bandRow](ctx, s, "bands", nil, "{values}", strings.Join(values, ", "))
		if err != nil {
			return nil, err
		}
		var all Stack
		for _, b := range of {
			t := &Table{Caption: b.label, Empty: "No account has a value of it yet. First figures are there within a minute of the start, health within ten.", Columns: []Column{
				{Name: "segment", Label: "Segment"}, {Name: "accounts", Label: "Accounts", Kind: Number}, {Name: "spread", Label: "Spread"},
				{Name: "p25", Label: "Lower quartile", Kind: b.kind}, {Name: "p50", Label: "Median", Kind: b.kind}, {Name: "p75", Label: "Upper quartile", Kind: b.kind},
			}}
			top := 0.0
			for _, r := range rows {
				if r.Metric == b.column {
					top = max(top, r.Bands[4])
				}
			}
			for _, r := range rows {
				if r.Metric == b.column {
					t.Rows = append(t.Rows, []Cell{
						segmentCell(r.Segment), Num(Number, r.Accounts), {HTML: spread(r.Bands, top)}, Num(b.kind, r.Bands[1]), Num(b.kind, r.Bands[2]), Num(b.kind, r.Bands[3]),
					})
				}
			}
			all = append(all, t)
		}
		return all, nil
	}
}

type bandRow struct {
	Segment  string    `ch:"segment"`
	Metric   string    `ch:"metric"`
	Accounts uint64    `ch:"accounts"`
	Bands    []float64 `ch:"bands"` // 10th, 25th, 50th, 75th and 90th percentile
}

// The size of a spread, in pixels.
const spreadWidth, spreadHeight = 160, 16

// spread is a box plot of five percentiles on a scale from 0 to top. The numbers stand beside it.
func spread(p []float64, top float64) template.HTML {
	if top <= 0 {
		top = 1
	}
	x := func(i int) float64 { return 1 + max(p[i], 0)/top*(spreadWidth-3) }
	return template.HTML(fmt.Sprintf( //nolint:gosec // made of numbers alone
		`<svg class="spread" width="%d" height="%d" viewBox="0 0 %[1]d %[2]d" aria-hidden="true" focusable="false"><path class="whisker" d="M%.1f 8H%.1f"/>`+
			`<rect x="%.1f" y="3" width="%.1f" height="10"/><path class="median" d="M%.1f 1V15"/></svg>`,
		spreadWidth, spreadHeight, x(0), x(4), x(1), max(x(3)-x(1), 1), x(2)))
}

func segmentDays(ctx context.Context, s *store, q query) (content, error) {
	rows, err := read[struct {
		Segment  string `ch:"segment"`
		Day      int64  `ch:"day"`
		Active   uint64 `ch:"active_users"`
		Complete bool   `ch:"complete"`
	}](ctx, s, "segments_day", []any{named("from", q.window())})
	if err != nil {
		return nil, err
	}
	d := newDaily(q, "Active users by segment", Number)
	for _, r := range rows {
		d.add(segmentCell(r.Segment).Text, r.Day, float64(r.Active), r.Complete)
	}
	return d.done(false), nil
}

func churn(ctx context.Context, s *store, q query) (content, error) {
	month := time.Date(q.now.Year(), q.now.Month()-5, 1, 0, 0, 0, 0, time.UTC)
	rows, err := read[struct {
		Segment string    `ch:"segment"`
		Month   time.Time `ch:"window_start"`
		Start   uint64    `ch:"accounts_start"`
		New     uint64    `ch:"accounts_new"`
		Lost    uint64    `ch:"accounts_lost"`
		Churn   *float64  `ch:"churn_rate"`
		Gross   *float64  `ch:"gross_revenue_retention"`
		Net     *float64  `ch:"net_revenue_retention"`
	}](ctx, s, "churn", []any{named("from", month)})
	if err != nil {
		return nil, err
	}
	t := &Table{Caption: "Churn and retention by month", Empty: "No month has a customer yet: an account that is known and whose mrr is not 0.", Columns: []Column{
		{Name: "month", Label: "Month"}, {Name: "segment", Label: "Segment"},
		{Name: "accounts_start", Label: "At its start", Kind: Number}, {Name: "accounts_new", Label: "New", Kind: Number}, {Name: "accounts_lost", Label: "Lost", Kind: Number},
		{Name: "churn_rate", Label: "Churn", Kind: Percent}, {Name: "gross_revenue_retention", Label: "Gross retention", Kind: Percent}, {Name: "net_revenue_retention", Label: "Net retention", Kind: Percent},
	}}
	for _, r := range rows {
		name := r.Month.Format("2006-01")
		if r.Month.AddDate(0, 1, 0).After(q.now) {
			name += ", so far"
		}
		t.Rows = append(t.Rows, []Cell{
			Text(name), segmentCell(r.Segment), Num(Number, r.Start), Num(Number, r.New), Num(Number, r.Lost), Maybe(Percent, r.Churn), Maybe(Percent, r.Gross), Maybe(Percent, r.Net),
		})
	}
	return t, nil
}
