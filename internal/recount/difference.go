package recount

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Cell names one value that ClickHouse holds. Fields that a table does not
// have are empty; Window is a time in Unix milliseconds.
type Cell struct {
	Table   string
	Account string
	Tier    Tier
	Window  int64
	Metric  string
	Feature string
	Entity  string
	Source  string
}

// Difference is a cell whose value in ClickHouse is not the one the log gives.
// An absent cell counts as "0" or as "", whichever the other side has.
type Difference struct {
	Cell
	Want, Got string
}

func (d Difference) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s want %s, got %s", d.Table, d.Metric, orNothing(d.Want), orNothing(d.Got))
	for _, part := range []struct{ name, value string }{
		{"account", d.Account}, {"tier", string(d.Tier)}, {"feature", d.Feature}, {"entity", d.Entity}, {"source", d.Source},
	} {
		if part.value != "" {
			fmt.Fprintf(&b, " %s=%s", part.name, part.value)
		}
	}
	if d.Window != 0 {
		fmt.Fprintf(&b, " at=%s", time.UnixMilli(d.Window).UTC().Format("2006-01-02T15:04:05.000Z"))
	}
	return b.String()
}

func orNothing(s string) string {
	if s == "" {
		return "nothing"
	}
	return s
}

// Diff lists the cells in which want and got differ, in the order of the cells.
func Diff(want, got map[Cell]string) []Difference {
	var differences []Difference
	differ := func(c Cell) {
		w, g := want[c], got[c]
		if w != g && orZero(w) != orZero(g) {
			differences = append(differences, Difference{Cell: c, Want: w, Got: g})
		}
	}
	for c := range want {
		differ(c)
	}
	for c := range got {
		if _, both := want[c]; !both {
			differ(c)
		}
	}
	slices.SortFunc(differences, func(a, b Difference) int { return compareCells(a.Cell, b.Cell) })
	return differences
}

func orZero(s string) string {
	if s == "" {
		return "0"
	}
	return s
}

func compareCells(a, b Cell) int {
	return cmp.Or(
		cmp.Compare(a.Table, b.Table), cmp.Compare(a.Account, b.Account), cmp.Compare(a.Tier, b.Tier),
		cmp.Compare(a.Window, b.Window), cmp.Compare(a.Metric, b.Metric), cmp.Compare(a.Feature, b.Feature),
		cmp.Compare(a.Entity, b.Entity), cmp.Compare(a.Source, b.Source),
	)
}
