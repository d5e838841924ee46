// Command genschema writes the JSON Schema of a catalogue file, or with -rules of a file of rules, with the comments of the Go types as descriptions.
package main

import (
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"strings"

	"tidemark/schemas"
	"tidemark/schemas/rules"
)

func main() {
	ofRules := flag.Bool("rules", false, "of a file of rules")
	flag.Parse()
	if flag.NArg() != 1 {
		fmt.Fprintln(os.Stderr, "usage: genschema [-rules] FILE, in the directory of the types")
		os.Exit(2)
	}
	text, err := generate(".", *ofRules)
	if err == nil {
		err = os.WriteFile(flag.Arg(0), text, 0o644)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// generate is the schema of the types whose sources are in dir.
func generate(dir string, ofRules bool) ([]byte, error) {
	words, err := comments(dir)
	if err != nil {
		return nil, err
	}
	describe := func(typeName, field string) string { return words[typeName+"."+field] }
	if ofRules {
		return rules.GenerateJSONSchema(describe)
	}
	return schemas.GenerateJSONSchema(describe)
}

// comments are those of the fields of structs, by type and field.
func comments(dir string) (map[string]string, error) {
	paths, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		return nil, err
	}
	out, sameAs := map[string]string{}, map[string]string{}
	for _, path := range paths {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ParseComments)
		if err != nil {
			return nil, err
		}
		ast.Inspect(file, func(n ast.Node) bool {
			spec, ok := n.(*ast.TypeSpec)
			if !ok {
				return true
			}
			if of, ok := spec.Type.(*ast.Ident); ok {
				sameAs[spec.Name.Name] = of.Name
			}
			s, ok := spec.Type.(*ast.StructType)
			if !ok {
				return false
			}
			for _, f := range s.Fields.List {
				text := f.Doc.Text() + f.Comment.Text()
				for _, name := range f.Names {
					out[spec.Name.Name+"."+name.Name] = strings.Join(strings.Fields(text), " ")
				}
			}
			return false
		})
	}
	for name, of := range sameAs {
		for field, words := range out {
			if rest, ok := strings.CutPrefix(field, of+"."); ok {
				out[name+"."+rest] = words
			}
		}
	}
	return out, nil
}
