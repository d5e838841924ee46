package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"

	"tidemark/sinks/clickhouse/views"
)

// golden are the tests below root that say in a comment which rows of metrics.md they hold, by row.
func golden(root string) (map[int][]string, error) {
	out := map[int][]string{}
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
		return inFile(path, filepath.ToSlash(dir), out)
	})
	for _, tests := range out {
		slices.Sort(tests)
	}
	return out, err
}

// inFile adds the tests of a file: a comment is of the test that it stands in, or before.
func inFile(path, dir string, out map[int][]string) error {
	file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return err
	}
	for _, c := range file.Comments {
		rows := views.RowsIn(c.Text())
		if len(rows) == 0 {
			continue
		}
		for _, d := range file.Decls {
			f, ok := d.(*ast.FuncDecl)
			if !ok || !strings.HasPrefix(f.Name.Name, "Test") || f.End() < c.Pos() {
				continue
			}
			for _, row := range rows {
				if name := "`" + dir + " " + f.Name.Name + "`"; !slices.Contains(out[row], name) {
					out[row] = append(out[row], name)
				}
			}
			break
		}
	}
	return nil
}
