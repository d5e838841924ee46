package triggers

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"tidemark/schemas/rules"
	sink "tidemark/sinks/clickhouse"
)

// texts is the SQL of the columns of some inputs, as one array.
func (r *Reader) texts(ws []want) string {
	columns := make([]string, len(ws))
	for i, w := range ws {
		in := r.inputs[w.input]
		columns[i] = Text(in.Input, in.Column)
	}
	return Texts(columns)
}

// history reads what is known of accounts: now, and the inputs as of their instants.
func (r *Reader) history(ctx context.Context, into *readings, wanted []want, now time.Time) error {
	instants := []int64{now.UnixMilli()}
	var ws []want
	for _, w := range wanted {
		if r.inputs[w.input].way == byHistory {
			ws = append(ws, w)
			if at := min(w.at, now.UnixMilli()); !slices.Contains(instants, at) {
				instants = append(instants, at)
			}
		}
	}
	values := make([][]rules.Value, len(ws))
	for i, w := range ws {
		values[i] = into.column(w)
	}
	// Which of the instants a row holds at, beginning with now.
	query := "SELECT account_id, is_removed, ifNull(toString(segment), ''), attributes['timezone'], " + r.texts(ws) + `,
    arrayFilter(t -> toUnixTimestamp64Milli(valid_from) <= t AND (valid_to IS NULL OR toUnixTimestamp64Milli(assumeNotNull(valid_to)) > t), {instants:Array(Int64)}) AS holds
FROM account_history WHERE account_id IN {accounts:Array(String)} AND notEmpty(holds)`
	for accounts := range slices.Chunk(into.accounts, part) {
		err := sink.Each(r.client.LoadContext(ctx), r.client.Conn(), query, func(rows driver.Rows) error {
			var name string
			var k account
			var texts []*string
			var holds []int64
			if err := rows.Scan(&name, &k.removed, &k.segment, &k.zone, &texts, &holds); err != nil {
				return err
			}
			n := into.index[name]
			if holds[0] == now.UnixMilli() {
				k.since = into.known[n].since
				into.known[n] = k
			}
			for i, text := range texts {
				if slices.Contains(holds, min(ws[i].at, now.UnixMilli())) {
					values[i][n] = Parse(r.inputs[ws[i].input].Input, text)
				}
			}
			return nil
		}, named("accounts", accounts), named("instants", instants))
		if err != nil {
			return err
		}
	}
	return nil
}

// view reads columns of a view as people see it, all as of one instant.
func (r *Reader) view(ctx context.Context, into *readings, accounts []string, ws []want) error {
	windows := map[string][]want{} // by the condition on the window
	for _, w := range ws {
		condition := r.rowOf(w)
		windows[condition] = append(windows[condition], w)
	}
	for condition, ws := range windows {
		in := r.inputs[ws[0].input]
		key := "''"
		if in.Shape.Key != "" && in.Kind == rules.OfView {
			key = "toString(`" + in.Shape.Key + "`)"
		}
		from := in.View
		if in.Kind == rules.OfAccount {
			from = "accounts"
		}
		query := "SELECT account_id, " + key + ", " + r.texts(ws) + " FROM " + from + " WHERE account_id IN {accounts:Array(String)}" + condition
		found := make([]map[int][]rules.Value, len(ws)) // of inputs over all keys, by account
		for i, w := range ws {
			into.column(w)
			found[i] = map[int][]rules.Value{}
		}
		err := sink.Each(r.client.LoadContext(ctx), r.client.Conn(), query, func(rows driver.Rows) error {
			var name, key string
			var texts []*string
			if err := rows.Scan(&name, &key, &texts); err != nil {
				return err
			}
			n := into.index[name]
			for i, text := range texts {
				in := r.inputs[ws[i].input]
				if in.Over == "" && in.Kind == rules.OfView && in.Key != key && in.Shape.Key != "" {
					continue
				}
				if v := Parse(in.Input, text); v.Known || in.Over == "" {
					found[i][n] = append(found[i][n], v)
				}
			}
			return nil
		}, named("accounts", accounts))
		if err != nil {
			return err
		}
		for i, w := range ws {
			in, values := r.inputs[w.input], into.column(w)
			for _, a := range accounts {
				values[into.index[a]] = fold(in.Over, found[i][into.index[a]])
			}
		}
	}
	return nil
}

// rowOf is the SQL of which rows of a view are of the window that is read.
func (r *Reader) rowOf(w want) string {
	in := r.inputs[w.input]
	switch {
	case in.Kind != rules.OfView:
		return ""
	case in.Shape.Step > 0:
		start, _ := r.window(w)
		return " AND window_start = " + moment(start)
	case in.Shape.Calendar: // in the accounts' own time zones; which row is theirs depends on the rows
		at := fmt.Sprintf("fromUnixTimestamp64Milli(%d, 'UTC')", w.at)
		order := fmt.Sprintf(" ORDER BY window_end DESC LIMIT 1 OFFSET %d BY account_id", in.Back)
		if in.Shape.Key != "" {
			order += ", `" + in.Shape.Key + "`"
		}
		if w.ended {
			return " AND window_end <= " + at + order
		}
		return " AND window_start < " + at + order
	default:
		return ""
	}
}

// fold makes one value of those of the rows with different keys.
func fold(over rules.Over, values []rules.Value) rules.Value {
	if over == rules.Count {
		return rules.Num(float64(len(values)))
	}
	if len(values) == 0 {
		return rules.Value{}
	}
	out := values[0]
	for _, v := range values[1:] {
		switch over {
		case rules.Max:
			if less(out, v) {
				out = v
			}
		case rules.Min:
			if less(v, out) {
				out = v
			}
		case rules.Sum:
			out.Number += v.Number
		}
	}
	return out
}

// less orders numbers and times.
func less(a, b rules.Value) bool {
	if a.Type == rules.Time {
		return a.Time.Before(b.Time)
	}
	return a.Number < b.Number
}
