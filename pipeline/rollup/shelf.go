package rollup

// slab is how many things a shelf has made at once.
const slab = 64

// shelf hands out things of one kind and takes back those that are done with, so that few events allocate memory: a minute's
// windows and rows make the next one's. What it holds is never given back; it is as much as there was at most at once.
type shelf[T any] struct {
	made []T // in one piece, to be handed out
	back []*T
}

func (s *shelf[T]) take() *T {
	if n := len(s.back) - 1; n >= 0 {
		t := s.back[n]
		s.back = s.back[:n]
		return t
	}
	if len(s.made) == 0 {
		s.made = make([]T, slab)
	}
	t := &s.made[0]
	s.made = s.made[1:]
	return t
}

// put takes a thing back, which is as take is to hand it out.
func (s *shelf[T]) put(t *T) { s.back = append(s.back, t) }

// newRow returns an empty row of so many counters.
func (s *State) newRow(slots int) *row {
	r := s.shelf.rows.take()
	r.make(slots)
	return r
}

// drop takes a window, which nothing refers to any more, out of memory.
func (s *State) drop(w *window) {
	for _, r := range w.all() {
		r.empty()
		s.shelf.rows.put(r)
		s.rows--
	}
	clear(w.features)
	w.row.empty()
	*w = window{row: w.row, features: w.features[:0]}
	s.shelf.windows.put(w)
	s.windows--
}

// empty makes the row as new; it keeps the room for its counters.
func (r *row) empty() {
	kept := r.more
	if kept != nil {
		clear(kept.slots)
		*kept = more{slots: kept.slots}
	}
	*r = row{more: kept}
}
