package decode

import (
	"bytes"
	"strings"
)

// maxBlame bounds the name of a field or a producer, in bytes: names in a record may be anything.
const maxBlame = 120

// named names the field that is wrong.
func (r *Rejection) named(field string) *Rejection {
	r.Field = field
	return r
}

// fieldAt returns the path of the member that a text stands in at a byte, such as properties.duration_ms; empty: of none. The text may be
// broken from there on.
func fieldAt(text []byte, at int) string {
	d := document(text)
	var path [][]byte // of the objects and arrays that are open; an array's elements have no names
	var name []byte
	inside := func() bool { return len(path) > 0 }
	for i := d.space(0); i < min(at, len(d)); i = d.space(i) {
		switch d[i] {
		case '{', '[':
			path, name = append(path, name), nil
			i++
		case '}', ']':
			if inside() {
				name, path = path[len(path)-1], path[:len(path)-1]
			}
			i++
		case ',':
			name = nil
			i++
		case '"':
			content, end := d.string(i)
			if end < 0 {
				return dotted(path, name)
			}
			if i = d.space(end); d.at(i) == ':' && inside() {
				name = content
				i++
			}
		default:
			i++
		}
	}
	return dotted(path, name)
}

func dotted(path [][]byte, name []byte) string {
	var names []string
	for _, n := range append(path[:len(path):len(path)], name) {
		if len(n) > 0 {
			names = append(names, string(n))
		}
	}
	return short(strings.Join(names, "."))
}

// Producer returns what a record says of who made it, as far as it can be read: its library and that one's version, or else its source,
// or the app; empty: it says nothing.
func Producer(value []byte) string {
	if len(value) > MaxValue {
		return ""
	}
	var source, app, library, version []byte
	s := scanner{b: value}
	text := func(depth int) (t []byte) {
		if s.next() == '"' {
			return s.string()
		}
		s.skip(depth)
		return nil
	}
	inner := func(depth int, fn func(name string)) {
		if s.next() != '{' {
			s.skip(depth)
			return
		}
		for more := s.object(); more; more = s.member() {
			fn(string(s.key()))
		}
	}
	for more := s.object(); more; more = s.member() {
		switch string(s.key()) {
		case "source":
			source = text(1)
		case "context":
			inner(1, func(name string) {
				switch name {
				case "library":
					inner(2, func(name string) {
						switch name {
						case "name":
							library = text(3)
						case "version":
							version = text(3)
						default:
							s.skip(3)
						}
					})
				case "app":
					inner(2, func(name string) {
						if name == "name" {
							app = text(3)
						} else {
							s.skip(3)
						}
					})
				default:
					s.skip(2)
				}
			})
		default:
			s.skip(1)
		}
	}
	switch {
	case len(library) > 0 && len(version) > 0:
		return short(string(bytes.Join([][]byte{library, version}, []byte("/"))))
	case len(library) > 0:
		return short(string(library))
	case len(source) > 0:
		return short(string(source))
	}
	return short(string(app))
}

func short(name string) string {
	if len(name) > maxBlame {
		name = name[:maxBlame]
	}
	return strings.ToValidUTF8(name, "\uFFFD")
}
