package decode

import (
	"encoding/binary"
	"math/bits"
)

// document is a JSON text. It accepts exactly what encoding/json accepts and is UTF-8, and copies nothing but strings with
// escapes.
//
// Its methods read what stands at a place, an index into the text, and return the place behind it, or ^i, which is negative,
// where the text is broken at byte i. Given such a place they return it, so that it is enough to look at the last one. Places
// are values, where a cursor would be memory, because telemetry is read at the speed of the processor's registers.
type document []byte

// maxDepth bounds nesting, as encoding/json does, so that hostile input cannot exhaust the stack.
const maxDepth = 10000

// Eight bytes are looked at together, as a word. Of ASCII bytes, subtracting ones*c sets the high bit of the first that is
// below c, and of none before it; what its borrow does to those behind it is no matter, as the first is what is looked for.
const (
	ones  = 0x0101010101010101
	highs = 0x8080808080808080
)

// word loads the first eight bytes. Where a place is known to be before the last eight, this is one instruction.
func word(b []byte) uint64 { return binary.LittleEndian.Uint64(b) }

// special marks with its high bit the first byte of a word that is not simply a part of a string: a quote, a backslash, a
// control character, or not ASCII. It is 0 when there is none. With one bit turned over, the quote comes right behind the
// control characters, and nothing else does.
func special(w uint64) uint64 {
	return (w | (w ^ ones*('"'^' ') - ones*(' '+1)) | (w ^ ones*'\\' - ones)) & highs
}

func broken(i int) int {
	if i < 0 {
		return i
	}
	return ^i
}

// at returns the byte at a place, 0 at the end and at a broken place.
func (d document) at(i int) byte {
	if uint(i) < uint(len(d)) {
		return d[i]
	}
	return 0
}

// space skips white space.
func (d document) space(i int) int {
	if d.at(i) > ' ' { // nobody sends telemetry with white space in it, but they may
		return i
	}
	return d.skipSpace(i)
}

func (d document) skipSpace(i int) int {
	for {
		switch d.at(i) {
		case ' ', '\t', '\n', '\r':
			i++
		default:
			return i
		}
	}
}

// end is broken unless nothing follows but white space.
func (d document) end(i int) int {
	if i = d.space(i); i != len(d) {
		return broken(i)
	}
	return i
}

// run returns the place of the first byte at i or behind it that is not simply a part of a string. It may stop before that
// near the document's end.
func (d document) run(i int) int {
	for ; i >= 0 && i < len(d)-8; i += 8 {
		if found := special(word(d[i:])); found != 0 {
			return i + bits.TrailingZeros64(found)/8
		}
	}
	return i
}

// text reads a string or null. The string's content is a view into the text, or a copy where escapes had to be resolved.
// Null and the empty string are the same to every caller.
func (d document) text(i int) (content []byte, end int) {
	if d.at(i) == '"' {
		if end = d.run(i + 1); d.at(end) == '"' {
			return d[i+1 : end], end + 1
		}
	}
	if i = d.space(i); d.at(i) == 'n' {
		return nil, d.literal(i, "null")
	}
	return d.string(i)
}

// string is text without null.
func (d document) string(i int) (content []byte, end int) {
	if d.at(i) == '"' {
		if end = d.run(i + 1); d.at(end) == '"' {
			return d[i+1 : end], end + 1
		}
	}
	return d.anyString(i)
}

// skipString is string for what nobody wants.
func (d document) skipString(i int) int {
	if d.at(i) == '"' {
		if end := d.run(i + 1); d.at(end) == '"' {
			return end + 1
		}
	}
	return d.checkString(i)
}

func (d document) literal(i int, word string) int {
	if i < 0 || len(d)-i < len(word) || string(d[i:i+len(word)]) != word {
		return broken(i)
	}
	return i + len(word)
}

// number reads a number by JSON's grammar.
func (d document) number(i int) int {
	if d.at(i) == '-' {
		i++
	}
	if d.at(i) == '0' {
		i++
	} else {
		i = d.digits(i)
	}
	if d.at(i) == '.' {
		i = d.digits(i + 1)
	}
	if c := d.at(i); c == 'e' || c == 'E' {
		i++
		if c := d.at(i); c == '+' || c == '-' {
			i++
		}
		i = d.digits(i)
	}
	return i
}

func (d document) digits(i int) int {
	start := i
	for c := d.at(i); '0' <= c && c <= '9'; c = d.at(i) {
		i++
	}
	if i == start {
		return broken(i)
	}
	return i
}

// skip reads a value of any kind, which stands in depth objects and arrays.
func (d document) skip(i, depth int) int {
	i = d.space(i)
	switch d.at(i) {
	case '"':
		return d.skipString(i)
	case '{':
		return d.skipObject(i, depth)
	case '[':
		return d.skipArray(i, depth)
	case 't':
		return d.literal(i, "true")
	case 'f':
		return d.literal(i, "false")
	case 'n':
		return d.literal(i, "null")
	}
	return d.number(i)
}

func (d document) skipObject(i, depth int) int {
	if depth >= maxDepth {
		return broken(i)
	}
	if i = d.space(i + 1); d.at(i) == '}' {
		return i + 1
	}
	for {
		i = d.space(d.skipString(i))
		if d.at(i) != ':' {
			return broken(i)
		}
		i = d.space(d.skip(i+1, depth+1))
		switch d.at(i) {
		case ',':
			i = d.space(i + 1)
		case '}':
			return i + 1
		default:
			return broken(i)
		}
	}
}

func (d document) skipArray(i, depth int) int {
	if depth >= maxDepth {
		return broken(i)
	}
	if i = d.space(i + 1); d.at(i) == ']' {
		return i + 1
	}
	for {
		i = d.space(d.skip(i, depth+1))
		switch d.at(i) {
		case ',':
			i++
		case ']':
			return i + 1
		default:
			return broken(i)
		}
	}
}
