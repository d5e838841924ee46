package rollup

import (
	"slices"

	"tidemark/pipeline/decode"
	"tidemark/schemas"
)

// hit is what an event adds to one counter.
type hit struct {
	slot  int
	delta uint64
}

// match works out what an event does to a row beyond what every event of its plan does: the counters go to the hits, the
// distinct metrics that its user joins are returned.
func (s *State) match(ev *decode.Event, ins *schemas.Instructions) (users uint32) {
	for i := range ins.Counts {
		if holds(ev, ins.Counts[i].Where) {
			s.hits = append(s.hits, hit{ins.Counts[i].Slot, 1})
		}
	}
	for i := range ins.Sums {
		// A sum that nothing is added to is no row, so that the value 0 can stand for "no row".
		if n, ok := ev.Properties[ins.Sums[i].Property].Number(); ok && n > 0 && holds(ev, ins.Sums[i].Where) {
			s.hits = append(s.hits, hit{ins.Sums[i].Slot, n})
		}
	}
	if ev.User == 0 {
		return 0
	}
	users = ins.Users
	for i := range ins.Distincts {
		if holds(ev, ins.Distincts[i].Where) {
			users |= 1 << ins.Distincts[i].Slot
		}
	}
	return users
}

// holds reports whether all conditions hold.
func holds(ev *decode.Event, where []schemas.Condition) bool {
	for i := range where {
		v := &ev.Properties[where[i].Property]
		is := v.Kind != decode.Absent
		if is && where[i].In != nil {
			is = slices.Contains(where[i].In, string(v.Text))
		}
		if is == where[i].Negate {
			return false
		}
	}
	return true
}
