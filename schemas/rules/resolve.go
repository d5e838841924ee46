package rules

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"

	"tidemark/schemas"
)

// resolver replaces what a condition names by inputs, and says what there is not.
type resolver struct {
	words  *vocabulary
	source *cel.Ast
	inputs []Input
	known  []column // of each input
	errs   []problem
	ids    int64 // of nodes that were added
}

var factory = ast.NewExprFactory()

// allowed are CEL's own operators that conditions may use.
var allowed = []string{
	operators.LogicalAnd, operators.LogicalOr, operators.LogicalNot, operators.Equals, operators.NotEquals, operators.Less, operators.LessEquals,
	operators.Greater, operators.GreaterEquals, operators.Add, operators.Subtract, operators.Multiply, operators.Negate, operators.Conditional, operators.In,
}

var functions = []string{"previous", "baseline", "known", "or_else", "max", "min", "sum", "count", "days_since", "days_until"}

func (r *resolver) bad(e ast.Expr, format string, args ...any) {
	line, at := position(r.source, e)
	r.errs = append(r.errs, problem{line, at, fmt.Sprintf(format, args...)})
}

func (r *resolver) id() int64 { r.ids++; return 1_000_000 + r.ids }

// resolve rewrites e in place.
func (r *resolver) resolve(e ast.Expr) {
	if in, of, ok := r.input(e); ok {
		if of.Type != "" {
			e.SetKindCase(factory.NewIdent(e.ID(), r.variable("i", in, of)))
		}
		return
	}
	switch e.Kind() {
	case ast.LiteralKind:
		if n, ok := e.AsLiteral().(types.Int); ok { // every number is a double: a view's counts and ratios compare with both
			e.SetKindCase(factory.NewLiteral(e.ID(), types.Double(n)))
		}
	case ast.ListKind:
		for _, element := range e.AsList().Elements() {
			r.resolve(element)
		}
	case ast.CallKind:
		r.call(e)
	case ast.IdentKind:
		r.bad(e, "%s", r.unknownName(e.AsIdent()))
	default:
		r.bad(e, "conditions have comparisons, arithmetic and the functions %s; this is none", strings.Join(functions, ", "))
	}
}

func (r *resolver) unknownName(name string) string {
	if _, ok := r.words.views[name]; ok || name == "account" || name == "calendar" {
		return name + " needs a column, such as " + name + "." + slices.Sorted(maps.Keys(r.columnsOf(name)))[0]
	}
	return fmt.Sprintf("there is no %q%s", name, schemas.Suggest(name, r.words.names()))
}

func (r *resolver) call(e ast.Expr) {
	c := e.AsCall()
	args := c.Args()
	name := c.FunctionName()
	if c.IsMemberFunction() || !slices.Contains(allowed, name) && name != operators.Divide && !slices.Contains(functions, name) {
		r.bad(e, "there is no function %s%s", name, schemas.Suggest(name, functions))
		return
	}
	switch name {
	case "known":
		r.knownCall(e, args)
	case "or_else":
		r.orElse(e, args)
	case "baseline":
		r.baseline(e, args)
	case "days_since", "days_until":
		if len(args) != 1 {
			r.bad(e, "%s takes a time, such as account.created_at", name)
			return
		}
		now := factory.NewIdent(r.id(), r.variable("i", Input{Kind: OfCalendar, View: "calendar", Column: "now", Type: Time}, column{Type: Time, Growth: Fixed}))
		r.resolve(args[0])
		if name == "days_since" {
			e.SetKindCase(factory.NewCall(e.ID(), daysBetween, args[0], now))
		} else {
			e.SetKindCase(factory.NewCall(e.ID(), daysBetween, now, args[0]))
		}
	case "previous", "max", "min", "sum", "count":
		r.bad(e, "%s takes a column of a view, such as %s", name, map[bool]string{true: "previous(usage_7d.events)", false: name + "(quotas.utilization)"}[name == "previous"])
	default:
		for _, a := range args {
			r.resolve(a)
		}
		if name == operators.Divide {
			e.SetKindCase(factory.NewCall(e.ID(), divide, args...))
		}
	}
}

// knownCall rewrites known(x) to whether the input x has a value.
func (r *resolver) knownCall(e ast.Expr, args []ast.Expr) {
	if len(args) == 1 {
		if in, of, ok := r.input(args[0]); ok {
			if of.Type != "" {
				e.SetKindCase(factory.NewIdent(e.ID(), r.variable("k", in, of)))
			}
			return
		}
	}
	r.bad(e, "known takes one column of a view, such as known(usage_7d.seats)")
}

// orElse rewrites or_else(x, y) to x where it has a value, else y.
func (r *resolver) orElse(e ast.Expr, args []ast.Expr) {
	if len(args) == 2 {
		if in, of, ok := r.input(args[0]); ok {
			if of.Type == "" {
				return
			}
			r.resolve(args[1])
			e.SetKindCase(factory.NewCall(e.ID(), operators.Conditional, factory.NewIdent(r.id(), r.variable("k", in, of)),
				factory.NewIdent(r.id(), r.variable("i", in, of)), args[1]))
			return
		}
	}
	r.bad(e, "or_else takes a column of a view and what holds where that is unknown, such as or_else(quotas[\"exports\"].limit, 0)")
}

// baseline rewrites baseline(x, n) to the mean of x over the n windows before the present one; n is 4 unless it is given.
func (r *resolver) baseline(e ast.Expr, args []ast.Expr) {
	n := 4
	if len(args) == 2 {
		n = literalInt(args[1])
	}
	if len(args) < 1 || len(args) > 2 || n < 1 || n > maxBack {
		r.bad(e, "baseline takes a column of a view, and from 1 to %d windows before, such as baseline(usage_7d.events, 4)", maxBack)
		return
	}
	in, of, ok := r.input(args[0])
	if !ok || of.Type == "" {
		if !ok {
			r.bad(args[0], "baseline takes a column of a view, such as baseline(usage_7d.events, 4)")
		}
		return
	}
	if of.Type != Number || !in.Shape.Windowed() || in.Back > 0 {
		r.bad(args[0], "baseline takes a number of a view with windows; %s is none", in)
		return
	}
	var total ast.Expr
	for back := 1; back <= n; back++ {
		in.Back = back
		one := factory.NewIdent(r.id(), r.variable("i", in, of))
		if total == nil {
			total = one
		} else {
			total = factory.NewCall(r.id(), operators.Add, total, one)
		}
	}
	e.SetKindCase(factory.NewCall(e.ID(), divide, total, factory.NewLiteral(r.id(), types.Double(n))))
}

// variable is the name under which a rewritten condition has an input.
func (r *resolver) variable(prefix string, in Input, of column) string {
	same := func(other Input) bool { return other.String() == in.String() }
	i := slices.IndexFunc(r.inputs, same)
	if i < 0 {
		i = len(r.inputs)
		r.inputs, r.known = append(r.inputs, in), append(r.known, of)
	}
	return fmt.Sprintf("%s%d", prefix, i)
}

func literalInt(e ast.Expr) int {
	if e.Kind() == ast.LiteralKind {
		if n, ok := e.AsLiteral().(types.Int); ok {
			return int(n)
		}
	}
	return 0
}

func literalText(e ast.Expr) (string, bool) {
	if e.Kind() != ast.LiteralKind {
		return "", false
	}
	s, ok := e.AsLiteral().(types.String)
	return string(s), ok
}

var rewritten = regexp.MustCompile(`\b[ik][0-9]+\b`)

// plain is a message of CEL without what conditions do not show.
func plain(message string) string {
	message = strings.NewReplacer("double", "number", "string", "text", "timestamp", "time", "'_", "'", "_'", "'").Replace(message)
	return rewritten.ReplaceAllString(strings.ReplaceAll(message, " (in container '')", ""), "a column")
}
