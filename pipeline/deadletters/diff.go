package deadletters

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
)

// Diff lists what differs between two records' values, a line each: "- $.ts: 17" and "+ $.timestamp: "2026-…"". What is no JSON
// object is one value.
func Diff(before, after []byte) []string {
	old, renewed := map[string]string{}, map[string]string{}
	flatten(before, nil, old)
	flatten(after, nil, renewed)
	all := map[string]bool{}
	for p := range old {
		all[p] = true
	}
	for p := range renewed {
		all[p] = true
	}
	var lines []string
	for _, p := range slices.Sorted(maps.Keys(all)) {
		was, had := old[p]
		is, has := renewed[p]
		if had && has && was == is {
			continue
		}
		if had {
			lines = append(lines, "- "+p+": "+was)
		}
		if has {
			lines = append(lines, "+ "+p+": "+is)
		}
	}
	return lines
}

func flatten(text json.RawMessage, p path, into map[string]string) {
	o, err := parseObject(text)
	if err != nil || len(o) == 0 && len(p) > 0 {
		var compact bytes.Buffer
		if json.Compact(&compact, text) == nil {
			text = compact.Bytes()
		}
		into[p.String()] = string(text)
		return
	}
	for _, m := range o {
		flatten(m.value, append(p[:len(p):len(p)], m.name), into)
	}
}
