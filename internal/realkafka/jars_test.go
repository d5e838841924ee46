package realkafka_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"tidemark/internal/realkafka"
)

// bareMachine gives this test a PATH with only the named programs (name to shell script) and an empty cache.
func bareMachine(t *testing.T, scripts map[string]string) (cache string) {
	t.Helper()
	bin, home := t.TempDir(), t.TempDir()
	for name, script := range scripts {
		require.NoError(t, os.WriteFile(filepath.Join(bin, name), []byte("#!/bin/sh\n"+script), 0o755))
	}
	t.Setenv("PATH", bin)
	t.Setenv("JAVA_HOME", "")
	t.Setenv("HOME", home)
	t.Setenv("XDG_CACHE_HOME", "")
	cache, err := os.UserCacheDir()
	require.NoError(t, err)
	return filepath.Join(cache, "tidemark", "kafka")
}

const java17 = `echo 'openjdk version "17.0.15" 2025-04-15' >&2`

func TestMissingToolsAreTypedErrors(t *testing.T) {
	for name, tc := range map[string]struct {
		scripts   map[string]string
		tool, why string
	}{
		"no java":  {nil, "java", "install a JDK 17 or newer"},
		"old java": {map[string]string{"java": `echo 'openjdk version "1.8.0_402"' >&2`}, "java", "is version 8"},
		"no maven": {map[string]string{"java": java17}, "mvn", "install Apache Maven"},
	} {
		t.Run(name, func(t *testing.T) {
			bareMachine(t, tc.scripts)
			_, err := realkafka.Start(testContext(t), realkafka.Options{Dir: t.TempDir()})
			var missing *realkafka.MissingToolError
			require.ErrorAs(t, err, &missing)
			require.Equal(t, tc.tool, missing.Tool)
			require.ErrorContains(t, err, tc.why)
		})
	}
}

func TestFailedDownloadLeavesNothingBehind(t *testing.T) {
	cache := bareMachine(t, map[string]string{"java": java17, "mvn": "echo no route to the repository; exit 1"})
	err := realkafka.Fetch(testContext(t))
	require.ErrorContains(t, err, "no route to the repository")
	entries, err := os.ReadDir(cache)
	require.NoError(t, err)
	require.Len(t, entries, 1, "only the lock file may stay")
}
