package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"tidemark/schemas"
)

func TestCatalogueSchemaIsPrinted(t *testing.T) {
	t.Parallel()
	got := tidemark(t, nil, "catalogue", "schema")
	require.Equal(t, exitOK, got.code, got.stderr)
	require.Equal(t, string(schemas.JSONSchema), got.stdout)
}

func TestCatalogueDiffOfTwoFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	from, to := filepath.Join(dir, "old.yaml"), filepath.Join(dir, "new.yaml")
	require.NoError(t, os.WriteFile(from, []byte("targets: {low_usage: 0.4}\n"), 0o600))
	require.NoError(t, os.WriteFile(to, []byte("targets: {low_usage: 0.3}\n"), 0o600))
	got := tidemark(t, nil, "catalogue", "diff", from, to)
	require.Equal(t, exitOK, got.code, got.stderr)
	require.Equal(t, "~ targets (low_usage)\nNo rebuild is needed: only views change. tidemark migrate makes them.\n", got.stdout)

	require.NoError(t, os.WriteFile(to, []byte("events: {logins: [Entered]}\ntargets: {low_usage: 0.4}\n"), 0o600))
	got = tidemark(t, nil, "catalogue", "diff", from, to)
	require.Equal(t, exitOK, got.code, got.stderr)
	require.Contains(t, got.stdout, "~ metric logins (the events that it names): rows so far are of the other meaning")
	require.Contains(t, got.stdout, "A rebuild is advised")

	got = tidemark(t, nil, "catalogue", "diff", from, from)
	require.Equal(t, "No changes.\n", got.stdout)
	require.NoError(t, os.WriteFile(to, []byte("tragets: {}\n"), 0o600))
	got = tidemark(t, nil, "catalogue", "diff", from, to)
	require.Equal(t, exitFailure, got.code)
	require.Contains(t, got.stderr, `new.yaml:1: the file has no key "tragets"; did you mean targets?`)
}

// TestCatalogueDiffAgainstWhatWasApplied: migrate keeps the catalogue, diff and the next migrate compare with it.
func TestCatalogueDiffAgainstWhatWasApplied(t *testing.T) {
	t.Parallel()
	b := startBackends(t)
	got := tidemark(t, b.env, "catalogue", "diff")
	require.Equal(t, exitFailure, got.code)
	require.Contains(t, got.stderr, "run tidemark migrate, or name two files to compare")
	b.migrate(t)
	got = tidemark(t, b.env, "catalogue", "diff")
	require.Equal(t, exitOK, got.code, got.stderr)
	require.Regexp(t, `^Compared with the catalogue that was applied on \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC:\nNo changes\.\n$`, got.stdout)
	changed := configFile(t, "targets: {low_usage: 0.3}\n")
	got = tidemark(t, b.env, "catalogue", "diff", changed)
	require.Contains(t, got.stdout, "\n~ targets (low_usage)\nNo rebuild is needed")
	got = tidemark(t, b.with("TIDEMARK_PIPELINE_CATALOGUE="+changed), "migrate")
	require.Equal(t, exitOK, got.code, got.stderr)
	require.Contains(t, got.stdout, "catalogue: what changes since the last tidemark migrate:\n~ targets (low_usage)\n")
	got = tidemark(t, b.env, "catalogue", "diff", changed)
	require.Contains(t, got.stdout, "No changes.")
}

// testCatalogueTests runs a user's tests as a user does: those that hold, and one that does not.
func testCatalogueTests(t *testing.T, binary string) {
	const file = "../../internal/cataloguetest/testdata/mine_test.yaml"
	out, err := exec.CommandContext(t.Context(), binary, "catalogue", "test", file).CombinedOutput()
	require.NoError(t, err, "%s", out)
	require.Contains(t, string(out), "ok    exports are counted, and are the health of strategic accounts: 5 expectations\n")
	require.Contains(t, string(out), "3 tests passed.\n")

	wrong := configFile(t, `now: 2026-03-10T12:00:00Z
tests:
  - name: one too many
    events: [{type: track, event: Anything, userId: ann, context: {groupId: acme}, messageId: m1, timestamp: 2026-03-09T10:00:00Z}]
    expect: [{view: usage_day, where: {account_id: acme, window_start: 2026-03-09}, columns: {events: 2}}]
`)
	out, err = exec.CommandContext(t.Context(), binary, "catalogue", "test", wrong).CombinedOutput()
	require.Error(t, err)
	require.Contains(t, string(out), `FAIL  one too many
      usage_day where account_id = 'acme' AND window_start = toDateTime('2026-03-09 00:00:00', 'UTC'): events: expected 2, got 1
      from these records:
        telemetry {"context":{"groupId":"acme"},"event":"Anything","messageId":"m1","timestamp":"2026-03-09T10:00:00Z","type":"track","userId":"ann"}
tidemark: catalogue test: 1 of 1 tests failed
`)
}
