package config

import (
	"slices"
	"strings"
)

// suggestKey ends the error about an unknown name in a section: with the key that was probably meant, be it in that
// section or another, or else with the keys that the section has.
func (l *loader) suggestKey(section, name string) string {
	if near := Nearest(name, l.sections[section]); near != "" {
		return didYouMean(join(section, near))
	}
	if path := withEnd(l.paths, "."+name); path != "" {
		return didYouMean(path)
	}
	if near := Nearest(join(section, name), l.paths); near != "" {
		return didYouMean(near)
	}
	return "; the keys here are " + strings.Join(l.sections[section], ", ")
}

func didYouMean(name string) string { return "; did you mean " + name + "?" }

// Nearest returns the candidate with the fewest edits to name, or "" if more than a third of name would change.
func Nearest(name string, candidates []string) string {
	best, bestEdits := "", (len(name)+2)/3+1
	for _, candidate := range candidates {
		if n := edits(name, candidate); n < bestEdits {
			best, bestEdits = candidate, n
		}
	}
	return best
}

// withEnd returns the first candidate that ends with end, or "".
func withEnd(candidates []string, end string) string {
	i := slices.IndexFunc(candidates, func(candidate string) bool { return strings.HasSuffix(candidate, end) })
	if i < 0 {
		return ""
	}
	return candidates[i]
}

// edits counts the bytes to insert, delete or replace to turn a into b (Levenshtein's distance).
func edits(a, b string) int {
	row := make([]int, len(b)+1) // row[j] is the distance of a's prefix read so far to b[:j].
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			replace := diagonal
			if a[i] != b[j] {
				replace++
			}
			diagonal = row[j+1]
			row[j+1] = min(replace, row[j+1]+1, row[j]+1)
		}
	}
	return row[len(b)]
}
