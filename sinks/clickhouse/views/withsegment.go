package views

import (
	"fmt"
	"strings"

	"tidemark/schemas"
)

// segmentColumn is a column of a view of segments, made of that of a view of accounts.
type segmentColumn struct {
	name, sql    string // %s is the column u.NAME
	kind, suffix string // its type and words follow from that of the accounts' column
	typ          string
	metric       schemas.Metric // of a ratio
}

// ratiosOver are the catalogue's derived metrics of a view, over the sums.
func ratiosOver(metrics []schemas.Metric) []segmentColumn {
	out := make([]segmentColumn, len(metrics))
	for i, m := range metrics {
		out[i] = segmentColumn{name: m.Column, kind: "ratio", metric: m}
	}
	return out
}

// sumsOver are the sums of those columns that are counted.
func sumsOver(measures []measure) []segmentColumn {
	out := make([]segmentColumn, len(measures))
	for i, m := range measures {
		out[i] = sumOver(m.Column)
	}
	return out
}

// sumOver adds a column up over the accounts; NULL if it is for all of them.
func sumOver(name string) segmentColumn { return segmentColumn{name: name, kind: "sum"} }

// medianOver is the median over the accounts for which the column is known.
func medianOver(name string) segmentColumn {
	return segmentColumn{name: name, kind: "median", suffix: "_median"}
}

// accountsWhere counts accounts by a condition over u.
func accountsWhere(name, condition, meaning string) segmentColumn {
	return segmentColumn{name: name, kind: "count", sql: condition, typ: meaning}
}

// withSegment returns the view of accounts and that of the segments that they belong to as of the window's end. Where it has a
// row for each feature or workflow of an account, so has that of the segments.
func (b *builder) withSegment(v view, seconds int64, of []segmentColumn) ([]view, error) {
	at := map[string]column{}
	for _, c := range v.Columns {
		at[c.Name] = c
	}
	data := struct {
		*builder
		Of, Key string
		Joined  bool // the view does not know the segment
		Seconds int64
		SQLs    []string
		Ratios  []schemas.Metric
	}{builder: b, Of: v.Name, Joined: at["segment"].Name == "", Seconds: seconds}
	keys, counted := []string{"segment"}, "Accounts of the segment as of the window's end."
	if key := v.Columns[1].Name; key != "window_start" {
		data.Key, keys, counted = key, append(keys, key), "Accounts of the segment as of the window's end that have a row for the "+key+"."
	}
	columns := append(windowColumns(keys...), column{"accounts", "UInt64", "accounts", counted})
	for _, s := range of {
		c, ok := at[s.name]
		if !ok && s.kind != "count" {
			return nil, fmt.Errorf("the view %s has no column %s", v.Name, s.name)
		}
		switch s.kind {
		case "count":
			data.SQLs = append(data.SQLs, "countIf("+s.sql+") AS "+s.name)
			columns = append(columns, column{s.name, "UInt64", "accounts", s.typ})
		case "ratio":
			data.Ratios = append(data.Ratios, s.metric)
			columns = append(columns, column{s.name, c.Type, c.Unit, "Over the sums: " + c.Meaning})
		case "median":
			data.SQLs = append(data.SQLs, "quantileExactInclusiveOrNull(0.5)(u."+s.name+") AS "+s.name+s.suffix)
			columns = append(columns, column{s.name + s.suffix, "Nullable(Float64)", c.Unit, "Median of " + s.name + " over the accounts for which it is known (metrics.md row 39)."})
		default:
			name, typ := "sum", c.Type
			if strings.HasPrefix(c.Type, "Nullable(") {
				name = "sumOrNull"
			}
			data.SQLs = append(data.SQLs, name+"(u."+s.name+") AS "+s.name)
			columns = append(columns, column{s.name, typ, c.Unit, "Sum over the accounts of: " + c.Meaning})
		}
	}
	columns = append(columns, complete)
	segment, err := b.simple("segment_"+v.Name, "The same for each segment: "+v.Comment, columns, "by_segment", data)
	return []view{v, segment}, err
}

// tiered is what views of several tiers have in common.
type tiered struct {
	of        string   // what the metrics and the template of the query are called
	keys      []string // columns before the window's
	comment   string   // %s is the tier
	measures  []measure
	types     map[string]string
	bySegment []segmentColumn
}

// inTier returns the view of a tier, with that by segment where the tier is the day.
func (b *builder) inTier(t tier, c tiered) ([]view, error) {
	query, err := b.render(c.of, windows{builder: b, Tier: t, Measures: c.measures, Derived: b.derived(c.of)})
	if err != nil {
		return nil, err
	}
	v := view{
		Name:    c.of + "_" + t.Name,
		Comment: fmt.Sprintf(c.comment, t.Name),
		Columns: append(append(windowColumns(c.keys...), b.metricColumns(c.of, c.types)...), complete),
		Query:   query,
	}
	if t.Name != "day" {
		return []view{v}, nil
	}
	return b.withSegment(v, day, c.bySegment)
}
