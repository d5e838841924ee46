package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const designPage = `# Design

## Invariants

1. **Purity.** A row's value.

2. **Commit after.** An offset.

## What happens when

| failure | what happens | test |
|---|---|---|
| killed | replay | none |
| the disk is full | waiting | none |

## Choices

| choice | reason |
`

const emptyPage = `# Reliability

<!-- proofs: made by go generate, do not edit -->
<!-- end of proofs -->

Figures:

<!-- figures: made by go generate, do not edit -->
<!-- end of figures -->
The end.
`

const testFile = `//go:build faults

package p_test

// TestKill kills.
//
//tidemark:proves "killed": 1 2
//tidemark:proves "a network fails": 2
func TestKill(t *testing.T) {}

//tidemark:proves "the disk is full": 1
func TestDisk(t *testing.T) {}

func TestOfNothing(t *testing.T) { _ = "//tidemark:proves nothing, as it is no comment" }
`

const otherFile = `package q

//tidemark:proves "killed": 2
func TestKill(t *testing.T) {}
`

// repository is a small one: two pages, and the tests by their paths.
func repository(t *testing.T, files map[string]string) string {
	t.Helper()
	root := t.TempDir()
	files["docs/design.md"], files["docs/reliability.md"] = designPage, emptyPage
	for path, text := range files {
		path = filepath.Join(root, path)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o750))
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	}
	return root
}

func read(t *testing.T, root string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, "docs", "reliability.md"))
	require.NoError(t, err)
	return string(text)
}

func logFile(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "log")
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	return path
}

func TestTheTableIsWhatTestsSay(t *testing.T) {
	root := repository(t, map[string]string{
		"a/p/p_test.go": testFile, "q_test/q_test.go": otherFile, "a/testdata/x_test.go": "not Go", ".git/x_test.go": "not Go",
	})
	require.NoError(t, run(root, ""))
	require.Equal(t, strings.Replace(emptyPage, "edit -->\n<!-- end of proofs", "edit -->\n"+
		"| fault | 1 purity | 2 commit after |\n|---|---|---|\n"+
		"| killed | `a/p TestKill` | `a/p TestKill`<br>`q_test TestKill` |\n"+
		"| the disk is full | `a/p TestDisk` |  |\n"+
		"| a network fails |  | `a/p TestKill` |\n"+
		"<!-- end of proofs", 1), strings.Replace(read(t, root), figuresHead, "", 1))
	before := read(t, root)
	require.NoError(t, run(root, ""))
	require.Equal(t, before, read(t, root), "a second run changes nothing")
}

func TestWrongDirectivesAreNamed(t *testing.T) {
	for text, complaint := range map[string]string{
		"//tidemark:proves \"f\": 3\nfunc TestX() {}":                        "p_test.go:3:1: //tidemark:proves \"f\": 3: the invariants of docs/design.md are 1 to 2",
		"//tidemark:proves \"f\": 0\nfunc TestX() {}":                        "1 to 2",
		"//tidemark:proves \"f\": 2 1\nfunc TestX() {}":                      "in their order",
		"//tidemark:proves \"f\": 1 1\nfunc TestX() {}":                      "each once",
		"//tidemark:proves \"f\":\nfunc TestX() {}":                          "not of the form",
		"//tidemark:proves \"f|g\": 1\nfunc TestX() {}":                      "not of the form",
		"//tidemark:prove \"f\": 1\nfunc TestX() {}":                         "not of the form",
		"//tidemark:proves \"f\": 1\n\nfunc TestX() {}":                      "is not in the doc comment of a test",
		"//tidemark:proves \"f\": 1\nfunc helper() {}":                       "is not in the doc comment of a test",
		"func TestX() {\n\t//tidemark:proves \"f\": 1\n\t_ = 1\n}":           "is not in the doc comment of a test",
		"type s struct{}\n\n//tidemark:proves \"f\": 1\nfunc (s) TestX() {}": "is not in the doc comment of a test",
	} {
		root := repository(t, map[string]string{"p_test.go": "package p\n\n" + text + "\n"})
		require.ErrorContains(t, run(root, ""), complaint, text)
		require.Equal(t, emptyPage, read(t, root))
	}
}

const faultsLog = `go test -v -tags faults ./a/p
=== RUN   TestKill
=== RUN   TestKill/one
    crash_test.go:30: folded: killed after 1s
    stage_test.go:76: kills survived 3, other faults 1, records 100, rows compared 200, differences 0
=== RUN   TestKill/other_one
    stage_test.go:76: kills survived 4, other faults 0, records 10, rows compared 20, differences 0
--- PASS: TestKill (398.41s)
    --- PASS: TestKill/one (142.72s)
=== RUN   TestDisk
=== RUN   TestOfNothing
=== NAME  TestDisk
    stage_test.go:76: kills survived 0, other faults 2, records 5, rows compared 6, differences 0
--- PASS: TestDisk (0.41s)
PASS
faults: 3 scenarios: kills survived 7, other faults 3, records 115, rows compared 226, differences 0
ok  	tidemark/a/p	398.784s
`

const simulationLog = `=== RUN   TestKill
=== NAME  TestKill
    faults_test.go:156: seeds run 150, records 46750, rows compared 232978, windows loaded 15292, differences 0; by kind:
               81  ClickHouse fails reads for a while
--- PASS: TestKill (102.62s)
PASS
ok  	tidemark/q	102.653s
`

func TestFiguresAreThoseOfTheLatestRun(t *testing.T) {
	root := repository(t, map[string]string{"a/p/p_test.go": testFile, "q/q_test.go": otherFile})
	require.NoError(t, run(root, logFile(t, faultsLog+simulationLog)))
	all, err := readTable(read(t, root))
	require.NoError(t, err)
	day := all["a/p TestKill"].day
	require.Regexp(t, `^\d{4}-\d\d-\d\d$`, day)
	want := map[string]figures{
		"a/p TestKill": {day: day, kills: 7, faults: 1, records: 110, rows: 220},
		"a/p TestDisk": {day: day, faults: 2, records: 5, rows: 6},
		"q TestKill":   {day: day, seeds: 150, records: 46750, rows: 232978},
	}
	require.Equal(t, want, all)
	require.Contains(t, read(t, root), "\n| `a/p TestKill` | "+day+" | 0 | 7 | 1 | 110 | 220 | 0 | `go test -tags faults -count=1 -v ./a/p -run '^TestKill$'` |\n")
	require.Contains(t, read(t, root), "`TEST_SEEDS=150 go test -count=1 -v ./q -run '^TestKill$'`")

	require.NoError(t, run(root, ""))
	all, err = readTable(read(t, root))
	require.NoError(t, err)
	require.Equal(t, want, all, "kept without a log")

	require.NoError(t, run(root, logFile(t, strings.ReplaceAll(simulationLog, "150", "2000"))))
	all, err = readTable(read(t, root))
	require.NoError(t, err)
	want["q TestKill"] = figures{day: day, seeds: 2000, records: 46750, rows: 232978}
	require.Equal(t, want, all, "a log of one test leaves the others")
}

func TestLogsOfNothingAreRefused(t *testing.T) {
	for name, test := range map[string]struct{ log, complaint string }{
		"a run that failed":       {strings.Replace(faultsLog, "--- PASS: TestDisk", "--- FAIL: TestDisk", 1), "the run failed"},
		"a package that failed":   {strings.Replace(faultsLog, "ok  \t", "FAIL\t", 1), "the run failed"},
		"a subtest that failed":   {strings.Replace(faultsLog, "--- PASS: TestKill/one", "--- FAIL: TestKill/one", 1), "the run failed"},
		"a panic":                 {faultsLog + "panic: runtime error\n", "the run failed"},
		"a run that was cut off":  {strings.Split(faultsLog, "PASS\nfaults:")[0], "not the end of the run"},
		"one without -v":          {"ok  \ttidemark/a/p\t398.784s\n", "was go test run with -v?"},
		"tests that do not exist": {strings.ReplaceAll(faultsLog, "TestDisk", "TestGone"), "there are figures of a/p TestGone, but no such test"},
	} {
		root := repository(t, map[string]string{"a/p/p_test.go": testFile})
		require.ErrorContains(t, run(root, logFile(t, test.log)), test.complaint, name)
		require.Equal(t, emptyPage, read(t, root), name)
	}
}

func TestPagesThatDoNotFitAreRefused(t *testing.T) {
	for name, test := range map[string]struct{ page, old, changed, complaint string }{
		"no marker":       {"docs/reliability.md", "<!-- end of proofs -->", "", "are not both there"},
		"a broken row":    {"docs/reliability.md", "<!-- end of figures", "| x |\n<!-- end of figures", "not a row of figures"},
		"no invariants":   {"docs/design.md", "## Invariants", "## Principles", "has no invariants"},
		"numbers skipped": {"docs/design.md", "2. **Commit", "3. **Commit", "is number 2"},
	} {
		root := repository(t, map[string]string{})
		path := filepath.Join(root, test.page)
		text, err := os.ReadFile(path)
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(path, []byte(strings.Replace(string(text), test.old, test.changed, 1)), 0o600))
		require.ErrorContains(t, run(root, ""), test.complaint, name)
	}
}
