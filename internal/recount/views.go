package recount

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// family is a family of public views that differ by their windows, as
// usage_hour and usage_7d. A row is a window of an account, and of one feature
// or workflow if by names a column.
type family struct {
	name    string
	by      string
	tiers   []Tier
	columns []column
	want    func(*Result, windows) map[Cell]string
}

// column is a column to compare: as it is, or times scale, rounded.
type column struct {
	name  string
	scale int
}

func columns(scale int, names ...string) []column {
	var list []column
	for _, name := range names {
		list = append(list, column{name, scale})
	}
	return list
}

// expression is the SQL of the column as text; NULL is nothing.
func (c column) expression() string {
	if c.scale > 1 {
		return fmt.Sprintf("ifNull(toString(round(%s * %d)), '')", c.name, c.scale)
	}
	return fmt.Sprintf("ifNull(toString(%s), '')", c.name)
}

const (
	inMillis = 1_000
	inMicros = 1_000_000 // averages have no end
)

var families = []family{
	{name: "usage", tiers: Tiers, want: usageCells, columns: append(
		columns(1, "events", "page_views", "logins", "users", "active_users", "errors", "sessions", "features_used"),
		columns(inMillis, "session_seconds", "active_seconds")...)},
	{name: "features", by: "feature", tiers: Tiers, want: featureCells, columns: columns(1, "uses", "users", "errors", "duration_ms")},
	{name: "workflows", by: "workflow", tiers: []Tier{Hour, Day}, want: workflowCells, columns: append(
		columns(1, "started", "completed", "abandoned"), columns(inMillis, "task_seconds")...)},
	{name: "support", tiers: Tiers, want: supportCells, columns: append(
		columns(1, "opened", "solved", "reopened", "escalated"),
		columns(inMicros, "first_reply_seconds_avg", "resolution_seconds_avg")...)},
}

// periods are the lengths, in days, of the views over several days.
var periods = []int{7, 28}

// windows are those of one view: a tier's, or periods of some days, one for
// each last day.
type windows struct {
	tier Tier // Day for periods
	days int  // 1 for a tier
	now  time.Time
}

// holding are the windows of a view, by their starts, that hold a window of the
// tier.
func (w windows) holding(window int64) []int64 {
	starts := make([]int64, w.days)
	for i := range starts {
		starts[i] = window - int64(i)*Day.Size().Milliseconds()
	}
	return starts
}

// comparable says of a window whether the view has it for certain: not when it
// is about to expire (the sessions of a day go with the hours), or lies ahead.
func (w windows) comparable(start int64) bool {
	retention := min(w.tier.Retention(), Hour.Retention())
	end := time.UnixMilli(start).Add(time.Duration(w.days) * w.tier.Size())
	return !time.UnixMilli(start).Before(w.now.Add(-retention)) && !end.After(w.now.Add(w.tier.Size()))
}

// CompareViews reads the public views and lists the values in which they differ
// from the log, and hidden accounts that they show: those whose names begin
// with "_". A view must have settled: what was read last must be in it.
func CompareViews(ctx context.Context, conn driver.Conn, result *Result) ([]Difference, error) {
	var differences []Difference
	now := time.Now().UTC()
	seen, err := completeTo(ctx, conn, result.telemetry, now)
	if err != nil {
		return nil, fmt.Errorf("read how far telemetry is complete: %w", err)
	}
	result.completeTo = seen
	for _, f := range families {
		list := map[string]windows{}
		for _, tier := range f.tiers {
			list[fmt.Sprintf("%s_%s", f.name, tier)] = windows{tier: tier, days: 1, now: now}
		}
		for _, days := range periods {
			list[fmt.Sprintf("%s_%dd", f.name, days)] = windows{tier: Day, days: days, now: now}
		}
		for name, w := range list {
			more, err := f.compare(ctx, conn, result, name, w)
			if err != nil {
				return nil, fmt.Errorf("compare the view %s: %w", name, err)
			}
			differences = append(differences, more...)
		}
	}
	for what, compare := range map[string]func(context.Context, driver.Conn, *Result) ([]Difference, error){
		"the account dimension": compareDimension, "the backlog": compareBacklog,
	} {
		more, err := compare(ctx, conn, result)
		if err != nil {
			return nil, fmt.Errorf("compare %s: %w", what, err)
		}
		differences = append(differences, more...)
	}
	return differences, nil
}

// completeTo is the instant by which the views tell an abandoned run from an
// open one.
func completeTo(ctx context.Context, conn driver.Conn, topic string, now time.Time) (time.Time, error) {
	var at []time.Time
	err := conn.QueryRow(ctx, "SELECT groupArray(complete_to) FROM completeness WHERE topic = ?", topic).Scan(&at)
	if err != nil || len(at) == 0 {
		return now, err
	}
	return at[0], nil
}

func (f family) compare(ctx context.Context, conn driver.Conn, r *Result, name string, w windows) ([]Difference, error) {
	got, err := f.read(ctx, conn, name, w.tier)
	if err != nil {
		return nil, err
	}
	want := map[Cell]string{}
	for c, value := range f.want(r, w) {
		if !strings.HasPrefix(c.Account, "_") {
			c.Table, c.Tier = name, w.tier
			want[c] = value
		}
	}
	for _, cells := range []map[Cell]string{want, got} {
		for c := range cells {
			if !w.comparable(c.Window) {
				delete(cells, c)
			}
		}
	}
	return Diff(want, got), nil
}

func (f family) read(ctx context.Context, conn driver.Conn, name string, tier Tier) (map[Cell]string, error) {
	by := "''"
	if f.by != "" {
		by = f.by
	}
	values := make([]string, len(f.columns))
	for i, c := range f.columns {
		values[i] = c.expression()
	}
	rows, err := conn.Query(ctx, fmt.Sprintf("SELECT account_id, window_start, toString(%s), [%s] FROM %s",
		by, strings.Join(values, ", "), name))
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	cells := map[Cell]string{}
	for rows.Next() {
		cell := Cell{Table: name, Tier: tier}
		var start time.Time
		var values []string
		if err := rows.Scan(&cell.Account, &start, &cell.Feature, &values); err != nil {
			return nil, err
		}
		cell.Window = start.UnixMilli()
		for i, value := range values {
			cell.Metric = f.columns[i].name
			cells[cell] = value
		}
	}
	return cells, rows.Err()
}
