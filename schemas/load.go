package schemas

import (
	"fmt"
	"os"
	"slices"
)

// Builtin returns the catalogue that is compiled into the binary.
func Builtin() (*Catalogue, error) {
	const name = "built-in catalogue"
	c, err := decode(name, builtin)
	if err != nil {
		return nil, err
	}
	presets, err := decode("built-in health presets", builtinHealth)
	if err != nil {
		return nil, err
	}
	c.extend(presets)
	return c, c.validate(name)
}

// Load returns the built-in catalogue with the metrics, workflows, event sets and meanings of the file at path added;
// with an empty path, the built-in one alone. Errors name the file and the line.
func Load(path string) (*Catalogue, error) {
	c, err := Builtin()
	if err != nil || path == "" {
		return c, err
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read catalogue: %w", err)
	}
	add, err := decode(path, data)
	if err != nil {
		return nil, err
	}
	c.extend(add)
	return c, c.validate(path)
}

func decode(name string, data []byte) (*Catalogue, error) {
	var c Catalogue
	if err := DecodeStrict(name, data, &c); err != nil {
		return nil, err
	}
	for i := range c.Metrics {
		if m := &c.Metrics[i]; m.Column == "" {
			m.Column = m.Name
		}
	}
	return &c, nil
}

func (c *Catalogue) extend(add *Catalogue) {
	builtinMetrics := c.GoalMetrics
	if add.SessionGap > 0 {
		c.SessionGap = add.SessionGap
	}
	if add.IdleCap > 0 {
		c.IdleCap = add.IdleCap
	}
	if add.Feature.Property != "" {
		c.Feature = add.Feature
	}
	for name, events := range add.Events {
		c.Events[name] = events
	}
	for name, m := range add.ActiveWhen {
		c.ActiveWhen[name] = m
	}
	c.Metrics = append(c.Metrics, add.Metrics...)
	c.Workflows = append(c.Workflows, add.Workflows...)
	if add.Tickets.EscalatedWhen.set() {
		c.Tickets = add.Tickets
	}
	c.Segments = append(c.Segments, add.Segments...)
	c.Targets.extend(add.Targets)
	for plan, e := range add.Entitlements {
		if c.Entitlements == nil {
			c.Entitlements = map[string]Entitlement{}
		}
		c.Entitlements[plan] = e
	}
	c.Goals = append(c.Goals, add.Goals...)
	for _, m := range add.GoalMetrics {
		if !slices.ContainsFunc(builtinMetrics, func(b GoalMetric) bool { return b.Metric == m.Metric }) {
			c.GoalMetrics = append(c.GoalMetrics, m)
		}
	}
	c.Surveys = append(c.Surveys, add.Surveys...)
	c.Health.extend(add.Health)
}

func (e EscalatedWhen) set() bool {
	return len(e.Priorities)+len(e.Groups)+len(e.Tags)+e.Reopened > 0 || e.SLABreach
}
