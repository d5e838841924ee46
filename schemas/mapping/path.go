// Package mapping declares how the webhooks of a ticket system or a survey, and the records of other systems' topics, become
// Tidemark's own events: which webhook is signed how, in which format a topic is, and where in a document each field stands. The mappings
// of Zendesk, Intercom and Jira are written in it as well.
package mapping

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
)

// Path is where in a JSON document something stands: $.ticket.id, $.items[0], $.items[*].name or
// $.items[?(@.field=='status')].to. It may lead to several values, or to none.
type Path struct {
	text  string
	steps []step
}

// step goes one level down: to a member, to an element, to all elements, or to those whose member equals a text.
type step struct {
	member       string
	index        int
	all          bool
	where, equal string
	list         bool // the step is into an array
}

// ParsePath reads a path, which begins with $.
func ParsePath(text string) (Path, error) {
	p := Path{text: text}
	rest, ok := strings.CutPrefix(text, "$")
	if !ok {
		return p, fmt.Errorf("%q is no path: it begins with $, such as $.ticket.id", text)
	}
	for rest != "" {
		var s step
		var err error
		switch {
		case strings.HasPrefix(rest, "."):
			end := strings.IndexAny(rest[1:], ".[")
			if end < 0 {
				end = len(rest) - 1
			}
			s.member, rest = rest[1:end+1], rest[end+1:]
			if s.member == "" {
				return p, fmt.Errorf("path %q has a dot without a name after it", text)
			}
		case strings.HasPrefix(rest, "["):
			end := strings.IndexByte(rest, ']')
			if end < 0 {
				return p, fmt.Errorf("path %q has [ without ]", text)
			}
			if s, err = parseBracket(rest[1:end]); err != nil {
				return p, fmt.Errorf("path %q: %w", text, err)
			}
			rest = rest[end+1:]
		default:
			return p, fmt.Errorf("path %q: %q is neither .name nor [...]", text, rest)
		}
		p.steps = append(p.steps, s)
	}
	return p, nil
}

func parseBracket(inner string) (step, error) {
	if inner == "*" {
		return step{all: true, list: true}, nil
	}
	if quoted, ok := unquote(inner); ok {
		return step{member: quoted}, nil
	}
	if condition, ok := strings.CutPrefix(inner, "?("); ok {
		name, value, found := strings.Cut(strings.TrimSuffix(condition, ")"), "==")
		name, ours := strings.CutPrefix(strings.TrimSpace(name), "@.")
		value, isText := unquote(strings.TrimSpace(value))
		if !found || !ours || !isText || name == "" || !strings.HasSuffix(condition, ")") {
			return step{}, fmt.Errorf("[%s] is no condition such as [?(@.field=='status')]", inner)
		}
		return step{all: true, list: true, where: name, equal: value}, nil
	}
	n, err := strconv.Atoi(inner)
	if err != nil || n < 0 {
		return step{}, fmt.Errorf("[%s] is neither a number, * nor a condition such as [?(@.field=='status')]", inner)
	}
	return step{index: n, list: true}, nil
}

func unquote(s string) (string, bool) {
	if len(s) < 2 || s[0] != '\'' && s[0] != '"' || s[len(s)-1] != s[0] {
		return "", false
	}
	return s[1 : len(s)-1], true
}

// Find returns the values that the path leads to in a decoded document.
func (p Path) Find(document any) []any {
	found := []any{document}
	for _, s := range p.steps {
		var next []any
		for _, v := range found {
			next = s.from(v, next)
		}
		found = next
	}
	return found
}

func (s step) from(v any, into []any) []any {
	if !s.list {
		if o, ok := v.(map[string]any); ok {
			if inner, ok := o[s.member]; ok && inner != nil {
				return append(into, inner)
			}
		}
		return into
	}
	list, ok := v.([]any)
	switch {
	case !ok:
	case s.all:
		for _, item := range list {
			if s.where == "" || hasMember(item, strings.Split(s.where, "."), s.equal) {
				into = append(into, item)
			}
		}
	case s.index < len(list):
		into = append(into, list[s.index])
	}
	return into
}

func hasMember(v any, names []string, value string) bool {
	for _, name := range names {
		o, ok := v.(map[string]any)
		if !ok {
			return false
		}
		v = o[name]
	}
	t, ok := text(v)
	return ok && strings.EqualFold(t, value)
}

// text returns a string, a number or a bool as text.
func text(v any) (string, bool) {
	switch v := v.(type) {
	case string:
		return v, true
	case json.Number:
		return v.String(), true
	case bool:
		return strconv.FormatBool(v), true
	}
	return "", false
}
