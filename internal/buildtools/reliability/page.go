package main

import (
	"cmp"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// design is what docs/design.md says of invariants and faults.
type design struct {
	invariants []string // their names, the first being number 1
	failures   []string // the first column of the table of failures
}

var (
	invariant = regexp.MustCompile(`(?m)^(\d+)\. \*\*(.+?)\.\*\*`)
	failure   = regexp.MustCompile(`(?m)^\| ([^|]+?) \|`)
)

func readDesign(path string) (design, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return design{}, err
	}
	var d design
	for _, m := range invariant.FindAllStringSubmatch(section(string(data), "Invariants"), -1) {
		d.invariants = append(d.invariants, m[2])
		if m[1] != strconv.Itoa(len(d.invariants)) {
			return design{}, fmt.Errorf("%s: invariant %s is number %d under Invariants", path, m[1], len(d.invariants))
		}
	}
	for _, m := range failure.FindAllStringSubmatch(section(string(data), "What happens when"), -1) {
		d.failures = append(d.failures, m[1])
	}
	if len(d.invariants) == 0 || len(d.failures) == 0 {
		return design{}, fmt.Errorf("%s has no invariants under Invariants, or no table under What happens when", path)
	}
	return d, nil
}

// section returns what stands under a heading of the second level.
func section(text, heading string) string {
	_, text, _ = strings.Cut(text, "\n## "+heading+"\n")
	text, _, _ = strings.Cut(text, "\n## ")
	return text
}

// proofsTable has a row a fault and a column an invariant. Faults that the design's table has stand in its order, others
// follow by name.
func proofsTable(d design, tests []test) string {
	cells := map[string][]string{} // by fault, what stands under each invariant
	for _, t := range tests {
		for _, p := range t.proves {
			if cells[p.fault] == nil {
				cells[p.fault] = make([]string, len(d.invariants))
			}
			for _, n := range p.invariants {
				cell := &cells[p.fault][n-1]
				if *cell != "" {
					*cell += "<br>"
				}
				*cell += "`" + t.name + "`"
			}
		}
	}
	faults := make([]string, 0, len(cells))
	for fault := range cells {
		faults = append(faults, fault)
	}
	place := func(fault string) int {
		if i := slices.Index(d.failures, fault); i >= 0 {
			return i
		}
		return len(d.failures)
	}
	slices.SortFunc(faults, func(a, b string) int { return cmp.Or(place(a)-place(b), strings.Compare(a, b)) })
	var out strings.Builder
	out.WriteString("| fault |")
	for i, name := range d.invariants {
		fmt.Fprintf(&out, " %d %s |", i+1, strings.ToLower(name[:1])+name[1:])
	}
	out.WriteString("\n|---|" + strings.Repeat("---|", len(d.invariants)) + "\n")
	for _, fault := range faults {
		fmt.Fprintf(&out, "| %s | %s |\n", fault, strings.Join(cells[fault], " | "))
	}
	return out.String()
}

// between returns what stands between a table's markers.
func between(page, table string) (before, inside, after string, err error) {
	begin, end := "<!-- "+table+": made by go generate, do not edit -->\n", "<!-- end of "+table+" -->\n"
	before, rest, found := strings.Cut(page, begin)
	inside, after, closed := strings.Cut(rest, end)
	if !found || !closed {
		return "", "", "", fmt.Errorf("the table goes between the lines %q and %q, which are not both there", begin, end)
	}
	return before + begin, inside, end + after, nil
}

// replace puts a table between its markers.
func replace(page, table, text string) (string, error) {
	before, _, after, err := between(page, table)
	return before + text + after, err
}
