package views

import (
	"tidemark/schemas"
	"tidemark/schemas/rules"
)

// Tables are the views of a catalogue, with the types of their columns: what the conditions of rules may read.
func Tables(cat *schemas.Catalogue) ([]rules.Table, error) {
	all, err := build(cat, documented())
	if err != nil {
		return nil, err
	}
	out := make([]rules.Table, len(all))
	for i, v := range all {
		out[i].Name = v.Name
		for _, c := range v.Columns {
			out[i].Columns = append(out[i].Columns, rules.TableColumn{Name: c.Name, Type: c.Type})
		}
	}
	return out, nil
}
