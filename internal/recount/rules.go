package recount

import (
	"bytes"
	"encoding/json"
	"slices"

	"tidemark/schemas"
)

// Rules is what a catalogue declares to be counted, as plain lists: they are
// gone through for every event.
type Rules struct {
	Feature   string // the property that names the feature of a track event
	Metrics   []Metric
	Workflows map[string][]string // steps by name
	Escalated Escalation
}

// Metric is a declared count, sum or number of distinct users.
type Metric struct {
	Name       string
	Aggregate  schemas.Aggregate
	PerFeature bool
	Of         string          // the property that a sum adds up
	All        []schemas.Match // all of them have to hold; event sets are written out
}

// Escalation lists the ticket events that escalate by themselves.
type Escalation struct {
	Priorities, Groups, Tags []string
	SLABreach                bool
}

// RulesOf takes from a catalogue what its events are counted by.
func RulesOf(c *schemas.Catalogue) *Rules {
	when := c.Tickets.EscalatedWhen
	r := &Rules{Feature: c.Feature.Property, Workflows: map[string][]string{}, Escalated: Escalation{
		Priorities: when.Priorities, Groups: when.Groups, Tags: when.Tags, SLABreach: when.SLABreach,
	}}
	for _, m := range c.Metrics {
		switch m.Aggregate {
		case schemas.Count, schemas.Sum, schemas.Distinct:
			all := []schemas.Match{writtenOut(c, m.Match)}
			if m.Match.Active != "" {
				all = append(all, writtenOut(c, c.ActiveWhen[m.Match.Active]))
			}
			r.Metrics = append(r.Metrics, Metric{Name: m.Name, Aggregate: m.Aggregate, PerFeature: m.By == "feature", Of: m.Of, All: all})
		}
	}
	for _, w := range c.Workflows {
		r.Workflows[w.Name] = w.Steps
	}
	r.addChecklist(c, c.Targets.Target)
	for _, t := range c.Targets.Segments {
		r.addChecklist(c, t)
	}
	return r
}

// addChecklist keeps the events of a checklist that no workflow keeps.
func (r *Rules) addChecklist(c *schemas.Catalogue, t schemas.Target) {
	const checklist = "@onboarding"
	for _, item := range t.Onboarding.Items {
		for _, event := range writtenOut(c, schemas.Match{Event: item.Event}).Event {
			kept := false
			for _, steps := range r.Workflows {
				kept = kept || slices.Contains(steps, event)
			}
			if !kept {
				r.Workflows[checklist] = append(r.Workflows[checklist], event)
			}
		}
	}
}

// writtenOut replaces the names of event sets by the events.
func writtenOut(c *schemas.Catalogue, m schemas.Match) schemas.Match {
	for _, list := range []*[]string{&m.Event, &m.NotEvent} {
		var names []string
		for _, name := range *list {
			set, ok := c.Events[name]
			if !ok {
				set = []string{name}
			}
			names = append(names, set...)
		}
		*list = names
	}
	return m
}

// add counts the event by the rules.
func (w window) add(rules *Rules, e event) {
	feature := w.feature
	for _, m := range rules.Metrics {
		name := ""
		if m.PerFeature {
			name = feature
		}
		if m.PerFeature && feature == "" || !m.Takes(e.kind, e.name, e.properties) {
			continue
		}
		switch m.Aggregate {
		case schemas.Count:
			w.count(m.Name, name, 1)
		case schemas.Sum:
			w.count(m.Name, name, amount(e.properties[m.Of]))
		case schemas.Distinct:
			w.member(m.Name, name)
		}
	}
}

// countFeature says whether a count or sum of features takes the event.
func (r *Rules) countFeature(e event) bool {
	for _, m := range r.Metrics {
		if m.PerFeature && m.Takes(e.kind, e.name, e.properties) &&
			(m.Aggregate == schemas.Count || m.Aggregate == schemas.Sum && amount(e.properties[m.Of]) > 0) {
			return true
		}
	}
	return false
}

// Takes says whether the metric counts an event of that type, name and
// properties.
func (m Metric) Takes(kind, name string, properties map[string]json.RawMessage) bool {
	for _, match := range m.All {
		switch isTrack := kind == "track"; {
		case len(match.Type) > 0 && !slices.Contains(match.Type, kind),
			len(match.Event) > 0 && !(isTrack && slices.Contains(match.Event, name)),
			isTrack && slices.Contains(match.NotEvent, name):
			return false
		}
		for _, where := range match.Where {
			if !holds(where, properties[where.Property]) {
				return false
			}
		}
	}
	return true
}

// holds says whether a condition holds of a property. Null, an object or a list
// is as good as no property.
func holds(where schemas.Where, raw json.RawMessage) bool {
	var text string
	var value any
	given := len(raw) > 0 && json.Unmarshal(raw, &value) == nil
	switch value := value.(type) {
	case string:
		text = value
	case float64, bool:
		text = string(bytes.TrimSpace(raw)) // as it is written
	default:
		given = false
	}
	switch {
	case len(where.In) > 0:
		return given && slices.Contains(where.In, text)
	case len(where.NotIn) > 0:
		return !given || !slices.Contains(where.NotIn, text)
	case where.Exists != nil:
		return given == *where.Exists
	}
	return true
}
