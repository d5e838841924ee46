package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"tidemark/schemas"
	"tidemark/sinks/clickhouse/views"
)

const root = "../../../.."

func TestDocsAreUpToDate(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, write(dir, root))
	for _, name := range []string{"views.md", "metrics.md"} {
		want, err := os.ReadFile(filepath.Join(dir, name))
		require.NoError(t, err)
		got, err := os.ReadFile(filepath.Join(root, "docs", name))
		require.NoError(t, err)
		require.Equal(t, string(want), string(got), "run go generate ./sinks/clickhouse/views")
	}
}

// TestEveryRowIsAnswered: each row of metrics.md has a view and a test, and no view or test names a row that is not there.
func TestEveryRowIsAnswered(t *testing.T) {
	cat, err := schemas.Builtin()
	require.NoError(t, err)
	answers, err := views.Answers(cat)
	require.NoError(t, err)
	tests, err := golden(root)
	require.NoError(t, err)
	require.Len(t, views.Rows, 41)
	for i, r := range views.Rows {
		require.Equal(t, i+1, r.Number)
		if r.Else == "" {
			require.NotEmpty(t, answers[r.Number], "no view or column says that it answers metrics.md row %d, %s", r.Number, r.Name)
		}
		if r.Number != 26 { // a trigger's
			require.NotEmpty(t, tests[r.Number], "no test says that it holds metrics.md row %d, %s", r.Number, r.Name)
		}
	}
	for row := range answers {
		require.True(t, row >= 1 && row <= 41, row)
	}
	for row := range tests {
		require.True(t, row >= 1 && row <= 41, row)
	}
}

func TestRowsInWords(t *testing.T) {
	require.Equal(t, []int{4}, views.RowsIn("Length (metrics.md row 4)."))
	require.Equal(t, []int{2, 3, 8}, views.RowsIn("metrics.md rows 2, 3 and 8: so"))
	require.Equal(t, []int{1, 2, 3, 7}, views.RowsIn("metrics.md rows 1 to\n3, metrics.md row 7"))
	require.Empty(t, views.RowsIn("row 4"))
}
