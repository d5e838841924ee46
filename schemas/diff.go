package schemas

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Change is one difference between two catalogues.
type Change struct {
	What string   // added, removed or changed
	Kind string   // such as metric
	Name string   // empty for what is there once
	Keys []string // that differ, of something changed
	Rows string   // why the pipeline's rows are not what they would be had it always been so; empty if views alone change
}

// String is the change in a line.
func (c Change) String() string {
	text := map[string]string{"added": "+ ", "removed": "- ", "changed": "~ "}[c.What] + strings.TrimSpace(c.Kind+" "+c.Name)
	if len(c.Keys) > 0 {
		text += " (" + strings.Join(c.Keys, ", ") + ")"
	}
	if c.Rows != "" {
		text += ": " + c.Rows
	}
	return text
}

// Declared is the whole catalogue as YAML, which Whole reads.
func (c *Catalogue) Declared() []byte { return asYAML(c) }

// Whole reads what Declared gave: a catalogue to which nothing built-in is added.
func Whole(name string, data []byte) (*Catalogue, error) {
	c, err := decode(name, data)
	if err != nil {
		return nil, err
	}
	return c, c.validate(name)
}

// Diff lists what becomes different when one catalogue takes the place of another.
func Diff(from, to *Catalogue) []Change {
	was, is := from.folded(), to.folded()
	var out []Change
	entries(&out, "metric", from.Metrics, to.Metrics, func(m Metric) string { return m.Name }, func(name string) string { return metricRows(name, was, is) })
	entries(&out, "workflow", from.Workflows, to.Workflows, func(w Workflow) string { return w.Name }, func(name string) string { return stepRows(name, was, is) })
	none := func(string) string { return "" }
	keyed(&out, "set of events", from.Events, to.Events)
	keyed(&out, "meaning of active", from.ActiveWhen, to.ActiveWhen)
	entries(&out, "segment", from.Segments, to.Segments, func(s Segment) string { return s.Name }, none)
	entries(&out, "goal", from.Goals, to.Goals, func(g Goal) string { return g.Name }, none)
	entries(&out, "goal metric", from.GoalMetrics, to.GoalMetrics, func(m GoalMetric) string { return m.Metric }, none)
	entries(&out, "survey", from.Surveys, to.Surveys, func(s Survey) string { return s.Survey }, none)
	entries(&out, "health profile", from.Health.Profiles, to.Health.Profiles, func(p Profile) string { return p.Name }, none)
	keyed(&out, "entitlements of", from.Entitlements, to.Entitlements)
	once(&out, "targets", from.Targets, to.Targets, stepRows(OnboardingFacts, was, is))
	once(&out, "feature", from.Feature, to.Feature, "events were counted for the features that another property named")
	escalated := ""
	if !same(was.Escalated, is.Escalated) {
		escalated = "tickets were marked as escalated by what held then"
	}
	once(&out, "tickets", from.Tickets, to.Tickets, escalated)
	once(&out, "session_gap", from.SessionGap, to.SessionGap, "")
	once(&out, "idle_cap", from.IdleCap, to.IdleCap, "")
	once(&out, "health.default", from.Health.Default, to.Health.Default, "")
	return append(out, indirect(was, is, out)...)
}

// RebuildAdvised reports whether any of the changes leaves rows behind that a rebuild would make different.
func RebuildAdvised(changes []Change) bool {
	return slices.ContainsFunc(changes, func(c Change) bool { return c.Rows != "" })
}

// indirect are metrics that count something else though their own words are the same: a set or a meaning has changed.
func indirect(was, is folded, found []Change) []Change {
	var out []Change
	for _, name := range sortedKeys(is.Metrics) {
		before, there := was.Metrics[name]
		told := slices.ContainsFunc(found, func(c Change) bool { return c.Kind == "metric" && c.Name == name })
		if there && !told && !same(before, is.Metrics[name]) {
			out = append(out, Change{What: "changed", Kind: "metric", Name: name, Keys: []string{"the events that it names"}, Rows: metricRows(name, was, is)})
		}
	}
	return out
}

func metricRows(name string, was, is folded) string {
	before, had := was.Metrics[name]
	after, has := is.Metrics[name]
	switch {
	case !has:
		return ""
	case !had:
		return "it counts from here on; a rebuild gives it the history that the log has"
	case !same(before, after):
		return "rows so far are of the other meaning, and those of open windows a mixture"
	}
	return ""
}

func stepRows(name string, was, is folded) string {
	for _, event := range is.Steps[name] {
		if !slices.ContainsFunc(sortedKeys(was.Steps), func(w string) bool {
			return (w == name || name == OnboardingFacts) && slices.Contains(was.Steps[w], event)
		}) {
			return fmt.Sprintf("%s is kept from here on; a rebuild gives it the history that the log has", event)
		}
	}
	return ""
}

func entries[T any](out *[]Change, kind string, from, to []T, name func(T) string, rows func(string) string) {
	index := func(all []T) map[string]T {
		m := map[string]T{}
		for _, v := range all {
			m[name(v)] = v
		}
		return m
	}
	compare(out, kind, index(from), index(to), rows)
}

func keyed[T any](out *[]Change, kind string, from, to map[string]T) {
	compare(out, kind, from, to, func(string) string { return "" })
}

func compare[T any](out *[]Change, kind string, from, to map[string]T, rows func(string) string) {
	all := maps.Clone(from)
	if all == nil {
		all = map[string]T{}
	}
	maps.Copy(all, to)
	for _, name := range sortedKeys(all) {
		before, had := from[name]
		after, has := to[name]
		switch {
		case !had:
			*out = append(*out, Change{What: "added", Kind: kind, Name: name, Rows: rows(name)})
		case !has:
			*out = append(*out, Change{What: "removed", Kind: kind, Name: name})
		case !same(before, after):
			*out = append(*out, Change{What: "changed", Kind: kind, Name: name, Keys: differing(before, after), Rows: rows(name)})
		}
	}
}

func once[T any](out *[]Change, kind string, from, to T, rows string) {
	if !same(from, to) {
		*out = append(*out, Change{What: "changed", Kind: kind, Keys: differing(from, to), Rows: rows})
	}
}

// same compares what is declared, wherever it stands.
func same(a, b any) bool { return bytes.Equal(asYAML(a), asYAML(b)) }

func asYAML(v any) []byte {
	data, err := yaml.Marshal(v)
	if err != nil {
		panic(fmt.Sprintf("marshal catalogue: %v", err)) // plain data always marshals
	}
	return data
}

// differing are the keys of two mappings whose values differ.
func differing(a, b any) []string {
	var before, after map[string]any
	if yaml.Unmarshal(asYAML(a), &before) != nil || yaml.Unmarshal(asYAML(b), &after) != nil {
		return nil
	}
	var out []string
	for _, key := range sortedKeys(after) {
		if !same(before[key], after[key]) {
			out = append(out, key)
		}
	}
	return out
}
