package views

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"tidemark/schemas"
)

// SegmentOf is the SQL of the segment that an account with this state belongs to: the first of the catalogue whose predicate
// holds, else the one that the state names, else NULL.
func (b *builder) SegmentOf(state string) string {
	own := "nullIf(" + state + "['segment'], '')"
	if len(b.cat.Segments) == 0 {
		return own
	}
	var out strings.Builder
	out.WriteString("multiIf(")
	for _, s := range b.cat.Segments {
		out.WriteString(holds(s.Where, state) + ", " + Quote(s.Name) + ", ")
	}
	return out.String() + own + ")"
}

// attributesOnly refuses segments over columns of views, which would never hold: every view looks up its accounts' segments, so each
// would read that column for each of its windows, and the view that has it would read itself.
func (b *builder) attributesOnly() error {
	for _, s := range b.cat.Segments {
		for _, name := range sorted(s.Where) {
			of, _, dotted := strings.Cut(name, ".")
			if dotted && slices.ContainsFunc(b.made, func(v view) bool { return v.Name == of }) {
				return fmt.Errorf("%s: segment %s: %s is of a view, and segments are over attributes of the account's record: write it into the record, as docs/catalogue.md says under Segments",
					s.Pos.At("where"), s.Name, name)
			}
		}
	}
	return nil
}

// holds is the SQL of a predicate over a state, which knows an attribute if it is there and not empty.
func holds(p schemas.Predicate, state string) string {
	var all []string
	for _, name := range sorted(p) {
		of := state + "[" + Quote(name) + "]"
		a := p[name]
		if len(a.In) > 0 {
			all = append(all, of+" IN ("+quoteStrings(a.In)+")")
		}
		if len(a.NotIn) > 0 {
			all = append(all, of+" NOT IN ("+quoteStrings(a.NotIn)+")")
		}
		if a.Min != nil {
			all = append(all, "ifNull(toFloat64OrNull("+of+") >= "+number(*a.Min)+", false)")
		}
		if a.Max != nil {
			all = append(all, "ifNull(toFloat64OrNull("+of+") <= "+number(*a.Max)+", false)")
		}
		if a.Exists != nil {
			all = append(all, map[bool]string{true: "NOT ", false: ""}[*a.Exists]+"empty("+of+")")
		}
	}
	if len(all) == 0 {
		return "true"
	}
	return strings.Join(all, " AND ")
}

// bySegment is the SQL of what a target is for a segment, given the SQL of the segment, which may be NULL, and what a
// target is written as. All must be of one type; NULL is written as NULL.
func (b *builder) bySegment(segment string, of func(schemas.Target) string) string {
	standard := of(b.cat.TargetOf(""))
	var differing strings.Builder
	for _, name := range sorted(b.cat.Targets.Segments) {
		if own := of(b.cat.TargetOf(name)); own != standard {
			differing.WriteString("ifNull(" + segment + " = " + Quote(name) + ", false), " + own + ", ")
		}
	}
	if differing.Len() == 0 {
		return standard
	}
	return "multiIf(" + differing.String() + standard + ")"
}

// number is a number as SQL; 0 of a target that is not set is written by orNull.
func number(v float64) string { return strconv.FormatFloat(v, 'g', -1, 64) }

// orNull is a number as SQL, NULL if it is not set.
func orNull(v float64) string {
	if v == 0 {
		return "NULL"
	}
	return number(v)
}

func quoteStrings(all []string) string {
	quoted := make([]string, len(all))
	for i, s := range all {
		quoted[i] = Quote(s)
	}
	return strings.Join(quoted, ", ")
}
