package views

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"tidemark/schemas"
)

// healthGrid is the view whose rows, one an account and day, health has as well; the segment is read from it too.
const healthGrid = "usage_28d"

// A day's health is compared with that of 1 and of 7 days before.
const (
	healthLags = "[toUInt8(0), toUInt8(1), toUInt8(7)]"
	longestLag = 7
)

// health is the data of the templates of health: what each profile reads, and how.
type health struct {
	*builder
	Lags     string // SQL of healthLags
	Slices   []slice
	Views    []healthView
	Inputs   []healthInput
	Profiles []healthProfile
}

// healthView is a view that components read.
type healthView struct {
	Name string
	Grid bool
}

// healthInput is a column that a component reads, under a name of its own.
type healthInput struct {
	schemas.Input
	As   string
	Text bool
}

// healthProfile is a profile in the terms of SQL.
type healthProfile struct {
	schemas.Profile
	of health
}

// health makes the views of health scores, by the profiles that are in use (metrics.md row 31).
func (b *builder) health() ([]view, error) {
	h := health{builder: b, Lags: healthLags, Slices: b.healthSlices(), Views: []healthView{{healthGrid, true}}}
	for _, p := range b.cat.ProfilesInUse() {
		if err := h.read(p); err != nil {
			return nil, fmt.Errorf("%s: health profile %s: %w", p.Pos, p.Name, err)
		}
	}
	for _, p := range b.cat.ProfilesInUse() {
		h.Profiles = append(h.Profiles, healthProfile{p, h})
	}
	if len(h.Profiles) == 0 {
		return nil, nil
	}
	return b.rendered(slices.Clone(healthViews), h)
}

// healthSlices are ranges of ages of days: four weeks and what they are compared with, and the rest. Each costs planning.
func (b *builder) healthSlices() []slice {
	return ages(day, int64(b.DayRetention/time.Second), 36*day)
}

// Now is the same with the days that the view of now can be of, and no more.
func (h health) Now() health {
	h.Slices = []slice{{-1, latestWithin + 1}}
	return h
}

// LatestFrom is the SQL of the earliest day that the view of now can be of.
func (h health) LatestFrom() string { return h.StartOfDay(latestWithin * day) }

// latestWithin is how many days back the latest complete day may lie.
const latestWithin = 8

// read finds the columns that a profile's components read.
func (h *health) read(p schemas.Profile) error {
	for _, c := range p.Components {
		for _, in := range c.Inputs() {
			text, err := h.builder.accountColumn(in)
			if err != nil {
				return fmt.Errorf("component %s: %w", c.Name, err)
			}
			if text != c.Text() {
				return fmt.Errorf("component %s: the tiers of %s.%s need %s", c.Name, in.View, in.Column, map[bool]string{true: "is: it is text", false: "bounds: it is a number"}[text])
			}
			if !slices.ContainsFunc(h.Inputs, func(i healthInput) bool { return i.Input == in }) {
				h.Inputs = append(h.Inputs, healthInput{in, fmt.Sprintf("input_%d", len(h.Inputs)+1), text})
			}
			if v := (healthView{in.View, in.View == healthGrid}); !slices.Contains(h.Views, v) {
				h.Views = append(h.Views, v)
			}
		}
	}
	return nil
}

// accountColumn looks a column up in the views that have one row an account and period that ends with a day, and tells
// whether it is text.
func (b *builder) accountColumn(in schemas.Input) (text bool, err error) {
	var names []string
	for _, v := range b.made {
		if !v.daily() {
			continue
		}
		names = append(names, v.Name)
		if v.Name != in.View {
			continue
		}
		var columns []string
		for _, c := range v.Columns {
			if strings.Contains(c.Type, "Date") || strings.Contains(c.Type, "Array") || strings.Contains(c.Type, "Map") {
				continue
			}
			if c.Name == in.Column {
				return strings.Contains(c.Type, "String"), nil
			}
			columns = append(columns, c.Name)
		}
		return false, fmt.Errorf("the view %s has no column %s that is a number or text%s", in.View, in.Column, schemas.Suggest(in.Column, columns))
	}
	return false, fmt.Errorf("there is no view %s with one row an account and day%s", in.View, schemas.Suggest(in.View, names))
}

// daily reports whether the view has one row an account and period that ends with a day.
func (v view) daily() bool {
	has := func(name string) bool {
		return slices.ContainsFunc(v.Columns, func(c column) bool { return c.Name == name })
	}
	n := 0
	for n < len(v.Columns) && v.Columns[n].Name != "window_start" {
		n++
	}
	return n == 1 && has("account_id") && has("window_end") && has("complete") && !strings.HasSuffix(v.Name, "_hour") && !strings.HasSuffix(v.Name, "_minute")
}

// Columns are the inputs of one view, and of the others NULL.
func (h health) Columns(v healthView) string {
	var out []string
	for _, in := range h.Inputs {
		typ, read := "Nullable(Float64)", "toFloat64("+quoteName(in.Column)+")"
		if in.Text {
			typ, read = "Nullable(String)", "toString("+quoteName(in.Column)+")"
		}
		if in.View != v.Name {
			read = "NULL"
		}
		out = append(out, "CAST("+read+", '"+typ+"') AS "+in.As)
	}
	return strings.Join(out, ", ")
}

// ProfileOf is the SQL of the profile of an account's segment.
func (h health) ProfileOf(segment string) string {
	var out strings.Builder
	for _, s := range h.cat.Segments {
		if s.Profile != "" {
			out.WriteString(segment + " = " + Quote(s.Name) + ", " + Quote(s.Profile) + ", ")
		}
	}
	if out.Len() == 0 {
		return Quote(h.cat.Health.Default)
	}
	return "multiIf(" + out.String() + Quote(h.cat.Health.Default) + ")"
}

// ByProfile is the SQL that chooses between what each profile says.
func (h health) ByProfile(what string) (string, error) {
	each := make([]string, len(h.Profiles))
	for i, p := range h.Profiles {
		var err error
		if each[i], err = p.say(what); err != nil {
			return "", err
		}
	}
	if len(each) == 1 {
		return each[0], nil
	}
	var out strings.Builder
	for i, p := range h.Profiles[1:] {
		out.WriteString("profile = " + Quote(p.Name) + ", " + each[i+1] + ", ")
	}
	return "multiIf(" + out.String() + each[0] + ")", nil
}

// say is the SQL of something about a profile: of arrays, an element a component, or a group.
func (p healthProfile) say(what string) (string, error) {
	var all []string
	each := func(of func(schemas.Component) string) string {
		for _, c := range p.Components {
			all = append(all, of(c))
		}
		return "[" + strings.Join(all, ", ") + "]"
	}
	switch what {
	case "names":
		return each(func(c schemas.Component) string { return Quote(c.Name) }), nil
	case "values":
		return "CAST(" + each(p.value) + ", 'Array(Nullable(Float64))')", nil
	case "shown":
		return each(p.shown), nil
	case "points":
		return "CAST(" + each(p.points) + ", 'Array(Nullable(Float64))')", nil
	case "weights":
		return each(func(c schemas.Component) string { return "toFloat64(" + number(p.weight(c)) + ")" }), nil
	case "groups":
		return each(func(c schemas.Component) string { return fmt.Sprintf("toUInt8(%d)", p.groupOf(c)) }), nil
	case "groupWeights":
		for _, w := range p.groupWeights() {
			all = append(all, "toFloat64("+number(w)+")")
		}
		return "[" + strings.Join(all, ", ") + "]", nil
	case "banded":
		return fmt.Sprint(p.Method == schemas.Banded), nil
	case "rescale":
		return fmt.Sprint(p.Unknown == schemas.Rescale), nil
	case "band":
		if p.Method == schemas.Banded {
			return "multiIf(score = 100, 'good', score = 40, 'poor', 'average')", nil
		}
		return tiers("score", p.Bands, func(t schemas.Tier) string { return Quote(string(t.Band)) }, "'poor'"), nil
	}
	return "", fmt.Errorf("a profile has no %s", what)
}

// As is the name of the column that has the component's value.
func (p healthProfile) As(c schemas.Component) string {
	return quoteName("value_of_" + p.Name + "_" + c.Name)
}

// Value is the SQL of a component's value over the inputs; a quotient by zero is unknown.
func (p healthProfile) Value(c schemas.Component) string {
	value := c.Expression(func(in schemas.Input) string {
		i := slices.IndexFunc(p.of.Inputs, func(i healthInput) bool { return i.Input == in })
		return p.of.Inputs[i].As
	})
	if c.Text() {
		return value
	}
	return "ifNotFinite(CAST(" + value + ", 'Nullable(Float64)'), NULL)"
}

// value is the SQL of the value as a number; NULL if it is text.
func (p healthProfile) value(c schemas.Component) string {
	if c.Text() {
		return "NULL"
	}
	return p.As(c)
}

// shown is the SQL of the value as text; empty if it is unknown.
func (p healthProfile) shown(c schemas.Component) string {
	if c.Text() {
		return "ifNull(toString(" + p.As(c) + "), '')"
	}
	return "ifNull(toString(round(" + p.As(c) + ", 2)), '')"
}

// points is the SQL of the points, 0 to 100, that a component's value gives; NULL if it is unknown.
func (p healthProfile) points(c schemas.Component) string {
	of := p.As(c)
	worth := tiers(of, c.Tiers, func(t schemas.Tier) string { return number(p.Worth(c, t)) }, "NULL")
	if s := c.Scale; s != nil {
		worth = fmt.Sprintf("100 * greatest(0, least(1, (%s - (%s)) / (%s)))", of, number(s.From), number(s.To-s.From))
	}
	return "if(" + of + " IS NULL, NULL, " + worth + ")"
}

// tiers is the SQL of what the first tier gives that takes the value.
func tiers(of string, all []schemas.Tier, gives func(schemas.Tier) string, otherwise string) string {
	var out strings.Builder
	for _, t := range all {
		var conditions []string
		for _, bound := range []struct {
			sign string
			at   *float64
		}{{">=", t.AtLeast}, {">", t.Above}, {"<=", t.AtMost}, {"<", t.Below}} {
			if bound.at != nil {
				conditions = append(conditions, "ifNull("+of+" "+bound.sign+" "+number(*bound.at)+", false)")
			}
		}
		if len(t.Is) > 0 {
			conditions = append(conditions, "ifNull("+of+" IN ("+quoteStrings(t.Is)+"), false)")
		}
		if len(conditions) == 0 {
			conditions = []string{"true"}
		}
		out.WriteString(strings.Join(conditions, " AND ") + ", " + gives(t) + ", ")
	}
	return "multiIf(" + out.String() + otherwise + ")"
}

// weight is the component's within its group; one without a group is a group by itself.
func (p healthProfile) weight(c schemas.Component) float64 {
	if c.Group == "" {
		return 1
	}
	return p.Full(c)
}

func (p healthProfile) groupOf(c schemas.Component) int {
	if c.Group != "" {
		return 1 + slices.Index(sorted(p.Groups), c.Group)
	}
	n := len(p.Groups)
	for _, other := range p.Components {
		if other.Group == "" {
			n++
		}
		if other.Name == c.Name {
			break
		}
	}
	return n
}

func (p healthProfile) groupWeights() []float64 {
	var out []float64
	for _, g := range sorted(p.Groups) {
		out = append(out, p.Groups[g])
	}
	for _, c := range p.Components {
		if c.Group == "" {
			out = append(out, p.Full(c))
		}
	}
	return out
}

// healthSlice is the data of the template health_scores.sql: the days of some ages, and those that they are compared with.
type healthSlice struct {
	health
	Ages slice
}

// Slice is for the templates.
func (h health) Slice(s slice) healthSlice { return healthSlice{h, s} }

// columnsOf are the columns that are read of the view.
func (h health) columnsOf(v healthView) []string {
	var out []string
	for _, in := range h.Inputs {
		if in.View == v.Name {
			out = append(out, in.Column)
		}
	}
	return out
}

// Source is what to read like the view: no more of it than the slice needs.
func (h healthSlice) Source(v healthView) (string, error) {
	need := slice{h.Ages.From, h.Ages.To + longestLag}
	i := slices.IndexFunc(h.made, func(m view) bool { return m.Name == v.Name })
	if sliced := h.made[i].sliced; sliced != nil {
		query, err := sliced([]slice{need}, h.columnsOf(v))
		return "(" + query + ")", err
	}
	return fmt.Sprintf("%s.%s WHERE window_end BETWEEN %s AND %s", h.DB(), quoteName(v.Name),
		h.StartOfDay((need.To-2)*day), h.StartOfDay((need.From-1)*day)), nil
}

// Reason is the SQL of what moved the score since so many days before: the three components that did most.
func (h health) Reason(days string) string {
	return strings.ReplaceAll(`multiIf(
        score IS NULL, concat('unknown: ', arrayStringConcat(arrayFilter((n, p) -> p IS NULL, names, component_points), ', ')),
        score_# IS NULL, '',
        profile_# != profile, concat('profile ', profile_#, ' -> ', profile),
        arrayStringConcat(arrayMap(m -> concat(if(m.1 > 0, '+', ''), toString(round(m.1, 1)), ': ', m.2, ' ', if(m.3 = '', 'unknown', m.3), ' -> ', if(m.4 = '', 'unknown', m.4)),
            arraySlice(arraySort(m -> (-abs(m.1), m.2), arrayFilter(m -> abs(m.1) >= 0.05, arrayMap((n, now, was, s, s_was) -> (ifNull(now - was, 0), n, s_was, s),
                names, contributions, arrayResize(contributions_#, length(names), NULL), shown, arrayResize(shown_#, length(names), '')))), 1, 3)), '; '))`, "#", days)
}
