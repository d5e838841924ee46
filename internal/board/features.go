package board

import (
	"context"
	"time"
)

const day = 24 * time.Hour

// slow is how often what is read over all accounts and four weeks is read anew.
const slow = time.Minute

func featuresPage() page {
	return page{
		path: "/features", title: "Features", nav: "Features", filters: bySegment,
		intro: "What customers use of the product, what they have stopped using, and where it fails them. 28 days, today included.",
		panels: []panel{
			{
				name: "popularity", title: "Popularity", load: popularity, every: slow, wide: true,
				about: "Accounts that used each feature, of all that are known; errors a use, which is unknown below 20 uses; the change is against the 28 days before.",
			},
			{name: "uses", title: "Uses by day", load: featureDays("Uses of the four most used features", false), every: slow, about: "Of the four most used features."},
			{name: "errors", title: "Error rate by day", load: featureDays("Errors a use of the four most used features", true), every: slow, about: "Errors a use, of the same features."},
			{
				name: "adoption", title: "Adoption of key features", load: adoption, every: slow, wide: true,
				about: "Key features are those that the catalogue names; an account has adopted one when as many of its users use it as the catalogue asks for.",
			},
		},
	}
}

// bySegment is the form of pages that show one segment or all.
func bySegment(ctx context.Context, s *store, q query) (*Filters, error) {
	rows, err := read[struct {
		Segment string `ch:"segment"`
	}](ctx, s, "segment_names", nil)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, r := range rows {
		names = append(names, r.Segment)
	}
	return q.filters(q.choice("segment", "Segment", names)), nil
}

// ofSegment are the parameters and replacements of a query over the accounts of the segment that was chosen, or over all.
func (q query) ofSegment(params ...any) ([]any, []string) {
	condition := ""
	if q.get("segment", "") != "" {
		condition = "AND account_id IN (SELECT account_id FROM accounts WHERE segment = @segment)"
	}
	return append(params, named("segment", q.get("segment", ""))), []string{"{segment}", condition}
}

// window is the start of the 28 days that end with today.
func (q query) window() time.Time { return q.now.Truncate(day).Add(-27 * day) }

func popularity(ctx context.Context, s *store, q query) (content, error) {
	q.sortBy = "-accounts"
	params, replace := q.ofSegment(named("from", q.window()), named("before", q.window().Add(-28*day)))
	order := q.orderBy(map[string]string{
		"feature": "feature", "accounts": "accounts", "users": "users", "uses": "uses", "change": "change", "error_rate": "error_rate", "seconds": "seconds",
	})
	rows, err := read[struct {
		Feature   string    `ch:"feature"`
		Accounts  uint64    `ch:"accounts"`
		Known     uint64    `ch:"known"`
		Users     uint64    `ch:"users"`
		Uses      uint64    `ch:"uses"`
		Daily     []float64 `ch:"daily"`
		Change    *float64  `ch:"change"`
		ErrorRate *float64  `ch:"error_rate"`
		Seconds   *float64  `ch:"seconds"`
	}](ctx, s, "features", params, append(replace, "{order}", order)...)
	if err != nil {
		return nil, err
	}
	t := &Table{
		Caption: "Features by use", Query: q, Empty: "No feature was used. Events name theirs in properties.feature.",
		Columns: []Column{
			{Name: "feature", Label: "Feature", Sort: true},
			{Name: "accounts", Label: "Accounts", Kind: Number, Sort: true, Help: "Accounts with at least one use"},
			{Name: "share", Label: "Of all", Kind: Percent, Help: "Of all accounts that are known"},
			{Name: "users", Label: "Users", Kind: Number, Sort: true, Help: "Distinct users; one who is in two accounts counts twice"},
			{Name: "uses", Label: "Uses", Kind: Number, Sort: true},
			{Name: "change", Label: "Change", Kind: Percent, Sort: true, Help: "Uses, against the 28 days before"},
			{Name: "error_rate", Label: "Errors a use", Kind: Percent, Sort: true},
			{Name: "seconds", Label: "Average time", Kind: Seconds, Sort: true, Help: "Of a use, where events tell duration_ms"},
		},
	}
	for _, r := range rows {
		share := float64(r.Accounts) / float64(max(r.Known, 1))
		of := Num(Percent, share)
		of.Bar = &share
		uses := Num(Number, r.Uses)
		uses.HTML = spark(r.Daily)
		t.Rows = append(t.Rows, []Cell{
			Text(r.Feature), Num(Number, r.Accounts), of, Num(Number, r.Users), uses, Maybe(Percent, r.Change), Maybe(Percent, r.ErrorRate), Maybe(Seconds, r.Seconds),
		})
	}
	return t, nil
}

// featureDays draws the uses by day of the most used features, or their errors a use.
func featureDays(title string, errors bool) func(context.Context, *store, query) (content, error) {
	return func(ctx context.Context, s *store, q query) (content, error) {
		params, replace := q.ofSegment(named("from", q.window()))
		rows, err := read[struct {
			Feature  string `ch:"feature"`
			Day      int64  `ch:"day"`
			Uses     uint64 `ch:"uses"`
			Errors   uint64 `ch:"errors"`
			Complete bool   `ch:"complete"`
		}](ctx, s, "features_day", params, replace...)
		if err != nil {
			return nil, err
		}
		d := newDaily(q, title, Number)
		if errors {
			d.chart.Kind = Percent
		}
		for _, r := range rows {
			value := float64(r.Uses)
			if errors && r.Uses > 0 {
				value = float64(r.Errors) / float64(r.Uses)
			}
			d.add(r.Feature, r.Day, value, r.Complete)
		}
		return d.done(!errors), nil
	}
}

// daily is a chart of the 28 days up to today in the making.
type daily struct{ chart *Chart }

func newDaily(q query, title string, kind Kind) daily {
	c := &Chart{Title: title, Kind: kind, Days: true}
	for i := range int64(28) {
		c.Times = append(c.Times, q.window().Unix()+i*int64(day/time.Second))
	}
	return daily{c}
}

// add sets the value of a day, in Unix seconds, of a series; series come one after the other.
func (d daily) add(label string, at int64, value float64, complete bool) {
	c := d.chart
	if n := len(c.Series); n == 0 || c.Series[n-1].Label != label {
		c.Series = append(c.Series, Series{Label: label, Values: make([]*float64, len(c.Times))})
	}
	for i, t := range c.Times {
		if t == at {
			c.Series[len(c.Series)-1].Values[i] = &value
		}
	}
	if !complete && (c.Provisional == 0 || at < c.Provisional) {
		c.Provisional = at
	}
}

// done is the chart; days without a row count as 0 if zeros says so, behind the first that has one in any series.
func (d daily) done(zeros bool) *Chart {
	first := len(d.chart.Times)
	for _, s := range d.chart.Series {
		for i, v := range s.Values {
			if v != nil {
				first = min(first, i)
			}
		}
	}
	for _, s := range d.chart.Series {
		for i, v := range s.Values {
			if zeros && v == nil && i >= first {
				s.Values[i] = new(float64)
			}
		}
	}
	return d.chart
}

func adoption(ctx context.Context, s *store, q query) (content, error) {
	rows, err := read[struct {
		Segment  string   `ch:"segment"`
		Accounts uint64   `ch:"accounts"`
		Adopted  *float64 `ch:"adopted"`
		Breadth  *float64 `ch:"breadth_median"`
		Depth    *float64 `ch:"depth_median"`
	}](ctx, s, "adoption", []any{named("from", q.window())})
	if err != nil {
		return nil, err
	}
	t := &Table{Caption: "Adoption by segment", Empty: "No account is known yet.", Columns: []Column{
		{Name: "segment", Label: "Segment"},
		{Name: "accounts", Label: "Accounts", Kind: Number},
		{Name: "adopted", Label: "Key features adopted", Kind: Percent, Help: "Of those that the accounts' plans include"},
		{Name: "breadth_median", Label: "Median account", Kind: Percent, Help: "Share of the key features that the median account has adopted"},
		{Name: "depth_median", Label: "Median depth", Kind: Number, Help: "Uses of key features by each user, in the median account"},
	}}
	for _, r := range rows {
		adopted := Maybe(Percent, r.Adopted)
		adopted.Bar = r.Adopted
		t.Rows = append(t.Rows, []Cell{segmentCell(r.Segment), Num(Number, r.Accounts), adopted, Maybe(Percent, r.Breadth), Maybe(Number, r.Depth)})
	}
	return t, nil
}

// segmentCell names a segment; accounts of which none is known are the empty one.
func segmentCell(name string) Cell {
	if name == "" {
		return Cell{Text: "no segment", State: "quiet"}
	}
	return Text(name)
}
