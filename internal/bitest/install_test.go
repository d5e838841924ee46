package bitest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

//go:embed node/package.json node/package-lock.json node/read.mjs python/requirements.txt python/read.py
var files embed.FS

const (
	installTimeout = 5 * time.Minute
	readTimeout    = 5 * time.Minute // on a busy machine
)

// nodeClient returns the command that reads a plan with @clickhouse/client. Without npm it skips the test, but not where
// CI=true.
func nodeClient(t *testing.T) []string {
	t.Helper()
	if _, err := exec.LookPath("npm"); err != nil {
		require.NotEqual(t, "true", os.Getenv("CI"), "npm is missing: install Node.js 20 or later with npm")
		t.Skip("npm is missing: install Node.js 20 or later with npm to test the Node client")
	}
	dir := install(t, "node", []string{"package.json", "package-lock.json", "read.mjs"}, "", func(dir string) {
		run(t, installTimeout, dir, "npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts")
	})
	return []string{"node", filepath.Join(dir, "read.mjs")}
}

// pythonClient returns the command that reads a plan with clickhouse-connect.
func pythonClient(t *testing.T) []string {
	t.Helper()
	python, err := exec.LookPath("python3")
	require.NoError(t, err, "python3 is missing: install Python 3.10 or later")
	version := run(t, installTimeout, "", python, "--version")
	dir := install(t, "python", []string{"requirements.txt", "read.py"}, string(version), func(dir string) {
		run(t, installTimeout, dir, python, "-m", "venv", "venv")
		run(t, installTimeout, dir, filepath.Join(dir, "venv", "bin", "python"), "-m", "pip", "install", "--quiet", "--requirement", "requirements.txt")
	})
	return []string{filepath.Join(dir, "venv", "bin", "python"), filepath.Join(dir, "read.py")}
}

// install copies the named files of a language into a cache directory of their content and calls setUp there, once: tests
// of several processes wait for the one that does it. An unfinished installation is thrown away.
func install(t *testing.T, language string, names []string, version string, setUp func(dir string)) string {
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
	require.NoError(t, err, "no cache directory for the clients: set HOME or XDG_CACHE_HOME")
	root := filepath.Join(cache, "tidemark", "bi")
	dir := filepath.Join(root, language+"-"+hex.EncodeToString(sum.Sum(nil))[:16])
	require.NoError(t, os.MkdirAll(root, 0o750))
	lock, err := os.OpenFile(dir+".lock", os.O_CREATE|os.O_RDWR, 0o600)
	require.NoError(t, err)
	defer func() { require.NoError(t, lock.Close()) }()
	require.NoError(t, syscall.Flock(int(lock.Fd()), syscall.LOCK_EX))

	complete := filepath.Join(dir, ".complete")
	if _, err := os.Stat(complete); err == nil {
		return dir
	}
	require.NoError(t, os.RemoveAll(dir))
	require.NoError(t, os.MkdirAll(dir, 0o750))
	for name, content := range contents {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), content, 0o600))
	}
	setUp(dir)
	require.NoError(t, os.WriteFile(complete, nil, 0o600))
	return dir
}

// run runs a program in dir and returns its standard output. It fails the test, with all of the output, when the program
// does not succeed in time.
func run(t *testing.T, timeout time.Duration, dir, program string, args ...string) []byte {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), timeout)
	defer cancel()
	command := exec.CommandContext(ctx, program, args...)
	command.Dir = dir
	command.WaitDelay = 5 * time.Second
	var stdout, stderr bytes.Buffer
	command.Stdout, command.Stderr = &stdout, &stderr
	err := command.Run()
	require.NoError(t, err, "%s\n%s\n%s", command, stdout.Bytes(), stderr.Bytes())
	return stdout.Bytes()
}
