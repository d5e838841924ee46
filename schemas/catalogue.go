package schemas

import (
	"fmt"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// Catalogue declares what is measured: metrics, workflows and the meanings they share.
type Catalogue struct {
	Version    int                 `yaml:"version"`
	SessionGap Duration            `yaml:"session_gap"`
	IdleCap    Duration            `yaml:"idle_cap"`
	Events     map[string][]string `yaml:"events"`
	ActiveWhen map[string]Match    `yaml:"active_when"`
	Feature    FeatureOf           `yaml:"feature"`
	Metrics    []Metric            `yaml:"metrics"`
	Workflows  []Workflow          `yaml:"workflows"`
	Tickets    Tickets             `yaml:"tickets"`

	Segments     []Segment              `yaml:"segments"`
	Targets      Targets                `yaml:"targets"`
	Entitlements map[string]Entitlement `yaml:"entitlements"` // by plan
	Goals        []Goal                 `yaml:"goals"`
	GoalMetrics  []GoalMetric           `yaml:"goal_metrics"`
	Surveys      []Survey               `yaml:"surveys"`
	Health       Health                 `yaml:"health"`
}

// Aggregate says how the events of a metric become its value.
type Aggregate string

// The aggregates. The first three are folded by the pipeline, the others are read from what it keeps.
const (
	Count          Aggregate = "count"
	Sum            Aggregate = "sum"
	Distinct       Aggregate = "distinct"
	Sessions       Aggregate = "sessions"
	SessionSeconds Aggregate = "session_seconds"
	ActiveSeconds  Aggregate = "active_seconds"
	ActiveDays     Aggregate = "active_days"
	FeaturesUsed   Aggregate = "features_used"
	WorkflowRuns   Aggregate = "workflow"
	TicketFacts    Aggregate = "tickets"
	Derived        Aggregate = "derived"
)

// Metric is one declared number: a column of a view.
type Metric struct {
	Name        string    `yaml:"name"`
	View        string    `yaml:"view"`
	Column      string    `yaml:"column"` // default: the name
	By          string    `yaml:"by"`     // "" (the account) or "feature"
	Match       Match     `yaml:"match"`
	Aggregate   Aggregate `yaml:"aggregate"`
	Of          string    `yaml:"of"`  // the property that a sum adds up
	SQL         string    `yaml:"sql"` // the expression of a derived metric
	Unit        string    `yaml:"unit"`
	Description string    `yaml:"description"`
	Decision    string    `yaml:"decision"`
	Owner       string    `yaml:"owner"`

	Pos Pos `yaml:"-"`
}

// Match selects telemetry events. Every part that is given must hold.
type Match struct {
	Active   string   `yaml:"active"`    // a name of active_when
	Type     []string `yaml:"type"`      // track, page, screen; none = all three
	Event    []string `yaml:"event"`     // event names, or names of sets in `events`
	NotEvent []string `yaml:"not_event"` // the same, excluded
	Where    []Where  `yaml:"where"`

	Pos Pos `yaml:"-"`
}

// Where is a condition on one property of the event.
type Where struct {
	Property string   `yaml:"property"`
	In       []string `yaml:"in"`     // the value, written as text, is one of these
	NotIn    []string `yaml:"not_in"` // the value is none of these (an absent property passes)
	Exists   *bool    `yaml:"exists"`

	Pos Pos `yaml:"-"`
}

// FeatureOf says which property names the feature of a track event.
type FeatureOf struct {
	Property string `yaml:"property"`
}

// Workflow is an ordered funnel of one user, from the first step to the last within a time.
type Workflow struct {
	Name        string   `yaml:"name"`
	Description string   `yaml:"description"`
	Owner       string   `yaml:"owner"`
	Within      Duration `yaml:"within"`
	Steps       []string `yaml:"steps"`

	Pos Pos `yaml:"-"`
}

// Tickets declares when a ticket counts as escalated.
type Tickets struct {
	EscalatedWhen EscalatedWhen `yaml:"escalated_when"`
}

// EscalatedWhen lists the transitions into an escalated state; any one suffices.
type EscalatedWhen struct {
	Priorities []string `yaml:"priorities"`
	Groups     []string `yaml:"groups"`
	Tags       []string `yaml:"tags"`
	SLABreach  bool     `yaml:"sla_breach"`
	Reopened   int      `yaml:"reopened"` // 0 = never by reopening
}

// Duration is a time.Duration written as in Go ("30m"), or as days ("14d").
type Duration time.Duration

// UnmarshalYAML reads a Go duration, or days ("14d").
func (d *Duration) UnmarshalYAML(n *yaml.Node) error {
	text, unit := n.Value, time.Duration(1)
	if days, ok := strings.CutSuffix(text, "d"); ok {
		text, unit = days+"h", 24
	}
	v, err := time.ParseDuration(text)
	if err != nil || v <= 0 || v > 100*365*24*time.Hour/unit {
		return fmt.Errorf("line %d: %q is not a positive duration such as 30m or 14d", n.Line, n.Value)
	}
	*d = Duration(v * unit)
	return nil
}

// MarshalYAML writes what UnmarshalYAML reads; nothing for none.
func (d Duration) MarshalYAML() (any, error) {
	if d == 0 {
		return nil, nil
	}
	return time.Duration(d).String(), nil
}
