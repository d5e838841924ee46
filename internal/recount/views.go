package recount

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// view is a public view, or a family of them that differ by their windows. A
// row is an account's window, of one feature or workflow if by names a column.
type view struct {
	name    string // with %s for the tier
	by      string
	columns []viewColumn
	want    func(*Result, viewWindow) map[Cell]string
}

// viewColumn is a column to compare: as it is, or in seconds where the recount
// has milliseconds.
type viewColumn struct {
	name    string
	seconds bool
}

// viewWindow is what the windows of a view are: of a tier, or of some days.
type viewWindow struct {
	tier Tier
	days int
	now  time.Time
}

func plain(names ...string) []viewColumn {
	var columns []viewColumn
	for _, name := range names {
		columns = append(columns, viewColumn{name: name})
	}
	return columns
}

func inSeconds(columns []viewColumn, names ...string) []viewColumn {
	for _, name := range names {
		columns = append(columns, viewColumn{name: name, seconds: true})
	}
	return columns
}

// expression is the SQL of the column as text, NULL being nothing.
func (c viewColumn) expression() string {
	if c.seconds {
		return fmt.Sprintf("toString(toInt64(round(ifNull(%s, 0) * 1000)))", c.name)
	}
	return fmt.Sprintf("ifNull(toString(%s), '')", c.name)
}

var views = []view{
	{name: "usage_%s", want: usageCells, columns: inSeconds(
		plain("events", "page_views", "logins", "users", "active_users", "errors", "sessions", "features_used"),
		"session_seconds", "active_seconds")},
}

var rollingViews = []view{
	{name: "usage_%dd", want: rollingCells, columns: plain("active_users", "active_days")},
}

// CompareViews reads the public views and lists the values in which they differ
// from the log. The hidden accounts, whose names begin with "_", must not be in
// them.
func CompareViews(ctx context.Context, conn driver.Conn, result *Result) ([]Difference, error) {
	var differences []Difference
	now := time.Now().UTC()
	compare := func(v view, name string, w viewWindow) error {
		got, err := readView(ctx, conn, v, name, w)
		if err != nil {
			return fmt.Errorf("read the view %s: %w", name, err)
		}
		want := v.want(result, w)
		drop := func(cells map[Cell]string) {
			for c := range cells {
				if old := now.Add(-w.retention()).UnixMilli(); c.Window < old || cells[c] == "0" {
					delete(cells, c)
				}
			}
		}
		for c := range want {
			if strings.HasPrefix(c.Account, "_") {
				delete(want, c)
			}
		}
		named := map[Cell]string{}
		for c, value := range want {
			c.Table = name
			named[c] = value
		}
		drop(named)
		drop(got)
		differences = append(differences, Diff(named, got)...)
		return nil
	}
	for _, v := range views {
		for _, tier := range Tiers {
			if err := compare(v, fmt.Sprintf(v.name, tier), viewWindow{tier: tier, now: now}); err != nil {
				return nil, err
			}
		}
	}
	for _, v := range rollingViews {
		for _, days := range []int{7, 28} {
			if err := compare(v, fmt.Sprintf(v.name, days), viewWindow{tier: Day, days: days, now: now}); err != nil {
				return nil, err
			}
		}
	}
	more, err := compareDimension(ctx, conn, result)
	if err != nil {
		return nil, fmt.Errorf("compare the account dimension: %w", err)
	}
	return append(differences, more...), nil
}

// retention is how old a window may be for its rows to be there for certain;
// the sessions of a day last as long as the user minutes.
func (w viewWindow) retention() time.Duration {
	if w.tier == Day {
		return Hour.Retention()
	}
	return w.tier.Retention()
}

func readView(ctx context.Context, conn driver.Conn, v view, name string, w viewWindow) (map[Cell]string, error) {
	by := "''"
	if v.by != "" {
		by = v.by
	}
	expressions := make([]string, len(v.columns))
	for i, c := range v.columns {
		expressions[i] = c.expression()
	}
	query := fmt.Sprintf("SELECT account_id, window_start, toString(%s), [%s] FROM %s", by, strings.Join(expressions, ", "), name)
	rows, err := conn.Query(ctx, query)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	cells := map[Cell]string{}
	for rows.Next() {
		cell := Cell{Table: name, Tier: w.tier}
		var window time.Time
		var values []string
		if err := rows.Scan(&cell.Account, &window, &cell.Feature, &values); err != nil {
			return nil, err
		}
		cell.Window = window.UnixMilli()
		for i, value := range values {
			cell.Metric = v.columns[i].name
			cells[cell] = value
		}
	}
	return cells, rows.Err()
}

// usageCells sum counters and distinct users over sources, and add sessions and
// features.
func usageCells(r *Result, w viewWindow) map[Cell]string {
	sums := map[Cell]int64{}
	features := map[Cell]bool{}
	for k, n := range r.Counters {
		cell := Cell{Tier: k.Tier, Account: k.Account, Window: k.Window, Metric: k.Metric}
		switch {
		case k.Tier != w.tier:
		case k.Feature == "":
			sums[cell] += int64(n)
		case k.Metric == "feature_uses":
			cell.Metric = "features_used"
			seen := cell
			seen.Feature = k.Feature
			if !features[seen] {
				features[seen] = true
				sums[cell]++
			}
		}
	}
	type member struct {
		Cell
		hash uint64
	}
	seen := map[member]bool{}
	for k := range r.Members {
		cell := Cell{Tier: k.Tier, Account: k.Account, Window: k.Window, Metric: k.Metric}
		if k.Tier == w.tier && k.Feature == "" && !seen[member{cell, k.Member}] {
			seen[member{cell, k.Member}] = true
			sums[cell]++
		}
	}
	for k, use := range r.Use() {
		if k.Tier == w.tier {
			cell := Cell{Tier: k.Tier, Account: k.Account, Window: k.Window}
			for metric, n := range map[string]int64{"sessions": int64(use.Sessions), "session_seconds": use.SessionMS, "active_seconds": use.ActiveMS} {
				cell.Metric = metric
				sums[cell] = n
			}
		}
	}
	return texts(sums)
}

func texts(sums map[Cell]int64) map[Cell]string {
	cells := make(map[Cell]string, len(sums))
	for cell, n := range sums {
		cells[cell] = strconv.FormatInt(n, 10)
	}
	return cells
}

// rollingCells are named by the start of their window, as in the views, which
// end with today.
func rollingCells(r *Result, w viewWindow) map[Cell]string {
	sums := map[Cell]int64{}
	for k, rolling := range r.Rolling() {
		if k.Days != w.days || k.Day > w.now.UnixMilli() {
			continue
		}
		start := k.Day - int64(k.Days-1)*Day.Size().Milliseconds()
		cell := Cell{Tier: Day, Account: k.Account, Window: start}
		cell.Metric = "active_users"
		sums[cell] = int64(rolling.ActiveUsers)
		cell.Metric = "active_days"
		sums[cell] = int64(rolling.ActiveDays)
	}
	return texts(sums)
}

// compareDimension checks what the daily view says of the accounts themselves:
// what was known at the end of each day.
func compareDimension(ctx context.Context, conn driver.Conn, r *Result) ([]Difference, error) {
	names := []string{"name", "plan", "segment", "stage", "owner", "seats", "mrr"}
	rows, err := conn.Query(ctx, `SELECT account_id, window_end, arrayMap(x -> ifNull(x, ''),
		[account_name, plan, segment, stage, owner, toString(seats), toString(mrr)]) FROM usage_day`)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	var differences []Difference
	for rows.Next() {
		var account string
		var end time.Time
		var values []string
		if err := rows.Scan(&account, &end, &values); err != nil {
			return nil, err
		}
		known := r.AccountAsOf(account, end.UnixMilli())
		for i, name := range names {
			if known[name] != values[i] {
				differences = append(differences, Difference{
					Cell: Cell{Table: "usage_day", Account: account, Tier: Day, Window: end.UnixMilli(), Metric: name},
					Want: known[name], Got: values[i],
				})
			}
		}
	}
	return differences, rows.Err()
}
