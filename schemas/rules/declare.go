package rules

import (
	"tidemark/schemas"
)

// File is a file of rules.
type File struct {
	// Pack: none leaves the shipped pack out; the default is to add to it. A rule of the same name replaces the pack's.
	Pack  string        `yaml:"pack"`
	Rules []Declaration `yaml:"rules"`
}

// Declaration is a rule as it is written.
type Declaration struct {
	// Name is the rule's own: a-z, 0-9 and _.
	Name string `yaml:"name"`
	// Description says in a sentence what happened when it fires.
	Description string `yaml:"description"`
	// Rows are the rows of metrics.md that the rule answers.
	Rows []int `yaml:"rows"`
	// Playbook is what to do: a name or an address that every alert carries.
	Playbook string `yaml:"playbook"`
	// Owner is who does it.
	Owner string `yaml:"owner"`
	// Severity is info, warning or page.
	Severity string `yaml:"severity"`
	// When is the condition (CEL) on which the rule fires. With levels it may be left out: value >= the first level.
	When string `yaml:"when"`
	// ClearWhen is the condition on which the alert ends; by default, when `when` no longer holds.
	ClearWhen string `yaml:"clear_when"`
	// Minimum is a condition on the sample: where it does not hold nothing is known, and the state stays.
	Minimum string `yaml:"minimum"`
	// Value is the number that levels are compared with and alerts show; by default the left side of the first comparison.
	Value string `yaml:"value"`
	// Levels are values that are told one by one as they are reached, ascending.
	Levels []float64 `yaml:"levels"`
	// For is how long the condition must hold before the rule fires.
	For schemas.Duration `yaml:"for"`
	// KeepFiringFor is how long the alert stays after its condition has ended.
	KeepFiringFor schemas.Duration `yaml:"keep_firing_for"`
	// Cooldown is how long after an episode's beginning no other one begins.
	Cooldown schemas.Duration `yaml:"cooldown"`
	// Segments are those whose accounts the rule is for; empty: all.
	Segments []string `yaml:"segments"`
	// QuietHours are hours in the account's time zone in which delivery waits.
	QuietHours *QuietHours `yaml:"quiet_hours"`
	// InhibitedBy are rules that, while they fire on an account, keep this one from firing on it.
	InhibitedBy []string `yaml:"inhibited_by"`
	// Targets are names of triggers.targets in the configuration.
	Targets []string `yaml:"targets"`

	Pos schemas.Pos `yaml:"-"`
}
