package rollup

// users is a set of users by hash, each with the distinct metrics it belongs to as a bit mask and, in a minute's window,
// with its first and last event. It is an open-addressing table with linear probing: sets are many and mostly small, and
// a Go map costs several times the memory for each.
type users struct {
	keys  []uint64 // 0 = free
	masks []uint32
	spans []span // of a minute's window only
	n     int
}

// span is a user's first and last event within a minute, in ms after its start.
type span struct{ first, last uint16 }

const (
	smallestSet = 4
	// dirtyBit marks a user whose span has changed since it was taken; distinct metrics use the bits below.
	dirtyBit = 1 << 31
	// MaxDistinct is the number of distinct metrics that a keyed row can have.
	MaxDistinct = 31
)

// add puts the user in and returns its place and the bits of mask that it did not have yet.
func (s *users) add(user uint64, mask uint32, timed bool) (place int, fresh uint32) {
	if (s.n+1)*4 > len(s.keys)*3 {
		s.grow(timed)
	}
	i := s.find(user)
	if s.keys[i] == 0 {
		s.keys[i] = user
		s.n++
	}
	fresh = mask &^ s.masks[i]
	s.masks[i] |= mask
	return i, fresh
}

// stretch widens the span of the user at place by an event and reports whether its row has to be queued for writing.
func (s *users) stretch(place int, ms uint16) (queue bool) {
	sp := &s.spans[place]
	switch {
	case *sp == unseen:
		*sp = span{ms, ms}
	case ms < sp.first:
		sp.first = ms
	case ms > sp.last:
		sp.last = ms
	default:
		return false
	}
	queue = s.masks[place]&dirtyBit == 0
	s.masks[place] |= dirtyBit
	return queue
}

// unseen is the span of a user without an event in the minute.
var unseen = span{first: 1, last: 0}

func (s *users) find(user uint64) int {
	mask := len(s.keys) - 1
	i := int(user) & mask //nolint:gosec // masked to the table
	for s.keys[i] != 0 && s.keys[i] != user {
		i = (i + 1) & mask
	}
	return i
}

func (s *users) grow(timed bool) {
	old := *s
	size := max(2*len(old.keys), smallestSet)
	s.keys, s.masks = make([]uint64, size), make([]uint32, size)
	if timed {
		s.spans = make([]span, size)
		for i := range s.spans {
			s.spans[i] = unseen
		}
	}
	for i, k := range old.keys {
		if k == 0 {
			continue
		}
		at := s.find(k)
		s.keys[at], s.masks[at] = k, old.masks[i]
		if timed {
			s.spans[at] = old.spans[i]
		}
	}
}
