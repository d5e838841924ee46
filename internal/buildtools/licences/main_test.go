package main

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestLicences: whatever is linked into the binary has a licence that is known, and one that may not be there is refused.
func TestLicences(t *testing.T) {
	t.Parallel()
	var page strings.Builder
	require.NoError(t, run(&page, "tidemark/cmd/tidemark"))
	require.Regexp(t, `\| github.com/twmb/franz-go \| v[\d.]+ \| BSD-3-Clause \|`, page.String())
	require.Regexp(t, `\| github.com/alecthomas/kong \| v[\d.]+ \| MIT \|`, page.String())
	_, err := classify("GNU AFFERO GENERAL PUBLIC LICENSE\n Version 3")
	require.EqualError(t, err, `"GNU AFFERO GENERAL PUBLIC LICENSE" may not be in the binary; do without the module`)
	_, err = classify("All rights reserved.")
	require.ErrorContains(t, err, "the licence is not known")
	_, err = licencesIn(t.TempDir())
	require.EqualError(t, err, "has no file with a licence")
}
