package collect

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
)

// object is a JSON object split into its members. Values stay the bytes that
// the client sent, so numbers, escapes and key order survive an edit: decoding
// into maps would turn 9007199254740993 into a float.
type object []member

type member struct {
	name  string // decoded
	key   []byte // as sent, with its quotes
	value []byte // as sent
}

var errNotObject = errors.New("must be a JSON object")

// duplicateError names a member that an object holds twice; readers disagree on
// which of the two counts, so the collector takes neither.
type duplicateError struct{ name string }

func (e *duplicateError) Error() string {
	return fmt.Sprintf("%q appears twice: send it once", e.name)
}

// parseObject splits raw, which must already be known to be valid JSON.
func parseObject(raw []byte) (object, error) {
	i := skipSpace(raw, 0)
	if i >= len(raw) || raw[i] != '{' {
		return nil, errNotObject
	}
	o := make(object, 0, 16)
	var seen map[string]struct{} // once o is too long to search
	for i = skipSpace(raw, i+1); raw[i] != '}'; i = skipSpace(raw, i) {
		if raw[i] == ',' {
			i = skipSpace(raw, i+1)
		}
		keyEnd := skipValue(raw, i)
		m := member{key: raw[i:keyEnd]}
		var err error
		if m.name, err = decodeString(m.key); err != nil {
			return nil, err
		}
		i = skipSpace(raw, keyEnd) // at the colon
		i = skipSpace(raw, i+1)    // at the value
		valueEnd := skipValue(raw, i)
		m.value = raw[i:valueEnd]
		if o.holds(m.name, &seen) {
			return nil, &duplicateError{m.name}
		}
		o = append(o, m)
		i = valueEnd
	}
	return o, nil
}

// holds reports whether o has name, in about constant time: a body of many
// thousand members must not take quadratic time.
func (o object) holds(name string, seen *map[string]struct{}) bool {
	const searchable = 32
	if len(o) < searchable {
		return o.get(name) != nil
	}
	if *seen == nil {
		*seen = make(map[string]struct{}, 2*len(o))
		for _, m := range o {
			(*seen)[m.name] = struct{}{}
		}
	}
	_, twice := (*seen)[name]
	(*seen)[name] = struct{}{}
	return twice
}

// splitArray returns the elements of the valid JSON array raw, or false when raw
// is another kind of value.
func splitArray(raw []byte) ([][]byte, bool) {
	i := skipSpace(raw, 0)
	if i >= len(raw) || raw[i] != '[' {
		return nil, false
	}
	var elements [][]byte
	for i = skipSpace(raw, i+1); raw[i] != ']'; i = skipSpace(raw, i) {
		if raw[i] == ',' {
			i = skipSpace(raw, i+1)
		}
		end := skipValue(raw, i)
		elements = append(elements, raw[i:end])
		i = end
	}
	return elements, true
}

// get returns the value of name as sent, nil when there is none.
func (o object) get(name string) []byte {
	for i := range o {
		if o[i].name == name {
			return o[i].value
		}
	}
	return nil
}

// has reports whether name is there with a value other than null.
func (o object) has(name string) bool {
	v := o.get(name)
	return v != nil && !isNull(v)
}

// set replaces the value of name where it stands, or adds it at the end.
func (o *object) set(name string, value []byte) {
	for i := range *o {
		if (*o)[i].name == name {
			(*o)[i].value = value
			return
		}
	}
	*o = append(*o, member{name: name, key: encodeString(name), value: value})
}

func (o *object) remove(name string) {
	for i := range *o {
		if (*o)[i].name == name {
			*o = append((*o)[:i], (*o)[i+1:]...)
			return
		}
	}
}

// encode returns the object as JSON.
func (o object) encode() []byte {
	dst := []byte{'{'}
	for i, m := range o {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, m.key...)
		dst = append(dst, ':')
		dst = append(dst, m.value...)
	}
	return append(dst, '}')
}

// mergeObjects returns over's members and those of under that over lacks.
func mergeObjects(under, over object) object {
	merged := append(make(object, 0, len(under)+len(over)), over...)
	for _, m := range under {
		if over.get(m.name) == nil {
			merged = append(merged, m)
		}
	}
	return merged
}

func isNull(value []byte) bool { return bytes.Equal(value, []byte("null")) }

func decodeString(raw []byte) (string, error) {
	if bytes.IndexByte(raw, '\\') < 0 {
		return string(raw[1 : len(raw)-1]), nil
	}
	var s string
	if err := json.Unmarshal(raw, &s); err != nil {
		return "", fmt.Errorf("decode the JSON string %s: %w", raw, err)
	}
	return s, nil
}

func encodeString(s string) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	_ = e.Encode(s) // a string always encodes
	return bytes.TrimRight(b.Bytes(), "\n")
}

func skipSpace(b []byte, i int) int {
	for i < len(b) && (b[i] == ' ' || b[i] == '\n' || b[i] == '\t' || b[i] == '\r') {
		i++
	}
	return i
}

// skipValue returns the index after the JSON value that starts at i.
func skipValue(b []byte, i int) int {
	switch b[i] {
	case '"':
		return skipString(b, i)
	case '{', '[':
		for depth := 0; i < len(b); i++ {
			switch b[i] {
			case '"':
				i = skipString(b, i) - 1
			case '{', '[':
				depth++
			case '}', ']':
				if depth--; depth == 0 {
					return i + 1
				}
			}
		}
		return i
	}
	for i < len(b) && !bytes.ContainsRune([]byte(",]} \n\t\r:"), rune(b[i])) {
		i++
	}
	return i
}

func skipString(b []byte, i int) int {
	for i++; i < len(b); i++ {
		switch b[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return i
}
