// Package dedup finds records that repeat a message id of the same source.
//
// A record is a duplicate when one of the N offsets before it holds a valid record with the same id. The answer depends on
// the log alone: whoever re-reads the ids of those N offsets has the same filter, so nothing is stored for it.
package dedup

// Filter remembers the ids of the last N offsets of one source. It is not safe for concurrent use.
type Filter struct {
	n int64

	// last maps an id to the offset it was last seen at: open addressing with linear probing; id 0 is a free place. Ids that
	// stand too far back to matter are swept out when the table fills: that is one walk in order, where removing each at its
	// time would be another access at random for every record.
	last []entry
	mask uint64
	used int
}

type entry struct {
	id     uint64
	offset int64
}

const minPlaces = 1024

// New returns a filter over the previous n offsets.
func New(n int64) *Filter {
	return &Filter{n: n, last: make([]entry, minPlaces), mask: minPlaces - 1}
}

// Repeats reports whether id stood at one of the n offsets before offset, and remembers it. The id 0 never repeats.
// Offsets must not decrease.
func (f *Filter) Repeats(offset int64, id uint64) bool {
	if id == 0 {
		return false
	}
	e := &f.last[f.find(id)]
	if e.id == id {
		repeats := e.offset >= offset-f.n
		e.offset = offset
		return repeats
	}
	*e = entry{id, offset}
	if f.used++; f.used*4 > len(f.last)*3 {
		f.sweep(offset - f.n)
		if f.used*8 > len(f.last)*5 {
			f.grow()
		}
	}
	return false
}

// Len returns the number of ids remembered, those included that stand too far back to matter.
func (f *Filter) Len() int { return f.used }

// sweep drops what stood before offset.
func (f *Filter) sweep(offset int64) {
	for i := range f.last {
		for f.last[i].id != 0 && f.last[i].offset < offset { // what is moved here may be as old
			f.remove(uint64(i))
		}
	}
}

// find returns the place of id, or the free place where it would go.
func (f *Filter) find(id uint64) uint64 {
	i := id & f.mask
	for f.last[i].id != 0 && f.last[i].id != id {
		i = (i + 1) & f.mask
	}
	return i
}

// remove frees place i and closes the gap, so that probing needs no tombstones.
func (f *Filter) remove(i uint64) {
	f.used--
	for j := i; ; {
		j = (j + 1) & f.mask
		e := f.last[j]
		if e.id == 0 {
			break
		}
		// e may move to i unless its home lies cyclically in (i, j].
		if home := e.id & f.mask; (j-home)&f.mask >= (j-i)&f.mask {
			f.last[i] = e
			i = j
		}
	}
	f.last[i] = entry{}
}

func (f *Filter) grow() {
	old := f.last
	f.last = make([]entry, 2*len(old))
	f.mask = uint64(len(f.last) - 1) //nolint:gosec // a length
	for _, e := range old {
		if e.id != 0 {
			f.last[f.find(e.id)] = e
		}
	}
}
