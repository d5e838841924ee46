// Package docs holds the pages that people read. Its tests keep what the pages name true: files, tests, commands,
// configuration keys, metrics, views and examples.
package docs

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"
)

const root = ".."

// page is one Markdown file of ours.
type page struct {
	path string // relative to this directory
	text string
	code []string // fenced blocks and inline spans
}

var (
	fence = regexp.MustCompile("(?ms)^```(\\w*)\n(.*?)^```$")
	span  = regexp.MustCompile("`([^`\n]+)`")
)

// pages reads the README and everything in docs/.
func pages(t *testing.T) []page {
	t.Helper()
	paths, err := filepath.Glob("*.md")
	require.NoError(t, err)
	require.NotEmpty(t, paths)
	var all []page
	for _, path := range append(paths, filepath.Join(root, "README.md")) {
		all = append(all, readPage(t, path))
	}
	return all
}

func readPage(t *testing.T, path string) page {
	t.Helper()
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	p := page{path: path, text: string(data)}
	for _, m := range fence.FindAllStringSubmatch(p.text, -1) {
		p.code = append(p.code, m[2])
	}
	for _, m := range span.FindAllStringSubmatch(fence.ReplaceAllString(p.text, ""), -1) {
		p.code = append(p.code, m[1])
	}
	return p
}

// mentions returns what a pattern finds in the code of all pages, by the page that says it.
func mentions(t *testing.T, pattern string) map[string]string {
	t.Helper()
	expression := regexp.MustCompile(pattern)
	found := map[string]string{}
	for _, p := range pages(t) {
		for _, c := range p.code {
			for _, m := range expression.FindAllStringSubmatch(c, -1) {
				found[m[1]] = p.path
			}
		}
	}
	require.NotEmpty(t, found, "nothing matches %s: does the test still look for the right thing?", pattern)
	return found
}

// source returns the text of the files below dir whose names match a pattern.
func source(t *testing.T, dir, pattern string) string {
	t.Helper()
	var text strings.Builder
	err := filepath.WalkDir(filepath.Join(root, dir), func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if name := d.Name(); name != ".." && strings.HasPrefix(name, ".") || name == "node_modules" {
				return fs.SkipDir
			}
			return nil
		}
		if ok, err := filepath.Match(pattern, d.Name()); err != nil || !ok {
			return err
		}
		data, err := os.ReadFile(path)
		text.Write(data)
		return err
	})
	require.NoError(t, err)
	require.NotEmpty(t, text.String(), "%s has no %s", dir, pattern)
	return text.String()
}

var (
	link    = regexp.MustCompile(`\[[^\]\n]*\]\(([^)\s]+)\)`)
	heading = regexp.MustCompile(`(?m)^#+ +(.+)$`)
)

func TestLinksLeadSomewhere(t *testing.T) {
	for _, p := range pages(t) {
		for _, m := range link.FindAllStringSubmatch(fence.ReplaceAllString(p.text, ""), -1) {
			if strings.Contains(m[1], "://") {
				continue
			}
			path, anchor, _ := strings.Cut(m[1], "#")
			target := filepath.Join(filepath.Dir(p.path), path)
			if path == "" {
				target = p.path
			}
			_, err := os.Stat(target)
			if !assertion(t, err == nil, "%s links to %s, which does not exist", p.path, m[1]) || anchor == "" {
				continue
			}
			assertion(t, slices.Contains(anchors(readPage(t, target)), anchor), "%s links to %s, which has no such heading", p.path, m[1])
		}
	}
}

// anchors are the headings as links name them on the usual hosts: lower case, without punctuation, with hyphens.
func anchors(p page) []string {
	var all []string
	for _, m := range heading.FindAllStringSubmatch(fence.ReplaceAllString(p.text, ""), -1) {
		name := regexp.MustCompile(`[^\p{L}\p{N}_ -]`).ReplaceAllString(strings.ToLower(m[1]), "")
		all = append(all, strings.ReplaceAll(strings.TrimSpace(name), " ", "-"))
	}
	return all
}

// assertion goes on after a failure, so that one run tells all that is wrong.
func assertion(t *testing.T, ok bool, format string, args ...any) bool {
	t.Helper()
	if !ok {
		t.Errorf(format, args...)
	}
	return ok
}

func TestNamedTestsExist(t *testing.T) {
	tests := source(t, ".", "*_test.go")
	for name, path := range mentions(t, `\b((?:Test|Fuzz|Benchmark)[A-Z]\w+)`) {
		assertion(t, strings.Contains(tests, "func "+name+"("), "%s names %s, which no file has", path, name)
	}
	// "package/path TestName" also says where.
	for named, path := range mentions(t, `\b([a-z]\w*(?:/\w+)* (?:Test|Fuzz)[A-Z]\w+)`) {
		dir, name, _ := strings.Cut(named, " ")
		files, err := filepath.Glob(filepath.Join(root, dir, "*_test.go"))
		require.NoError(t, err)
		found := slices.ContainsFunc(files, func(file string) bool {
			data, err := os.ReadFile(file)
			return err == nil && strings.Contains(string(data), "func "+name+"(")
		})
		assertion(t, found, "%s says that %s has %s", path, dir, name)
	}
}

func TestNamedPathsExist(t *testing.T) {
	// Paths of the repository, not those that a reader makes: the first part says which.
	const ours = `(?:^|[\s(])((?:bench|cmd|deploy|docs|internal|pipeline|schemas|sinks|\.ci)/[\w./-]*\w)`
	for path, in := range mentions(t, ours) {
		_, err := os.Stat(filepath.Join(root, path))
		assertion(t, err == nil || strings.HasPrefix(path, "bench/out/"), "%s names %s, which does not exist", in, path)
	}
}

func TestNamedTargetsExist(t *testing.T) {
	makefile, err := os.ReadFile(filepath.Join(root, "Makefile"))
	require.NoError(t, err)
	for name, path := range mentions(t, `\bmake ([a-z][a-z-]*)`) {
		assertion(t, strings.Contains(string(makefile), "\n"+name+":"), "%s names make %s, which the Makefile has not", path, name)
	}
}

func TestNamedCommandsExist(t *testing.T) {
	for name, path := range mentions(t, `\btidemark ([a-z]+)\b`) {
		_, err := os.Stat(filepath.Join(root, "cmd", "tidemark", name+".go"))
		assertion(t, err == nil, "%s names tidemark %s, which is no subcommand", path, name)
	}
	cmd := source(t, "cmd/tidemark", "*.go")
	for flag, path := range mentions(t, `\btidemark [a-z][^\n]* --([a-z][a-z-]*)`) {
		field := strings.ReplaceAll(flag, "-", "")
		exists := flag == "help" || strings.Contains(cmd, `name:"`+flag+`"`) || regexp.MustCompile(`(?i)\b`+field+` +\*?\w`).MatchString(cmd)
		assertion(t, exists, "%s names the flag --%s, which no subcommand has", path, flag)
	}
}

func TestNamedKeysExist(t *testing.T) {
	data, err := os.ReadFile(filepath.Join(root, "internal", "config", "default.yaml"))
	require.NoError(t, err)
	var doc map[string]any
	require.NoError(t, yaml.Unmarshal(data, &doc))
	keys := map[string]bool{}
	flatten(keys, "", doc)
	for key, path := range mentions(t, `^((?:kafka|clickhouse|pipeline|collector|admin|log|canary)\.[a-z_.]+)$`) {
		assertion(t, keys[key], "%s names the key %s, which default.yaml has not", path, key)
	}
	environment := map[string]bool{}
	for key := range keys {
		environment["TIDEMARK_"+strings.ToUpper(strings.ReplaceAll(key, ".", "_"))] = true
	}
	code := source(t, "cmd", "*.go") + source(t, "internal/config", "env.go") + source(t, "pipeline", "*_test.go")
	for name, path := range mentions(t, `\b(TIDEMARK_[A-Z_]*[A-Z])\b`) {
		assertion(t, environment[name] || strings.Contains(code, `"`+name+`"`), "%s names %s, which nothing reads", path, name)
	}
}

func flatten(into map[string]bool, prefix string, doc map[string]any) {
	for name, value := range doc {
		into[prefix+name] = true
		if section, ok := value.(map[string]any); ok {
			flatten(into, prefix+name+".", section)
		}
	}
}
