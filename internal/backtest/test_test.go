package backtest

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tidemark/schemas"
	"tidemark/schemas/rules"
	"tidemark/sinks/clickhouse/views"
)

// loaded are the rules of a text, without the pack; empty: the pack.
func loaded(t *testing.T, text string) []*rules.Rule {
	t.Helper()
	cat, err := schemas.Builtin()
	require.NoError(t, err)
	tables, err := views.Tables(cat)
	require.NoError(t, err)
	path := filepath.Join(t.TempDir(), "own.yaml")
	require.NoError(t, os.WriteFile(path, []byte("pack: none\n"+text), 0o600))
	all, err := rules.Load(cat, tables, path)
	require.NoError(t, err)
	return all
}

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
		failures, err := test.Run(all, nil)
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

// TestEveryRuleOfThePackHasATestOfRecords: which cmd/tidemark TestDev runs.
func TestEveryRuleOfThePackHasATestOfRecords(t *testing.T) {
	f, err := ReadTests("testdata/pack_records.yaml")
	require.NoError(t, err)
	fires := map[string]bool{}
	for _, test := range f.Tests {
		require.True(t, test.Happens(), test.Name)
		for _, a := range test.Alerts {
			fires[a.Rule] = true
		}
	}
	for _, r := range shipped(t) {
		require.True(t, fires[r.Name], "no test of records fires the rule %s", r.Name)
	}
}

// TestRecordsOfATest: they are the account's and have ids of their own unless they say otherwise, and repeat as they say.
func TestRecordsOfATest(t *testing.T) {
	f, err := Parse("t.yaml", []byte(`
now: 2026-04-01T00:00:00Z
tests:
  - name: n
    account: acme
    events:
      - {event: Seen, userId: "u{n}", timestamp: 2026-03-10T10:00:00Z, repeat: {every: 1d, times: 2}}
      - {type: group, userId: u, groupId: acme, messageId: m, timestamp: "2026-03-10T10:00:00Z"}
    tickets: [{ticket_id: t, occurred_at: 2026-03-10T10:00:00Z, kind: created}]
`))
	require.NoError(t, err)
	records, err := f.Tests[0].records(f.Now)
	require.NoError(t, err)
	var got []string
	for _, r := range records {
		got = append(got, r.Topic+" "+r.At.Format(time.DateOnly)+" "+string(r.Value))
	}
	require.Equal(t, []string{
		`telemetry 2026-03-10 {"context":{"groupId":"acme"},"event":"Seen","messageId":"acme-0-0","timestamp":"2026-03-10T10:00:00Z","type":"track","userId":"u0"}`,
		`telemetry 2026-03-11 {"context":{"groupId":"acme"},"event":"Seen","messageId":"acme-0-1","timestamp":"2026-03-11T10:00:00Z","type":"track","userId":"u1"}`,
		`telemetry 2026-03-10 {"groupId":"acme","messageId":"m","timestamp":"2026-03-10T10:00:00Z","type":"group","userId":"u"}`,
		`tickets 2026-03-10 {"account_id":"acme","kind":"created","occurred_at":"2026-03-10T10:00:00Z","source_event_id":"acme-0-0","ticket_id":"t"}`,
	}, got)
	f.Tests[0].Events[0]["repeat"] = map[string]any{"every": "daily", "times": 2}
	_, err = f.Tests[0].records(f.Now)
	require.ErrorContains(t, err, "is not of the kind {every: 1d, times: 3}")
}

func TestAWrongExpectationFails(t *testing.T) {
	f, err := Parse("t.yaml", []byte(`tests: [{name: n, of: [escalations], values: {support_30d.escalated: "3 3"}, alerts: [{at: 1, rule: escalations}]}]`))
	require.NoError(t, err)
	failures, err := f.Tests[0].Run(shipped(t), nil)
	require.NoError(t, err)
	require.Equal(t, []string{"expected: 1 escalations fired", "got:      0 escalations fired"}, failures)
}

func TestMistakesInTestsAreNamed(t *testing.T) {
	for text, want := range map[string]string{
		`tests: []`: "t.yaml: there are no tests",
		`tests: [{name: n, account: acme, tickets: [{kind: created}]}]`:                                        `t.yaml:1: test "n": now is missing at the top of the file`,
		`{now: 2026-04-01T00:00:00Z, tests: [{name: n, tickets: [{kind: created}]}]}`:                          "account is missing",
		`{now: 2026-04-01T00:00:00Z, tests: [{name: n, account: acme, values: {support_30d.escalated: "3"}}]}`: "it has values and records",
		`{now: 2026-01-01T00:00:00Z, tests: [{name: n, account: acme, tickets: [{kind: created}]}]}`:           "start is not before now",
		`tests: [{name: n, values: {support_30d.escalated: "3x"}}]`:                                            `t.yaml:1: test "n": support_30d.escalated: line 1: "3x"`,
		`tests: [{name: n, of: [escalation], values: {support_30d.escalated: "3 3"}}]`:                         "there is no rule escalation; did you mean escalations?",
		`tests: [{name: n, of: [escalations], values: {support_30d.escalatd: "3 3"}}]`:                         "no rule that is played reads support_30d.escalatd; did you mean support_30d.escalated?",
		`tests: [{name: n, of: [escalations], values: {support_30d.escalated: 3}}]`:                            "no series says how long it takes",
		`tests: [{name: n, of: [escalations_burst], values: {support_hour.escalated: "3 3"}}]`:                 "rule escalations_burst is judged every 1h0m0s",
		`tests: [{name: n, vals: {}}]`: `t.yaml:1: tests has no key "vals"; did you mean values?`,
	} {
		f, err := Parse("t.yaml", []byte(text))
		if err == nil {
			_, err = f.Tests[0].Run(shipped(t), nil)
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
