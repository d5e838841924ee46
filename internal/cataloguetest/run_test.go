package cataloguetest_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"tidemark/internal/cataloguetest"
	"tidemark/internal/devclickhouse"
	"tidemark/internal/devclickhouse/chtest"
	"tidemark/schemas"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// start reads a file of tests and starts an engine with its catalogue.
func start(t *testing.T, path string) (*cataloguetest.File, *cataloguetest.Runner) {
	t.Helper()
	file, err := cataloguetest.Read(path)
	require.NoError(t, err)
	catalogue, err := schemas.Load(file.Catalogue)
	require.NoError(t, err)
	r, err := cataloguetest.Start(t.Context(), cataloguetest.Options{
		Catalogue: catalogue, Now: file.Now,
		Engine:   devclickhouse.Options{Dir: t.TempDir(), EngineCommand: chtest.Command(t)},
		Pipeline: cataloguetest.Pipeline(),
	})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, r.Close()) })
	return file, r
}

// TestAUsersCatalogueEndToEnd: a metric, a workflow, a goal, a segment, a survey and a health profile in YAML alone, by a user's own tests.
func TestAUsersCatalogueEndToEnd(t *testing.T) {
	file, r := start(t, "testdata/mine_test.yaml")
	for _, test := range file.Tests {
		result, err := r.Run(t.Context(), test)
		require.NoError(t, err, test.Name)
		require.Empty(t, result.Failures, test.Name)
		require.Equal(t, len(test.Expect), result.Expectations)
	}

	wrong := file.Tests[0]
	rows, none := 2, 0
	wrong.Expect = []cataloguetest.Expectation{
		{View: "usage_day", Where: map[string]any{"account_id": "acme", "window_start": "2026-03-09"}, Columns: map[string]any{"enterprise_exports": 2, "events": 3, "mrr": 0, "plan": nil}},
		{View: "workflow_runs", Rows: &rows},
		{View: "usage_day", Where: map[string]any{"account_id": "none"}, Columns: map[string]any{"events": 1}},
		{View: "tickets", Rows: &none},
	}
	wrong.DeadLetters = 1
	result, err := r.Run(t.Context(), wrong)
	require.NoError(t, err)
	const where = "usage_day where account_id = 'acme' AND window_start = '2026-03-09': "
	require.Equal(t, []string{
		"0 records were refused, expected 1 (dead_letters)",
		where + "enterprise_exports: expected 2, got 1",
		where + "mrr: expected 0, got NULL",
		where + "plan: expected NULL, got enterprise",
		"workflow_runs: expected 2 rows, got 1",
		"usage_day where account_id = 'none': expected 1 row, got 0",
	}, result.Failures)
	require.Len(t, result.Events, 8)
	require.Contains(t, result.Events[2], `telemetry {"event":"Query Run"`)

	wrong.Expect = []cataloguetest.Expectation{{View: "usage_dya", Rows: &rows}}
	_, err = r.Run(t.Context(), wrong)
	require.ErrorContains(t, err, "there is no view usage_dya; did you mean usage_day?")
	wrong.Expect = []cataloguetest.Expectation{{View: "usage_day", Columns: map[string]any{"enterprise_export": 1}}}
	_, err = r.Run(t.Context(), wrong)
	require.ErrorContains(t, err, "the view usage_day has no column enterprise_export; did you mean enterprise_exports?")
}

func TestMistakesInTestsNameTheLine(t *testing.T) {
	for name, tc := range map[string]struct{ yaml, want string }{
		"no time":       {"tests: [{name: a, expect: [{view: v, rows: 0}]}]\n", "now is missing"},
		"no tests":      {"now: 2026-03-10T12:00:00Z\n", "there are no tests"},
		"unknown key":   {"now: 2026-03-10T12:00:00Z\ntests:\n  - titel: a\n", `t.yaml:3: tests has no key "titel"; there are name, `},
		"no name":       {"now: 2026-03-10T12:00:00Z\ntests:\n  - expect: [{view: v, rows: 0}]\n", "t.yaml:3: a test needs a name"},
		"expects none":  {"now: 2026-03-10T12:00:00Z\ntests:\n  - name: a\n", `t.yaml:3: test "a" expects nothing`},
		"expects what":  {"now: 2026-03-10T12:00:00Z\ntests:\n  - name: a\n    expect:\n      - view: v\n", `t.yaml:5: test "a": an expectation needs view, and columns or rows`},
		"rows, columns": {"now: 2026-03-10T12:00:00Z\ntests:\n  - {name: a, expect: [{view: v, rows: 2, columns: {a: 1}}]}\n", "columns are of one row"},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "t.yaml")
			require.NoError(t, os.WriteFile(path, []byte(tc.yaml), 0o600))
			_, err := cataloguetest.Read(path)
			require.ErrorContains(t, err, tc.want)
		})
	}
}
