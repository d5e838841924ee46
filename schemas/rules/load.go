package rules

import (
	_ "embed"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"tidemark/schemas"
)

//go:embed rules.yaml
var pack []byte

// PackName is how errors and Pos call the shipped pack.
const PackName = "shipped rules"

// Load returns the rules of the files, in their order, after those of the shipped pack; without files, the pack alone. A rule
// replaces one of the pack of the same name, and a file with `pack: none` leaves the pack out. tables are the views that the
// catalogue makes. Errors name file and line.
func Load(cat *schemas.Catalogue, tables []Table, paths ...string) ([]*Rule, error) {
	shipped, err := decode(PackName, pack)
	if err != nil {
		return nil, err
	}
	own, err := read(paths)
	if err != nil {
		return nil, err
	}
	var declared []Declaration
	replaced := map[string]bool{}
	withPack := true
	for _, f := range own {
		withPack = withPack && f.Pack != "none"
		for _, d := range f.Rules {
			replaced[d.Name] = true
		}
		declared = append(declared, f.Rules...)
	}
	if withPack {
		shipped.Rules = slices.DeleteFunc(shipped.Rules, func(d Declaration) bool { return replaced[d.Name] })
		declared = append(shipped.Rules, declared...)
	}
	return compileAll(cat, tables, declared)
}

func read(paths []string) ([]*File, error) {
	var out []*File
	var errs []error
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil {
			errs = append(errs, fmt.Errorf("read rules: %w", err))
			continue
		}
		f, err := decode(path, data)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		out = append(out, f)
	}
	return out, errors.Join(errs...)
}

func decode(name string, data []byte) (*File, error) {
	var f File
	if err := schemas.DecodeStrict(name, data, &f); err != nil {
		return nil, err
	}
	if f.Pack != "" && f.Pack != "none" {
		return nil, fmt.Errorf("%s: pack is %q: it may only be none, which leaves the shipped rules out", name, f.Pack)
	}
	return &f, nil
}

func compileAll(cat *schemas.Catalogue, tables []Table, declared []Declaration) ([]*Rule, error) {
	env, err := environment()
	if err != nil {
		return nil, fmt.Errorf("set up CEL: %w", err)
	}
	c := &compiler{words: newVocabulary(cat, tables), env: env}
	var out []*Rule
	errs := validate(cat, declared)
	for _, d := range declared {
		r, err := c.rule(d)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		out = append(out, r)
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return out, nil
}

// rule compiles what is declared.
func (c *compiler) rule(d Declaration) (*Rule, error) {
	r := &Rule{
		Name: d.Name, Description: d.Description, Playbook: d.Playbook, Owner: d.Owner, Severity: d.Severity, Rows: d.Rows,
		Levels: d.Levels, For: time.Duration(d.For), KeepFiringFor: time.Duration(d.KeepFiringFor), Cooldown: time.Duration(d.Cooldown),
		Segments: d.Segments, QuietHours: d.QuietHours, InhibitedBy: d.InhibitedBy, Targets: d.Targets, Pos: d.Pos,
	}
	if r.Severity == "" {
		r.Severity = Warning
	}
	if d.When == "" && len(d.Levels) > 0 && d.Value != "" {
		d.When = fmt.Sprintf("%s >= %g", d.Value, d.Levels[0])
	}
	if d.When == "" {
		return nil, fmt.Errorf("%s: rule %s needs when, or value and levels", d.Pos, d.Name)
	}
	var errs []error
	compile := func(key, text string, want Type) *Condition {
		if text == "" {
			return nil
		}
		cond, err := c.compile(text, d.Pos.At(key), want)
		if err != nil {
			errs = append(errs, withRule(err, d.Name, key))
		}
		return cond
	}
	r.When = compile("when", d.When, Bool)
	r.ClearWhen = compile("clear_when", d.ClearWhen, Bool)
	r.Minimum = compile("minimum", d.Minimum, Bool)
	value, threshold := d.Value, ""
	if r.When != nil {
		left, right := c.comparison(d.When)
		if value == "" || value == left {
			value, threshold = left, right
		}
	}
	r.Value = compile("value", value, Number)
	if len(errs) == 0 && threshold != "" {
		r.Threshold = compile("when", threshold, Number)
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	if len(r.Levels) > 0 && r.Value == nil {
		return nil, fmt.Errorf("%s: rule %s: levels need a value to compare: write it, such as value: licences_28d.seat_utilization", d.Pos.At("levels"), d.Name)
	}
	r.Fires, r.Reason = fires(r)
	return r, nil
}

// fires finds whether the rule may fire before its windows are over.
func fires(r *Rule) (Fires, string) {
	for _, part := range []struct {
		key string
		c   *Condition
	}{{"when", r.When}, {"minimum", r.Minimum}, {"value", r.Value}} {
		if part.c == nil || part.key == "value" && len(r.Levels) == 0 {
			continue
		}
		if g := part.c.Growth; g != Up && g != Fixed {
			return AtWatermark, part.key + ": " + part.c.Reason
		}
	}
	return Monotone, r.When.Reason
}

// withRule puts the rule and the key between the place and the message of every error.
func withRule(err error, rule, key string) error {
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return fmt.Errorf("%w (%s of rule %s)", err, key, rule)
	}
	var errs []error
	for _, e := range joined.Unwrap() {
		errs = append(errs, fmt.Errorf("%w (%s of rule %s)", e, key, rule))
	}
	return errors.Join(errs...)
}
