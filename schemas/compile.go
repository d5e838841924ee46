package schemas

import (
	"fmt"
	"slices"
)

// EventType is the kind of a telemetry event that metrics can match.
type EventType uint8

// The event types that metrics can match.
const (
	Track EventType = iota
	Page
	Screen
	eventTypeCount
)

// MaxDistinct is how many distinct metrics an account, or a feature, can have: a user's sets are a mask of bits.
const MaxDistinct = 30

// Program is the compiled catalogue: for each event what to fold, with metrics as dense slots.
//
// Slots index the name lists: a count or sum of the account is AccountCounters[slot], and so on. The order is the
// catalogue's; it may differ between versions, so names, never slots, are written to ClickHouse.
type Program struct {
	Hash             string
	Properties       []string // the properties that decoding extracts, by index
	FeatureProperty  int      // index of the feature's property
	AccountCounters  []string
	AccountDistincts []string
	FeatureCounters  []string
	FeatureDistincts []string
	Escalated        EscalatedWhen

	named   map[string]*Plan // track events by name
	unnamed [eventTypeCount]*Plan
}

// Plan is what one event leads to, for its account and, when it names one, its feature.
type Plan struct {
	Account Instructions
	Feature Instructions
	Steps   []Step
}

// Instructions fold an event into one keyed row in each tier.
type Instructions struct {
	Always    []int         // slots that every such event counts in
	Users     uint32        // distinct metrics, a bit each, that the user of every such event joins
	Counts    []Instruction // the others, by condition
	Sums      []Instruction
	Distincts []Instruction
}

// Instruction folds into one slot when its conditions hold.
type Instruction struct {
	Slot     int
	Property int // index of the summed property; unused otherwise
	Where    []Condition
}

// Condition is a compiled Where.
type Condition struct {
	Property int
	In       []string // nil: the condition is on presence alone
	Negate   bool
}

// Step is a workflow's step that an event takes.
type Step struct {
	Workflow string
	Name     string
}

// Plan returns what an event leads to. The name matters for track only; looking up does not allocate.
func (p *Program) Plan(t EventType, event []byte) *Plan {
	if t == Track {
		if plan, ok := p.named[string(event)]; ok {
			return plan
		}
	}
	return p.unnamed[t]
}

// Compile turns the catalogue into the tables that the hot path looks up.
func Compile(c *Catalogue) (*Program, error) {
	p := &Program{Hash: c.Hash(), Escalated: c.Tickets.EscalatedWhen, named: map[string]*Plan{}}
	p.FeatureProperty = p.property(c.Feature.Property)
	names := map[string]bool{}
	for _, m := range c.Metrics {
		for _, n := range c.mentioned(m.Match) {
			names[n] = true
		}
	}
	steps := c.Steps()
	for _, events := range steps {
		for _, s := range events {
			names[s] = true
		}
	}
	for n := range names {
		p.named[n] = &Plan{}
	}
	for t := range p.unnamed {
		p.unnamed[t] = &Plan{}
	}
	for _, m := range c.Metrics {
		if m.Aggregate.folded() {
			if err := p.add(c, m); err != nil {
				return nil, fmt.Errorf("metric %s: %w", m.Name, err)
			}
		}
	}
	for _, workflow := range sortedKeys(steps) {
		for _, s := range steps[workflow] {
			p.named[s].Steps = append(p.named[s].Steps, Step{Workflow: workflow, Name: s})
		}
	}
	return p, nil
}

func (p *Program) add(c *Catalogue, m Metric) error {
	ins := Instruction{Property: -1}
	switch {
	case m.By == "feature" && m.Aggregate == Distinct:
		ins.Slot = slot(&p.FeatureDistincts, m.Name)
	case m.By == "feature":
		ins.Slot = slot(&p.FeatureCounters, m.Name)
	case m.Aggregate == Distinct:
		ins.Slot = slot(&p.AccountDistincts, m.Name)
	default:
		ins.Slot = slot(&p.AccountCounters, m.Name)
	}
	if m.Aggregate == Distinct && ins.Slot >= MaxDistinct {
		return fmt.Errorf("more than %d distinct metrics of an account, or of a feature, do not fit", MaxDistinct)
	}
	if m.Of != "" {
		ins.Property = p.property(m.Of)
	}
	matches := []Match{m.Match}
	if m.Match.Active != "" {
		matches = append(matches, c.ActiveWhen[m.Match.Active])
	}
	for _, match := range matches {
		for _, w := range match.Where {
			cond := Condition{Property: p.property(w.Property), In: w.In}
			switch {
			case len(w.NotIn) > 0:
				cond.In, cond.Negate = w.NotIn, true
			case w.Exists != nil:
				cond.Negate = !*w.Exists
			}
			ins.Where = append(ins.Where, cond)
		}
	}
	attach := func(plan *Plan) {
		to := &plan.Account
		if m.By == "feature" {
			to = &plan.Feature
		}
		switch {
		case m.Aggregate == Sum:
			to.Sums = append(to.Sums, ins)
		case m.Aggregate == Distinct && len(ins.Where) == 0:
			to.Users |= 1 << ins.Slot
		case m.Aggregate == Distinct:
			to.Distincts = append(to.Distincts, ins)
		case len(ins.Where) == 0:
			to.Always = append(to.Always, ins.Slot)
		default:
			to.Counts = append(to.Counts, ins)
		}
	}
	for t := range eventTypeCount {
		if c.matches(matches, t, "") {
			attach(p.unnamed[t])
		}
	}
	for name, plan := range p.named {
		if c.matches(matches, Track, name) {
			attach(plan)
		}
	}
	return nil
}

// matches reports whether every match takes an event of this type and name; "" stands for a name no match mentions.
func (c *Catalogue) matches(all []Match, t EventType, name string) bool {
	for _, m := range all {
		if len(m.Type) > 0 && !slices.Contains(m.Type, eventTypes[t]) {
			return false
		}
		if len(m.Event) > 0 && (t != Track || !slices.Contains(c.Expand(m.Event), name)) {
			return false
		}
		if t == Track && slices.Contains(c.Expand(m.NotEvent), name) {
			return false
		}
	}
	return true
}

// mentioned returns the event names that a match, or the meaning of active it takes, names.
func (c *Catalogue) mentioned(m Match) []string {
	names := append(c.Expand(m.Event), c.Expand(m.NotEvent)...)
	if m.Active != "" {
		names = append(names, c.mentioned(c.ActiveWhen[m.Active])...)
	}
	return names
}

// Expand replaces the names of event sets by their events.
func (c *Catalogue) Expand(names []string) []string {
	var out []string
	for _, n := range names {
		if set, ok := c.Events[n]; ok {
			out = append(out, set...)
		} else {
			out = append(out, n)
		}
	}
	return out
}

func (p *Program) property(name string) int {
	return slot(&p.Properties, name)
}

// slot returns the index of name in list, appending it when it is new.
func slot(list *[]string, name string) int {
	if i := slices.Index(*list, name); i >= 0 {
		return i
	}
	*list = append(*list, name)
	return len(*list) - 1
}
