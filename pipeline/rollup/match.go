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

// hits names hits by where they stand in State.hits.
type hits struct{ from, to int32 }

// effect is what an event does to a keyed row.
type effect struct {
	counters hits
	users    uint32 // the distinct metrics that the event's user joins
}

func (e effect) none() bool { return e.counters.from == e.counters.to && e.users == 0 }

// match works out what an event does to a row.
func (s *State) match(ev *decode.Event, ins *schemas.Instructions) effect {
	e := effect{counters: hits{from: int32(len(s.hits))}} //nolint:gosec // a few for each event that waits
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
	e.counters.to = int32(len(s.hits)) //nolint:gosec // as above
	if ev.User != 0 {
		for i := range ins.Distincts {
			if holds(ev, ins.Distincts[i].Where) {
				e.users |= 1 << ins.Distincts[i].Slot
			}
		}
	}
	return e
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
