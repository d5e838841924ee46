package explain

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"tidemark/internal/recount"
	"tidemark/schemas"
	"tidemark/schemas/nearest"
)

// Find returns the metric of a name. Its error says which one was probably meant.
func Find(c *schemas.Catalogue, name string) (schemas.Metric, error) {
	var names []string
	for _, m := range c.Metrics {
		if m.Name == name {
			return m, nil
		}
		names = append(names, m.Name)
	}
	for _, m := range c.Metrics {
		if m.Column == name {
			return schemas.Metric{}, fmt.Errorf("there is no metric %s; did you mean %s?", name, m.Name)
		}
	}
	if near := nearest.To(name, names); near != "" {
		return schemas.Metric{}, fmt.Errorf("there is no metric %s; did you mean %s?", name, near)
	}
	return schemas.Metric{}, fmt.Errorf("there is no metric %s; there are %s", name, strings.Join(names, ", "))
}

// view is the view that shows the metric in windows of the length.
func view(m schemas.Metric, w Window) (string, error) {
	lengths := Lengths
	family := m.View
	switch m.View {
	case "usage_rolling":
		family, lengths = "usage", []string{"7d", "28d"}
	case "workflows":
		lengths = Lengths[1:]
	}
	if !slices.Contains(lengths, w.Length) {
		return "", fmt.Errorf("%s is measured by %s, not by %s", m.Name, strings.Join(lengths, ", "), w.Length)
	}
	return family + "_" + w.Length, nil
}

// by is the column of the view that tells its rows apart, beside account and window; "" = none.
func by(m schemas.Metric) string {
	switch m.View {
	case "features":
		return "feature"
	case "workflows":
		return "workflow"
	}
	return ""
}

// inputs are the metrics that a metric is worked out from: itself, unless it is derived.
func inputs(c *schemas.Catalogue, m schemas.Metric) []schemas.Metric {
	if m.Aggregate != schemas.Derived {
		return []schemas.Metric{m}
	}
	var all []schemas.Metric
	for _, name := range identifier.FindAllString(m.SQL, -1) {
		for _, other := range c.Metrics {
			if other.View != m.View || other.Column != name || other.Name == m.Name {
				continue
			}
			for _, in := range inputs(c, other) {
				if !slices.ContainsFunc(all, func(have schemas.Metric) bool { return have.Name == in.Name }) {
					all = append(all, in)
				}
			}
		}
	}
	return all
}

var identifier = regexp.MustCompile(`[a-z_][a-z0-9_]*`)

// formula says in words how a metric is worked out.
func formula(c *schemas.Catalogue, m schemas.Metric) string {
	gap, idle := time.Duration(c.SessionGap), time.Duration(c.IdleCap)
	switch m.Aggregate {
	case schemas.Count:
		return "number of events where " + matches(c, m)
	case schemas.Sum:
		return fmt.Sprintf("sum of properties.%s over events where %s", m.Of, matches(c, m))
	case schemas.Distinct:
		return "number of distinct users among events where " + matches(c, m)
	case schemas.Sessions:
		return fmt.Sprintf("sessions that start in the window; a session is a user's events with pauses shorter than %s", short(gap))
	case schemas.SessionSeconds:
		return fmt.Sprintf("first to last event of the sessions that start in the window; a session is a user's events with pauses shorter than %s", short(gap))
	case schemas.ActiveSeconds:
		return fmt.Sprintf("sum of the pauses after each event of the window, each counted up to %s, and not at all from %s on", short(idle), short(gap))
	case schemas.ActiveDays:
		return "number of days with a distinct active user"
	case schemas.FeaturesUsed:
		return "number of distinct features with a use"
	case schemas.WorkflowRuns:
		return "runs, by the window of their start, of " + workflows(c)
	case schemas.Derived:
		return m.SQL
	}
	return m.Description
}

func workflows(c *schemas.Catalogue) string {
	var texts []string
	for _, w := range c.Workflows {
		texts = append(texts, fmt.Sprintf("%s: %s within %s", w.Name, strings.Join(w.Steps, " > "), short(time.Duration(w.Within))))
	}
	return strings.Join(texts, "; ")
}

// short writes 30m0s as 30m.
func short(d time.Duration) string {
	text := d.String()
	text = strings.TrimSuffix(text, "0s")
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}

// matches writes out which events the metric takes.
func matches(c *schemas.Catalogue, m schemas.Metric) string {
	var parts []string
	for _, rule := range recount.RulesOf(c).Metrics {
		if rule.Name != m.Name {
			continue
		}
		for _, match := range rule.All {
			parts = append(parts, conditions(match)...)
		}
	}
	if m.By == "feature" {
		parts = append(parts, fmt.Sprintf("properties.%s names the feature", c.Feature.Property))
	}
	if len(parts) == 0 {
		return "type is track, page or screen"
	}
	return strings.Join(parts, " and ")
}

func conditions(match schemas.Match) []string {
	var parts []string
	list := func(what, is string, values []string) {
		if len(values) > 0 {
			parts = append(parts, fmt.Sprintf("%s %s %s", what, is, strings.Join(values, "|")))
		}
	}
	list("type", "is", match.Type)
	list("event", "is", match.Event)
	list("event", "is not", match.NotEvent)
	for _, where := range match.Where {
		property := "properties." + where.Property
		list(property, "is", where.In)
		list(property, "is not", where.NotIn)
		if where.Exists != nil {
			parts = append(parts, property+map[bool]string{true: " is there", false: " is not there"}[*where.Exists])
		}
	}
	return parts
}
