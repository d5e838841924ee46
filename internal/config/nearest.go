package config

import (
	"slices"
	"strings"

	"tidemark/schemas/nearest"
)

// suggestKey ends the error about an unknown name in a section: with the key that was probably meant, be it in that
// section or another, or else with the keys that the section has.
func (l *loader) suggestKey(section, name string) string {
	if near := nearest.To(name, l.sections[section]); near != "" {
		return didYouMean(join(section, near))
	}
	if path := withEnd(l.paths, "."+name); path != "" {
		return didYouMean(path)
	}
	if near := nearest.To(join(section, name), l.paths); near != "" {
		return didYouMean(near)
	}
	return "; the keys here are " + strings.Join(l.sections[section], ", ")
}

func didYouMean(name string) string { return "; did you mean " + name + "?" }

// withEnd returns the first candidate that ends with end, or "".
func withEnd(candidates []string, end string) string {
	i := slices.IndexFunc(candidates, func(candidate string) bool { return strings.HasSuffix(candidate, end) })
	if i < 0 {
		return ""
	}
	return candidates[i]
}
