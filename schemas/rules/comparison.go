package rules

import (
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/parser"

	"tidemark/schemas"
)

// comparison is the first comparison of a condition whose left side is a number of a view, as text; empty if there is none.
// Those are what an alert shows as value and threshold.
func (c *compiler) comparison(text string) (left, right string) {
	parsed, issues := c.env.Parse(text)
	if issues.Err() != nil {
		return "", ""
	}
	info := parsed.NativeRep().SourceInfo()
	var find func(e ast.Expr) bool
	find = func(e ast.Expr) bool {
		if e.Kind() != ast.CallKind {
			return false
		}
		args := e.AsCall().Args()
		switch e.AsCall().FunctionName() {
		case operators.LogicalAnd, operators.LogicalOr:
			return find(args[0]) || find(args[1])
		case operators.Less, operators.LessEquals, operators.Greater, operators.GreaterEquals:
			l, errL := parser.Unparse(args[0], info)
			r, errR := parser.Unparse(args[1], info)
			if errL != nil || errR != nil || !c.readsView(l) {
				return false
			}
			left, right = l, r
			return true
		default:
			return false
		}
	}
	find(parsed.NativeRep().Expr())
	return left, right
}

// readsView reports whether text is a number, and reads a view.
func (c *compiler) readsView(text string) bool {
	cond, err := c.compile(text, schemas.Pos{}, Number)
	if err != nil {
		return false
	}
	for _, in := range cond.inputs {
		if in.Kind == OfView {
			return true
		}
	}
	return false
}
