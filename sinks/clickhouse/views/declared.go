package views

import (
	"fmt"
	"strings"
	"time"

	"tidemark/schemas"
)

// SurveyKind is the SQL of an answer's kind: as the catalogue says of its survey, else as its record does.
func (b *builder) SurveyKind() string {
	return b.ofSurvey("name", func(s schemas.Survey) string { return Quote(s.Kind) })
}

// SurveyClasses are the SQL conditions and classes of answers whose survey has bounds of its own in the catalogue.
func (b *builder) SurveyClasses() string {
	best := map[string]string{"nps": "promoter", "csat": "satisfied", "ces": "easy"}
	var out strings.Builder
	for _, s := range b.cat.Surveys {
		is := "entity = " + Quote(s.Survey)
		if s.Satisfied != nil {
			fmt.Fprintf(&out, "%s AND value >= %s, %s, ", is, number(*s.Satisfied), Quote(best[s.Kind]))
		}
		switch {
		case s.Dissatisfied != nil:
			fmt.Fprintf(&out, "%s AND value <= %s, 'detractor', ", is, number(*s.Dissatisfied))
			if s.Satisfied != nil {
				fmt.Fprintf(&out, "%s, 'passive', ", is)
			}
		case s.Satisfied != nil && s.Kind != "nps":
			fmt.Fprintf(&out, "%s, '', ", is)
		}
	}
	return out.String()
}

func (b *builder) ofSurvey(otherwise string, of func(schemas.Survey) string) string {
	if len(b.cat.Surveys) == 0 {
		return otherwise
	}
	var out strings.Builder
	for _, s := range b.cat.Surveys {
		out.WriteString("entity = " + Quote(s.Survey) + ", " + of(s) + ", ")
	}
	return "multiIf(" + out.String() + otherwise + ")"
}

// Declared is the SQL of an array of the goals of the catalogue: name, start, target, description, owner, direction, measure, seconds that it
// may take, and segments; none: all. Empty if there are no goals.
func (g goalViews) Declared() string {
	if len(g.cat.Goals) == 0 {
		return ""
	}
	all := make([]string, len(g.cat.Goals))
	for i, of := range g.cat.Goals {
		in, _ := of.Input()
		direction := "up"
		if of.Target < of.Start {
			direction = "down"
		}
		all[i] = fmt.Sprintf("(%s, toFloat64(%s), toFloat64(%s), %s, %s, %s, %s, toInt64(%d), CAST([%s], 'Array(String)'))", Quote(of.Name), number(of.Start), number(of.Target),
			Quote(of.Description), Quote(of.Owner), Quote(direction), Quote(measureName(in.View, in.Column)), int64(time.Duration(of.Within)/time.Second), quoteStrings(of.Segments))
	}
	return "[" + strings.Join(all, ",\n    ") + "]"
}
