package devclickhouse

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestLogIsCutOnlyWhenLarge(t *testing.T) {
	path := filepath.Join(t.TempDir(), "engine.log")
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	require.NoError(t, err)
	write := func(text string) {
		_, err := f.WriteString(text)
		require.NoError(t, err)
	}
	requireSize := func(size int64) {
		info, err := os.Stat(path)
		require.NoError(t, err)
		require.Equal(t, size, info.Size())
	}
	write(strings.Repeat("x", 100))
	require.NoError(t, cutLog(path, 100))
	requireSize(100)
	write("x")
	require.NoError(t, cutLog(path, 100))
	requireSize(0)
	write("goes on at the start")
	requireSize(20)
	require.NoError(t, f.Close())
	require.Error(t, cutLog(path+"x", 100))
}

func TestTailLeavesOutStackFrames(t *testing.T) {
	path := filepath.Join(t.TempDir(), "engine.log")
	text := strings.Repeat("old\n", 10_000) + "Code: 1. Broken:\n\n0. ? @ 0x000000001c8fa4b3\n12. start_thread @ 0x00000000000891f5\n (version 1)\n"
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	got, err := tail(path)
	require.NoError(t, err)
	require.LessOrEqual(t, len(got), logTail)
	require.True(t, strings.HasSuffix(got, "old\nCode: 1. Broken:\n\n (version 1)"), got)
}
