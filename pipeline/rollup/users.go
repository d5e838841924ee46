package rollup

import "math/bits"

// directory numbers the users of an account, by hash, in the order in which they came: a set of them is then a set of small
// numbers, and an event's user is looked up once, not once for each set.
type directory struct {
	hashes []uint64 // by number
	spans  []int32  // by number: the user's latest span in State.spans, if it is still that; see State.stretch
	table  []uint32 // open addressing, its length a power of two: 1 + a number; 0 = free. Empty as long as there are few users
}

// searched is how many users are found by looking through them, which takes no longer than a table, and less memory.
const searched = 24

const (
	firstTable    = 64 // of a directory: room for twice as many as were searched
	smallestTable = 8  // of numbers
)

// number returns the user's number, a new one if the user is new.
func (d *directory) number(hash uint64) int {
	if d.table == nil {
		for n, h := range d.hashes {
			if h == hash {
				return n
			}
		}
		if len(d.hashes) < searched {
			if len(d.hashes) == cap(d.hashes) {
				d.grow(len(d.hashes) + searched/3)
			}
			return d.add(hash)
		}
	}
	if (len(d.hashes)+1)*4 > len(d.table)*3 {
		d.rehash()
	}
	place := d.find(hash)
	if *place == 0 {
		*place = uint32(d.add(hash) + 1) //nolint:gosec // there is no memory for as many
	}
	return int(*place) - 1
}

func (d *directory) add(hash uint64) int {
	d.hashes = append(d.hashes, hash)
	d.spans = append(d.spans, 0)
	return len(d.hashes) - 1
}

// find returns the user's place in the table, or the free one where it would go. The table must not be empty.
func (d *directory) find(hash uint64) *uint32 {
	mask := uint64(len(d.table) - 1) //nolint:gosec // a length
	for i := hash & mask; ; i = (i + 1) & mask {
		if place := &d.table[i]; *place == 0 || d.hashes[*place-1] == hash {
			return place
		}
	}
}

// grow makes room for that many users.
func (d *directory) grow(users int) {
	d.hashes = append(make([]uint64, 0, users), d.hashes...)
	d.spans = append(make([]int32, 0, users), d.spans...)
}

func (d *directory) rehash() {
	d.table = make([]uint32, max(2*len(d.table), firstTable))
	d.grow(len(d.table) * 3 / 4)
	for n, hash := range d.hashes {
		*d.find(hash) = uint32(n + 1)
	}
}

// inBits is how many users of an account have a bit in each set.
const inBits = 64

// numbers is a set of users by number, from inBits on: most accounts have fewer users. It is an open-addressing table.
type numbers struct {
	table []uint32 // its length is a power of two; 0 = free
	n     int
}

// add puts a number in and reports whether it is new.
func (s *numbers) add(number uint32) bool {
	if (s.n+1)*4 > len(s.table)*3 {
		old := s.table
		s.table = make([]uint32, max(2*len(old), smallestTable))
		for _, n := range old {
			if n != 0 {
				*s.find(n) = n
			}
		}
	}
	place := s.find(number)
	if *place == number {
		return false
	}
	*place = number
	s.n++
	return true
}

// find returns the number's place, or the free one where it would go. The table must not be empty.
func (s *numbers) find(number uint32) *uint32 {
	mask := uint32(len(s.table) - 1)           //nolint:gosec // as long as there are users
	for i := number * 0x9e3779b1 >> 7; ; i++ { // consecutive numbers are spread
		if place := &s.table[i&mask]; *place == number || *place == 0 {
			return place
		}
	}
}

// join puts a user, by number, into the row's sets of the distinct metrics in mask, and returns those that it was not in.
func (r *row) join(number int, mask uint32) (fresh uint32) {
	for ; mask != 0; mask &= mask - 1 {
		slot := bits.TrailingZeros32(mask)
		if number < inBits {
			set, bit := r.users(slot), uint64(1)<<number
			if *set&bit != 0 {
				continue
			}
			*set |= bit
		} else if !r.beyond(slot).add(uint32(number)) { //nolint:gosec // there is no memory for as many
			continue
		}
		fresh |= 1 << slot
	}
	return fresh
}

// users returns the bits of the slot's set: of the first users of the account.
func (r *row) users(slot int) *uint64 {
	if slot < len(r.fewUsers) {
		return &r.fewUsers[slot]
	}
	m, slot := r.rest(), slot-len(r.fewUsers)
	if slot >= len(m.users) {
		m.users = append(m.users, make([]uint64, slot+1-len(m.users))...)
	}
	return &m.users[slot]
}

// beyond returns the slot's set of the other users.
func (r *row) beyond(slot int) *numbers {
	m := r.rest()
	if slot >= len(m.beyond) {
		m.beyond = append(m.beyond, make([]numbers, slot+1-len(m.beyond))...)
	}
	return &m.beyond[slot]
}

// forget empties the row's sets.
func (r *row) forget() {
	r.fewUsers = [len(r.fewUsers)]uint64{}
	if r.more != nil {
		r.more.users, r.more.beyond = nil, nil
	}
}

// places returns how many users the row has places for beyond the first.
func (r *row) places() (n int) {
	if r.more != nil {
		for i := range r.more.beyond {
			n += len(r.more.beyond[i].table)
		}
	}
	return n
}

// forget forgets the account's users. Sets are unions: a user that is not in memory is written again.
func (a *account) forget() {
	a.users = directory{}
	for _, windows := range a.windows {
		for _, w := range windows {
			w.forget()
			for _, r := range w.all() {
				r.forget()
			}
		}
	}
}

// places returns how many users the account has places for.
func (a *account) places() int {
	n := len(a.users.table)
	for _, windows := range a.windows {
		for _, w := range windows {
			n += w.places()
			for _, r := range w.all() {
				n += r.places()
			}
		}
	}
	return n
}
