package views

import (
	"fmt"
	"strings"
)

// segmentColumn is a column of a view of segments, made of that of a view of accounts.
type segmentColumn struct {
	name, sql    string // %s is the column u.NAME
	kind, suffix string // its type and words follow from that of the accounts' column
	typ          string
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

// withSegment returns the view of accounts and that of the segments that they belong to as of the window's end.
func (b *builder) withSegment(v view, seconds int64, of []segmentColumn) ([]view, error) {
	at := map[string]column{}
	for _, c := range v.Columns {
		at[c.Name] = c
	}
	columns := append(windowColumns("segment"), column{"accounts", "UInt64", "accounts", "Accounts of the segment as of the window's end."})
	var sqls []string
	for _, s := range of {
		c, ok := at[s.name]
		if !ok && s.kind != "count" {
			return nil, fmt.Errorf("the view %s has no column %s", v.Name, s.name)
		}
		switch s.kind {
		case "count":
			sqls = append(sqls, "countIf("+s.sql+") AS "+s.name)
			columns = append(columns, column{s.name, "UInt64", "accounts", s.typ})
		case "median":
			sqls = append(sqls, "quantileExactInclusiveOrNull(0.5)(u."+s.name+") AS "+s.name+s.suffix)
			columns = append(columns, column{s.name + s.suffix, "Nullable(Float64)", c.Unit, "Median of " + s.name + " over the accounts for which it is known (metrics.md row 39)."})
		default:
			name, typ := "sum", c.Type
			if strings.HasPrefix(c.Type, "Nullable(") {
				name = "sumOrNull"
			}
			sqls = append(sqls, name+"(u."+s.name+") AS "+s.name)
			columns = append(columns, column{s.name, typ, c.Unit, "Sum over the accounts of: " + c.Meaning})
		}
	}
	columns = append(columns, complete)
	segment, err := b.simple("segment_"+v.Name, "The same for each segment: "+v.Comment, columns, "by_segment", struct {
		*builder
		Of      string
		Seconds int64
		SQLs    []string
	}{b, v.Name, seconds, sqls})
	return []view{v, segment}, err
}
