// Command reliability writes the tables of docs/reliability.md: which test shows which invariant under which fault, from what
// the tests say of themselves, and the figures of the latest runs, from what the tests printed.
//
//	reliability [-log FILE]
//
// A test says what it proves in its doc comment, a fault and the numbers of invariants of docs/design.md a line:
//
//	//tidemark:proves "a pipeline is killed in mid-flow": 1 3 4 5
//
// FILE is the output of `go test -v`, as `make test-faults` prints it. Without it, and for tests that are not in it, the
// figures stay as they are.
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

//go:generate go run . -root ../../..

func main() {
	root := flag.String("root", ".", "the repository")
	log := flag.String("log", "", "output of go test -v to take figures from; none: keep the old ones")
	flag.Parse()
	if err := run(*root, *log); err != nil {
		fmt.Fprintln(os.Stderr, "reliability:", err)
		os.Exit(1)
	}
}

// run writes the page of the repository at root anew.
func run(root, log string) error {
	path := filepath.Join(root, "docs", "reliability.md")
	old, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("the page that the tables go into: %w", err)
	}
	d, err := readDesign(filepath.Join(root, "docs", "design.md"))
	if err != nil {
		return err
	}
	tests, err := readTests(root, len(d.invariants))
	if err != nil {
		return err
	}
	figures, err := readTable(string(old))
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if log != "" {
		fresh, err := readLog(log)
		if err != nil {
			return fmt.Errorf("take figures from %s: %w", log, err)
		}
		for name, f := range fresh {
			figures[name] = f
		}
	}
	table, err := figuresTable(figures, tests)
	if err != nil {
		return err
	}
	text, err := replace(string(old), "proofs", proofsTable(d, tests))
	if err == nil {
		text, err = replace(text, "figures", table)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return os.WriteFile(path, []byte(text), 0o644)
}

// readLog reads the figures in a log, which are of the day when it was written.
func readLog(path string) (map[string]figures, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close() //nolint:errcheck // It is only read.
	return parseLog(f, info.ModTime().UTC().Format(time.DateOnly))
}
