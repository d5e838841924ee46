package config

import (
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestParseSize(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]Size{"0": 0, "17": 17, "17B": 17, "32KB": 32768, "32 KB": 32768, "1MB": 1 << 20, "2GB": 2 << 30} {
		got, err := ParseSize(text)
		require.NoError(t, err)
		require.Equal(t, want, got, text)
	}
	for _, text := range []string{"", "KB", "-1", "1.5MB", "1kb", "1TB", "9223372036854775807KB"} {
		_, err := ParseSize(text)
		require.Error(t, err, text)
	}
}

func TestSizeRoundTrip(t *testing.T) {
	t.Parallel()
	require.Equal(t, "500KB", (500 * Kilobyte).String())
	require.Equal(t, "1025B", Size(1025).String())
	rapid.Check(t, func(t *rapid.T) {
		size := Size(rapid.Int64Min(0).Draw(t, "size"))
		got, err := ParseSize(size.String())
		require.NoError(t, err)
		require.Equal(t, size, got)
	})
}
