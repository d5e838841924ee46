package simulate

import (
	"context"
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"tidemark/internal/recount"
)

// figure is a column of a daily view, in the truth's unit: counts, or
// microseconds.
type figure struct {
	view, sql string
	want      func(Figures) float64
}

var dailyFigures = []figure{
	{"usage_day", "sessions", func(f Figures) float64 { return float64(f.Sessions) }},
	{"usage_day", "session_seconds * 1000000", func(f Figures) float64 { return float64(f.SessionMS) * 1000 }},
	{"usage_day", "active_seconds * 1000000", func(f Figures) float64 { return float64(f.ActiveMS) * 1000 }},
	{"workflows_day", "started", func(f Figures) float64 { return float64(f.Started) }},
	{"workflows_day", "completed", func(f Figures) float64 { return float64(f.Completed) }},
	{"workflows_day", "task_seconds * 1000000", func(f Figures) float64 { return float64(f.TaskMS) * 1000 }},
	{"support_day", "opened", func(f Figures) float64 { return float64(f.Opened) }},
	{"support_day", "solved", func(f Figures) float64 { return float64(f.Solved) }},
	{"support_day", "reopened", func(f Figures) float64 { return float64(f.Reopened) }},
	{"support_day", "escalated", func(f Figures) float64 { return float64(f.Escalated) }},
	{"support_day", "first_reply_seconds_avg * 1000000", func(f Figures) float64 { return average(f.FirstReplyMS, f.FirstReplies) }},
	{"support_day", "resolution_seconds_avg * 1000000", func(f Figures) float64 { return average(f.ResolutionMS, f.Resolutions) }},
}

// average is in microseconds, as averages have no end.
func average(ms int64, n uint64) float64 {
	if n == 0 {
		return 0
	}
	return float64(ms) * 1000 / float64(n)
}

// CompareFigures reads the daily views of usage, workflows and support and lists
// where they differ from the truth's figures: what can't be seen in the tables
// themselves. Days that are about as old as the minutes kept are left out.
func CompareFigures(ctx context.Context, conn driver.Conn, t *Truth) ([]Difference, error) {
	want, got := map[recount.Cell]string{}, map[recount.Cell]string{}
	for key, figures := range t.Figures() {
		if key.Tier != recount.Day {
			continue
		}
		for _, f := range dailyFigures {
			want[f.cell(key.Account, key.Window)] = rounded(f.want(figures))
		}
	}
	for _, f := range dailyFigures {
		if err := f.read(ctx, conn, t, got); err != nil {
			return nil, fmt.Errorf("read %s of the view %s: %w", f.sql, f.view, err)
		}
	}
	oldest := time.Now().Add(-recount.Minute.Retention() + recount.Day.Size()).UnixMilli()
	for _, cells := range []map[recount.Cell]string{want, got} {
		for cell := range cells {
			if cell.Window < oldest && cell.Table == "usage_day" {
				delete(cells, cell)
			}
		}
	}
	return recount.Diff(want, got), nil
}

func (f figure) cell(account string, day int64) recount.Cell {
	return recount.Cell{Table: f.view, Account: account, Tier: recount.Day, Window: day, Metric: f.sql}
}

func (f figure) read(ctx context.Context, conn driver.Conn, t *Truth, cells map[recount.Cell]string) error {
	rows, err := conn.Query(ctx, fmt.Sprintf("SELECT account_id, window_start, toFloat64(ifNull(%s, 0)) FROM %s", f.sql, f.view))
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var account string
		var day time.Time
		var value float64
		if err := rows.Scan(&account, &day, &value); err != nil {
			return err
		}
		if _, ours := t.accounts[account]; ours {
			cells[f.cell(account, day.UnixMilli())] = rounded(value)
		}
	}
	return rows.Err()
}

func rounded(f float64) string { return strconv.FormatFloat(math.Round(f), 'f', 0, 64) }
