package schemas

import (
	"regexp"
	"slices"
)

// windowOf is what a view's name ends with, after the name of its family.
var windowOf = regexp.MustCompile(`_(minute|hour|day|month|\d+d)$`)

// Family is the name of a view without its window: usage of usage_28d.
func Family(view string) string { return windowOf.ReplaceAllString(view, "") }

// madeOf are columns of views that are no metrics, by the columns of metrics that they are made of.
var madeOf = map[string][]string{
	"usage.seat_utilization": {"usage.active_users"}, "usage.stickiness": {"usage.active_users"},
	"usage.events_trend": {"usage.events"}, "usage.active_users_trend": {"usage.active_users"},
	"usage.events_previous": {"usage.events"}, "usage.active_users_previous": {"usage.active_users"},
	"usage.active_days": {"usage_rolling.active_days"},
	"adoption.breadth":  {"features.users"}, "adoption.depth": {"features.users", "features.uses"},
	"frequency.active_days": {"usage.active_users"}, "frequency.frequency_attainment": {"usage.active_users"}, "frequency.users_regular": {"usage.active_users"}, "engagement.engagement_relative": {"usage.events"},
}

var word = regexp.MustCompile(`\b[a-z_][a-z0-9_]*\b`)

// Uses says what each metric serves beside a dashboard: health profiles, goals and targets, by the metric's name. A metric that
// serves none is vanity (metrics.md row 38), however much its column is looked at.
func (c *Catalogue) Uses() map[string][]string {
	out := map[string][]string{}
	var use func(column, by string)
	use = func(column, by string) {
		for _, part := range madeOf[column] {
			use(part, by)
		}
		for _, m := range c.Metrics {
			if m.View+"."+m.Column != column || slices.Contains(out[m.Name], by) {
				continue
			}
			out[m.Name] = append(out[m.Name], by)
			for _, part := range word.FindAllString(m.SQL, -1) {
				use(m.View+"."+part, by)
			}
		}
	}
	for _, p := range c.Health.Profiles {
		for _, component := range p.Components {
			for _, in := range component.Inputs() {
				use(Family(in.View)+"."+in.Column, "health "+p.Name)
			}
		}
	}
	for _, g := range c.Goals {
		if in, ok := g.Input(); ok {
			use(Family(in.View)+"."+in.Column, "goal "+g.Name)
		}
	}
	for _, m := range c.GoalMetrics {
		if in, ok := m.Input(); ok {
			use(Family(in.View)+"."+in.Column, "goals")
		}
	}
	for _, segment := range append([]string{""}, sortedKeys(c.Targets.Segments)...) {
		for _, m := range c.Metrics {
			if m.Name == c.ValueMetric(segment) {
				use(m.View+"."+m.Column, "targets")
			}
		}
		if len(c.TargetOf(segment).KeyFeatures) > 0 {
			use("features.users", "targets")
		}
	}
	return out
}

// Vanity are the metrics that serve nothing, in the catalogue's order.
func (c *Catalogue) Vanity() []Metric {
	uses := c.Uses()
	var out []Metric
	for _, m := range c.Metrics {
		if len(uses[m.Name]) == 0 {
			out = append(out, m)
		}
	}
	return out
}
