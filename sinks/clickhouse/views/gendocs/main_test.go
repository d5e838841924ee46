package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"tidemark/schemas"
	"tidemark/sinks/clickhouse/views"
)

const root = "../../../.."

func TestDocsAreUpToDate(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, write(dir, root))
	for _, name := range []string{"views.md", "metrics.md", "tables.md"} {
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

// Each view is traced to the topics that it shows, through whatever views lie between.
func TestLineage(t *testing.T) {
	cat, err := schemas.Builtin()
	require.NoError(t, err)
	all, err := views.Lineages(cat)
	require.NoError(t, err)
	topics, from := map[string][]string{}, map[string][]string{}
	for _, l := range all {
		topics[l.Name] = topicsOfView(l, all)
		for _, c := range l.Columns {
			from[l.Name+"."+c.Name] = c.From
		}
		if !strings.HasPrefix(l.Name, "portfolio_") && !strings.HasPrefix(l.Name, "alert") { // what other views said
			require.NotEmpty(t, topics[l.Name], l.Name)
		}
	}
	require.Equal(t, []string{"telemetry"}, topics["workflow_runs"])
	require.Equal(t, []string{"accounts", "telemetry", "tickets"}, topics["segment_usage_28d"])
	require.Equal(t, []string{"accounts", "telemetry"}, topics["segment_task_times_28d"])
	require.Equal(t, []string{"accounts", "signals"}, topics["meters_day"])
	require.Equal(t, []string{"counters of events"}, from["usage_day.events"])
	require.Equal(t, []string{"members of active_users"}, from["usage_28d.active_users"])
	require.Equal(t, []string{"workflow_runs.task_seconds"}, from["workflows_day.task_seconds"])
}
