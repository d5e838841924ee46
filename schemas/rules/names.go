package rules

import (
	"maps"
	"slices"

	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"

	"tidemark/schemas"
)

// maxBack is how many windows a condition may look back.
const maxBack = 12

// input reads e as an input. A column whose Type is empty means that it names one which there is not; the mistake is noted.
func (r *resolver) input(e ast.Expr) (in Input, of column, ok bool) {
	switch e.Kind() {
	case ast.SelectKind:
		s := e.AsSelect()
		switch operand := s.Operand(); {
		case operand.Kind() == ast.IdentKind:
			in, of = r.columnOf(e, operand.AsIdent(), s.FieldName())
			if of.Type != "" && in.Shape.Key != "" {
				r.bad(e, "%s has a row for each %s: write %s[\"NAME\"].%s, or max(%[1]s.%[4]s)", in.View, in.Shape.Key, in.View, in.Column)
				of = column{}
			}
			return in, of, true
		case operand.Kind() == ast.CallKind && operand.AsCall().FunctionName() == operators.Index:
			return r.keyed(e, operand.AsCall().Args(), s.FieldName())
		}
	case ast.CallKind:
		args := e.AsCall().Args()
		switch name := e.AsCall().FunctionName(); name {
		case operators.Index:
			return r.entry(e, args)
		case "previous":
			return r.previous(e, args)
		case string(Max), string(Min), string(Sum), string(Count):
			return r.over(e, Over(name), args)
		}
	}
	return Input{}, column{}, false
}

// columnsOf are the columns of what a condition calls account, calendar or by a view's name.
func (r *resolver) columnsOf(name string) map[string]column {
	switch name {
	case "account":
		return r.words.views["accounts"]
	case "calendar":
		out := map[string]column{}
		for _, c := range calendarColumns {
			out[c] = column{Type: Number, Growth: Fixed, Unsigned: true}
		}
		out["now"] = column{Type: Time, Growth: Fixed}
		return out
	default:
		return r.words.views[name]
	}
}

// columnOf is a column of a view, whatever its key.
func (r *resolver) columnOf(e ast.Expr, view, name string) (Input, column) {
	columns := r.columnsOf(view)
	if columns == nil {
		r.bad(e, "%s", r.unknownName(view))
		return Input{}, column{}
	}
	of, ok := columns[name]
	switch {
	case !ok:
		r.bad(e, "%s has no column %s that a condition can read%s", view, name, schemas.Suggest(name, slices.Sorted(maps.Keys(columns))))
		return Input{}, column{}
	case of.Of != "":
		r.bad(e, "%s.%s is a map: write %[1]s.%[2]s[\"NAME\"]", view, name)
		return Input{}, column{}
	}
	in := Input{Kind: OfView, View: view, Column: name, Type: of.Type, Shape: readable[view]}
	switch view {
	case "account":
		in.Kind, in.View = OfAccount, "accounts"
	case "calendar":
		in.Kind = OfCalendar
	}
	return in, of
}

// keyed reads view["key"].column.
func (r *resolver) keyed(e ast.Expr, args []ast.Expr, name string) (Input, column, bool) {
	key, ok := literalText(args[1])
	if args[0].Kind() != ast.IdentKind || !ok {
		r.bad(e, "write the key as a text, such as features_28d[\"export\"].users")
		return Input{}, column{}, true
	}
	in, of := r.columnOf(e, args[0].AsIdent(), name)
	if of.Type == "" {
		return in, of, true
	}
	if in.Shape.Key == "" {
		r.bad(e, "%s has one row of an account and no key: write %[1]s.%s", args[0].AsIdent(), name)
		return in, column{}, true
	}
	if there := r.keys(in.Shape.Key); there != nil && !slices.Contains(there, key) {
		r.bad(args[1], "the catalogue has no %s %q%s", in.Shape.Key, key, schemas.Suggest(key, there))
		return in, column{}, true
	}
	in.Key = key
	return in, of, true
}

// keys are the names that the catalogue declares for a key column; nil: any text is right.
func (r *resolver) keys(key string) []string {
	var out []string
	cat := r.words.catalogue
	switch key {
	case "workflow":
		for _, w := range cat.Workflows {
			out = append(out, w.Name)
		}
	case "quota":
		for _, e := range cat.Entitlements {
			for _, q := range e.Quotas {
				out = append(out, q.Name)
			}
		}
	case "item":
		lists := []schemas.Target{cat.Targets.Target}
		for _, t := range cat.Targets.Segments {
			lists = append(lists, t)
		}
		for _, t := range lists {
			for _, item := range t.Onboarding.Items {
				out = append(out, item.Name)
			}
		}
	case "component":
		for _, p := range cat.ProfilesInUse() {
			for _, c := range p.Components {
				out = append(out, c.Name)
			}
		}
	case "milestone":
		return []string{"first value", "goal attained", "onboarding done", "workflow completed"}
	default:
		return nil
	}
	slices.Sort(out)
	return append([]string{}, slices.Compact(out)...)
}

// entry reads account.attributes["name"].
func (r *resolver) entry(e ast.Expr, args []ast.Expr) (Input, column, bool) {
	key, ok := literalText(args[1])
	if !ok || args[0].Kind() != ast.SelectKind || args[0].AsSelect().Operand().Kind() != ast.IdentKind {
		r.bad(e, "an index is for a view's key, such as features_28d[\"export\"].users, or for account.attributes[\"industry\"]")
		return Input{}, column{}, true
	}
	name := args[0].AsSelect().FieldName()
	view := args[0].AsSelect().Operand().AsIdent()
	of := r.columnsOf(view)[name]
	if view != "account" || of.Of == "" {
		r.bad(e, "%s.%s is no map", view, name)
		return Input{}, column{}, true
	}
	return Input{Kind: OfAccount, View: "accounts", Column: name, Key: key, Type: of.Of}, column{Type: of.Of, Growth: Fixed, Nullable: true}, true
}

// previous reads previous(x) and previous(x, n).
func (r *resolver) previous(e ast.Expr, args []ast.Expr) (Input, column, bool) {
	n := 1
	if len(args) == 2 {
		n = literalInt(args[1])
	}
	if len(args) < 1 || len(args) > 2 || n < 1 || n > maxBack {
		r.bad(e, "previous takes a column of a view, and from 1 to %d windows back, such as previous(usage_7d.events, 2)", maxBack)
		return Input{}, column{}, true
	}
	in, of, ok := r.input(args[0])
	if !ok || of.Type == "" {
		return in, of, ok
	}
	if in.Kind != OfView || !in.Shape.Windowed() {
		r.bad(e, "%s has no windows, so there is none before", in)
		return in, column{}, true
	}
	in.Back += n
	of.Nullable = true // before the account there was none
	return in, of, true
}

// over reads max(view.column) and its like.
func (r *resolver) over(e ast.Expr, how Over, args []ast.Expr) (Input, column, bool) {
	if len(args) != 1 || args[0].Kind() != ast.SelectKind || args[0].AsSelect().Operand().Kind() != ast.IdentKind {
		return Input{}, column{}, false
	}
	in, of := r.columnOf(e, args[0].AsSelect().Operand().AsIdent(), args[0].AsSelect().FieldName())
	switch {
	case of.Type == "":
	case in.Shape.Key == "":
		r.bad(e, "%s is one value of an account already", in)
		of = column{}
	case how == Count:
		in.Type, of = Number, column{Type: Number, Growth: Mixed, Unsigned: true}
	case how == Sum && of.Type != Number || of.Type != Number && of.Type != Time:
		r.bad(e, "%s of %s, a %s: it is for numbers%s", how, in, of.Type, map[bool]string{true: "", false: " and times"}[how == Sum])
		of = column{}
	default:
		of.Nullable = true
		if how != Sum && how != Max { // a new row can lower the least
			of.Growth = Mixed
		}
	}
	in.Over = how
	return in, of, true
}
