package client

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestDocs: the lines that docs/sources.md shows are the example's.
func TestDocs(t *testing.T) {
	page, err := os.ReadFile("../../docs/sources.md")
	require.NoError(t, err)
	example, err := os.ReadFile("example_test.go")
	require.NoError(t, err)
	_, section, found := strings.Cut(string(page), "\n## From Go\n\n")
	require.True(t, found)
	code, _, _ := strings.Cut(section, "\n\n")
	for line := range strings.Lines(code) {
		line, _, _ = strings.Cut(line, "   //")
		require.Contains(t, string(example), strings.TrimSpace(line))
	}
}
