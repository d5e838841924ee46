package backtest

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"tidemark/schemas"
	"tidemark/schemas/rules"
)

// File is a file of tests of rules: series of values, or records, in, alerts out.
type File struct {
	Rules []string `yaml:"rules"` // files of rules, beside this one; the shipped pack is always there
	// Catalogue is one beside this file that the rules are about; empty: that of the configuration.
	Catalogue string    `yaml:"catalogue"`
	Now       time.Time `yaml:"now"` // the last instant of tests of records: what the views take for the present
	Tests     []Test    `yaml:"tests"`
}

// Test is what the rules read at one instant after the other, and which alerts must come of it: all of them, in their order.
type Test struct {
	Name string `yaml:"name"`
	// Of are the rules that are played; those that inhibit them need to be named too, if they are meant to. Empty: all.
	Of       []string         `yaml:"of"`
	Start    time.Time        `yaml:"start"`    // the first instant, the end of a window; default 2026-03-02, a Monday
	Step     schemas.Duration `yaml:"step"`     // between two values of a series; default 1d
	Timezone string           `yaml:"timezone"` // of the account; default UTC
	// Values are the inputs by what conditions call them, such as support_30d.escalated. Those that are left out are unknown.
	Values map[string]yaml.Node `yaml:"values"`
	Alerts []Alert              `yaml:"alerts"`

	Happening `yaml:",inline"`

	Pos schemas.Pos `yaml:"-"`
}

// Alert is a transition that is expected.
type Alert struct {
	At    int      `yaml:"at"` // which of the instants, from 0
	Rule  string   `yaml:"rule"`
	Kind  string   `yaml:"kind"`  // fired, level, or resolved; default fired
	Level int      `yaml:"level"` // how many levels are reached; not looked at if it is 0
	Value *float64 `yaml:"value"` // not looked at if it is left out

	Pos schemas.Pos `yaml:"-"`
}

// ReadTests reads a file of tests. Errors name the file and the line.
func ReadTests(path string) (*File, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read tests: %w", err)
	}
	return Parse(path, data)
}

// Parse is ReadTests for data that was read from path.
func Parse(path string, data []byte) (*File, error) {
	var f File
	if err := schemas.DecodeStrict(path, data, &f); err != nil {
		return nil, err
	}
	var errs []error
	if len(f.Tests) == 0 {
		errs = append(errs, fmt.Errorf("%s: there are no tests", path))
	}
	for i := range f.Tests {
		t := &f.Tests[i]
		if t.Start.IsZero() {
			t.Start = time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)
		}
		if t.Step == 0 {
			t.Step = schemas.Duration(24 * time.Hour)
		}
		if t.Name == "" || len(t.Values) == 0 && !t.Happens() {
			errs = append(errs, fmt.Errorf("%s: a test needs a name and values, or an account and records", t.Pos))
		}
		if t.Happens() {
			errs = append(errs, t.checkRecords(f.Now))
		}
		if !t.Start.Equal(t.Start.Truncate(time.Duration(t.Step))) {
			errs = append(errs, fmt.Errorf("%s: test %q: start must be a multiple of step, as windows end there", t.Pos.At("start"), t.Name))
		}
	}
	beside := func(of string) string {
		if of == "" || filepath.IsAbs(of) {
			return of
		}
		return filepath.Join(filepath.Dir(path), of)
	}
	for i, of := range f.Rules {
		f.Rules[i] = beside(of)
	}
	f.Catalogue = beside(f.Catalogue)
	return &f, errors.Join(errs...)
}

// expand reads a series: one value for all instants, a list, or a text as in "0 1 _ 3x4 1+2x3": _ is unknown, 3x4 is 3 and
// four times more, 1+2x3 is 1 3 5 7.
func expand(n yaml.Node, of rules.Type) ([]rules.Value, bool, error) {
	switch {
	case n.Kind == yaml.SequenceNode:
		var out []rules.Value
		for _, item := range n.Content {
			v, err := parse(item.Value, of, item.Tag == "!!null")
			if err != nil {
				return nil, false, fmt.Errorf("line %d: %w", item.Line, err)
			}
			out = append(out, v)
		}
		return out, false, nil
	case n.Kind != yaml.ScalarNode:
		return nil, false, fmt.Errorf("line %d: a series is a value, a list of values, or a text such as \"0 1 2x3\"", n.Line)
	case of != rules.Number || len(strings.Fields(n.Value)) < 2 && !strings.Contains(n.Value, "x"):
		v, err := parse(n.Value, of, n.Tag == "!!null")
		if err != nil {
			return nil, false, fmt.Errorf("line %d: %w", n.Line, err)
		}
		return []rules.Value{v}, true, nil
	}
	var out []rules.Value
	for _, word := range strings.Fields(n.Value) {
		values, err := repeated(word)
		if err != nil {
			return nil, false, fmt.Errorf("line %d: %w", n.Line, err)
		}
		out = append(out, values...)
	}
	return out, false, nil
}

// repeated reads 3, _, 3x4, _x4, 1+2x3 and 9-2x3.
func repeated(word string) ([]rules.Value, error) {
	first, times, many := strings.Cut(word, "x")
	n := 0
	if many {
		var err error
		if n, err = strconv.Atoi(times); err != nil || n < 0 || n > 10000 {
			return nil, fmt.Errorf("%q: after x stands how many more values there are, such as 3x4", word)
		}
	}
	step := 0.0
	if i := strings.LastIndexAny(first, "+-"); i > 0 {
		v, err := strconv.ParseFloat(first[i:], 64)
		if err != nil {
			return nil, fmt.Errorf("%q is no series such as 1+2x3", word)
		}
		first, step = first[:i], v
	}
	value, err := parse(first, rules.Number, first == "_")
	if err != nil {
		return nil, err
	}
	out := []rules.Value{value}
	for range n {
		value.Number += step
		out = append(out, value)
	}
	return out, nil
}

func parse(text string, of rules.Type, unknown bool) (rules.Value, error) {
	if unknown || text == "_" {
		return rules.Value{}, nil
	}
	switch of {
	case rules.Number:
		v, err := strconv.ParseFloat(text, 64)
		if err != nil {
			return rules.Value{}, fmt.Errorf("%q is no number", text)
		}
		return rules.Num(v), nil
	case rules.Bool:
		v, err := strconv.ParseBool(text)
		if err != nil {
			return rules.Value{}, fmt.Errorf("%q is neither true nor false", text)
		}
		return rules.Truth(v), nil
	case rules.Time:
		for _, layout := range []string{time.RFC3339, time.DateOnly} {
			if at, err := time.Parse(layout, text); err == nil {
				return rules.At(at), nil
			}
		}
		return rules.Value{}, fmt.Errorf("%q is no time such as 2026-03-02T10:00:00Z", text)
	default:
		return rules.Str(text), nil
	}
}
