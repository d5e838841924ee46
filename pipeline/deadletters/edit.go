package deadletters

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// path leads to a member of objects: $.context.groupId, or $['a.b'].c.
type path []string

func parsePath(text string) (path, error) {
	rest, ok := strings.CutPrefix(text, "$")
	if !ok || rest == "" {
		return nil, fmt.Errorf("%q is no path to a member, such as $.context.groupId", text)
	}
	var p path
	for rest != "" {
		var name string
		switch {
		case strings.HasPrefix(rest, "['"):
			end := strings.Index(rest, "']")
			if end < 0 {
				return nil, fmt.Errorf("path %q has [' without ']", text)
			}
			name, rest = rest[2:end], rest[end+2:]
		case strings.HasPrefix(rest, "."):
			end := strings.IndexAny(rest[1:], ".[")
			if end < 0 {
				end = len(rest) - 1
			}
			name, rest = rest[1:end+1], rest[end+1:]
		default:
			return nil, fmt.Errorf("path %q: %q is neither .name nor ['name']; elements of lists cannot be changed one by one", text, rest)
		}
		if name == "" {
			return nil, fmt.Errorf("path %q has an empty name", text)
		}
		p = append(p, name)
	}
	return p, nil
}

func (p path) String() string {
	text := "$"
	for _, name := range p {
		if strings.ContainsAny(name, ".[") {
			text += "['" + name + "']"
		} else {
			text += "." + name
		}
	}
	return text
}

// object is a JSON object with its members in their order, each as it is written.
type object []member

type member struct {
	name  string
	value json.RawMessage
}

var errNoObject = errors.New("it is not one JSON object")

func parseObject(text []byte) (object, error) {
	d := json.NewDecoder(bytes.NewReader(text))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return nil, errNoObject
	}
	o := object{}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return nil, errNoObject
		}
		var m member
		if err := d.Decode(&m.value); err != nil {
			return nil, errNoObject
		}
		m.name, _ = name.(string) // an object's names are strings
		o = append(o, m)
	}
	if _, err := d.Token(); err != nil || len(bytes.TrimSpace(text[d.InputOffset():])) > 0 {
		return nil, errNoObject
	}
	return o, nil
}

func (o object) text() json.RawMessage {
	out := []byte{'{'}
	for i, m := range o {
		if i > 0 {
			out = append(out, ',')
		}
		name, _ := json.Marshal(m.name) // a string always encodes
		out = append(append(append(out, name...), ':'), m.value...)
	}
	return append(out, '}')
}

// at is the place of a member: of two of a name the last one, which most readers take.
func (o object) at(name string) int {
	for i := len(o) - 1; i >= 0; i-- {
		if o[i].name == name {
			return i
		}
	}
	return -1
}

// get returns what stands at the path; nil: nothing does.
func get(text json.RawMessage, p path) json.RawMessage {
	for _, name := range p {
		o, err := parseObject(text)
		if err != nil {
			return nil
		}
		i := o.at(name)
		if i < 0 {
			return nil
		}
		text = o[i].value
	}
	return text
}

// put returns the object with the value at the path, and the objects on the way there if they are missing.
func put(text json.RawMessage, p path, value json.RawMessage) (json.RawMessage, error) {
	if len(p) == 0 {
		return value, nil
	}
	o, err := parseObject(text)
	if err != nil {
		return nil, err
	}
	i := o.at(p[0])
	if i < 0 {
		o = append(o, member{name: p[0], value: json.RawMessage("{}")})
		i = len(o) - 1
	}
	if o[i].value, err = put(o[i].value, p[1:], value); err != nil {
		return nil, fmt.Errorf("%s: %w", p[:1], err)
	}
	return o.text(), nil
}

// remove returns the object without what stands at the path.
func remove(text json.RawMessage, p path) json.RawMessage {
	o, err := parseObject(text)
	if err != nil {
		return text
	}
	if len(p) == 1 {
		return slices.DeleteFunc(o, func(m member) bool { return m.name == p[0] }).text()
	}
	i := o.at(p[0])
	if i < 0 {
		return text
	}
	o[i].value = remove(o[i].value, p[1:])
	return o.text()
}
