package main

import (
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"tidemark/internal/devclickhouse"
)

// Alerts that are firing are listed, and one of them told from its beginning; what is over is told, but not listed.
func TestTriggersLsAndExplain(t *testing.T) {
	t.Parallel()
	b := startBackends(t)
	b.migrate(t)
	writer := b.store.Open(t, devclickhouse.Writer)
	require.NoError(t, writer.Exec(t.Context(), `INSERT INTO alert_transitions
		(id, alert_id, seq, kind, rule, account_id, episode, severity, level, value, at, known_at, final, playbook, targets, payload) VALUES
		('tr_1', 'al_1', 1, 'fired', 'escalations', 'acme', 2, 'warning', 0, 3, '2026-03-01 10:00:00', '2026-03-01 10:00:01', false, 'win-back', ['crm', 'chat'], '{"value":3}'),
		('tr_2', 'al_1', 2, 'level', 'escalations', 'acme', 2, 'warning', 1, 5, '2026-03-02 10:00:00', '2026-03-02 10:00:01', true, 'win-back', ['crm'], '{"value":5}'),
		('tr_3', 'al_2', 1, 'fired', 'escalations', 'beta', 1, 'warning', 0, 4, '2026-03-01 11:00:00', '2026-03-01 11:00:01', true, 'win-back', [], '{"value":4}'),
		('tr_4', 'al_2', 2, 'resolved', 'escalations', 'beta', 1, 'warning', 0, 0, '2026-03-01 12:00:00', '2026-03-01 12:00:01', true, 'win-back', [], '{"value":0}'),
		('tr_5', 'al_3', 1, 'fired', 'silent', 'acme', 1, 'info', 0, NULL, '2026-03-03 10:00:00', '2026-03-03 10:00:01', true, 'call', [], '{}')`))
	ls := func(args ...string) string {
		out := tidemark(t, b.env, append([]string{"triggers", "ls"}, args...)...)
		require.Equal(t, exitOK, out.code, out.stderr)
		head, rows, _ := strings.Cut(regexp.MustCompile(` +`).ReplaceAllString(out.stdout, " "), "\n")
		require.Equal(t, "ALERT RULE ACCOUNT SEVERITY LEVEL VALUE FIRED PLAYBOOK", head)
		return rows
	}
	const first, second = "al_1 escalations acme warning 1 5 2026-03-01T10:00:01Z win-back\n", "al_3 silent acme info 0 - 2026-03-03T10:00:01Z call\n"
	require.Equal(t, second+first, ls())
	require.Equal(t, first, ls("--rule", "escalations", "--account", "acme"))
	require.Empty(t, ls("--account", "beta"))

	for _, id := range []string{"al_1", "tr_1"} {
		out := tidemark(t, b.env, "triggers", "explain", id)
		require.Equal(t, exitOK, out.code, out.stderr)
		require.Regexp(t, `^Alert al_1: rule escalations, account acme, episode 2\.\n.+\nFires \w+: .+\.\nWhen: .+\n
1\. fired \(tr_1\), as of 2026-03-01T10:00:00Z, known at 2026-03-01T10:00:01Z, from a window that was not over; told to: crm, chat
   \{
     "value": 3
   \}

2\. level \(tr_2\), as of 2026-03-02T10:00:00Z, known at 2026-03-02T10:00:01Z, from a complete window; told to: crm
   \{
     "value": 5
   \}
$`, out.stdout)
	}
	require.Contains(t, tidemark(t, b.env, "triggers", "explain", "al_2").stdout, "2. resolved (tr_4)")
	out := tidemark(t, b.env, "triggers", "explain", "al_9")
	require.Equal(t, exitFailure, out.code)
	require.Contains(t, out.stderr, "there is no alert or transition al_9")
	testSilence(t, b)
}

// testSilence makes silences and ends one; what would silence nothing, or everything by mistake, is refused.
func testSilence(t *testing.T, b *backends) {
	t.Helper()
	silence := func(args ...string) outcome {
		return tidemark(t, b.env, append([]string{"triggers", "silence"}, args...)...)
	}
	for _, wrong := range []struct {
		args []string
		says string
	}{
		{nil, "name a rule, an account, or both"},
		{[]string{"--account=acme", "--for=-1h"}, "--for is -1h0m0s"},
		{[]string{"--rule=escalation"}, `there is no rule "escalation"; did you mean escalations?`},
		{[]string{"--end=si_none"}, "there is no silence si_none that is not over"},
	} {
		out := silence(wrong.args...)
		require.Equal(t, exitFailure, out.code, wrong)
		require.Contains(t, out.stderr, wrong.says)
	}
	out := silence("--rule=escalations", "--account=acme", "--for=3h", "--reason=known", "--by=ann")
	require.Equal(t, exitOK, out.code, out.stderr)
	made := regexp.MustCompile(`^(si_\w+): nothing new is fired by escalations rule on acme account until (\S+)\n$`).FindStringSubmatch(out.stdout)
	require.NotNil(t, made, out.stdout)
	require.Equal(t, exitOK, silence("--account=beta").code)
	listed := tidemark(t, b.env, "triggers", "ls", "--silences").stdout
	require.Regexp(t, made[1]+` +escalations +acme +\S+ +`+made[2]+` +ann +known\n`, listed)
	require.Regexp(t, `si_\w+ +any +beta +\S+ +\S+ +\w+@\S+`, listed)
	require.Equal(t, made[1]+": ended\n", silence("--end", made[1]).stdout)
	listed = tidemark(t, b.env, "triggers", "ls", "--silences").stdout
	require.NotContains(t, listed, made[1])
	require.Contains(t, listed, "beta")
}
