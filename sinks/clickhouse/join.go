package clickhouse

import (
	"cmp"
	"slices"
)

// Join returns the rows of all batches in one: into, which is emptied before, or the only one that there is. The rows of the big
// tables are put in the order of the tables' keys, account by account, if those of each batch are: ClickHouse takes half as long
// for rows that need no sorting.
func Join(into *Batch, batches []*Batch) *Batch {
	if len(batches) == 1 {
		return batches[0]
	}
	into.Reset()
	tables := make([][]table, len(batches))
	for i, b := range batches {
		tables[i] = b.tables()
	}
	for i, t := range into.tables() {
		var runs []run
		for j := range batches {
			runs = tables[j][i].runs(runs, j)
		}
		slices.SortStableFunc(runs, func(a, b run) int { return cmp.Or(cmp.Compare(a.tier, b.tier), cmp.Compare(a.account, b.account)) })
		from := make([]column, len(batches))
		for k, c := range t.columns {
			for j := range batches {
				from[j] = tables[j][i].columns[k]
			}
			c.gather(from, runs)
		}
	}
	return into
}

// run is some consecutive rows of a table of a batch, of one tier and account if the table has them.
type run struct {
	batch, from, to int
	tier            int8
	account         string
}

func count(runs []run) (rows int) {
	for _, r := range runs {
		rows += r.to - r.from
	}
	return rows
}

// runs appends the table's runs; batch is whose it is.
func (t table) runs(runs []run, batch int) []run {
	rows := t.rows()
	if t.account == nil || rows == 0 {
		return append(runs, run{batch: batch, to: rows})
	}
	tier := func(row int) int8 {
		if t.tier == nil {
			return 0
		}
		return (*t.tier)[row]
	}
	from := 0
	for row := 1; row <= rows; row++ {
		if row == rows || t.account.keys[row] != t.account.keys[from] || tier(row) != tier(from) {
			runs = append(runs, run{batch, from, row, tier(from), t.account.At(from)})
			from = row
		}
	}
	return runs
}
