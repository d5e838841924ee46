package main

import (
	"os"
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
