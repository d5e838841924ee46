package schemas

import (
	"errors"
	"fmt"
	"reflect"
	"strings"

	"go.yaml.in/yaml/v3"

	"tidemark/schemas/nearest"
)

// Pos is where in a file something is declared.
type Pos struct {
	File string
	Line int
	keys map[string]int // lines of its keys
}

func (p Pos) String() string {
	if p.Line == 0 {
		return p.File
	}
	return fmt.Sprintf("%s:%d", p.File, p.Line)
}

// At is the position of one of its keys, or its own where the key is not given.
func (p Pos) At(key string) Pos {
	if line, ok := p.keys[key]; ok {
		return Pos{File: p.File, Line: line}
	}
	return p
}

// selfDecoding are types that say themselves what they take: the walk leaves them alone.
var selfDecoding = reflect.TypeFor[yaml.Unmarshaler]()

// DecodeStrict decodes the document in data, refusing keys that its type has not, and remembers where everything stands.
// Each error begins with file and line, and names the key that was probably meant.
func DecodeStrict(file string, data []byte, into any) error {
	var doc yaml.Node
	if err := yaml.Unmarshal(data, &doc); err != nil {
		return located(file, err)
	}
	if len(doc.Content) == 0 {
		return nil
	}
	return DecodeNode(file, doc.Content[0], into)
}

// DecodeNode is DecodeStrict for a part of a document that was parsed already.
func DecodeNode(file string, root *yaml.Node, into any) error {
	if root.Tag == "!!null" {
		return nil
	}
	w := walk{file: file}
	w.unknown(root, reflect.TypeOf(into).Elem(), "")
	if len(w.errs) > 0 {
		return errors.Join(w.errs...)
	}
	if err := root.Decode(into); err != nil {
		return located(file, err)
	}
	w.place(root, reflect.ValueOf(into).Elem())
	return nil
}

// located puts the file in front of each of the decoder's complaints, which begin with their line.
func located(file string, err error) error {
	complaints := []string{strings.TrimPrefix(err.Error(), "yaml: ")}
	var mismatches *yaml.TypeError
	if errors.As(err, &mismatches) {
		complaints = mismatches.Errors
	}
	var errs []error
	for _, c := range complaints {
		if rest, ok := strings.CutPrefix(c, "line "); ok {
			errs = append(errs, fmt.Errorf("%s:%s", file, rest))
		} else {
			errs = append(errs, fmt.Errorf("%s: %s", file, c))
		}
	}
	return errors.Join(errs...)
}

type walk struct {
	file string
	errs []error
}

// unknown complains of keys that the type has not, at any depth.
func (w *walk) unknown(n *yaml.Node, t reflect.Type, path string) {
	n = resolved(n)
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if u, ok := reflect.New(t).Interface().(mapForm); ok && n.Kind == yaml.MappingNode {
		t = u.mapForm()
	} else if reflect.PointerTo(t).Implements(selfDecoding) {
		return
	}
	switch {
	case t.Kind() == reflect.Struct && n.Kind == yaml.MappingNode:
		fields, names := yamlFields(t)
		for i := 0; i+1 < len(n.Content); i += 2 {
			key := n.Content[i]
			f, ok := fields[key.Value]
			if key.Tag == "!!merge" {
				w.unknown(n.Content[i+1], t, path)
				continue
			}
			if !ok {
				w.errs = append(w.errs, fmt.Errorf("%s:%d: %s has no key %q%s", w.file, key.Line, orFile(path), key.Value, Suggest(key.Value, names)))
				continue
			}
			w.unknown(n.Content[i+1], f.Type, key.Value)
		}
	case t.Kind() == reflect.Map && n.Kind == yaml.MappingNode:
		for i := 0; i+1 < len(n.Content); i += 2 {
			w.unknown(n.Content[i+1], t.Elem(), path+"."+n.Content[i].Value)
		}
	case t.Kind() == reflect.Struct && n.Kind == yaml.SequenceNode: // of a merge
		for _, item := range n.Content {
			w.unknown(item, t, path)
		}
	case t.Kind() == reflect.Slice && n.Kind == yaml.SequenceNode:
		for _, item := range n.Content {
			w.unknown(item, t.Elem(), path)
		}
	}
}

// mapForm is a type that decodes itself from a short form as well, and from a mapping as the type that it returns.
type mapForm interface{ mapForm() reflect.Type }

// place fills in the field Pos of everything that has one.
func (w *walk) place(n *yaml.Node, v reflect.Value) {
	n = resolved(n)
	for v.Kind() == reflect.Pointer {
		if v.IsNil() {
			return
		}
		v = v.Elem()
	}
	switch {
	case v.Kind() == reflect.Struct && n.Kind == yaml.MappingNode:
		fields, _ := yamlFields(v.Type())
		pos := Pos{File: w.file, Line: n.Line, keys: map[string]int{}}
		for i := 0; i+1 < len(n.Content); i += 2 {
			pos.keys[n.Content[i].Value] = n.Content[i].Line
			if f, ok := fields[n.Content[i].Value]; ok {
				w.place(n.Content[i+1], v.FieldByIndex(f.Index))
			}
		}
		if f := v.FieldByName("Pos"); f.IsValid() && f.Type() == reflect.TypeFor[Pos]() {
			f.Set(reflect.ValueOf(pos))
		}
	case v.Kind() == reflect.Map && n.Kind == yaml.MappingNode:
		for i := 0; i+1 < len(n.Content); i += 2 {
			key := reflect.ValueOf(n.Content[i].Value)
			if !key.CanConvert(v.Type().Key()) {
				continue
			}
			old := v.MapIndex(key.Convert(v.Type().Key()))
			if !old.IsValid() {
				continue
			}
			value := reflect.New(v.Type().Elem()).Elem()
			value.Set(old)
			w.place(n.Content[i+1], value)
			v.SetMapIndex(key.Convert(v.Type().Key()), value)
		}
	case v.Kind() == reflect.Slice && n.Kind == yaml.SequenceNode:
		for i, item := range n.Content {
			if i < v.Len() {
				w.place(item, v.Index(i))
			}
		}
	}
}

// yamlFields are the fields of a struct by their keys, those of inlined structs included, and the keys in order.
func yamlFields(t reflect.Type) (map[string]reflect.StructField, []string) {
	fields := map[string]reflect.StructField{}
	var names []string
	for _, f := range reflect.VisibleFields(t) {
		name, options, _ := strings.Cut(f.Tag.Get("yaml"), ",")
		if !f.IsExported() || name == "-" || options == "inline" || name == "" {
			continue
		}
		fields[name] = f
		names = append(names, name)
	}
	return fields, names
}

func resolved(n *yaml.Node) *yaml.Node {
	if n.Kind == yaml.AliasNode {
		return n.Alias
	}
	return n
}

func orFile(path string) string {
	if path == "" {
		return "the file"
	}
	return strings.TrimPrefix(path, ".")
}

// Suggest ends the complaint about an unknown name: with the one that was probably meant, or else with those that there are.
func Suggest(name string, there []string) string {
	if near := nearest.To(name, there); near != "" {
		return "; did you mean " + near + "?"
	}
	if len(there) == 0 {
		return "; there is none"
	}
	return "; there are " + strings.Join(there, ", ")
}
