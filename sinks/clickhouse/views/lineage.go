package views

import (
	"regexp"
	"slices"
	"strings"
	"time"

	"tidemark/schemas"
)

// Lineage says what a view is made of.
type Lineage struct {
	Name, Comment string
	Views         []string // views of the catalogue that it reads
	Tables        []string // tables, or views of their live generation, that it reads itself
	Kinds         []string // of the facts that it reads itself
	Columns       []LineageColumn
}

// LineageColumn is a column of a view and where it comes from: columns of views, and tables.
type LineageColumn struct {
	Name, Unit string
	From       []string
}

var (
	readsName = regexp.MustCompile(`\btidemark\.([a-z_0-9]+)`)
	readsKind = regexp.MustCompile(`kind = '(\w+)'|kind IN \(([^)]*)\)`)
	quoted    = regexp.MustCompile(`'(\w+)'`)
)

// Lineages is the lineage of every view of a catalogue, in the order in which they are made. That of a column is as exact as
// names are: a column comes from those of the same name in the views that its view reads, one of the catalogue from its
// metric's rows, and any other from whatever its view reads.
func Lineages(cat *schemas.Catalogue) ([]Lineage, error) {
	all, err := build(cat, Options{
		Database: "tidemark", Topics: DefaultTopics(), MinuteRetention: 336 * time.Hour, HourRetention: 9600 * time.Hour, DayRetention: 43800 * time.Hour,
	})
	if err != nil {
		return nil, err
	}
	columns := map[string]map[string]bool{}
	for _, v := range all {
		columns[v.Name] = map[string]bool{}
		for _, c := range v.Columns {
			columns[v.Name][c.Name] = true
		}
	}
	out := make([]Lineage, len(all))
	for i, v := range all {
		l := Lineage{Name: v.Name, Comment: v.Comment, Kinds: kindsOf(v.Query)}
		for _, m := range readsName.FindAllStringSubmatch(v.Query, -1) {
			switch name := m[1]; {
			case columns[name] != nil && name != v.Name:
				l.Views = append(l.Views, name)
			case columns[name] == nil:
				l.Tables = append(l.Tables, name)
			}
		}
		slices.Sort(l.Views)
		slices.Sort(l.Tables)
		l.Views, l.Tables = slices.Compact(l.Views), slices.Compact(l.Tables)
		for _, c := range v.Columns {
			l.Columns = append(l.Columns, LineageColumn{c.Name, c.Unit, l.from(cat, c.Name, columns)})
		}
		out[i] = l
	}
	return out, nil
}

func kindsOf(query string) []string {
	var out []string
	for _, m := range readsKind.FindAllStringSubmatch(query, -1) {
		if m[1] != "" {
			out = append(out, m[1])
		}
		for _, q := range quoted.FindAllStringSubmatch(m[2], -1) {
			out = append(out, q[1])
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func (l Lineage) from(cat *schemas.Catalogue, column string, columns map[string]map[string]bool) []string {
	var out []string
	for _, m := range cat.Metrics {
		if m.Column != column || !strings.HasPrefix(l.Name, strings.TrimSuffix(m.View, "_rolling")) {
			continue
		}
		switch m.Aggregate {
		case schemas.Count, schemas.Sum:
			return []string{"counters of " + m.Name}
		case schemas.Distinct:
			return []string{"members of " + m.Name}
		case schemas.Sessions, schemas.SessionSeconds, schemas.ActiveSeconds:
			return []string{"user_minutes"}
		case schemas.Derived:
			return []string{"`" + m.SQL + "`"}
		}
	}
	for _, v := range l.Views {
		if columns[v][column] && v != "completeness" {
			out = append(out, v+"."+column)
		}
	}
	if len(out) == 0 && column != "complete" {
		out = append(append(out, l.Views...), l.Tables...)
	}
	if column == "complete" {
		out = []string{"completeness.complete_to"}
	}
	return out
}
