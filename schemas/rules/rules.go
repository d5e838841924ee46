// Package rules holds the rules of triggers as they are declared, and what is known of them without data: types, what they
// read, and whether they may fire before their window is over.
//
// A rule is YAML; its conditions are CEL over the columns of the documented views: usage_7d.active_users is what people see
// as the column active_users of the view usage_7d.
package rules

import (
	"slices"
	"time"

	"tidemark/schemas"
)

// Rule is a declared rule, compiled.
type Rule struct {
	Name, Description, Playbook, Owner, Severity string
	Rows                                         []int // of metrics.md that it answers

	When      *Condition // fires
	ClearWhen *Condition // ends; nil: when no longer holds
	Minimum   *Condition // below it nothing is known, and the state stays; nil: none
	Value     *Condition // a number: what levels are compared with and alerts show; nil: the rule compares nothing
	Threshold *Condition // a number: what Value is compared with; nil: the levels are, or there is none
	Levels    []float64  // ascending

	For, KeepFiringFor, Cooldown time.Duration

	Segments    []string // empty: every account
	QuietHours  *QuietHours
	InhibitedBy []string // rules that, while they fire on an account, keep this one from firing on it
	Targets     []string // names of delivery targets

	Fires  Fires
	Reason string // why it may fire early, or has to wait

	Pos schemas.Pos
}

// Conditions are all that the rule has.
func (r *Rule) Conditions() []*Condition {
	return slices.DeleteFunc([]*Condition{r.When, r.ClearWhen, r.Minimum, r.Value, r.Threshold}, func(c *Condition) bool { return c == nil })
}

// Ordered are the rules with each behind those of them that inhibit it, and otherwise in their order.
func Ordered(all []*Rule) []*Rule {
	var out []*Rule
	placed := map[string]bool{}
	var place func(r *Rule)
	place = func(r *Rule) {
		if placed[r.Name] {
			return
		}
		placed[r.Name] = true
		for _, by := range all {
			if slices.Contains(r.InhibitedBy, by.Name) {
				place(by)
			}
		}
		out = append(out, r)
	}
	for _, r := range all {
		place(r)
	}
	return out
}

// Fires says when a rule may fire.
type Fires string

// When rules fire.
const (
	// Monotone: more events can only make it truer, so it fires as soon as it holds.
	Monotone Fires = "early"
	// AtWatermark: it waits until the window that it reads is complete.
	AtWatermark Fires = "at watermark"
)

// Severities, the least first. Page is for targets that wake somebody.
const (
	Info    = "info"
	Warning = "warning"
	Page    = "page"
)

// QuietHours are hours of the day, in the account's time zone, in which delivery waits. From may be later than To: over
// midnight.
type QuietHours struct {
	From string `yaml:"from"` // such as 20:00, inclusive
	To   string `yaml:"to"`   // such as 08:00, exclusive
	// Days are those on which the hours count: mon to sun. Empty: every day.
	Days []string `yaml:"days"`
	// AllDay are days that are quiet from midnight to midnight.
	AllDay []string `yaml:"all_day"`

	Pos schemas.Pos `yaml:"-"`
}
