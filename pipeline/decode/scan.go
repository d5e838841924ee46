package decode

import "strconv"

// scanner walks a document with a cursor. It stops at the first error, which leaves bad set and every later call without
// effect.
type scanner struct {
	b   []byte
	i   int
	bad bool
}

func (s *scanner) document() document { return document(s.b) }

// next skips white space and returns the byte at hand, 0 at the end.
func (s *scanner) next() byte {
	s.i = s.document().space(s.i)
	return s.document().at(s.i)
}

// move sets the cursor to the place behind what was read, or where the document is broken.
func (s *scanner) move(to int) {
	switch {
	case s.bad:
	case to < 0:
		s.i, s.bad = ^to, true
	default:
		s.i = to
	}
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

// string reads a string and returns its content.
func (s *scanner) string() []byte {
	content, end := s.document().string(s.i)
	s.move(end)
	return content
}

// skip consumes one value of any kind, which stands in depth objects and arrays.
func (s *scanner) skip(depth int) { s.move(s.document().skip(s.i, depth)) }

// number consumes a number and returns its text.
func (s *scanner) number() []byte {
	start := s.i
	s.move(s.document().number(s.i))
	return s.b[start:s.i]
}

// text reads a string or null; another kind of value fails.
func (s *scanner) text() []byte {
	content, end := s.document().text(s.i)
	s.move(end)
	return content
}

// numberOrNull reads a number as it is written, or null, which is the same as nothing; another kind of value fails.
func (s *scanner) numberOrNull() []byte {
	if s.next() == 'n' {
		s.skip(1)
		return nil
	}
	return s.number()
}

// texts reads an array of strings and nulls, or null.
func (s *scanner) texts() []string {
	if s.next() == 'n' {
		s.skip(1)
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
	if !s.bad { // where it broke is where it is
		s.move(s.document().end(s.i))
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
