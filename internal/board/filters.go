package board

import (
	"maps"
	"slices"
)

// Filters is the form at the head of a page: its fields are parameters of the URL.
type Filters struct {
	Fields []Field
	Kept   []Field // parameters that the form does not change, such as how a table is sorted
	Reset  string  // URL without any of the fields; empty: none is set
}

// Field is a select, or without Options a search.
type Field struct {
	Name, Label, Value string
	Options            []Option
}

// Option is a choice; the empty Value stands for any.
type Option struct {
	Value, Label string
	Selected     bool
}

// search is a field of free text.
func (q query) search(name, label string) Field {
	return Field{Name: name, Label: label, Value: q.get(name, "")}
}

// choice is a field of one of the values, shown as they stand, or any.
func (q query) choice(name, label string, values []string) Field {
	options := []Option{{"", "any", false}}
	for _, v := range values {
		options = append(options, Option{v, v, v == q.get(name, "")})
	}
	return Field{Name: name, Label: label, Options: options}
}

// rangeOfDays is the field of the time range.
func (q query) rangeOfDays() Field {
	f := Field{Name: "days", Label: "Time"}
	for _, o := range []Option{{"7", "7 days", false}, {"28", "28 days", false}, {"90", "90 days", false}} {
		o.Selected = o.Value == q.get("days", "28")
		f.Options = append(f.Options, o)
	}
	return f
}

// filters makes the form of the fields.
func (q query) filters(fields ...Field) *Filters {
	f := &Filters{Fields: fields}
	var reset []string
	ours := map[string]bool{"page": true} // another filter begins at its first page
	for _, field := range fields {
		ours[field.Name] = true
		if q.get(field.Name, "") != "" {
			reset = append(reset, field.Name, "")
		}
	}
	for _, name := range slices.Sorted(maps.Keys(q.values)) {
		if !ours[name] {
			f.Kept = append(f.Kept, Field{Name: name, Value: q.get(name, "")})
		}
	}
	if len(reset) > 0 {
		f.Reset = q.with(append(reset, "page", "")...)
	}
	return f
}
