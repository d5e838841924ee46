package backtest

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"tidemark/schemas"
	"tidemark/schemas/rules"
)

// series are the values of one input.
type series struct {
	values   []rules.Value
	constant bool
}

// Run plays a test, and returns a line for each thing that is not as it expects. The error is about the test itself. Tests of records
// need what came of them.
func (t Test) Run(all []*rules.Rule, happened *History) ([]string, error) {
	picked, err := t.picked(all)
	if err != nil {
		return nil, err
	}
	if t.Happens() {
		played, err := Play(picked, happened.Account(t.Account), t.Start, happened.to)
		if err != nil {
			return nil, err
		}
		return t.compare(played.Told)
	}
	given, length, err := t.series(picked)
	if err != nil {
		return nil, err
	}
	zone, err := time.LoadLocation(t.Timezone)
	if err != nil {
		return nil, fmt.Errorf("%s: timezone: %w", t.Pos.At("timezone"), err)
	}
	step := time.Duration(t.Step)
	a := Account{ID: "test", Zone: zone, Value: func(in rules.Input, at time.Time) rules.Value {
		i := int(at.Sub(t.Start) / step)
		if in.Back > 0 {
			size := in.Shape.Size
			if size == 0 {
				return rules.Value{}
			}
			i -= in.Back * int(size/step)
			in.Back = 0
		}
		s := given[in.String()]
		switch {
		case s.constant:
			return s.values[0]
		case i < 0 || i >= len(s.values):
			return rules.Value{}
		default:
			return s.values[i]
		}
	}}
	a.Segment = func(at time.Time) string {
		return a.Value(rules.Input{Kind: rules.OfAccount, View: "accounts", Column: "segment"}, at).Text
	}
	played, err := Play(picked, a, t.Start, t.Start.Add(time.Duration(length-1)*step))
	if err != nil {
		return nil, err
	}
	return t.compare(played.Told)
}

func (t Test) picked(all []*rules.Rule) ([]*rules.Rule, error) {
	if len(t.Of) == 0 {
		return all, nil
	}
	var names []string
	for _, r := range all {
		names = append(names, r.Name)
	}
	var out []*rules.Rule
	for _, name := range t.Of {
		i := slices.Index(names, name)
		if i < 0 {
			return nil, fmt.Errorf("%s: test %q: there is no rule %s%s", t.Pos.At("of"), t.Name, name, schemas.Suggest(name, names))
		}
		if s := Step(all[i]); s < time.Duration(t.Step) {
			return nil, fmt.Errorf("%s: test %q: rule %s is judged every %s: give the values by that step", t.Pos.At("step"), t.Name, name, s)
		}
		out = append(out, all[i])
	}
	return out, nil
}

// series reads the values, and says how many instants there are.
func (t Test) series(picked []*rules.Rule) (map[string]series, int, error) {
	read := map[string]rules.Input{"account.segment": {Type: rules.Text}}
	for _, in := range Inputs(picked) {
		read[in.String()] = in
	}
	out := map[string]series{}
	length := 0
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(t.Values)) {
		node := t.Values[name]
		in, ok := read[name]
		if !ok {
			errs = append(errs, fmt.Errorf("%s: test %q: no rule that is played reads %s%s", t.Pos.At("values"), t.Name, name, schemas.Suggest(name, slices.Sorted(maps.Keys(read)))))
			continue
		}
		values, constant, err := expand(node, in.Type)
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: test %q: %s: %w", t.Pos.At("values"), t.Name, name, err))
		}
		out[name] = series{values, constant}
		if !constant {
			length = max(length, len(values))
		}
	}
	if length == 0 && len(errs) == 0 {
		errs = append(errs, fmt.Errorf("%s: test %q: no series says how long it takes: give one input several values", t.Pos.At("values"), t.Name))
	}
	return out, length, errors.Join(errs...)
}

// compare says where what was told differs from what is expected.
func (t Test) compare(told []Told) ([]string, error) {
	var got, want []string
	for i, g := range told {
		at := int(g.At.Sub(t.Start) / time.Duration(t.Step))
		var e Alert
		if i < len(t.Alerts) {
			e = t.Alerts[i]
		}
		got = append(got, line(at, g.Rule.Name, string(g.Kind), g.Level, g.Value, e.Level > 0, e.Value != nil))
	}
	for _, e := range t.Alerts {
		kind := e.Kind
		if kind == "" {
			kind = "fired"
		}
		if kinds := []string{"fired", "level", "resolved"}; !slices.Contains(kinds, kind) {
			return nil, fmt.Errorf("%s: test %q: kind %q is unknown%s", e.Pos.At("kind"), t.Name, kind, schemas.Suggest(kind, kinds))
		}
		want = append(want, line(e.At, e.Rule, kind, e.Level, e.Value, e.Level > 0, e.Value != nil))
	}
	if slices.Equal(got, want) {
		return nil, nil
	}
	return []string{"expected: " + orNone(want), "got:      " + orNone(got)}, nil
}

func line(at int, rule, kind string, level int, value *float64, withLevel, withValue bool) string {
	out := fmt.Sprintf("%d %s %s", at, rule, kind)
	if withLevel {
		out += fmt.Sprintf(" level %d", level)
	}
	if withValue && value != nil {
		out += fmt.Sprintf(" value %.6g", *value)
	}
	return out
}

func orNone(lines []string) string {
	if len(lines) == 0 {
		return "no alert"
	}
	return strings.Join(lines, "; ")
}
