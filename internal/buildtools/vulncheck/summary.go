package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
)

// message is the part used here of what govulncheck -format json prints.
type message struct {
	OSV *struct {
		ID      string
		Summary string
	}
	Finding *struct {
		OSV          string
		FixedVersion string `json:"fixed_version"`
		Trace        []frame
	}
}

// frame is a step from the vulnerable symbol, which is first, to the code under check.
type frame struct {
	Module, Version, Package, Function, Receiver string
}

// reached is a vulnerability that the code can reach.
type reached struct {
	frame
	fixed string
}

// summarise prints a line for every vulnerability that the code can reach, and says whether there is none to act on.
func summarise(out io.Writer, messages io.Reader) (ok bool, err error) {
	summaries := map[string]string{}
	found := map[string]reached{}
	for decoder := json.NewDecoder(messages); ; {
		var m message
		if err := decoder.Decode(&m); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return false, fmt.Errorf("read govulncheck's output: %w", err)
		}
		if m.OSV != nil {
			summaries[m.OSV.ID] = m.OSV.Summary
		}
		// Findings without a function say only that a module or package is required.
		if f := m.Finding; f != nil && f.Trace[0].Function != "" {
			found[f.OSV] = reached{frame: f.Trace[0], fixed: f.FixedVersion}
		}
	}
	ok = true
	for _, id := range slices.Sorted(maps.Keys(found)) {
		v := found[id]
		verdict, remedy := "note", "no version mends it yet"
		switch {
		case v.Module == "stdlib" && v.fixed != "":
			remedy = "mended in Go " + v.fixed[1:] + ": build releases with it"
		case v.fixed != "":
			verdict, remedy = "error", "go get "+v.Module+"@"+v.fixed
			ok = false
		}
		fmt.Fprintf(out, "%s: %s: %s %s, reached by %s: %s; %s\n",
			verdict, id, v.Module, v.Version, v.symbol(), summaries[id], remedy)
	}
	if len(found) == 0 {
		fmt.Fprintln(out, "no known vulnerability is reached")
	}
	return ok, nil
}

func (f frame) symbol() string {
	if f.Receiver != "" {
		return f.Package + "." + f.Receiver + "." + f.Function
	}
	return f.Package + "." + f.Function
}
