package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

// event is a line of go test -json; see go doc test2json.
type event struct {
	Action  string
	Package string
	Test    string
	Output  string
}

// line is what a test, or its package if test is empty, printed.
type line struct{ test, text string }

// results is what is known of a package under test.
type results struct {
	lines []line
	ended map[string]string // the action that ended each test: pass, fail or skip
}

// report prints what go test prints, package by package, and counts.
type report struct {
	out      io.Writer
	packages map[string]*results
	passed   int
	failed   []string // names, of tests and of packages that failed outside of any test
	skipped  []string // names, each with its reason
	broken   []string // runs that ended without saying why
}

func newReport(out io.Writer) *report {
	return &report{out: out, packages: map[string]*results{}}
}

// read takes in the events of one run.
func (r *report) read(events io.Reader) error {
	reader := bufio.NewReader(events)
	for {
		text, err := reader.ReadBytes('\n')
		if len(text) > 0 {
			r.take(text)
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read the output of go test: %w", err)
		}
	}
}

func (r *report) take(text []byte) {
	var e event
	if err := json.Unmarshal(text, &e); err != nil {
		r.print(string(text)) // Not an event: the go command speaks.
		return
	}
	p := r.packages[e.Package]
	if p == nil {
		p = &results{ended: map[string]string{}}
		r.packages[e.Package] = p
	}
	switch e.Action {
	case "build-output":
		r.print(e.Output)
	case "output":
		p.lines = append(p.lines, line{e.Test, e.Output})
	case "pass", "fail", "skip":
		if e.Test == "" {
			r.endPackage(e, p)
			return
		}
		p.ended[e.Test] = e.Action
		r.count(e, p)
	}
}

func (r *report) count(e event, p *results) {
	name := e.Package + "." + e.Test
	switch e.Action {
	case "pass":
		r.passed++
	case "fail":
		r.failed = append(r.failed, name)
	case "skip":
		r.skipped = append(r.skipped, name+": "+p.reason(e.Test))
	}
}

// reason is what a skipped test printed, on one line.
func (p *results) reason(test string) string {
	var said []string
	for _, l := range p.lines {
		text := strings.TrimSpace(l.text)
		if l.test == test && text != "" && !chatter(text) && !strings.HasPrefix(text, "--- SKIP") {
			said = append(said, text)
		}
	}
	if len(said) == 0 {
		return "no reason given"
	}
	return strings.Join(said, " ")
}

// endPackage prints what go test without -v would: of a package that failed, all that its tests said that didn't pass;
// of another, its closing line alone.
func (r *report) endPackage(e event, p *results) {
	delete(r.packages, e.Package)
	if e.Action != "fail" {
		if len(p.lines) > 0 {
			r.print(p.lines[len(p.lines)-1].text)
		}
		return
	}
	testFailed := false
	for _, l := range p.lines {
		result := p.ended[l.test]
		testFailed = testFailed || result == "fail"
		if result != "pass" && result != "skip" && !chatter(l.text) {
			r.print(l.text)
		}
	}
	if !testFailed {
		r.failed = append(r.failed, e.Package)
	}
}

// chatter says whether text is one of go test -v's lines about what it does.
func chatter(text string) bool {
	return strings.HasPrefix(text, "=== ")
}

// close prints the summary and says whether all is well.
func (r *report) close(ci bool) bool {
	fmt.Fprintln(r.out)
	slices.Sort(r.skipped) // Packages end in no fixed order.
	slices.Sort(r.failed)
	for _, name := range r.skipped {
		fmt.Fprintln(r.out, "skipped:", name)
	}
	for _, name := range r.failed {
		fmt.Fprintln(r.out, "failed:", name)
	}
	for _, problem := range r.broken {
		fmt.Fprintln(r.out, "broken:", problem)
	}
	ok := len(r.failed)+len(r.broken) == 0
	if ci && len(r.skipped) > 0 {
		fmt.Fprintln(r.out, "With CI=true a skipped test counts as a failure: install what it asks for.")
		ok = false
	}
	if r.passed+len(r.failed) == 0 {
		fmt.Fprintln(r.out, "No test ran.")
		ok = false
	}
	fmt.Fprintf(r.out, "%d passed, %d failed, %d skipped\n", r.passed, len(r.failed)+len(r.broken), len(r.skipped))
	return ok
}

func (r *report) print(text string) { fmt.Fprint(r.out, text) }
