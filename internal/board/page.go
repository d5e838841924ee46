package board

import (
	"context"
	"html/template"
	"time"
)

// page is one address of the board: a heading and panels. The panels are fetched one by one, so that a slow one keeps none
// of the others waiting.
type page struct {
	path   string // such as /accounts/{account}
	title  string // h1 and title; for pages of one account, which the URL names, its id is added
	nav    string // its name in the navigation; empty: it is reached by links only
	intro  string // a sentence under the heading
	panels []panel
	back   func(account string) string // URL of the page that it is a detail of; nil: it is none
	// operators is set for pages about all of Tidemark: a viewer of a tenant does not see them.
	operators bool
	// filters makes the form at the page's head; nil: it has none.
	filters func(ctx context.Context, s *store, q query) (*Filters, error)
}

// panel is a part of a page with data of its own. GET page?panel=name is its HTML alone, &format=csv its tables.
type panel struct {
	name  string // in the URL
	title string
	about string // what is shown and how it is defined, in a sentence
	// load reads what the panel shows. It ends when ctx does.
	load func(ctx context.Context, s *store, q query) (content, error)
	// every is how often a viewer's copy is refreshed while data arrive, and for how long viewers share one; 0: never.
	every time.Duration
	wide  bool // over the full width of the page
	first bool // part of the page's own answer, rather than fetched by it: for what is fast and wanted at once
}

// content is what a panel shows.
type content interface {
	template() string // its template's name
	tables() []*Table // what it is as CSV
}

// Stack is several contents, one under the other.
type Stack []content

func (Stack) template() string { return "stack" }

func (s Stack) tables() []*Table {
	var all []*Table
	for _, c := range s {
		all = append(all, c.tables()...)
	}
	return all
}

// Figures are single numbers with their names, such as those at the head of a page.
type Figures []Figure

// Figure is one number.
type Figure struct {
	Label string
	Value Cell
	Note  string // such as "of 25 seats"
	State string // good, warn or bad, which give it a mark; else empty
	Why   string // URL of how it came about; empty: none
	Spark template.HTML
}

func (Figures) template() string { return "figures" }

func (f Figures) tables() []*Table {
	t := &Table{Columns: []Column{{Name: "figure", Label: "Figure"}, {Name: "value", Label: "Value", Kind: Number}, {Name: "note", Label: "Note"}}}
	for _, one := range f {
		t.Rows = append(t.Rows, []Cell{Text(one.Label), one.Value, Text(one.Note)})
	}
	return []*Table{t}
}

// Message stands where there is nothing to show, and says why that is and what to do.
type Message struct{ Title, Text string }

func (Message) template() string { return "message" }
func (Message) tables() []*Table { return nil }
