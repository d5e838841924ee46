package views

import (
	"fmt"
	"slices"
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

// declaredGoal is a goal of the catalogue in the terms of SQL.
type declaredGoal struct {
	schemas.Goal
	Column    string
	Direction string
	Seconds   int64
	InSegment string // SQL over accounts
}

// Declared are the goals of the catalogue.
func (g goalViews) Declared() ([]declaredGoal, error) {
	out := make([]declaredGoal, len(g.cat.Goals))
	for i, of := range g.cat.Goals {
		in, _ := of.Input()
		if in.View != "usage_28d" || !slices.Contains(g.Metrics, in.Column) {
			return nil, fmt.Errorf("%s: goal %s: %s is no column of usage_28d that is a number%s", of.Pos.At("metric"), of.Name, of.Metric, schemas.Suggest(in.Column, g.Metrics))
		}
		d := declaredGoal{Goal: of, Column: in.Column, Direction: "up", Seconds: int64(time.Duration(of.Within) / time.Second), InSegment: "true"}
		if of.Target < of.Start {
			d.Direction = "down"
		}
		if len(of.Segments) > 0 {
			d.InSegment = "segment IN (" + quoteStrings(of.Segments) + ")"
		}
		out[i] = d
	}
	return out, nil
}

// Number is for the templates.
func (g goalViews) Number(v float64) string { return number(v) }
