package rules

import (
	"errors"
	"fmt"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/checker"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"

	"tidemark/schemas"
)

// The functions that a rewritten condition calls.
const (
	divide      = "divide"
	daysBetween = "days_between"
)

// environment is CEL without macros, with the functions that conditions are rewritten to.
func environment() (*cel.Env, error) {
	return cel.NewEnv(cel.ClearMacros(),
		cel.Function(divide, cel.Overload("divide_double", []*cel.Type{cel.DoubleType, cel.DoubleType}, cel.DoubleType,
			cel.BinaryBinding(func(a, b ref.Val) ref.Val {
				if b.(types.Double) == 0 {
					return nothing() // as in the views: a ratio whose denominator is 0 is not known
				}
				return a.(types.Double) / b.(types.Double)
			}))),
		cel.Function(daysBetween, cel.Overload("days_between_times", []*cel.Type{cel.TimestampType, cel.TimestampType}, cel.DoubleType,
			cel.BinaryBinding(func(from, to ref.Val) ref.Val {
				return types.Double(to.(types.Timestamp).Sub(from.(types.Timestamp).Time).Hours() / 24)
			}))),
	)
}

var celTypes = map[Type]*cel.Type{Number: cel.DoubleType, Text: cel.StringType, Bool: cel.BoolType, Time: cel.TimestampType}

// compiler compiles the conditions of a catalogue's rules.
type compiler struct {
	words *vocabulary
	env   *cel.Env
}

// compile is the condition that text declares at pos. want is the type that it must have.
func (c *compiler) compile(text string, pos schemas.Pos, want Type) (*Condition, error) {
	parsed, issues := c.env.Parse(text)
	if err := issues.Err(); err != nil {
		return nil, celErrors(pos, issues)
	}
	r := resolver{words: c.words, source: parsed}
	root := parsed.NativeRep().Expr()
	r.resolve(root)
	if len(r.errs) > 0 {
		return nil, located(pos, r.errs)
	}
	var variables []cel.EnvOption
	for i, in := range r.inputs {
		variables = append(variables, cel.Variable(fmt.Sprintf("i%d", i), celTypes[in.Type]), cel.Variable(fmt.Sprintf("k%d", i), cel.BoolType))
	}
	env, err := c.env.Extend(variables...)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", pos, err)
	}
	checked, issues := env.Check(parsed)
	if issues.Err() != nil {
		return nil, celErrors(pos, issues)
	}
	if got := checked.OutputType(); !got.IsExactType(celTypes[want]) {
		return nil, fmt.Errorf("%s: %q is a %s, where a %s is needed", pos, text, typeName(got), want)
	}
	if cost, err := env.EstimateCost(checked, sizes{}); err != nil {
		return nil, fmt.Errorf("%s: %w", pos, err)
	} else if cost.Max > costLimit {
		return nil, fmt.Errorf("%s: it may cost %d of CEL's units an evaluation, more than %d: split it into several rules", pos, cost.Max, costLimit)
	}
	program, err := env.Program(checked, cel.EvalOptions(cel.OptOptimize)) // its cost is bounded; to count it as well doubles it
	if err != nil {
		return nil, fmt.Errorf("%s: %w", pos, err)
	}
	out := &Condition{Source: text, Type: want, inputs: r.inputs, program: program, Pos: pos}
	a := analysis{inputs: r.inputs, words: c.words, known: r.known}
	out.Growth, out.Reason = a.explain(checked.NativeRep().Expr())
	return out, nil
}

// typeName is CEL's type in the words of this package.
func typeName(t *cel.Type) string {
	for name, of := range celTypes {
		if t.IsExactType(of) {
			return string(name)
		}
	}
	return t.String()
}

// problem is a mistake at a column of a condition's text.
type problem struct {
	line, column int
	text         string
}

func located(pos schemas.Pos, problems []problem) error {
	var errs []error
	for _, p := range problems {
		at := fmt.Sprintf("at character %d", p.column+1)
		if p.line > 1 {
			at = fmt.Sprintf("line %d of it, character %d", p.line, p.column+1)
		}
		errs = append(errs, fmt.Errorf("%s: %s: %s", pos, at, p.text))
	}
	return errors.Join(errs...)
}

func celErrors(pos schemas.Pos, issues *cel.Issues) error {
	var all []problem
	for _, e := range issues.Errors() {
		all = append(all, problem{e.Location.Line(), e.Location.Column(), plain(e.Message)})
	}
	return located(pos, all)
}

// sizes tells CEL's estimate how long texts are.
type sizes struct{}

func (sizes) EstimateSize(checker.AstNode) *checker.SizeEstimate {
	return &checker.SizeEstimate{Min: 0, Max: 128}
}

func (sizes) EstimateCallCost(string, string, *checker.AstNode, []checker.AstNode) *checker.CallEstimate {
	return nil
}

// position is where an expression begins in its text.
func position(source *cel.Ast, e ast.Expr) (line, column int) {
	at := source.NativeRep().SourceInfo().GetStartLocation(e.ID())
	return at.Line(), at.Column()
}
