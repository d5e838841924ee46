package board

import (
	"encoding/csv"
	"fmt"
	"html/template"
	"io"
	"strconv"
	"time"
)

// Kind is how a cell's value is written.
type Kind string

// The kinds. Numbers and times are written in the viewer's locale and time zone by the page's script; without it as here.
const (
	Words   Kind = ""        // as it stands
	Number  Kind = "number"  // a count or amount
	Percent Kind = "percent" // a ratio, 1 is 100 %
	Seconds Kind = "seconds" // a duration
	Bytes   Kind = "bytes"
	When    Kind = "when"  // a time, to the second
	Day     Kind = "day"   // a date
	Clock   Kind = "clock" // a time of about now, without its date
	Ago     Kind = "ago"   // a time as how long ago or ahead it is
)

// Cell is one value. The zero Cell is an unknown one, which is shown as a dash and never as 0.
type Cell struct {
	Kind  Kind
	Text  string     // of Words
	Value *float64   // of numbers; nil: unknown
	Time  *time.Time // of times; nil: unknown
	Link  string     // URL; empty: none
	Why   string     // URL of how the value came about; empty: none
	State string     // good, warn, bad or quiet, which give it a mark
	Note  string     // smaller, under the value
	Title string     // shown when it is pointed at; never the only place where something is said
	// Before stands before the value, such as a spark-line, and HTML after it.
	Before, HTML template.HTML
	Bar          *float64 // 0 to 1: a bar before the number
	Signed       bool     // it is a change: one upwards has a plus
}

// Text is a cell of words.
func Text(s string) Cell { return Cell{Text: s} }

// Link is a cell of words that lead to another page.
func Link(text, url string) Cell { return Cell{Text: text, Link: url} }

// Num is a cell of a number of any of the numeric kinds.
func Num[N int | int32 | int64 | uint8 | uint16 | uint32 | uint64 | float32 | float64](kind Kind, n N) Cell {
	v := float64(n)
	return Cell{Kind: kind, Value: &v}
}

// Maybe is a cell of a number that may be unknown.
func Maybe[N int64 | uint64 | float64](kind Kind, n *N) Cell {
	if n == nil {
		return Cell{Kind: kind}
	}
	return Num(kind, *n)
}

// At is a cell of a time; the zero time is an unknown one.
func At(kind Kind, t time.Time) Cell {
	if t.IsZero() {
		return Cell{Kind: kind}
	}
	return Cell{Kind: kind, Time: &t}
}

// MaybeAt is a cell of a time that may be unknown.
func MaybeAt(kind Kind, t *time.Time) Cell { return Cell{Kind: kind, Time: t} }

// IsNumeric says whether its column is aligned to the right.
func (k Kind) IsNumeric() bool {
	return k == Number || k == Percent || k == Seconds || k == Bytes
}

// Number is the value of a number, 0 if it is unknown.
func (c Cell) Number() float64 {
	if c.Value == nil {
		return 0
	}
	return *c.Value
}

// Known says whether there is something to show.
func (c Cell) Known() bool { return c.Text != "" || c.Value != nil || c.Time != nil || c.HTML != "" }

// Plain is the value as CSV has it: numbers in full, times in RFC 3339, unknown empty.
func (c Cell) Plain() string {
	switch {
	case c.Value != nil:
		return strconv.FormatFloat(*c.Value, 'f', -1, 64)
	case c.Time != nil:
		return c.Time.UTC().Format(time.RFC3339)
	}
	return c.Text
}

// Shown is the value as it is shown before the page's script has put it into the viewer's locale.
func (c Cell) Shown() string {
	switch {
	case c.Value != nil && c.Kind == Percent:
		return strconv.FormatFloat(*c.Value*100, 'f', 0, 64) + " %"
	case c.Value != nil:
		return strconv.FormatFloat(*c.Value, 'f', -1, 64)
	case c.Time != nil && c.Kind == Day:
		return c.Time.UTC().Format(time.DateOnly)
	case c.Time != nil:
		return c.Time.UTC().Format("2006-01-02 15:04:05 UTC")
	}
	return c.Text
}

// Column is a column of a table.
type Column struct {
	Name  string // in CSV and in ?sort=
	Label string
	Kind  Kind
	Sort  bool   // can be sorted by
	Help  string // definition; empty: none
}

// Table is rows of cells; every panel's CSV is made of them.
type Table struct {
	Caption string
	Columns []Column
	Rows    [][]Cell
	Empty   string // what an empty table says
	Query   query  // where it is, for the links of its sortable columns and of its pages
	Total   uint64 // rows of all pages; 0: it has one page
	PerPage int
	Page    int // from 1
}

func (*Table) template() string   { return "table" }
func (t *Table) tables() []*Table { return []*Table{t} }

// Sorted is the aria-sort of a column.
func (t *Table) Sorted(c Column) string {
	name, descending := t.Query.sort()
	switch {
	case !c.Sort || name != c.Name:
		return ""
	case descending:
		return "descending"
	}
	return "ascending"
}

// SortURL is where the column's heading leads: numbers are sorted downwards first, words upwards.
func (t *Table) SortURL(c Column) string {
	name, descending := t.Query.sort()
	value := c.Name
	if name == c.Name && !descending || name != c.Name && c.Kind.IsNumeric() {
		value = "-" + c.Name
	}
	return t.Query.with("sort", value, "page", "")
}

// Pages is how many pages there are.
func (t *Table) Pages() int {
	if t.Total == 0 || t.PerPage == 0 {
		return 1
	}
	return int((t.Total + uint64(t.PerPage) - 1) / uint64(t.PerPage)) //nolint:gosec // few
}

// PageURL is the URL of a page.
func (t *Table) PageURL(n int) string { return t.Query.with("page", strconv.Itoa(n)) }

// From and To are the first and the last row that are shown, from 1.
func (t *Table) From() int { return (t.Page-1)*t.PerPage + min(1, len(t.Rows)) }

// To is the last row that is shown.
func (t *Table) To() int { return (t.Page-1)*t.PerPage + len(t.Rows) }

// Previous and Next are the neighbouring pages; 0: there is none.
func (t *Table) Previous() int { return max(t.Page-1, 0) }

// Next is the page after this one; 0: it is the last.
func (t *Table) Next() int {
	if t.Page >= t.Pages() {
		return 0
	}
	return t.Page + 1
}

// writeCSV writes tables one below the other, each with a row of names.
func writeCSV(w io.Writer, all []*Table) error {
	out := csv.NewWriter(w)
	for i, t := range all {
		if i > 0 {
			if err := out.Write(nil); err != nil {
				return fmt.Errorf("write CSV: %w", err)
			}
		}
		line := make([]string, len(t.Columns))
		for j, c := range t.Columns {
			line[j] = c.Name
		}
		if err := out.Write(line); err != nil {
			return fmt.Errorf("write CSV: %w", err)
		}
		for _, row := range t.Rows {
			for j, c := range row {
				line[j] = unharmed(c.Plain(), c.Value != nil)
			}
			if err := out.Write(line[:len(row)]); err != nil {
				return fmt.Errorf("write CSV: %w", err)
			}
		}
	}
	out.Flush()
	return out.Error()
}

// unharmed keeps spreadsheets from taking words for a formula: what others sent may begin with one.
func unharmed(text string, number bool) string {
	if text != "" && !number {
		switch text[0] {
		case '=', '+', '-', '@', '\t', '\r':
			return "'" + text
		}
	}
	return text
}
