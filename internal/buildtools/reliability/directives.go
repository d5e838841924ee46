package main

import (
	"fmt"
	"go/ast"
	"go/build/constraint"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
)

// test is a test of the repository.
type test struct {
	name   string // "internal/faults TestExpiredOffset"
	tag    string // the build tag that it needs, if it needs one
	proves []proof
}

// proof is what a test says of itself.
type proof struct {
	fault      string
	invariants []int
}

// command runs the test alone, and prints its figures.
func (t test) command() string {
	dir, name, _ := strings.Cut(t.name, " ")
	tags := ""
	if t.tag != "" {
		tags = "-tags " + t.tag + " "
	}
	return fmt.Sprintf("go test %s-count=1 -v ./%s -run '^%s$'", tags, dir, name)
}

// readTests reads the tests below root, in the order of their paths, and what they prove of that many invariants.
func readTests(root string, invariants int) ([]test, error) {
	var all []test
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && path != root && (strings.HasPrefix(d.Name(), ".") || d.Name() == "testdata" || d.Name() == "node_modules"):
			return fs.SkipDir
		case d.IsDir() || !strings.HasSuffix(path, "_test.go"):
			return nil
		}
		dir, err := filepath.Rel(root, filepath.Dir(path))
		if err != nil {
			return err
		}
		tests, err := readFile(path, filepath.ToSlash(dir), invariants)
		all = append(all, tests...)
		return err
	})
	return all, err
}

// readFile reads one file's tests.
func readFile(path, dir string, invariants int) ([]test, error) {
	set := token.NewFileSet()
	file, err := parser.ParseFile(set, path, nil, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	directives := map[token.Pos]string{}
	tag := ""
	for _, group := range file.Comments {
		for _, c := range group.List {
			if strings.HasPrefix(c.Text, "//tidemark:") {
				directives[c.Pos()] = c.Text
			}
			if expr, err := constraint.Parse(c.Text); err == nil && c.Pos() < file.Package {
				if single, ok := expr.(*constraint.TagExpr); ok {
					tag = single.Tag
				}
			}
		}
	}
	var tests []test
	for _, decl := range file.Decls {
		f, ok := decl.(*ast.FuncDecl)
		if !ok || f.Recv != nil || !strings.HasPrefix(f.Name.Name, "Test") {
			continue
		}
		t := test{name: dir + " " + f.Name.Name, tag: tag}
		if f.Doc != nil {
			for _, c := range f.Doc.List {
				text, ok := directives[c.Pos()]
				if !ok {
					continue
				}
				delete(directives, c.Pos())
				p, err := parseDirective(text, invariants)
				if err != nil {
					return nil, fmt.Errorf("%s: %w", set.Position(c.Pos()), err)
				}
				t.proves = append(t.proves, p)
			}
		}
		tests = append(tests, t)
	}
	for pos, text := range directives {
		return nil, fmt.Errorf("%s: %s is not in the doc comment of a test, where it belongs", set.Position(pos), text)
	}
	return tests, nil
}

var directive = regexp.MustCompile(`^//tidemark:proves "([^"|]+)":((?: \d+)+)$`)

func parseDirective(text string, invariants int) (proof, error) {
	m := directive.FindStringSubmatch(text)
	if m == nil {
		return proof{}, fmt.Errorf(`%s is not of the form //tidemark:proves "fault": 1 3`, text)
	}
	p := proof{fault: m[1]}
	for _, digits := range strings.Fields(m[2]) {
		n, err := strconv.Atoi(digits)
		if err != nil || n < 1 || n > invariants || len(p.invariants) > 0 && n <= p.invariants[len(p.invariants)-1] {
			return proof{}, fmt.Errorf("%s: the invariants of docs/design.md are 1 to %d; name each once, in their order", text, invariants)
		}
		p.invariants = append(p.invariants, n)
	}
	return p, nil
}
