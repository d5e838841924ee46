package rollup

// users is a set of users by hash, each with the distinct metrics it belongs to as a bit mask and, in a minute's window,
// with its first and last event. It is an open-addressing table with linear probing: sets are many and mostly small, and
// a Go map costs several times the memory for each.
type users struct {
	table []user // its length is a power of two
	n     int
}

// user is one place of the table; key 0 = free.
type user struct {
	key  uint64
	mask uint32
	span span
}

// span is a user's first and last event within a minute, in ms after its start.
type span struct{ first, last uint16 }

const (
	smallestSet = 2
	// timedBit marks a user with a span, dirtyBit one whose span has changed since it was taken; distinct metrics use the
	// bits below.
	timedBit = 1 << 30
	dirtyBit = 1 << 31
)

// add puts the user in and returns its place, valid until the next add, and the bits of mask that it did not have yet.
func (s *users) add(key uint64, mask uint32) (place *user, fresh uint32) {
	if (s.n+1)*4 > len(s.table)*3 {
		s.grow()
	}
	place = s.find(key)
	if place.key == 0 {
		place.key = key
		s.n++
	}
	fresh = mask &^ place.mask
	place.mask |= mask
	return place, fresh
}

// stretch widens the user's span by an event and reports whether its row has to be queued for writing.
func (u *user) stretch(ms uint16) (queue bool) {
	switch {
	case u.mask&timedBit == 0:
		u.span = span{ms, ms}
	case ms < u.span.first:
		u.span.first = ms
	case ms > u.span.last:
		u.span.last = ms
	default:
		return false
	}
	queue = u.mask&dirtyBit == 0
	u.mask |= timedBit | dirtyBit
	return queue
}

// find returns the user's place, or the free one where it would go. The table must not be empty.
func (s *users) find(key uint64) *user {
	mask := uint64(len(s.table) - 1)
	for i := key & mask; ; i = (i + 1) & mask {
		if u := &s.table[i]; u.key == key || u.key == 0 {
			return u
		}
	}
}

func (s *users) grow() {
	old := s.table
	s.table = make([]user, max(2*len(old), smallestSet))
	for _, u := range old {
		if u.key != 0 {
			*s.find(u.key) = u
		}
	}
}
