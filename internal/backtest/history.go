package backtest

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"tidemark/pipeline/triggers"
	"tidemark/schemas/rules"
	sink "tidemark/sinks/clickhouse"
)

// Range is the past that is looked at.
type Range struct {
	From, To time.Time
	Accounts []string // empty: all
	Present  bool     // views that show the present only are read too, as of To
}

// History is what the views show of the past, of the inputs of some rules.
type History struct {
	Accounts []string
	of       map[string]*past
	to       time.Time
	// Hindsight are the inputs that are not as they were known then.
	Hindsight []string
}

// past is that of one account.
type past struct {
	windows map[string]map[int64]rules.Value // by input (Back 0), and the window's end in Unix seconds
	changes map[string][]change              // of what is no window: by input, in the order of time
	zone    []change
	lost    time.Time
}

type change struct {
	from  int64 // Unix milliseconds
	value rules.Value
}

// at is the latest value from before or at an instant.
func at(all []change, when time.Time) rules.Value {
	i, found := slices.BinarySearchFunc(all, when.UnixMilli(), func(c change, ms int64) int { return int(c.from - ms) })
	if found {
		for i+1 < len(all) && all[i+1].from == all[i].from {
			i++
		}
		return all[i].value
	}
	if i == 0 {
		return rules.Value{}
	}
	return all[i-1].value
}

// ReadHistory reads the inputs of the rules over a range, as the views show it now, late events included.
func ReadHistory(ctx context.Context, conn driver.Conn, all []*rules.Rule, r Range) (*History, error) {
	h := &History{of: map[string]*past{}, to: r.To}
	groups := map[string][]rules.Input{}
	back := map[string]time.Duration{}
	for _, rule := range all {
		for _, in := range inputs(rule) {
			if in.Kind != rules.OfCalendar {
				back[in.View] = max(back[in.View], time.Duration(in.Back+1)*max(in.Shape.Size, 0))
			}
		}
	}
	for _, in := range Inputs(all) {
		groups[in.View] = append(groups[in.View], in)
		if asKnown := in.View == "portfolio" || in.View == "onboarding"; !asKnown || r.Present {
			h.Hindsight = append(h.Hindsight, in.String())
		}
	}
	if err := h.account(ctx, conn, groups["accounts"], r); err != nil {
		return nil, fmt.Errorf("read account_history: %w", err)
	}
	for view, ins := range groups {
		if view == "accounts" {
			continue
		}
		query, err := queryOf(view, ins, r, back[view])
		if err != nil {
			return nil, err
		}
		if err := h.view(ctx, conn, query, ins, r); err != nil {
			return nil, fmt.Errorf("read %s: %w", view, err)
		}
	}
	for a := range h.of {
		h.Accounts = append(h.Accounts, a)
	}
	slices.Sort(h.Accounts)
	return h, nil
}

const onlyAccounts = " AND (empty({accounts:Array(String)}) OR account_id IN {accounts:Array(String)})"

// queryOf is the SQL of some columns of a view: account, when in Unix milliseconds, key, and the columns as texts.
func queryOf(view string, ins []rules.Input, r Range, back time.Duration) (string, error) {
	shape := ins[0].Shape
	key := "''"
	if shape.Key != "" {
		key = "toString(`" + shape.Key + "`)"
	}
	columns := make([]string, len(ins))
	for i, in := range ins {
		columns[i] = triggers.Text(in, in.Column)
	}
	switch {
	case shape.Windowed():
		from, to := r.From.Add(-back-shape.Size), r.To
		if shape.Calendar {
			from = from.Add(-370 * 24 * time.Hour)
		}
		return fmt.Sprintf("SELECT account_id, toInt64(toUnixTimestamp(window_end)) * 1000, %s, %s FROM `%s` WHERE window_start >= toDateTime(%d, 'UTC') AND window_end <= toDateTime(%d, 'UTC')%s ORDER BY account_id, window_end",
			key, triggers.Texts(columns), view, from.Unix(), to.Unix(), onlyAccounts), nil
	case view == "milestones":
		return fmt.Sprintf("SELECT account_id, toUnixTimestamp64Milli(reached_at), %s, %s FROM milestones WHERE reached_at <= fromUnixTimestamp64Milli(%d, 'UTC')%s ORDER BY account_id, reached_at",
			key, triggers.Texts(columns), r.To.UnixMilli(), onlyAccounts), nil
	case r.Present:
		return fmt.Sprintf("SELECT account_id, toInt64(%d), %s, %s FROM `%s` WHERE 1%s", r.To.UnixMilli(), key, triggers.Texts(columns), view, onlyAccounts), nil
	case view == "portfolio" || view == "onboarding":
		for i, in := range ins {
			name := in.Column
			if view == "onboarding" {
				if name != "state" && name != "progress" {
					return "", fmt.Errorf("onboarding.%s has no history: of onboarding only state and progress were kept, with the portfolio", name)
				}
				name = "onboarding_" + name
			}
			columns[i] = triggers.Text(in, name)
		}
		return fmt.Sprintf("SELECT account_id, toUnixTimestamp64Milli(toDateTime64(known_at, 3, 'UTC')), '', %s FROM portfolio_known WHERE known_at >= fromUnixTimestamp64Milli(%d, 'UTC') AND known_at <= fromUnixTimestamp64Milli(%d, 'UTC')%s ORDER BY account_id, known_at",
			triggers.Texts(columns), r.From.Add(-48*time.Hour).UnixMilli(), r.To.UnixMilli(), onlyAccounts), nil
	default:
		return "", fmt.Errorf("the view %s shows the present only, so a rule that reads it cannot be played over the past; %s", view, instead(view))
	}
}

func instead(view string) string {
	switch view {
	case "health":
		return "health_day has what it was"
	case "meters":
		return "meters_day has what it was"
	default:
		return "portfolio has what was known of every account, every hour"
	}
}

func (h *History) past(account string) *past {
	p := h.of[account]
	if p == nil {
		p = &past{windows: map[string]map[int64]rules.Value{}, changes: map[string][]change{}}
		h.of[account] = p
	}
	return p
}

// view takes in what a query of queryOf returns.
func (h *History) view(ctx context.Context, conn driver.Conn, query string, ins []rules.Input, r Range) error {
	return sink.Each(ctx, conn, query, func(rows driver.Rows) error {
		var account, key string
		var ms int64
		var values []*string
		if err := rows.Scan(&account, &ms, &key, &values); err != nil {
			return err
		}
		p := h.past(account)
		for i, in := range ins {
			if in.Shape.Key == "" || in.Over != "" || in.Key == key {
				p.take(in, ms, triggers.Parse(in, values[i]))
			}
		}
		return nil
	}, clickhouse.Named("accounts", listed(r.Accounts)))
}

// take adds a value of an input: of a window, or from an instant on. Those of several keys become one.
func (p *past) take(in rules.Input, ms int64, v rules.Value) {
	name := in.String()
	if in.Shape.Step > 0 {
		if p.windows[name] == nil {
			p.windows[name] = map[int64]rules.Value{}
		}
		p.windows[name][ms/1000] = merge(in.Over, p.windows[name][ms/1000], v)
		return
	}
	was := rules.Value{}
	all := p.changes[name]
	if n := len(all); n > 0 && (all[n-1].from == ms || in.Shape.Key != "" && !in.Shape.Windowed()) {
		was = all[n-1].value // milestones add up; periods and snapshots replace those before
	}
	p.changes[name] = append(all, change{ms, merge(in.Over, was, v)})
}

func merge(over rules.Over, was, v rules.Value) rules.Value {
	switch {
	case over == rules.Count && v.Known:
		return rules.Num(was.Number + 1)
	case over == "" || !was.Known:
		return v
	case !v.Known:
		return was
	}
	switch more := v.Number > was.Number || v.Time.After(was.Time); {
	case over == rules.Sum:
		return rules.Num(was.Number + v.Number)
	case (over == rules.Max) == more:
		return v
	default:
		return was
	}
}

// account reads what was known of accounts, and when a customer was lost.
func (h *History) account(ctx context.Context, conn driver.Conn, ins []rules.Input, r Range) error {
	columns := []string{"attributes['timezone']", "toString(segment)", "toString(is_removed OR ifNull(stage = 'churned' OR mrr = 0, false))"}
	for _, in := range ins {
		if in.Column == "known_since" || in.Column == "updated_at" {
			return fmt.Errorf("account.%s has no history", in.Column)
		}
		columns = append(columns, triggers.Text(in, in.Column))
	}
	query := "SELECT account_id, toUnixTimestamp64Milli(valid_from), " + triggers.Texts(columns) + " FROM account_history WHERE NOT startsWith(account_id, '_')" + onlyAccounts + " ORDER BY account_id, valid_from"
	was := map[string]bool{}
	return sink.Each(ctx, conn, query, func(rows driver.Rows) error {
		var account string
		var ms int64
		var values []*string
		if err := rows.Scan(&account, &ms, &values); err != nil {
			return err
		}
		p := h.past(account)
		p.zone = append(p.zone, change{ms, triggers.Parse(rules.Input{Type: rules.Text}, values[0])})
		p.changes["account.segment"] = append(p.changes["account.segment"], change{ms, triggers.Parse(rules.Input{Type: rules.Text}, values[1])})
		switch lost := *values[2] == "true" || *values[2] == "1"; {
		case lost && was[account] && p.lost.IsZero():
			p.lost = time.UnixMilli(ms).UTC()
		case !lost:
			was[account], p.lost = true, time.Time{}
		}
		for i, in := range ins {
			if name := in.String(); name != "account.segment" {
				p.changes[name] = append(p.changes[name], change{ms, triggers.Parse(in, values[i+3])})
			}
		}
		return nil
	}, clickhouse.Named("accounts", listed(r.Accounts)))
}

func listed(accounts []string) []string {
	if accounts == nil {
		return []string{}
	}
	return accounts
}

// Account is one of the history's accounts, as rules read it.
func (h *History) Account(id string) Account {
	p := h.past(id)
	zone := time.UTC
	if n := len(p.zone); n > 0 {
		if loaded, err := time.LoadLocation(p.zone[n-1].value.Text); err == nil {
			zone = loaded
		}
	}
	return Account{ID: id, Zone: zone,
		Segment: func(when time.Time) string { return at(p.changes["account.segment"], when).Text },
		Value: func(in rules.Input, when time.Time) rules.Value {
			end := when
			if in.Shape.Step > 0 {
				end = in.WindowEnd(when)
			}
			name := rules.Input{Kind: in.Kind, View: in.View, Column: in.Column, Key: in.Key, Over: in.Over}.String()
			if in.Shape.Step > 0 {
				return p.windows[name][end.Unix()]
			}
			all := p.changes[name]
			for range in.Back {
				i, _ := slices.BinarySearchFunc(all, when.UnixMilli()+1, func(c change, ms int64) int { return int(c.from - ms) })
				if i == 0 {
					return rules.Value{}
				}
				when = time.UnixMilli(all[i-1].from - 1)
			}
			return at(all, when)
		}}
}

// Lost is when the account ceased to be a customer; zero if it did not.
func (h *History) Lost(id string) time.Time { return h.past(id).lost }
