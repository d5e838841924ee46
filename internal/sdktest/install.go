package sdktest

import (
	"crypto/sha256"
	"encoding/hex"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const installTimeout = 5 * time.Minute

// installNode returns a directory with send.mjs and the packages of its lock file.
func installNode(t testing.TB) string {
	t.Helper()
	return install(t, "node", []string{"package.json", "package-lock.json", "send.mjs"}, "", func(dir string) {
		run(t, installTimeout, dir, "npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts")
	})
}

// installPython returns a directory with send.py and a virtual environment that
// has its requirements.
func installPython(t testing.TB) string {
	t.Helper()
	python, err := exec.LookPath("python3")
	require.NoError(t, err, "python3 is missing: install Python 3.9 or later")
	version := run(t, installTimeout, "", python, "--version")
	return install(t, "python", []string{"requirements.txt", "send.py"}, string(version), func(dir string) {
		run(t, installTimeout, dir, python, "-m", "venv", "venv")
		run(t, installTimeout, dir, filepath.Join(dir, "venv", "bin", "python"), "-m", "pip", "install", "--quiet", "--requirement", "requirements.txt")
	})
}

// install copies the named files of a language into a cache directory of their
// content and calls setUp there, once: tests of several processes wait for the
// one that does it. An unfinished installation is thrown away.
func install(t testing.TB, language string, names []string, version string, setUp func(dir string)) string {
	t.Helper()
	sum := sha256.New()
	sum.Write([]byte(version))
	contents := map[string][]byte{}
	for _, name := range names {
		content, err := files.ReadFile(language + "/" + name)
		require.NoError(t, err)
		contents[name] = content
		sum.Write(content)
	}
	cache, err := os.UserCacheDir()
	require.NoError(t, err, "no cache directory for the SDKs: set HOME or XDG_CACHE_HOME")
	root := filepath.Join(cache, "tidemark", "sdk")
	dir := filepath.Join(root, language+"-"+hex.EncodeToString(sum.Sum(nil))[:16])
	require.NoError(t, os.MkdirAll(root, 0o755))

	lock, err := os.OpenFile(dir+".lock", os.O_CREATE|os.O_RDWR, 0o644)
	require.NoError(t, err)
	defer func() { require.NoError(t, lock.Close()) }()
	require.NoError(t, syscall.Flock(int(lock.Fd()), syscall.LOCK_EX))

	complete := filepath.Join(dir, ".complete")
	if _, err := os.Stat(complete); err == nil {
		return dir
	}
	require.NoError(t, os.RemoveAll(dir))
	require.NoError(t, os.MkdirAll(dir, 0o755))
	for name, content := range contents {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), content, 0o644))
	}
	setUp(dir)
	require.NoError(t, os.WriteFile(complete, nil, 0o644))
	return dir
}
