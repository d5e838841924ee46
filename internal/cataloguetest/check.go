package cataloguetest

import (
	"context"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"tidemark/schemas"
)

// refused compares the dead letters with those that the test wants.
func refused(letters []string, t Test) []string {
	if len(letters) == t.DeadLetters {
		return nil
	}
	text := fmt.Sprintf("%d records were refused, expected %d (dead_letters)", len(letters), t.DeadLetters)
	for _, l := range letters {
		text += "\n    " + l
	}
	return []string{text}
}

// check compares what a view says with what is expected of it: a line for each column that differs.
func (r *Runner) check(ctx context.Context, e Expectation) ([]string, error) {
	columns, ok := r.columns[e.View]
	if !ok {
		return nil, fmt.Errorf("there is no view %s%s", e.View, schemas.Suggest(e.View, slices.Sorted(maps.Keys(r.columns))))
	}
	for _, name := range append(slices.Sorted(maps.Keys(e.Where)), slices.Sorted(maps.Keys(e.Columns))...) {
		if !slices.Contains(columns, name) {
			return nil, fmt.Errorf("the view %s has no column %s%s", e.View, name, schemas.Suggest(name, columns))
		}
	}
	names := slices.Sorted(maps.Keys(e.Columns))
	rows, err := r.rows(ctx, e, names)
	if err != nil {
		return nil, err
	}
	where := e.View
	if len(e.Where) > 0 {
		where += " where " + conditions(e.Where)
	}
	want := 1
	if e.Rows != nil {
		want = *e.Rows
	}
	if len(rows) != want {
		return []string{fmt.Sprintf("%s: expected %s, got %d", where, map[bool]string{true: "1 row", false: strconv.Itoa(want) + " rows"}[want == 1], len(rows))}, nil
	}
	var out []string
	for i, name := range names {
		if got := rows[0][i]; !equal(e.Columns[name], got) {
			out = append(out, fmt.Sprintf("%s: %s: expected %s, got %s", where, name, shown(e.Columns[name]), orNull(got)))
		}
	}
	return out, nil
}

// rows reads the columns as text, at most a hundred rows.
func (r *Runner) rows(ctx context.Context, e Expectation, names []string) ([][]*string, error) {
	texts := make([]string, len(names))
	for i, name := range names {
		texts[i] = "CAST(toString(`" + name + "`), 'Nullable(String)')"
	}
	if len(texts) == 0 {
		texts = []string{"CAST('', 'Nullable(String)')"}
	}
	query := "SELECT " + strings.Join(texts, ", ") + " FROM `" + e.View + "`"
	if len(e.Where) > 0 {
		query += " WHERE " + conditions(e.Where)
	}
	rows, err := r.db.QueryContext(ctx, query+" LIMIT 100")
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", e.View, err)
	}
	defer rows.Close() //nolint:errcheck // rows.Err has it
	var out [][]*string
	for rows.Next() {
		row := make([]*string, len(texts))
		into := make([]any, len(texts))
		for i := range row {
			into[i] = &row[i]
		}
		if err := rows.Scan(into...); err != nil {
			return nil, err
		}
		out = append(out, row)
	}
	return out, rows.Err()
}

// conditions are the SQL of what must hold of a row.
func conditions(where map[string]any) string {
	var all []string
	for _, name := range slices.Sorted(maps.Keys(where)) {
		if where[name] == nil {
			all = append(all, name+" IS NULL")
			continue
		}
		all = append(all, name+" = "+literal(where[name]))
	}
	return strings.Join(all, " AND ")
}

func literal(v any) string {
	switch v := v.(type) {
	case time.Time:
		return "toDateTime('" + v.UTC().Format(time.DateTime) + "', 'UTC')"
	case string:
		return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(v) + "'"
	default:
		return fmt.Sprint(v)
	}
}

// equal compares what is expected with a value as ClickHouse writes it; numbers to nine digits.
func equal(want any, got *string) bool {
	if want == nil || got == nil {
		return want == nil && got == nil
	}
	if n, err := strconv.ParseFloat(fmt.Sprint(want), 64); err == nil {
		if _, text := want.(string); !text {
			g, err := strconv.ParseFloat(*got, 64)
			return err == nil && math.Abs(g-n) <= 1e-9*max(1, math.Abs(n))
		}
	}
	if at, ok := want.(time.Time); ok {
		return strings.TrimSuffix(*got, ".000") == at.UTC().Format(time.DateTime) || *got == at.UTC().Format(time.DateOnly)
	}
	return fmt.Sprint(want) == *got
}

func shown(v any) string {
	switch v := v.(type) {
	case nil:
		return "NULL"
	case time.Time:
		return v.UTC().Format(time.DateTime)
	default:
		return fmt.Sprint(v)
	}
}

func orNull(s *string) string {
	if s == nil {
		return "NULL"
	}
	return *s
}
