package schemas

import (
	_ "embed"
	"encoding/json"
	"reflect"
	"slices"
	"strings"
)

//go:generate go run ./genschema catalogue.schema.json

// JSONSchema is the JSON Schema (draft 2020-12) of a catalogue file, from which editors complete.
//
//go:embed catalogue.schema.json
var JSONSchema []byte

// choices are the values that a text may have, by type and key.
var choices = map[string][]string{
	"Metric.view": views, "Metric.aggregate": aggregates, "Metric.by": {"", "feature"},
	"Match.type": eventTypes, "Quota.period": append([]string{""}, periods...),
	"Profile.method": methods, "Profile.unknown": unknown, "Tier.band": bands,
	"Survey.kind": surveyKinds,
}

// needed are the keys that must be there.
var needed = map[string][]string{
	"Metric": {"name", "view", "aggregate", "unit", "description", "decision", "owner"}, "Workflow": {"name", "within", "steps"},
	"Where": {"property"}, "Segment": {"name", "description"}, "Item": {"name", "event"}, "Quota": {"name", "limit"},
	"Profile": {"name", "description", "method", "components"}, "Component": {"name", "value"},
	"Goal": {"name", "description", "owner", "metric", "start", "target", "within"}, "GoalMetric": {"metric"}, "Survey": {"survey", "kind"},
}

// GenerateJSONSchema writes the schema from the types that the decoder fills, with the words that describe gives to a key of a
// type.
func GenerateJSONSchema(describe func(typeName, field string) string) ([]byte, error) {
	return SchemaOf(Shape{
		Of: reflect.TypeFor[Catalogue](), Title: "Tidemark catalogue",
		Description: "What is measured: metrics, workflows, segments, targets, entitlements, goals, surveys and health profiles.",
		Choices:     choices, Needed: needed, Describe: describe,
	})
}

// Shape is what the JSON Schema of a YAML file is made from.
type Shape struct {
	Of                 reflect.Type // a struct
	Title, Description string
	Choices            map[string][]string // values that a text may have, by type and key, as in Metric.view
	Needed             map[string][]string // keys that must be there, by type
	Describe           func(typeName, field string) string
}

// SchemaOf writes the JSON Schema of files that are decoded into a type.
func SchemaOf(s Shape) ([]byte, error) {
	g := generator{Shape: s, defs: map[string]any{}}
	g.object(s.Of)
	root := g.defs[s.Of.Name()].(map[string]any)
	delete(g.defs, s.Of.Name())
	root["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	root["title"] = s.Title
	root["description"] = s.Description
	root["$defs"] = g.defs
	var out strings.Builder
	enc := json.NewEncoder(&out)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	err := enc.Encode(root)
	return []byte(out.String()), err
}

type generator struct {
	Shape
	defs map[string]any
}

// of is the schema of a type; key is its type and key, for the values that it may have.
func (g generator) of(t reflect.Type, key string) any {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	scalar := []string{"string", "number", "boolean"} // YAML's plain words: what is read as text may look like another type
	if t == reflect.TypeFor[Duration]() {
		return map[string]any{"type": "string", "pattern": `^[0-9].*(ns|us|µs|ms|s|m|h|d)$`, "description": "A duration such as 30m, 72h or 14d."}
	}
	if short, ok := reflect.New(t).Interface().(mapForm); ok {
		return map[string]any{"anyOf": []any{
			map[string]any{"type": scalar}, map[string]any{"type": "array", "items": map[string]any{"type": scalar}}, g.of(short.mapForm(), ""),
		}}
	}
	switch t.Kind() {
	case reflect.Struct:
		return g.object(t)
	case reflect.Map:
		return map[string]any{"type": "object", "additionalProperties": g.of(t.Elem(), key)}
	case reflect.Slice:
		return map[string]any{"type": "array", "items": g.of(t.Elem(), key)}
	case reflect.Bool:
		return map[string]any{"type": "boolean"}
	case reflect.Int:
		return map[string]any{"type": "integer"}
	case reflect.Float64:
		return map[string]any{"type": "number"}
	default:
		if c := g.Choices[key]; c != nil {
			return map[string]any{"enum": c}
		}
		return map[string]any{"type": scalar}
	}
}

// object enters a struct among the definitions and returns a reference to it.
func (g generator) object(t reflect.Type) any {
	name := strings.ToUpper(t.Name()[:1]) + t.Name()[1:]
	ref := map[string]any{"$ref": "#/$defs/" + name}
	if _, there := g.defs[name]; there {
		return ref
	}
	properties := map[string]any{}
	def := map[string]any{"type": "object", "additionalProperties": false, "properties": properties}
	g.defs[name] = def
	fields, names := yamlFields(t)
	for _, key := range names {
		f := fields[key]
		owner := t
		for _, i := range f.Index[:len(f.Index)-1] { // of an inlined struct
			owner = owner.Field(i).Type
		}
		schema := g.of(f.Type, name+"."+key).(map[string]any)
		if words := g.Describe(owner.Name(), f.Name); words != "" {
			if schema["$ref"] != nil {
				schema = map[string]any{"$ref": schema["$ref"]}
			}
			schema["description"] = words
		}
		properties[key] = schema
	}
	if keys := g.Needed[name]; keys != nil {
		def["required"] = slices.Clone(keys)
	}
	return ref
}
