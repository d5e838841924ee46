package views

import (
	"regexp"
	"slices"

	"tidemark/schemas"
)

// branchOf are the branches of the templates of daily rows that can be left out when no column is made of them.
var branchOf = map[string]branch{
	"rows_members": fromMembers, "rows_features": fromFeatures, "rows_active": fromActive, "rows_key_features": fromKeyFeatures, "rows_bands": fromBands,
	// Where a user has a minute, counters have the event: they show the window.
	"rows_minutes": fromMinutes,
}

var word = regexp.MustCompile(`[A-Za-z_][A-Za-z0-9_]*`)

// only is the view with those of its columns that the named ones are made of, and without the rows that are read for others alone.
// Its windows are the same.
func (r rolling) only(names []string) rolling {
	needed := map[string]bool{}
	var texts []string // SQL to look through
	for _, name := range names {
		needed[name] = true
	}
	need := func(sql string) { texts = append(texts, sql) }
	uses := func(m rollingMeasure) bool {
		return slices.ContainsFunc([]string{"", "_previous", "_day", "_sum", "_before", "_slope"}, func(suffix string) bool { return needed[m.Column+suffix] })
	}
	for before := -1; before != len(needed); {
		before = len(needed)
		for _, d := range r.Derived {
			if needed[d.Column] {
				need(d.SQL)
			}
		}
		for _, e := range r.Extra {
			if needed[e.Name] {
				need(e.SQL)
			}
		}
		for _, m := range r.All() {
			if uses(m) {
				need(m.Merge + " " + m.Of)
			}
		}
		for _, sql := range texts {
			for _, w := range word.FindAllString(sql, -1) {
				needed[w] = true
			}
		}
		texts = texts[:0]
	}
	keep := func(all []rollingMeasure) []rollingMeasure {
		var out []rollingMeasure
		for _, m := range all {
			if uses(m) || m.From == fromCounters && !slices.ContainsFunc(out, func(o rollingMeasure) bool { return o.From == fromCounters }) {
				m.Previous = m.Previous && needed[m.Column+"_previous"]
				out = append(out, m)
			}
		}
		return out
	}
	r.Measures, r.Helpers = keep(r.Measures), keep(r.Helpers)
	r.Derived = slices.DeleteFunc(slices.Clone(r.Derived), func(m schemas.Metric) bool { return !needed[m.Column] })
	r.Extra = slices.DeleteFunc(slices.Clone(r.Extra), func(e extra) bool { return !needed[e.Name] })
	r.Fits = slices.DeleteFunc(slices.Clone(r.Fits), func(name string) bool { return !needed[name+"_slope"] })
	r.rows = slices.DeleteFunc(slices.Clone(r.rows), func(name string) bool {
		from, can := branchOf[name]
		return can && !slices.ContainsFunc(r.All(), func(m rollingMeasure) bool { return m.From == from })
	})
	return r
}
