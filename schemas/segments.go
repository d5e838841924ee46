package schemas

import (
	"fmt"
	"reflect"

	"go.yaml.in/yaml/v3"
)

// Segment is a group of accounts that are measured by the same standards. An account belongs to the first segment of the
// catalogue whose predicate holds; if none does, to the one that its own record names in `segment`, if any.
type Segment struct {
	Name        string    `yaml:"name"`
	Description string    `yaml:"description"`
	Where       Predicate `yaml:"where"`   // all of it must hold; empty: every account
	Profile     string    `yaml:"profile"` // health profile; default: that of health.default

	Pos Pos `yaml:"-"`
}

// Predicate is a condition on each named attribute of an account, such as plan, seats or one of the customer's own.
type Predicate map[string]Attribute

// Attribute is a condition on one attribute. Written as a value or a list it stands for In. An attribute that is unknown
// meets no condition but `exists: false` and NotIn.
type Attribute struct {
	In     []string `yaml:"in"`     // it is one of these
	NotIn  []string `yaml:"not_in"` // it is none of these
	Min    *float64 `yaml:"min"`    // it is a number, and this at least
	Max    *float64 `yaml:"max"`    // it is a number, and this at most
	Exists *bool    `yaml:"exists"` // it is known
}

// attributeMap is an Attribute without its short forms.
type attributeMap Attribute

func (*Attribute) mapForm() reflect.Type { return reflect.TypeFor[attributeMap]() }

// UnmarshalYAML reads the short forms as well.
func (a *Attribute) UnmarshalYAML(n *yaml.Node) error {
	switch {
	case n.Kind == yaml.MappingNode:
		return n.Decode((*attributeMap)(a))
	case n.Kind == yaml.SequenceNode:
		return n.Decode(&a.In)
	case n.Tag == "!!null":
		return fmt.Errorf("line %d: a condition is a value, a list of values, or some of in, not_in, min, max, exists", n.Line)
	default:
		a.In = []string{n.Value}
		return nil
	}
}

// empty reports whether nothing is asked.
func (a Attribute) empty() bool {
	return len(a.In)+len(a.NotIn) == 0 && a.Min == nil && a.Max == nil && a.Exists == nil
}

// SegmentNames are the declared segments, in their order.
func (c *Catalogue) SegmentNames() []string {
	names := make([]string, len(c.Segments))
	for i, s := range c.Segments {
		names[i] = s.Name
	}
	return names
}

func (c *Catalogue) validateSegments(bad complain) {
	seen := map[string]Pos{}
	for _, s := range c.Segments {
		if first, dup := seen[s.Name]; dup {
			bad(s.Pos, "segment %s is declared twice, first at %s", s.Name, first)
		}
		seen[s.Name] = s.Pos
		if s.Name == "" {
			bad(s.Pos, "a segment needs a name")
		}
		if s.Description == "" {
			bad(s.Pos, "segment %s: description is missing", s.Name)
		}
		for _, attribute := range sortedKeys(s.Where) {
			if s.Where[attribute].empty() {
				bad(s.Pos.At("where"), "segment %s: the condition on %s asks for nothing: give a value, a list, or some of in, not_in, min, max, exists", s.Name, attribute)
			}
		}
	}
}
