package backtest

import (
	"testing"

	"github.com/stretchr/testify/require"

	"tidemark/schemas"
	"tidemark/schemas/rules"
	"tidemark/sinks/clickhouse/views"
)

func shipped(t *testing.T) []*rules.Rule {
	t.Helper()
	cat, err := schemas.Builtin()
	require.NoError(t, err)
	tables, err := views.Tables(cat)
	require.NoError(t, err)
	all, err := rules.Load(cat, tables)
	require.NoError(t, err)
	return all
}

func TestPackPassesItsUnitTests(t *testing.T) {
	f, err := ReadTests("testdata/pack.yaml")
	require.NoError(t, err)
	all := shipped(t)
	fires := map[string]bool{}
	for _, test := range f.Tests {
		failures, err := test.Run(all)
		require.NoError(t, err)
		assertEmpty(t, test.Name, failures)
		for _, a := range test.Alerts {
			fires[a.Rule] = true
		}
	}
	for _, r := range all {
		require.True(t, fires[r.Name], "no test fires the rule %s", r.Name)
	}
}

func TestAWrongExpectationFails(t *testing.T) {
	f, err := Parse("t.yaml", []byte(`tests: [{name: n, of: [escalations], values: {support_30d.escalated: "3 3"}, alerts: [{at: 1, rule: escalations}]}]`))
	require.NoError(t, err)
	failures, err := f.Tests[0].Run(shipped(t))
	require.NoError(t, err)
	require.Equal(t, []string{"expected: 1 escalations fired", "got:      0 escalations fired"}, failures)
}

func TestMistakesInTestsAreNamed(t *testing.T) {
	for text, want := range map[string]string{
		`tests: []`: "t.yaml: there are no tests",
		`tests: [{name: n, values: {support_30d.escalated: "3x"}}]`:                            `t.yaml:1: test "n": support_30d.escalated: line 1: "3x"`,
		`tests: [{name: n, of: [escalation], values: {support_30d.escalated: "3 3"}}]`:         "there is no rule escalation; did you mean escalations?",
		`tests: [{name: n, of: [escalations], values: {support_30d.escalatd: "3 3"}}]`:         "no rule that is played reads support_30d.escalatd; did you mean support_30d.escalated?",
		`tests: [{name: n, of: [escalations], values: {support_30d.escalated: 3}}]`:            "no series says how long it takes",
		`tests: [{name: n, of: [escalations_burst], values: {support_hour.escalated: "3 3"}}]`: "rule escalations_burst is judged every 1h0m0s",
		`tests: [{name: n, vals: {}}]`:                                                         `t.yaml:1: tests has no key "vals"; did you mean values?`,
	} {
		f, err := Parse("t.yaml", []byte(text))
		if err == nil {
			_, err = f.Tests[0].Run(shipped(t))
		}
		require.ErrorContains(t, err, want)
	}
}

func assertEmpty(t *testing.T, name string, failures []string) {
	t.Helper()
	for _, f := range failures {
		t.Errorf("%s: %s", name, f)
	}
}
