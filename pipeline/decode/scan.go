package decode

import (
	"bytes"
	"encoding/binary"
	"math/bits"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// scanner walks one JSON text. It accepts exactly what encoding/json accepts, copies nothing but escaped strings, and
// stops at the first error, which leaves bad set and every later call without effect.
type scanner struct {
	b   []byte
	i   int
	bad bool
}

// maxDepth bounds nesting, as encoding/json does, so that hostile input cannot exhaust the stack.
const maxDepth = 10000

// next skips white space and returns the byte at hand, 0 at the end.
func (s *scanner) next() byte {
	if s.i < len(s.b) && s.b[s.i] > ' ' { // nobody sends telemetry with white space in it, but they may
		return s.b[s.i]
	}
	return s.skipSpace()
}

func (s *scanner) skipSpace() byte {
	for s.i < len(s.b) {
		switch c := s.b[s.i]; c {
		case ' ', '\t', '\n', '\r':
			s.i++
		default:
			return c
		}
	}
	return 0
}

func (s *scanner) fail() { s.bad = true }

// take consumes the byte c, after white space, or fails.
func (s *scanner) take(c byte) {
	if s.next() != c {
		s.fail()
		return
	}
	s.i++
}

// object walks an object's members: for more := s.object(); more; more = s.member() { key := s.key(); …value… }.
func (s *scanner) object() bool {
	s.take('{')
	if s.bad {
		return false
	}
	if s.next() == '}' {
		s.i++
		return false
	}
	return true
}

// member moves past the comma to the next member, or past the closing brace.
func (s *scanner) member() bool {
	if s.bad {
		return false
	}
	switch s.next() {
	case ',':
		s.i++
		return true
	case '}':
		s.i++
		return false
	}
	s.fail()
	return false
}

// key reads a member's name and its colon.
func (s *scanner) key() []byte {
	s.next()
	k := s.string()
	s.take(':')
	return k
}

// stop marks the bytes that end the fast run through a string: quote, backslash, control characters.
var stop = func() (t [256]bool) {
	for c := range 0x20 {
		t[c] = true
	}
	t['"'], t['\\'] = true, true
	return t
}()

const (
	ones  = 0x0101010101010101
	highs = 0x8080808080808080
)

// clean returns the length of the run at b that holds no quote, backslash or control character.
func clean(b []byte) int {
	n := 0
	for len(b)-n >= 8 {
		w := binary.LittleEndian.Uint64(b[n:])
		quote := w ^ ones*'"'
		slash := w ^ ones*'\\'
		// The classic zero-byte test, and "less than 0x20"; only above a true alarm can there be a false one.
		if found := ((quote-ones)&^quote | (slash-ones)&^slash | (w-ones*0x20)&^w) & highs; found != 0 {
			return n + bits.TrailingZeros64(found)/8
		}
		n += 8
	}
	for n < len(b) && !stop[b[n]] {
		n++
	}
	return n
}

// string reads a string and returns its content: a view into the text, or a copy where escapes had to be resolved.
func (s *scanner) string() []byte {
	if s.bad || s.i >= len(s.b) || s.b[s.i] != '"' {
		s.fail()
		return nil
	}
	start := s.i + 1
	rest := s.b[start:]
	n := clean(rest)
	s.i = start + n
	if n < len(rest) && rest[n] == '"' {
		s.i++
		return rest[:n]
	}
	return s.escaped(start)
}

// escaped reads the rest of a string that holds escapes, which begins at start.
func (s *scanner) escaped(start int) []byte {
	out := append([]byte(nil), s.b[start:s.i]...)
	for s.i < len(s.b) {
		c := s.b[s.i]
		switch {
		case c == '"':
			s.i++
			return out
		case c != '\\':
			if c < 0x20 {
				s.fail()
				return nil
			}
			n := clean(s.b[s.i:])
			out = append(out, s.b[s.i:s.i+n]...)
			s.i += n
			continue
		}
		if s.i++; s.i >= len(s.b) {
			break
		}
		c = s.b[s.i]
		s.i++
		switch c {
		case '"', '\\', '/':
			out = append(out, c)
		case 'b':
			out = append(out, '\b')
		case 'f':
			out = append(out, '\f')
		case 'n':
			out = append(out, '\n')
		case 'r':
			out = append(out, '\r')
		case 't':
			out = append(out, '\t')
		case 'u':
			r := s.hex4()
			if utf16.IsSurrogate(r) {
				r = s.lowSurrogate(r)
			}
			out = utf8.AppendRune(out, r)
		default:
			s.fail()
		}
		if s.bad {
			return nil
		}
	}
	s.fail()
	return nil
}

// lowSurrogate reads the second half of a pair, or returns U+FFFD and consumes nothing.
func (s *scanner) lowSurrogate(high rune) rune {
	if s.i+6 <= len(s.b) && s.b[s.i] == '\\' && s.b[s.i+1] == 'u' {
		at := s.i
		s.i += 2
		low := s.hex4()
		if r := utf16.DecodeRune(high, low); r != utf8.RuneError {
			return r
		}
		if !s.bad {
			s.i = at
		}
	}
	return utf8.RuneError
}

func (s *scanner) hex4() rune {
	if s.i+4 > len(s.b) {
		s.fail()
		return 0
	}
	var r rune
	for _, c := range s.b[s.i : s.i+4] {
		switch {
		case '0' <= c && c <= '9':
			r = r<<4 | rune(c-'0')
		case 'a' <= c && c <= 'f':
			r = r<<4 | rune(c-'a'+10)
		case 'A' <= c && c <= 'F':
			r = r<<4 | rune(c-'A'+10)
		default:
			s.fail()
			return 0
		}
	}
	s.i += 4
	return r
}

// skip consumes one value of any kind, which stands in depth objects and arrays.
func (s *scanner) skip(depth int) {
	if s.bad {
		return
	}
	switch c := s.next(); {
	case c == '"':
		s.skipString()
	case (c == '{' || c == '[') && depth >= maxDepth:
		s.fail()
	case c == '{':
		for more := s.object(); more; more = s.member() {
			s.next()
			s.skipString()
			s.take(':')
			s.skip(depth + 1)
		}
	case c == '[':
		s.skipArray(depth)
	case c == 't':
		s.literal("true")
	case c == 'f':
		s.literal("false")
	case c == 'n':
		s.literal("null")
	default:
		s.number()
	}
}

// skipString is string for a value nobody wants: it checks escapes but copies nothing.
func (s *scanner) skipString() {
	if s.bad || s.i >= len(s.b) || s.b[s.i] != '"' {
		s.fail()
		return
	}
	s.i++
	for {
		s.i += clean(s.b[s.i:])
		switch {
		case s.i >= len(s.b) || s.b[s.i] < 0x20:
			s.fail()
			return
		case s.b[s.i] == '"':
			s.i++
			return
		case s.i+1 >= len(s.b):
			s.fail()
			return
		case s.b[s.i+1] == 'u':
			s.i += 2
			s.hex4()
		case bytes.IndexByte([]byte(`"\/bfnrt`), s.b[s.i+1]) >= 0:
			s.i += 2
		default:
			s.fail()
		}
		if s.bad {
			return
		}
	}
}

func (s *scanner) skipArray(depth int) {
	s.i++
	if s.next() == ']' {
		s.i++
		return
	}
	for !s.bad {
		s.skip(depth + 1)
		switch s.next() {
		case ',':
			s.i++
		case ']':
			s.i++
			return
		default:
			s.fail()
		}
	}
}

func (s *scanner) literal(word string) {
	if len(s.b)-s.i < len(word) || string(s.b[s.i:s.i+len(word)]) != word {
		s.fail()
		return
	}
	s.i += len(word)
}

// number consumes a number by JSON's grammar and returns its text.
func (s *scanner) number() []byte {
	start := s.i
	if s.peek() == '-' {
		s.i++
	}
	switch c := s.peek(); {
	case c == '0':
		s.i++
	case '1' <= c && c <= '9':
		s.digits()
	default:
		s.fail()
		return nil
	}
	if s.peek() == '.' {
		s.i++
		s.digits()
	}
	if c := s.peek(); c == 'e' || c == 'E' {
		s.i++
		if c := s.peek(); c == '+' || c == '-' {
			s.i++
		}
		s.digits()
	}
	return s.b[start:s.i]
}

func (s *scanner) digits() {
	start := s.i
	for c := s.peek(); '0' <= c && c <= '9'; c = s.peek() {
		s.i++
	}
	if s.i == start {
		s.fail()
	}
}

func (s *scanner) peek() byte {
	if s.i < len(s.b) {
		return s.b[s.i]
	}
	return 0
}

// text reads a string or null; another kind of value fails. Null and the empty string are the same to every caller.
func (s *scanner) text() []byte {
	switch s.next() {
	case '"':
		return s.string()
	case 'n':
		s.literal("null")
		return nil
	}
	s.fail()
	return nil
}

// numberOrNull reads a number as it is written, or null, which is the same as nothing; another kind of value fails.
func (s *scanner) numberOrNull() []byte {
	switch c := s.next(); {
	case c == '-' || '0' <= c && c <= '9':
		return s.number()
	case c == 'n':
		s.literal("null")
		return nil
	}
	s.fail()
	return nil
}

// texts reads an array of strings and nulls, or null.
func (s *scanner) texts() []string {
	if s.next() == 'n' {
		s.literal("null")
		return nil
	}
	s.take('[')
	if s.next() == ']' {
		s.i++
		return nil
	}
	var all []string
	for !s.bad {
		all = append(all, string(s.text()))
		if s.next() == ']' {
			s.i++
			return all
		}
		s.take(',')
	}
	return nil
}

// end fails unless nothing follows but white space.
func (s *scanner) end() {
	if s.next(); s.i != len(s.b) {
		s.fail()
	}
}

// wholeNumber returns the number's integer part where it is a non-negative number within 2^53, else ok = false.
func wholeNumber(text []byte) (n uint64, ok bool) {
	if len(text) == 0 {
		return 0, false
	}
	for i, c := range text {
		if c < '0' || c > '9' {
			break
		}
		if n = n*10 + uint64(c-'0'); n > 1<<53 {
			break
		}
		if i == len(text)-1 {
			return n, true
		}
	}
	f, err := strconv.ParseFloat(string(text), 64)
	if err != nil || f < 0 || f > 1<<53 {
		return 0, false
	}
	return uint64(f), true
}
