package schemas

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
)

// Hash identifies what the pipeline makes of the log: 16 hexadecimal digits, the same for catalogues that make the same
// rows. Commits and checkpoints have it. What only views read (descriptions, targets, segments, health) is not in it.
func (c *Catalogue) Hash() string { return hash(c.folded()) }

// ViewsHash identifies everything that is declared, so that it changes with what the views show.
func (c *Catalogue) ViewsHash() string { return hash(c) }

func hash(v any) string {
	sum := sha256.Sum256(asYAML(v)) // maps are marshalled in key order
	return hex.EncodeToString(sum[:8])
}

// folded is what the pipeline folds by, written out: whatever comes to the same rows is the same here.
type folded struct {
	Feature   string
	Metrics   map[string]foldedMetric
	Steps     map[string][]string // events by the workflow that keeps their facts
	Escalated EscalatedWhen
}

// foldedMetric is a metric without its words, with its event sets and its meaning of active written out.
type foldedMetric struct {
	By        string
	Aggregate Aggregate
	Of        string
	Matches   []Match
}

func (c *Catalogue) folded() folded {
	f := folded{Feature: c.Feature.Property, Metrics: map[string]foldedMetric{}, Steps: c.Steps(), Escalated: c.Tickets.EscalatedWhen}
	f.Escalated.Reopened = 0 // the views count reopenings
	for workflow, events := range f.Steps {
		f.Steps[workflow] = slices.Sorted(slices.Values(events)) // their order matters to the views alone
	}
	for _, m := range c.Metrics {
		if m.Aggregate.folded() {
			f.Metrics[m.Name] = foldedMetric{m.By, m.Aggregate, m.Of, c.written(m.Match)}
		}
	}
	return f
}

// written is a match, and that of its meaning of active, with event sets replaced by their events.
func (c *Catalogue) written(m Match) []Match {
	var out []Match
	for _, part := range []Match{m, c.ActiveWhen[m.Active]} {
		part.Active, part.Event, part.NotEvent = "", c.Expand(part.Event), c.Expand(part.NotEvent)
		if !part.empty() {
			out = append(out, part)
		}
	}
	return out
}
