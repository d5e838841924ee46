package engine

import (
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestEveryPlatformIsPinnedWhole(t *testing.T) {
	var m Manifest
	require.NoError(t, json.Unmarshal(manifestJSON, &m))
	require.Contains(t, m.Platforms, "linux/amd64")
	for name := range m.Platforms {
		pinned, err := load(manifestJSON, name)
		require.NoError(t, err)
		require.NotEmpty(t, pinned.Version, name)
		require.NotEmpty(t, pinned.Package, name)
		require.NotEmpty(t, pinned.Library, name)
		require.Positive(t, pinned.TarballBytes, name)
		require.Positive(t, pinned.LibraryBytes, name)
		hash, isSHA512 := strings.CutPrefix(pinned.Integrity, "sha512-")
		require.True(t, isSHA512, name)
		sum, err := base64.StdEncoding.DecodeString(hash)
		require.NoError(t, err, name)
		require.Len(t, sum, 64, name)
	}
}

func TestOtherPlatformsAreToldWhatToDo(t *testing.T) {
	_, err := load(manifestJSON, "plan9/arm")
	require.ErrorContains(t, err, "runs on linux/amd64 only, this is plan9/arm: start a ClickHouse server yourself")
	_, err = load([]byte("{"), "linux/amd64")
	require.ErrorContains(t, err, "read the engine manifest")
}
