// Package backtest plays rules over values of the past, by the state machine that judges the present: values that a test
// gives, or those that the views show of earlier times.
package backtest

import (
	"cmp"
	"slices"
	"time"

	"tidemark/pipeline/triggers"
	"tidemark/schemas/rules"
)

// Account is what the rules can know of one account.
type Account struct {
	ID   string
	Zone *time.Location // nil: UTC
	// Value is an input's value, Back windows back, when at is judged; unknown where there is none.
	Value func(in rules.Input, at time.Time) rules.Value
	// Segment is the account's segment at an instant.
	Segment func(at time.Time) string
}

// Told is a transition, and of which rule.
type Told struct {
	Rule *rules.Rule
	triggers.Transition
}

// Sample is what a rule's value was at an instant.
type Sample struct {
	At    time.Time
	Value rules.Value
}

// Played is what came of an account.
type Played struct {
	Told   []Told
	Values map[string][]Sample // of each rule
}

// Step is how far apart the instants are at which a rule is judged: the ends of its longest steps. A rule that reads no window
// is judged once a day.
func Step(r *rules.Rule) time.Duration {
	step := time.Duration(0)
	for _, in := range inputs(r) {
		step = max(step, in.Shape.Step)
	}
	if step == 0 {
		step = 24 * time.Hour
	}
	return step
}

func inputs(r *rules.Rule) []rules.Input {
	var out []rules.Input
	for _, c := range r.Conditions() {
		out = append(out, c.Inputs()...)
	}
	return out
}

// Inputs are what some rules read, each once, as of the window in which an instant lies.
func Inputs(all []*rules.Rule) []rules.Input {
	var out []rules.Input
	seen := map[string]bool{}
	for _, r := range all {
		for _, in := range inputs(r) {
			if in.Back = 0; in.Kind != rules.OfCalendar && !seen[in.String()] {
				seen[in.String()] = true
				out = append(out, in)
			}
		}
	}
	return out
}

// Play judges the rules at the ends of all windows from from to to, both included. Every window is complete.
func Play(all []*rules.Rule, a Account, from, to time.Time) (Played, error) {
	out := Played{Values: map[string][]Sample{}}
	ordered := rules.Ordered(all)
	finest := 24 * time.Hour
	for _, r := range ordered {
		finest = min(finest, Step(r))
	}
	states := map[string]triggers.State{}
	for at := from.UTC().Truncate(finest); !at.After(to); at = at.Add(finest) {
		if at.Before(from) {
			continue
		}
		for _, r := range ordered {
			if !at.Equal(at.Truncate(Step(r))) {
				continue
			}
			o, value, err := observe(r, a, at)
			if err != nil {
				return out, err
			}
			out.Values[r.Name] = append(out.Values[r.Name], Sample{at, value})
			o.Muted = slices.ContainsFunc(r.InhibitedBy, func(by string) bool { return states[by].Active() })
			next, told := triggers.Step(r, states[r.Name], o)
			states[r.Name] = next
			for _, t := range told {
				out.Told = append(out.Told, Told{r, t})
			}
		}
	}
	return out, nil
}

// observe evaluates a rule's conditions at an instant.
func observe(r *rules.Rule, a Account, at time.Time) (triggers.Observation, rules.Value, error) {
	if len(r.Segments) > 0 && !slices.Contains(r.Segments, a.Segment(at)) {
		return triggers.Observation{
			Account: a.ID, At: at, Window: at, Final: true, Holds: triggers.False, Clears: triggers.True, Enough: triggers.True,
		}, rules.Value{}, nil
	}
	var failed error
	o, value := triggers.Observe(r, true, func(c *rules.Condition) func(int) rules.Value {
		all := c.Inputs()
		return func(i int) rules.Value {
			if all[i].Kind == rules.OfCalendar {
				zone := a.Zone
				if zone == nil {
					zone = time.UTC
				}
				return all[i].Calendar(at, zone)
			}
			return a.Value(all[i], at)
		}
	}, func(err error) { failed = cmp.Or(failed, err) })
	o.Account, o.At, o.Window, o.Final = a.ID, at, at, true
	return o, value, failed
}
