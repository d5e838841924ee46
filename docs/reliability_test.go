package docs

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// rows returns the cells of a table's rows, from the line after the one that begins with head to the table's end.
func rows(t *testing.T, text, head string) [][]string {
	t.Helper()
	_, text, found := strings.Cut(text, "\n"+head)
	require.True(t, found, "no table begins with %q", head)
	var table [][]string
	for i, line := range strings.Split(text, "\n") {
		if i < 2 { // the rest of the head, and the rule
			continue
		}
		if !strings.HasPrefix(line, "|") {
			break
		}
		cells := strings.Split(strings.TrimSuffix(strings.TrimPrefix(line, "|"), "|"), "|")
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		table = append(table, cells)
	}
	require.NotEmpty(t, table)
	return table
}

// TestEveryInvariantIsShown holds the table of reliability.md to docs/design.md: each invariant has tests, and a fault whose
// test says what it proves is one of the table's.
func TestEveryInvariantIsShown(t *testing.T) {
	proofs := rows(t, readPage(t, "reliability.md").text, "| fault | 1 ")
	var faults, proving []string
	shown := map[int]int{}
	for _, row := range proofs {
		require.Len(t, row, 1+5, "a fault and five invariants")
		faults = append(faults, row[0])
		for i, cell := range row[1:] {
			tests := all(cell, "`([^`]+)`")
			shown[i+1] += len(tests)
			proving = append(proving, tests...)
		}
	}
	for n := 1; n <= 5; n++ {
		assertion(t, shown[n] >= 5, "%d tests show invariant %d", shown[n], n)
	}
	for _, row := range rows(t, readPage(t, "design.md").text, "| failure | what happens | test |") {
		names := slices.ContainsFunc(all(row[2], "`([^`]+)`"), func(name string) bool { return slices.Contains(proving, name) })
		assertion(t, !names || slices.Contains(faults, row[0]),
			"%q of design.md is no fault of reliability.md, though its test says what it proves: add it to the test's //tidemark:proves", row[0])
	}
}
