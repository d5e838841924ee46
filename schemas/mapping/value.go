package mapping

import (
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Value is what a field is set to: a path, a text, a text with paths in braces such as "requester:{$.requester.id}", or a list of
// these, of which the first that is not empty counts.
type Value struct{ choices []template }

// template is texts and paths in turn.
type template []part

type part struct {
	text string
	path *Path
}

// UnmarshalYAML reads one choice or a list of them.
func (v *Value) UnmarshalYAML(node *yaml.Node) error {
	var texts []string
	if node.Kind == yaml.SequenceNode {
		if err := node.Decode(&texts); err != nil {
			return err
		}
	} else {
		texts = []string{node.Value}
		if node.Kind != yaml.ScalarNode {
			return fmt.Errorf("line %d: a field is a path, a text or a list of them", node.Line)
		}
	}
	v.choices = nil
	for _, text := range texts {
		t, err := parseTemplate(text)
		if err != nil {
			return fmt.Errorf("line %d: %w", node.Line, err)
		}
		v.choices = append(v.choices, t)
	}
	return nil
}

func parseTemplate(text string) (template, error) {
	if strings.HasPrefix(text, "$") {
		p, err := ParsePath(text)
		return template{{path: &p}}, err
	}
	var t template
	for text != "" {
		before, rest, found := strings.Cut(text, "{$")
		if before != "" {
			t = append(t, part{text: before})
		}
		if !found {
			break
		}
		inner, after, closed := strings.Cut(rest, "}")
		if !closed {
			return nil, fmt.Errorf("%q has { without }", text)
		}
		p, err := ParsePath("$" + inner)
		if err != nil {
			return nil, err
		}
		t = append(t, part{path: &p})
		text = after
	}
	return t, nil
}

// literal returns the text of a value that has no path in it.
func (v Value) literal() (string, bool) {
	if len(v.choices) != 1 || len(v.choices[0]) != 1 || v.choices[0][0].path != nil {
		return "", false
	}
	return v.choices[0][0].text, true
}

func (v Value) isSet() bool { return len(v.choices) > 0 }

// texts returns all that the first choice leads to that is not empty.
func (v Value) texts(document any) []string {
	for _, choice := range v.choices {
		if found := choice.texts(document); len(found) > 0 {
			return found
		}
	}
	return nil
}

// organizations are texts that are not "0", as Zendesk says none.
func (v Value) organizations(document any) []string {
	for _, choice := range v.choices {
		found := slices.DeleteFunc(choice.texts(document), func(id string) bool { return id == "0" })
		if len(found) > 0 {
			return found
		}
	}
	return nil
}

// first is the first of texts, or "".
func (v Value) first(document any) string {
	if found := v.texts(document); len(found) > 0 {
		return found[0]
	}
	return ""
}

// texts of a template with text around its paths is one text, or none when a path leads nowhere.
func (t template) texts(document any) []string {
	if len(t) == 1 && t[0].path != nil {
		var found []string
		for _, v := range t[0].path.Find(document) {
			if s, ok := text(v); ok && s != "" {
				found = append(found, s)
			} else if list, ok := v.([]any); ok {
				for _, item := range list {
					if s, ok := text(item); ok && s != "" {
						found = append(found, s)
					}
				}
			}
		}
		return found
	}
	var b strings.Builder
	for _, p := range t {
		if p.path == nil {
			b.WriteString(p.text)
			continue
		}
		found := template{p}.texts(document)
		if len(found) == 0 {
			return nil
		}
		b.WriteString(found[0])
	}
	if b.Len() == 0 {
		return nil
	}
	return []string{b.String()}
}

// raw is the value, whatever its kind, that the first choice leads to; nil where none does.
func (v Value) raw(document any) any {
	for _, choice := range v.choices {
		if len(choice) == 1 && choice[0].path != nil {
			if found := choice[0].path.Find(document); len(found) > 0 {
				return found[0]
			}
			continue
		}
		if found := choice.texts(document); len(found) > 0 {
			return found[0]
		}
	}
	return nil
}
