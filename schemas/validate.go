package schemas

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"

	"tidemark/schemas/nearest"
)

// identifier is what may become a column or a row key without quoting.
var identifier = regexp.MustCompile(`^[a-z_][a-z0-9_]*$`)

var (
	eventTypes = []string{"track", "page", "screen"}
	aggregates = []string{
		"count", "sum", "distinct", "sessions", "session_seconds", "active_seconds", "active_days", "features_used", "workflow", "tickets", "derived",
	}
	views = []string{"usage", "usage_rolling", "features", "workflows", "support"}
)

// complain notes a mistake, and where it is.
type complain func(at Pos, format string, args ...any)

// validate finds the mistakes; those without a place of their own are put down to the file.
func (c *Catalogue) validate(file string) error {
	var errs []error
	bad := func(at Pos, format string, args ...any) {
		if at.File == "" {
			at.File = file
		}
		errs = append(errs, fmt.Errorf("%s: %s", at, fmt.Sprintf(format, args...)))
	}
	c.validateMetrics(bad)
	c.validateWorkflows(bad)
	for _, set := range sortedKeys(c.ActiveWhen) {
		m := c.ActiveWhen[set]
		if m.Active != "" {
			bad(m.Pos, "active_when %s: active is for metrics: a meaning does not refer to another, or to itself", set)
		}
		c.validateMatch(m, "active_when "+set, bad)
	}
	if c.SessionGap < c.IdleCap {
		bad(Pos{}, "session_gap must not be shorter than idle_cap")
	}
	c.validateSegments(bad)
	c.validateTargets(bad)
	c.validateEntitlements(bad)
	c.validateGoals(bad)
	c.validateGoalMetrics(bad)
	c.validateSurveys(bad)
	c.validateHealth(bad)
	return errors.Join(errs...)
}

func (c *Catalogue) validateMetrics(bad complain) {
	seen := map[string]Pos{}
	columns := map[string]string{}
	for _, m := range c.Metrics {
		if first, dup := seen[m.Name]; dup {
			bad(m.Pos, "metric %s is declared twice, first at %s", m.Name, first)
		}
		seen[m.Name] = m.Pos
		column := m.View + "." + m.Column
		if other, dup := columns[column]; dup && other != m.Name {
			bad(m.Pos, "metric %s: column %s is already that of %s", m.Name, column, other)
		}
		columns[column] = m.Name
		c.validateMetric(m, bad)
	}
}

func (c *Catalogue) validateWorkflows(bad complain) {
	seen := map[string]Pos{}
	for _, w := range c.Workflows {
		if first, dup := seen[w.Name]; dup {
			bad(w.Pos, "workflow %s is declared twice, first at %s", w.Name, first)
		}
		seen[w.Name] = w.Pos
		switch {
		case !identifier.MatchString(w.Name):
			bad(w.Pos.At("name"), "workflow name %q must match %s", w.Name, identifier)
		case len(w.Steps) < 2:
			bad(w.Pos.At("steps"), "workflow %s needs at least two steps", w.Name)
		case w.Within <= 0:
			bad(w.Pos, "workflow %s needs within, such as 24h", w.Name)
		}
	}
}

func (c *Catalogue) validateMetric(m Metric, bad complain) {
	wrong := func(key, format string, args ...any) {
		bad(m.Pos.At(key), "metric %s: %s", m.Name, fmt.Sprintf(format, args...))
	}
	if !identifier.MatchString(m.Name) || !identifier.MatchString(m.Column) {
		wrong("name", "name and column must match %s", identifier)
	}
	if !slices.Contains(aggregates, string(m.Aggregate)) {
		wrong("aggregate", "aggregate %q is none of %v%s", m.Aggregate, aggregates, mean(string(m.Aggregate), aggregates))
	}
	if !slices.Contains(views, m.View) {
		wrong("view", "view %q is none of %v%s", m.View, views, mean(m.View, views))
	}
	if m.By != "" && m.By != "feature" {
		wrong("by", `by %q must be empty (the account) or "feature"`, m.By)
	}
	if m.Aggregate.folded() && m.By != "feature" != (m.View != "features") {
		wrong("by", `by: feature and view: features go together`)
	}
	if (m.Of != "") != (m.Aggregate == Sum) {
		wrong("of", "`of` goes with aggregate sum, and only with it")
	}
	if (m.SQL != "") != (m.Aggregate == Derived) {
		wrong("sql", "`sql` goes with aggregate derived, and only with it")
	}
	for _, f := range []struct{ what, text string }{
		{"unit", m.Unit}, {"description", m.Description}, {"decision", m.Decision}, {"owner", m.Owner},
	} {
		if f.text == "" {
			wrong(f.what, "%s is missing: a number nobody can read, or acts on, is vanity", f.what)
		}
	}
	if !m.Aggregate.folded() && !m.Match.empty() {
		wrong("match", "match goes with the aggregates count, sum and distinct")
	}
	c.validateMatch(m.Match, "metric "+m.Name, bad)
}

func (c *Catalogue) validateMatch(m Match, where string, bad complain) {
	if m.Active != "" {
		if _, ok := c.ActiveWhen[m.Active]; !ok {
			bad(m.Pos.At("active"), "%s: active %q is not declared in active_when%s", where, m.Active, Suggest(m.Active, sortedKeys(c.ActiveWhen)))
		}
	}
	for _, t := range m.Type {
		if !slices.Contains(eventTypes, t) {
			bad(m.Pos.At("type"), "%s: type %q is none of %v%s", where, t, eventTypes, mean(t, eventTypes))
		}
	}
	for _, w := range m.Where {
		given := 0
		for _, is := range []bool{len(w.In) > 0, len(w.NotIn) > 0, w.Exists != nil} {
			if is {
				given++
			}
		}
		if w.Property == "" || given != 1 {
			bad(w.Pos, "%s: where needs a property and one of in, not_in, exists", where)
		}
	}
}

// mean ends a complaint that lists what there is with the one that was probably meant.
func mean(name string, there []string) string {
	if near := nearest.To(name, there); near != "" {
		return "; did you mean " + near + "?"
	}
	return ""
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// folded reports whether the pipeline folds the aggregate from events, as against a view reading it.
func (a Aggregate) folded() bool { return a == Count || a == Sum || a == Distinct }

func (m Match) empty() bool {
	return m.Active == "" && len(m.Type)+len(m.Event)+len(m.NotEvent)+len(m.Where) == 0
}
