package decode

// member is a member of the objects that are read, by its number in the outline.
type member uint16

// root is the member whose value the whole document is, and what comes behind the last member.
const root member = 0

// outline says which members are wanted of a document's objects, and of the objects in them. Documents of one sender look
// alike: how one went on behind each member is remembered, so that most members are found by one comparison.
type outline []entry

type entry struct {
	in    *object // that it is a member of
	value *object // that its value is; nil = it is no object, or nobody looks into it

	// What has stood behind its value, and which of it the last time.
	heads  [4]head
	latest uint8
	oldest uint8
}

// latestHead returns what stood behind the member's value the last time.
func (e *entry) latestHead() *head { return &e.heads[e.latest%4] }

// object is an object of the outline.
type object struct {
	member member            // whose value it is
	wanted map[string]member // by name
	other  member            // any that is not wanted
	depth  int               // how many objects stand around its members
}

// newOutline returns an outline of n members, with nothing in it but the document's own object.
func newOutline(n int, other member, wanted map[string]member) outline {
	o := make(outline, n)
	for i := range o {
		for j := range o[i].heads {
			o[i].heads[j].text0 = 1 // which no text is under the empty mask
		}
	}
	o.add(root, other, wanted)
	return o
}

// add says that a member's value is an object, and what is wanted of it.
func (o outline) add(is, other member, wanted map[string]member) {
	value := &object{member: is, wanted: wanted, other: other, depth: 1}
	if is != root {
		value.depth += o[is].in.depth
	}
	o[is].value = value
	o[other].in = value
	for _, m := range wanted {
		o[m].in = value
	}
}

// next reads on behind the value of a member, or at the document's beginning, to the value of the next member that is not an
// object to look into, or is wanted to be one and is something else. It returns root behind the document's last brace.
func (o outline) next(d document, i int, before member) (is member, end int) {
	e := &o[before]
	if i >= 0 && i < len(d)-headSize {
		for j := range e.heads {
			if h := &e.heads[j]; h.begins(d[i:]) {
				e.latest = uint8(j)
				return h.is, i + h.len
			}
		}
	}
	is, end = o.find(d, i, before)
	if is != root && o[is].value == nil && end-i <= headSize {
		e.latest = e.oldest
		e.oldest = (e.oldest + 1) % 4
		e.latestHead().learn(d[i:end], is)
	}
	return is, end
}

// find is next where nothing like it has been seen.
func (o outline) find(d document, i int, before member) (is member, end int) {
	in, first := o[before].in, false
	if before == root {
		if i = d.space(i); d.at(i) != '{' {
			return root, broken(i)
		}
		in, first = o[root].value, true
		i++
	}
	for {
		i = d.space(i)
		switch c := d.at(i); {
		case c == '}':
			if i++; in.member == root {
				return root, i
			}
			in, first = o[in.member].in, false
			continue
		case first:
		case c == ',':
			i = d.space(i + 1)
		default:
			return root, broken(i)
		}
		if is, i = in.name(d, i); i < 0 {
			return root, i
		}
		value := o[is].value
		if value == nil {
			return is, i
		}
		switch i = d.space(i); d.at(i) {
		case '{':
			in, first, i = value, true, i+1
		case 'n':
			first, i = false, d.literal(i, "null")
		default:
			return is, i
		}
	}
}

// name reads a member's name and its colon.
func (o *object) name(d document, i int) (is member, end int) {
	name, i := d.string(i)
	if i = d.space(i); d.at(i) != ':' {
		return root, broken(i)
	}
	if is, ok := o.wanted[string(name)]; ok {
		return is, i + 1
	}
	return o.other, i + 1
}

// head is what stands between the value of a member and that of the next.
type head struct {
	text0, text1, text2, text3 uint64 // its bytes
	mask0, mask1, mask2, mask3 uint64 // which of them count
	len                        int
	is                         member // the next
}

const headSize = 4 * 8

func (h *head) learn(text []byte, is member) {
	var b, mask [headSize]byte
	copy(b[:], text)
	for i := range text {
		mask[i] = 0xff
	}
	h.text0, h.text1, h.text2, h.text3 = word(b[0:]), word(b[8:]), word(b[16:]), word(b[24:])
	h.mask0, h.mask1, h.mask2, h.mask3 = word(mask[0:]), word(mask[8:]), word(mask[16:]), word(mask[24:])
	h.len, h.is = len(text), is
}

// begins reports whether b, which is longer than headSize, begins with it.
func (h *head) begins(b []byte) bool {
	return (word(b)&h.mask0^h.text0)|(word(b[8:])&h.mask1^h.text1)|(word(b[16:])&h.mask2^h.text2)|(word(b[24:])&h.mask3^h.text3) == 0
}
