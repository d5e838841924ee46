package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"

	"go.yaml.in/yaml/v3"
)

// yamlLine takes the line out of the YAML parser's own errors.
var yamlLine = regexp.MustCompile(`^yaml: line (\d+): (.*)$`)

// readYAML lays the one document in data over the Config. It walks the parsed nodes itself, as yaml's KnownFields
// knows neither a key's whole path nor the keys that stand near it.
func (l *loader) readYAML(file string, data []byte) {
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	var document yaml.Node
	switch err := decoder.Decode(&document); {
	case errors.Is(err, io.EOF):
		return // Nothing but comments.
	case err != nil:
		l.problems = append(l.problems, syntaxError(file, err))
		return
	}
	l.readNode(file, "", document.Content[0])
	l.endLayer()
	var second yaml.Node
	switch err := decoder.Decode(&second); {
	case errors.Is(err, io.EOF):
	case err != nil:
		l.problems = append(l.problems, syntaxError(file, err))
	default:
		l.problemf(at(file, &second), "a second YAML document begins here; keep one")
	}
}

func syntaxError(file string, err error) error {
	if m := yamlLine.FindStringSubmatch(err.Error()); m != nil {
		return fmt.Errorf("%s:%s: %s", file, m[1], m[2])
	}
	return fmt.Errorf("%s: %w", file, err)
}

// readNode takes in the section at path, or the value of the setting at path.
func (l *loader) readNode(file, path string, node *yaml.Node) {
	value := resolve(node)
	if s, ok := l.settings[path]; ok {
		if section, ok := s.field.Addr().Interface().(selfDecoding); ok {
			if err := section.DecodeYAML(file, value); err != nil {
				l.problems = append(l.problems, err)
			}
			return
		}
		l.readValue(file, s, node, value)
		return
	}
	if value.Kind == yaml.ScalarNode && value.Tag == "!!null" {
		return // A section all of whose lines are commented out.
	}
	if value.Kind != yaml.MappingNode {
		what := path
		if path == "" {
			what = "the configuration"
		}
		l.problemf(at(file, node), "%s is a section: write its keys below it, indented, not %s", what, kind(value))
		return
	}
	lines := map[string]int{}
	for i := 0; i < len(value.Content); i += 2 {
		name := value.Content[i]
		child := join(path, name.Value)
		if _, ok := l.settings[child]; !ok && l.sections[child] == nil {
			l.problemf(at(file, name), "unknown key %s%s", child, l.suggestKey(path, name.Value))
			continue
		}
		if line, ok := lines[child]; ok {
			l.problemf(at(file, name), "%s is given twice, first on line %d", child, line)
			continue
		}
		lines[child] = name.Line
		l.readNode(file, child, value.Content[i+1])
	}
}

// readValue sets s from a scalar, or from a sequence of them if it is a list.
func (l *loader) readValue(file string, s setting, node, value *yaml.Node) {
	where := at(file, node)
	scalars := []*yaml.Node{value}
	if s.list() {
		if value.Kind != yaml.SequenceNode {
			l.problemf(where, "%s: want a list such as [a, b], not %s", s.path, kind(value))
			return
		}
		scalars = value.Content
	}
	texts := make([]string, 0, len(scalars))
	for _, scalar := range scalars {
		scalar = resolve(scalar)
		if scalar.Kind != yaml.ScalarNode || scalar.Tag == "!!null" {
			l.problemf(where, "%s: want one value, not %s", s.path, kind(scalar))
			return
		}
		texts = append(texts, scalar.Value)
	}
	l.set(s, texts, where)
}

func resolve(node *yaml.Node) *yaml.Node {
	if node.Kind == yaml.AliasNode {
		return node.Alias
	}
	return node
}

func at(file string, node *yaml.Node) string { return fmt.Sprintf("%s:%d", file, node.Line) }

// kind names what a node is, for error messages.
func kind(node *yaml.Node) string {
	switch node.Kind {
	case yaml.MappingNode:
		return "a section"
	case yaml.SequenceNode:
		return "a list"
	default:
		if node.Tag == "!!null" {
			return "nothing"
		}
		return "a single value"
	}
}
