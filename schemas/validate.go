package schemas

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
)

// identifier is what may become a column or a row key without quoting.
var identifier = regexp.MustCompile(`^[a-z_][a-z0-9_]*$`)

var (
	eventTypes = []string{"track", "page", "screen"}
	aggregates = []Aggregate{
		Count, Sum, Distinct, Sessions, SessionSeconds, ActiveSeconds, ActiveDays, FeaturesUsed, WorkflowRuns, TicketFacts, Derived,
	}
	views = []string{"usage", "usage_rolling", "features", "workflows", "support"}
)

func (c *Catalogue) validate(name string) error {
	var errs []error
	bad := func(line int, format string, args ...any) {
		errs = append(errs, fmt.Errorf("%s:%d: %s", name, line, fmt.Sprintf(format, args...)))
	}
	seen := map[string]int{}
	columns := map[string]string{}
	for _, m := range c.Metrics {
		if first, dup := seen[m.Name]; dup {
			bad(m.line, "metric %s is declared twice, first at line %d", m.Name, first)
		}
		seen[m.Name] = m.line
		column := m.View + "." + m.Column
		if other, dup := columns[column]; dup && other != m.Name {
			bad(m.line, "metric %s: column %s is already that of %s", m.Name, column, other)
		}
		columns[column] = m.Name
		c.validateMetric(m, func(format string, args ...any) {
			bad(m.line, "metric %s: %s", m.Name, fmt.Sprintf(format, args...))
		})
	}
	for _, w := range c.Workflows {
		switch {
		case !identifier.MatchString(w.Name):
			bad(w.line, "workflow name %q must match %s", w.Name, identifier)
		case len(w.Steps) < 2:
			bad(w.line, "workflow %s needs at least two steps", w.Name)
		case w.Within <= 0:
			bad(w.line, "workflow %s needs within, such as 24h", w.Name)
		}
	}
	for set, m := range c.ActiveWhen {
		if m.Active != "" {
			bad(0, "active_when %s: active is for metrics: a meaning does not refer to another, or to itself", set)
		}
		c.validateMatch(m, func(format string, args ...any) {
			bad(0, "active_when %s: %s", set, fmt.Sprintf(format, args...))
		})
	}
	if c.SessionGap < c.IdleCap {
		bad(0, "session_gap must not be shorter than idle_cap")
	}
	return errors.Join(errs...)
}

func (c *Catalogue) validateMetric(m Metric, bad func(string, ...any)) {
	if !identifier.MatchString(m.Name) || !identifier.MatchString(m.Column) {
		bad("name and column must match %s", identifier)
	}
	if !slices.Contains(aggregates, m.Aggregate) {
		bad("aggregate %q is none of %v", m.Aggregate, aggregates)
	}
	if !slices.Contains(views, m.View) {
		bad("view %q is none of %v", m.View, views)
	}
	if m.By != "" && m.By != "feature" {
		bad(`by %q must be empty (the account) or "feature"`, m.By)
	}
	if m.Aggregate.folded() && m.By != "feature" != (m.View != "features") {
		bad(`by: feature and view: features go together`)
	}
	if (m.Of != "") != (m.Aggregate == Sum) {
		bad("`of` goes with aggregate sum, and only with it")
	}
	if (m.SQL != "") != (m.Aggregate == Derived) {
		bad("`sql` goes with aggregate derived, and only with it")
	}
	for what, text := range map[string]string{"unit": m.Unit, "description": m.Description, "decision": m.Decision, "owner": m.Owner} {
		if text == "" {
			bad("%s is missing: a number nobody can read, or acts on, is vanity", what)
		}
	}
	if !m.Aggregate.folded() && !m.Match.empty() {
		bad("match goes with the aggregates count, sum and distinct")
	}
	c.validateMatch(m.Match, bad)
}

func (c *Catalogue) validateMatch(m Match, bad func(string, ...any)) {
	if m.Active != "" {
		if _, ok := c.ActiveWhen[m.Active]; !ok {
			bad("active %q is not declared in active_when", m.Active)
		}
	}
	for _, t := range m.Type {
		if !slices.Contains(eventTypes, t) {
			bad("type %q is none of %v", t, eventTypes)
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
			bad("where needs a property and one of in, not_in, exists")
		}
	}
}

// folded reports whether the pipeline folds the aggregate from events, as against a view reading it.
func (a Aggregate) folded() bool { return a == Count || a == Sum || a == Distinct }

func (m Match) empty() bool {
	return m.Active == "" && len(m.Type)+len(m.Event)+len(m.NotEvent)+len(m.Where) == 0
}
