// Package dedup finds records that repeat a message id of the same source.
//
// A record is a duplicate when one of the N offsets before it holds a valid record with the same id. The answer depends on
// the log alone: whoever re-reads the ids of those N offsets has the same filter, so nothing is stored for it.
package dedup

// Filter remembers the ids of the last N offsets of one source. It is not safe for concurrent use.
type Filter struct {
	n int64

	// seen is a ring of what was added, oldest first, so that ids can be forgotten as the log moves on.
	seen       []entry
	head, size int

	// last maps an id to the offset it was last seen at: open addressing with linear probing; id 0 is a free place.
	last []entry
	mask uint64
	live int
}

type entry struct {
	id     uint64
	offset int64
}

const minPlaces = 1024

// New returns a filter over the previous n offsets.
func New(n int64) *Filter {
	return &Filter{n: n, seen: make([]entry, minPlaces), last: make([]entry, minPlaces), mask: minPlaces - 1}
}

// Repeats reports whether id stood at one of the n offsets before offset, and remembers it. The id 0 never repeats.
// Offsets must not decrease.
func (f *Filter) Repeats(offset int64, id uint64) bool {
	f.forget(offset - f.n)
	if id == 0 {
		return false
	}
	f.push(entry{id, offset})
	i := f.find(id)
	if f.last[i].id == id {
		f.last[i].offset = offset
		return true
	}
	f.last[i] = entry{id, offset}
	if f.live++; f.live*2 > len(f.last) {
		f.grow()
	}
	return false
}

// Len returns the number of ids remembered.
func (f *Filter) Len() int { return f.live }

// forget drops what stood before offset.
func (f *Filter) forget(offset int64) {
	for f.size > 0 {
		old := f.seen[f.head]
		if old.offset >= offset {
			return
		}
		f.head = (f.head + 1) & (len(f.seen) - 1)
		f.size--
		if i := f.find(old.id); f.last[i].id == old.id && f.last[i].offset == old.offset {
			f.remove(i)
		}
	}
}

func (f *Filter) push(e entry) {
	if f.size == len(f.seen) {
		wider := make([]entry, 2*len(f.seen))
		n := copy(wider, f.seen[f.head:])
		copy(wider[n:], f.seen[:f.head])
		f.seen, f.head = wider, 0
	}
	f.seen[(f.head+f.size)&(len(f.seen)-1)] = e
	f.size++
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
	f.live--
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
	f.mask = uint64(len(f.last) - 1)
	for _, e := range old {
		if e.id != 0 {
			f.last[f.find(e.id)] = e
		}
	}
}
