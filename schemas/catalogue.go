package schemas

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
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

	line int
}

// Match selects telemetry events. Every part that is given must hold.
type Match struct {
	Active   string   `yaml:"active"`    // a name of active_when
	Type     []string `yaml:"type"`      // track, page, screen; none = all three
	Event    []string `yaml:"event"`     // event names, or names of sets in `events`
	NotEvent []string `yaml:"not_event"` // the same, excluded
	Where    []Where  `yaml:"where"`
}

// Where is a condition on one property of the event.
type Where struct {
	Property string   `yaml:"property"`
	In       []string `yaml:"in"`     // the value, written as text, is one of these
	NotIn    []string `yaml:"not_in"` // the value is none of these (an absent property passes)
	Exists   *bool    `yaml:"exists"`
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

	line int
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

// Duration is a time.Duration written as in Go ("30m").
type Duration time.Duration

// UnmarshalYAML reads a Go duration.
func (d *Duration) UnmarshalYAML(n *yaml.Node) error {
	v, err := time.ParseDuration(n.Value)
	if err != nil || v <= 0 {
		return fmt.Errorf("line %d: %q is not a positive duration such as 30m", n.Line, n.Value)
	}
	*d = Duration(v)
	return nil
}

// UnmarshalYAML keeps the line, so that errors can name it.
func (m *Metric) UnmarshalYAML(n *yaml.Node) error {
	type plain Metric
	if err := decodeStrict(n, (*plain)(m)); err != nil {
		return err
	}
	m.line = n.Line
	if m.Column == "" {
		m.Column = m.Name
	}
	return nil
}

// UnmarshalYAML keeps the line, so that errors can name it.
func (w *Workflow) UnmarshalYAML(n *yaml.Node) error {
	type plain Workflow
	if err := decodeStrict(n, (*plain)(w)); err != nil {
		return err
	}
	w.line = n.Line
	return nil
}

// Builtin returns the catalogue that is compiled into the binary.
func Builtin() (*Catalogue, error) { return parse("built-in catalogue", builtin) }

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

// Hash identifies the catalogue's meaning: 16 hexadecimal digits, the same for the same declarations.
func (c *Catalogue) Hash() string {
	data, err := yaml.Marshal(c) // maps are marshalled in key order
	if err != nil {
		panic(fmt.Sprintf("marshal catalogue: %v", err)) // plain data always marshals
	}
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:8])
}

func parse(name string, data []byte) (*Catalogue, error) {
	c, err := decode(name, data)
	if err != nil {
		return nil, err
	}
	return c, c.validate(name)
}

func decode(name string, data []byte) (*Catalogue, error) {
	var c Catalogue
	dec := yaml.NewDecoder(bytes.NewReader(data))
	dec.KnownFields(true)
	if err := dec.Decode(&c); err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return &c, nil
}

// decodeStrict decodes a node with unknown keys refused: a custom UnmarshalYAML loses the decoder's KnownFields.
func decodeStrict(n *yaml.Node, into any) error {
	data, err := yaml.Marshal(n)
	if err != nil {
		return err
	}
	dec := yaml.NewDecoder(bytes.NewReader(data))
	dec.KnownFields(true)
	if err := dec.Decode(into); err != nil {
		return fmt.Errorf("in the entry at line %d: %w", n.Line, err)
	}
	return nil
}

func (c *Catalogue) extend(add *Catalogue) {
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
}

func (e EscalatedWhen) set() bool {
	return len(e.Priorities)+len(e.Groups)+len(e.Tags)+e.Reopened > 0 || e.SLABreach
}
