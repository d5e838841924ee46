// Licences lists what a built tidemark consists of and under which licences, and fails if one is unknown or would oblige those who
// pass the binary on to publish their own code.
//
//	go run ./internal/buildtools/licences > docs/licences.md
package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// module is a module that the binary is linked from.
type module struct{ path, version, dir string }

// known are the licences that may be in the binary, by words that only they have, in the order in which they are looked for.
var known = []struct {
	name  string
	words *regexp.Regexp
}{
	{"Apache-2.0", regexp.MustCompile(`Apache License Version 2\.0`)},
	{"MPL-2.0", regexp.MustCompile(`Mozilla Public License,? [Vv]ersion 2\.0`)},
	{"BSD-3-Clause", regexp.MustCompile(`Redistribution and use in source and binary forms.*(?:Neither the name|names? of (?:its|the) (?:contributors|copyright holders?))`)},
	{"BSD-2-Clause", regexp.MustCompile(`Redistribution and use in source and binary forms`)},
	{"MIT", regexp.MustCompile(`Permission is hereby granted, free of charge, to any person obtaining a copy`)},
	{"ISC", regexp.MustCompile(`Permission to use, copy, modify, and(?:/or)? distribute this software for any purpose with or without fee`)},
	{"0BSD", regexp.MustCompile(`Zero-Clause BSD`)},
}

// refused are the words of licences that spread to what is linked with them.
var refused = regexp.MustCompile(`GNU (?:AFFERO |LESSER )?GENERAL PUBLIC LICENSE|Business Source License|Server Side Public License`)

// licenceFile is how modules call the file.
var licenceFile = regexp.MustCompile(`(?i)^(?:licen[cs]e|copying|unlicense)(?:[-._].*)?$`)

func main() {
	if err := run(os.Stdout, "./cmd/tidemark"); err != nil {
		fmt.Fprintln(os.Stderr, "licences:", err)
		os.Exit(1)
	}
}

func run(out io.Writer, program string) error {
	modules, err := modulesOf(program)
	if err != nil {
		return err
	}
	var errs []error
	var table strings.Builder
	for _, m := range modules {
		names, err := licencesIn(m.dir)
		if err != nil {
			errs = append(errs, fmt.Errorf("%s %s: %w", m.path, m.version, err))
			continue
		}
		fmt.Fprintf(&table, "| %s | %s | %s |\n", m.path, m.version, strings.Join(names, ", "))
	}
	if len(errs) > 0 {
		return errors.Join(errs...)
	}
	_, err = fmt.Fprintf(out, `# Licences

Made by `+"`go generate ./internal/buildtools/licences`"+`; do not edit. These modules are linked into the binary. What is not Go stands at the end.

| module | version | licence |
|---|---|---|
%s
| not Go | licence | where |
|---|---|---|
| ClickHouse's engine, libchdb.so | Apache-2.0 | fetched by tidemark demo and tidemark dev clickhouse; not in the binary |
| htmx | 0BSD | internal/board/assets, in the binary |
| uPlot | MIT | internal/board/assets, in the binary |
`, table.String())
	return err
}

// modulesOf lists the modules that a program is linked from on Linux, but for its own, by path.
func modulesOf(program string) ([]module, error) {
	cmd := exec.Command("go", "list", "-deps", "-f", "{{with .Module}}{{if not .Main}}{{.Path}}\t{{.Version}}\t{{.Dir}}{{end}}{{end}}", program)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH=amd64")
	cmd.Stderr = os.Stderr
	listed, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("list the modules of %s: %w", program, err)
	}
	var modules []module
	for line := range strings.Lines(string(listed)) {
		if f := strings.Split(strings.TrimSpace(line), "\t"); len(f) == 3 {
			modules = append(modules, module{f[0], f[1], f[2]})
		}
	}
	slices.SortFunc(modules, func(a, b module) int { return strings.Compare(a.path, b.path) })
	return slices.Compact(modules), nil
}

// licencesIn reads the licences that stand at the top of a module.
func licencesIn(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, entry := range entries {
		if entry.IsDir() || !licenceFile.MatchString(entry.Name()) {
			continue
		}
		text, err := os.ReadFile(filepath.Join(dir, entry.Name()))
		if err != nil {
			return nil, err
		}
		name, err := classify(string(text))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", entry.Name(), err)
		}
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		return nil, errors.New("has no file with a licence")
	}
	return names, nil
}

// classify names the licence of a text.
func classify(text string) (string, error) {
	text = strings.Join(strings.Fields(text), " ") // however its lines are broken
	for _, k := range known {
		if k.words.MatchString(text) {
			return k.name, nil
		}
	}
	if found := refused.FindString(text); found != "" {
		return "", fmt.Errorf("%q may not be in the binary; do without the module", found)
	}
	return "", errors.New("the licence is not known; read it, and add it to the list if it may be in the binary")
}
