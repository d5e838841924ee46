package rules

import (
	"fmt"
	"strconv"

	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"
)

// analysis finds what more events can do to a rewritten condition, as long as its windows are not over.
//
// A comparison that asks for more of what only grows can only become true; so can a conjunction of such. What is known of the
// account, and the calendar, no event of a window changes. Whatever is not proven to grow is taken for mixed.
type analysis struct {
	inputs []Input
	known  []column
	words  *vocabulary
	why    string // the first thing that is in the way
}

// explain is the growth of a condition and the reason in words.
func (a *analysis) explain(e ast.Expr) (Growth, string) {
	g := a.growth(e)
	switch {
	case g == Fixed:
		return g, "it reads only the account and the calendar, which no event of a window changes"
	case g == Up:
		return g, "what it counts can only grow within a window, and it asks for more"
	default:
		return g, a.why
	}
}

func (a *analysis) note(format string, args ...any) Growth {
	if a.why == "" {
		a.why = fmt.Sprintf(format, args...)
	}
	return Mixed
}

func flip(g Growth) Growth {
	switch g {
	case Up:
		return Down
	case Down:
		return Up
	default:
		return g
	}
}

// both is the growth of what grows as both do.
func both(x, y Growth) Growth {
	switch {
	case x == Fixed:
		return y
	case y == Fixed || x == y:
		return x
	default:
		return Mixed
	}
}

func (a *analysis) growth(e ast.Expr) Growth {
	switch e.Kind() {
	case ast.LiteralKind:
		return Fixed
	case ast.ListKind:
		g := Fixed
		for _, element := range e.AsList().Elements() {
			g = both(g, a.growth(element))
		}
		return g
	case ast.IdentKind:
		return a.ident(e.AsIdent())
	case ast.CallKind:
		return a.call(e.AsCall())
	default:
		return Mixed
	}
}

func (a *analysis) ident(name string) Growth {
	i, _ := strconv.Atoi(name[1:])
	in, of := a.inputs[i], a.known[i]
	if name[0] == 'k' {
		if !of.Nullable || of.Growth == Fixed {
			return Fixed
		}
		return a.note("whether %s is known can change with further events", in)
	}
	if of.Growth == Mixed {
		return a.note("%s can rise and fall with further events", in)
	}
	return of.Growth
}

func (a *analysis) call(c ast.CallExpr) Growth {
	args := c.Args()
	switch name := c.FunctionName(); name {
	case operators.LogicalAnd, operators.LogicalOr:
		return a.and(args)
	case operators.LogicalNot, operators.Negate:
		return flip(a.growth(args[0]))
	case operators.Add:
		return a.sum(a.growth(args[0]), a.growth(args[1]))
	case operators.Subtract:
		return a.sum(a.growth(args[0]), flip(a.growth(args[1])))
	case operators.Multiply:
		return a.product(args[0], args[1])
	case divide:
		return a.quotient(args[0], args[1])
	case operators.Greater, operators.GreaterEquals:
		return a.compare(args[0], args[1])
	case operators.Less, operators.LessEquals:
		return a.compare(args[1], args[0])
	case operators.Conditional:
		if a.growth(args[0]) != Fixed {
			return a.note("which branch of ?: holds can change with further events")
		}
		return both(a.growth(args[1]), a.growth(args[2]))
	default: // ==, !=, in, days_between
		for _, arg := range args {
			if a.growth(arg) != Fixed {
				return a.note("it asks for exactly one value of something that further events change")
			}
		}
		return Fixed
	}
}

// and is the growth of a conjunction or a disjunction, with the first part that can become false in words.
func (a *analysis) and(args []ast.Expr) Growth {
	g := Fixed
	for _, arg := range args {
		g = both(g, a.growth(arg))
	}
	if g == Mixed {
		a.note("further events can make one part of it true and another false")
	}
	return g
}

func (a *analysis) sum(x, y Growth) Growth {
	g := both(x, y)
	if g == Mixed {
		a.note("it is a difference of things that both grow")
	}
	return g
}

// compare is the growth of more > less.
func (a *analysis) compare(more, less ast.Expr) Growth {
	x, y := a.growth(more), a.growth(less)
	g := both(x, flip(y))
	switch {
	case g == Mixed && x != Mixed && y != Mixed:
		a.note("both sides grow with further events")
	case g == Down && a.why == "":
		a.why = "it asks for less of something that grows: what is little now may be more when the window is over"
	}
	return g
}

// scaled is the growth of something times, or divided by, what is fixed and of a sign.
func scaled(g Growth, sign int) Growth {
	if sign < 0 {
		return flip(g)
	}
	return g
}

// product is the growth of x * y: that of x where y is fixed and not negative.
func (a *analysis) product(x, y ast.Expr) Growth {
	gx, gy := a.growth(x), a.growth(y)
	switch {
	case gx == Fixed && gy == Fixed:
		return Fixed
	case gx == Mixed || gy == Mixed:
		return Mixed
	case gy == Fixed && a.sign(y) != 0:
		return scaled(gx, a.sign(y))
	case gx == Fixed && a.sign(x) != 0:
		return scaled(gy, a.sign(x))
	case gx == gy && a.sign(x) > 0 && a.sign(y) > 0:
		return gx
	default:
		return a.note("it multiplies by something that may be negative")
	}
}

// quotient is the growth of x / y: that of x where y is fixed and not negative.
func (a *analysis) quotient(x, y ast.Expr) Growth {
	gx, gy := a.growth(x), a.growth(y)
	switch {
	case gx == Fixed && gy == Fixed:
		return Fixed
	case gx == Mixed || gy == Mixed:
		return Mixed
	case gy == Fixed && a.sign(y) != 0:
		return scaled(gx, a.sign(y))
	default:
		return a.note("it divides by something that further events change")
	}
}

// sign is 1 where an expression is never negative, -1 where it is never positive, else 0.
func (a *analysis) sign(e ast.Expr) int {
	switch e.Kind() {
	case ast.LiteralKind:
		if n, ok := e.AsLiteral().(types.Double); ok {
			return map[bool]int{true: 1, false: -1}[n >= 0]
		}
	case ast.IdentKind:
		i, _ := strconv.Atoi(e.AsIdent()[1:])
		if a.known[i].Unsigned {
			return 1
		}
	case ast.CallKind:
		c := e.AsCall()
		switch c.FunctionName() {
		case operators.Negate:
			return -a.sign(c.Args()[0])
		case operators.Add:
			if x := a.sign(c.Args()[0]); x == a.sign(c.Args()[1]) {
				return x
			}
		case operators.Multiply, divide:
			return a.sign(c.Args()[0]) * a.sign(c.Args()[1])
		}
	}
	return 0
}
