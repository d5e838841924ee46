package decode

import "encoding/binary"

// member is a wanted member of an object, by its place among the wanted names, from 1 on; a higher number is any other.
type member uint16

// over is no member: the object has ended.
const over member = 0

// members reads the objects of one kind, of which some members are wanted. Those of one sender look alike: how an object went
// on after each member is remembered, so that most names are found by one comparison.
type members struct {
	wanted map[string]member
	after  []head // by the member before; after[over] is how it began
}

func newMembers(names ...string) *members {
	m := &members{wanted: map[string]member{}, after: make([]head, len(names)+2)}
	for i := range m.after {
		m.after[i].text[0] = 1 // which no text is under an empty mask
	}
	for i, name := range names {
		m.wanted[name] = member(i + 1) //nolint:gosec // a catalogue names far fewer
	}
	return m
}

// other is the member that nobody wants.
func (m *members) other() member { return member(len(m.after) - 1) } //nolint:gosec // as above

// next reads on behind the value of a member, or from the object's beginning, to the value of the next member.
func (m *members) next(d document, i int, before member) (is member, end int) {
	if h := &m.after[before]; h.stands(d, i) {
		return h.is, i + h.len
	}
	return m.find(d, i, before)
}

// find is next for a member that was not expected.
func (m *members) find(d document, i int, before member) (is member, end int) {
	start := i
	i = d.space(i)
	switch c := d.at(i); {
	case c == '{' && before == over:
		if i = d.space(i + 1); d.at(i) == '}' {
			return over, i + 1
		}
	case c == ',' && before != over:
		i = d.space(i + 1)
	case c == '}' && before != over:
		return over, i + 1
	default:
		return over, broken(i)
	}
	name, i := d.string(i)
	if i = d.space(i); d.at(i) != ':' {
		return over, broken(i)
	}
	is, ok := m.wanted[string(name)]
	if !ok {
		is = m.other()
	}
	m.after[before].learn(d[start:i+1], is)
	return is, i + 1
}

// head is what stands between the value of a member and that of the next, as it was written last.
type head struct {
	text, mask [3]uint64 // 24 bytes, and which of them count
	len        int
	is         member
}

const headSize = 24

func (h *head) learn(text []byte, is member) {
	if len(text) > headSize {
		return
	}
	var b [headSize]byte
	var mask [headSize]byte
	copy(b[:], text)
	for i := range text {
		mask[i] = 0xff
	}
	for i := range h.text {
		h.text[i], h.mask[i] = word(b[8*i:]), binary.LittleEndian.Uint64(mask[8*i:])
	}
	h.len, h.is = len(text), is
}

// stands reports whether it stands at a place.
func (h *head) stands(d document, i int) bool {
	return i >= 0 && i < len(d)-headSize &&
		(word(d[i:])&h.mask[0]^h.text[0])|(word(d[i+8:])&h.mask[1]^h.text[1])|(word(d[i+16:])&h.mask[2]^h.text[2]) == 0
}
