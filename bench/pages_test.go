package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"tidemark/bench/figures"
	"tidemark/bench/pages"
)

// TestPagesSayWhatWasMeasured writes the pages anew from the figures and requires that nothing changes.
func TestPagesSayWhatWasMeasured(t *testing.T) {
	report, err := figures.Load(filepath.Join("out", "latest.json"))
	require.NoError(t, err)
	require.NotEmpty(t, report, "there are no figures: make bench")
	dir := t.TempDir()
	names := []string{"performance.md", "performance.svg", "scaling.md"}
	for _, name := range names {
		page, err := os.ReadFile(filepath.Join("..", "docs", name))
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), page, 0o600))
	}
	require.NoError(t, pages.Write(dir, report))
	for _, name := range names {
		was, err := os.ReadFile(filepath.Join("..", "docs", name))
		require.NoError(t, err)
		is, err := os.ReadFile(filepath.Join(dir, name))
		require.NoError(t, err)
		require.Equal(t, string(is), string(was), "%s is not of bench/out/latest.json: make bench ARGS=pages", name)
	}
}
