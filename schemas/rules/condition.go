package rules

import (
	"fmt"
	"math"
	"strconv"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"

	"tidemark/schemas"
)

// Condition is a compiled expression: a truth, or a number.
type Condition struct {
	Source string // as declared
	Type   Type
	Growth Growth // what more events do to it
	Reason string // why

	inputs  []Input
	program cel.Program
	Pos     schemas.Pos
}

// Inputs are what it reads, each once; Eval asks for them by index.
func (c *Condition) Inputs() []Input { return c.inputs }

// Growth says what more events in a window that is not yet over can do to a value.
type Growth string

// What they can do.
const (
	Fixed Growth = "fixed" // nothing
	Up    Growth = "up"    // make it larger, or true
	Down  Growth = "down"  // make it smaller, or false
	Mixed Growth = "mixed" // either
)

// costLimit bounds one evaluation, in CEL's units: a comparison costs about one. Conditions have no loops, so one that is
// longer than what a person would read is refused when it is loaded.
const costLimit = 1000

// Eval is the condition's value, where values gives those of the inputs by their index. What it cannot know is unknown.
func (c *Condition) Eval(values func(i int) Value) (Value, error) {
	out, _, err := c.program.Eval(&activation{values: values, inputs: c.inputs})
	if err != nil {
		return Value{}, fmt.Errorf("%s: evaluate %q: %w", c.Pos, c.Source, err)
	}
	return fromCEL(out), nil
}

// activation gives CEL the inputs: i0 is the first one's value, k0 whether that is known.
type activation struct {
	values func(i int) Value
	inputs []Input
}

func (a *activation) ResolveName(name string) (any, bool) {
	i, err := strconv.Atoi(name[1:])
	if err != nil || i >= len(a.inputs) {
		return nil, false
	}
	v := a.values(i)
	if name[0] == 'k' {
		return types.Bool(v.Known), true
	}
	return toCEL(v), true
}

func (a *activation) Parent() cel.Activation { return nil }

// nothing is CEL's value for what is unknown. Its operators are three-valued: false && unknown is false.
func nothing() ref.Val { return types.NewUnknown(1, nil) }

func toCEL(v Value) ref.Val {
	switch {
	case !v.Known:
		return nothing()
	case v.Type == Number:
		return types.Double(v.Number)
	case v.Type == Bool:
		return types.Bool(v.Bool)
	case v.Type == Time:
		return types.Timestamp{Time: v.Time}
	default:
		return types.String(v.Text)
	}
}

func fromCEL(v ref.Val) Value {
	switch v := v.(type) {
	case types.Double:
		if math.IsNaN(float64(v)) || math.IsInf(float64(v), 0) {
			return Value{}
		}
		return Num(float64(v))
	case types.Bool:
		return Truth(bool(v))
	case types.String:
		return Str(string(v))
	case types.Timestamp:
		return At(v.Time)
	default:
		return Value{}
	}
}
