package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// module writes a Go module of the given files into a temporary directory and makes it the working directory.
func module(t *testing.T, files map[string]string) {
	t.Helper()
	dir := t.TempDir()
	files["go.mod"] = "module example\n\ngo 1.26\n"
	for name, text := range files {
		path := filepath.Join(dir, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o700))
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	}
	t.Chdir(dir)
}

// testRun runs go test with args and returns what is reported, and whether all is well.
func testRun(t *testing.T, ci bool, args ...string) (text string, ok bool) {
	t.Helper()
	var out, stderr bytes.Buffer
	r := newReport(&out)
	for _, group := range groups(args) {
		if err := r.goTest(t.Context(), group, &stderr); err != nil {
			r.broken = append(r.broken, err.Error())
		}
	}
	ok = r.close(ci)
	return out.String(), ok
}

const passing = `package a

import "testing"

func TestQuiet(t *testing.T) { t.Log("not shown"); t.Run("sub", func(t *testing.T) {}) }
`

const skipping = `package s

import "testing"

func TestKafka(t *testing.T) { t.Parallel(); t.Skip("no JDK:\ninstall one") }
func TestPlain(t *testing.T) {}
`

func TestReportOfSuccess(t *testing.T) {
	module(t, map[string]string{"a/a_test.go": passing, "e/e.go": "package e\n"})
	text, ok := testRun(t, true, "./...")
	require.True(t, ok)
	require.Regexp(t, `(?m)^ok  \texample/a\t\S+$`, text)
	require.Contains(t, text, "?   \texample/e\t[no test files]\n")
	require.NotContains(t, text, "not shown")
	require.True(t, strings.HasSuffix(text, "\n\n2 passed, 0 failed, 0 skipped\n"), text)
}

func TestReportOfSkips(t *testing.T) {
	module(t, map[string]string{"s/s_test.go": skipping})
	text, ok := testRun(t, false, "./...")
	require.True(t, ok)
	require.Contains(t, text, "\nskipped: example/s.TestKafka: s_test.go:5: no JDK: install one\n1 passed, 0 failed, 1 skipped\n")

	text, ok = testRun(t, true, "./...")
	require.False(t, ok)
	require.True(t, strings.HasSuffix(text, "With CI=true a skipped test counts as a failure: install what it asks for.\n"+
		"1 passed, 0 failed, 1 skipped\n"), text)
}

func TestReportOfFailures(t *testing.T) {
	module(t, map[string]string{
		"a/a_test.go": passing,
		"f/f_test.go": `package f

import "testing"

func TestBad(t *testing.T)  { t.Run("x", func(t *testing.T) { t.Error("want 1") }) }
func TestGood(t *testing.T) { t.Log("not shown") }
`,
		"p/p_test.go": `package p

import "testing"

func TestPanic(t *testing.T) { panic("boom") }
`,
		"m/m_test.go": `package m

import (
	"os"
	"testing"
)

func TestMain(m *testing.M) { println("no engine"); os.Exit(3) }
`,
		"x/x_test.go": "package x\n\nvar _ = undefined\n",
	})
	text, ok := testRun(t, false, "./...", "--", "-run=TestGood", "./f")
	require.False(t, ok)
	for _, want := range []string{
		"f_test.go:5: want 1\n", "--- FAIL: TestBad/x ", "FAIL\texample/f\t",
		"panic: boom", "no engine\n", "undefined: undefined\n", "FAIL\texample/x [build failed]\n",
		"ok  \texample/a\t", "ok  \texample/f\t",
	} {
		require.Contains(t, text, want)
	}
	require.NotContains(t, text, "not shown")
	require.True(t, strings.HasSuffix(text, `
failed: example/f.TestBad
failed: example/f.TestBad/x
failed: example/m
failed: example/p.TestPanic
failed: example/x
4 passed, 5 failed, 0 skipped
`), text)
}

func TestReportOfNothing(t *testing.T) {
	module(t, map[string]string{"a/a_test.go": passing})
	text, ok := testRun(t, false, "-run=TestNone", "./...")
	require.False(t, ok)
	require.Contains(t, text, "\nNo test ran.\n0 passed, 0 failed, 0 skipped\n")
}

func TestReportOfBrokenRun(t *testing.T) {
	module(t, map[string]string{"a/a_test.go": passing})
	text, ok := testRun(t, false, "./a", "--", "-timeout=soon")
	require.False(t, ok)
	require.Contains(t, text, "broken: go test -timeout=soon: exit status 2, though no test failed\n2 passed, 1 failed, 0 skipped\n")
}
