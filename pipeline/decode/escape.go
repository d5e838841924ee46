package decode

import (
	"bytes"
	"math/bits"
	"unicode/utf16"
	"unicode/utf8"
)

// stop marks the bytes that end the fast run through a string: quote, backslash, control characters.
var stop = func() (t [256]bool) {
	for c := range 0x20 {
		t[c] = true
	}
	t['"'], t['\\'] = true, true
	return t
}()

// clean returns the length of the run at b that holds no quote, backslash or control character.
func clean(b []byte) int {
	n := 0
	for len(b)-n >= 8 {
		w := word(b[n:])
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

// anyString is string, at the pace of one that has escapes.
func (d document) anyString(i int) (content []byte, end int) {
	if end = d.checkString(i); end < 0 {
		return nil, end
	}
	content = d[i+1 : end-1]
	if bytes.IndexByte(content, '\\') < 0 {
		return content, end
	}
	out := make([]byte, 0, len(content))
	for i++; i < end-1; {
		n := clean(d[i:])
		out = append(out, d[i:i+n]...)
		if i += n; i < end-1 {
			var r rune
			r, i = d.escape(i + 1)
			out = utf8.AppendRune(out, r)
		}
	}
	return out, end
}

// checkString is skipString of any string.
func (d document) checkString(i int) int {
	if d.at(i) != '"' {
		return broken(i)
	}
	start := i + 1
	for i = start; i >= 0; {
		i += clean(d[i:])
		switch d.at(i) {
		case '"':
			if !utf8.Valid(d[start:i]) {
				return broken(start)
			}
			return i + 1
		case '\\':
			_, i = d.escape(i + 1)
		default:
			return broken(i)
		}
	}
	return i
}

// escape reads the escape whose backslash stands before i.
func (d document) escape(i int) (r rune, end int) {
	switch c := d.at(i); c {
	case '"', '\\', '/':
		return rune(c), i + 1
	case 'b':
		return '\b', i + 1
	case 'f':
		return '\f', i + 1
	case 'n':
		return '\n', i + 1
	case 'r':
		return '\r', i + 1
	case 't':
		return '\t', i + 1
	case 'u':
		if r, end = d.hex4(i + 1); utf16.IsSurrogate(r) {
			return d.lowSurrogate(r, end)
		}
		return r, end
	}
	return 0, broken(i)
}

// lowSurrogate reads the second half of a pair at i, or returns U+FFFD and reads nothing.
func (d document) lowSurrogate(high rune, i int) (r rune, end int) {
	if d.at(i) != '\\' || d.at(i+1) != 'u' {
		return utf8.RuneError, i
	}
	low, end := d.hex4(i + 2)
	if r = utf16.DecodeRune(high, low); r == utf8.RuneError && end >= 0 {
		end = i
	}
	return r, end
}

func (d document) hex4(i int) (r rune, end int) {
	for range 4 {
		switch c := d.at(i); {
		case '0' <= c && c <= '9':
			r = r<<4 | rune(c-'0')
		case 'a' <= c && c <= 'f':
			r = r<<4 | rune(c-'a'+10)
		case 'A' <= c && c <= 'F':
			r = r<<4 | rune(c-'A'+10)
		default:
			return 0, broken(i)
		}
		i++
	}
	return r, i
}
