// Package foreign lets tests run programs in other languages with packages from their registries: clients that nobody
// here wrote.
package foreign

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// installTimeout bounds one step of an installation, on a busy machine.
const installTimeout = 5 * time.Minute

// Node returns the command that runs the script node/<script> of files with the packages of node/package-lock.json. The
// first use of the directory on a machine installs them into the user's cache directory. It skips the test where npm is missing, and fails
// it where CI=true.
func Node(t testing.TB, files fs.ReadFileFS, script string) []string {
	t.Helper()
	if _, err := exec.LookPath("npm"); err != nil {
		const missing = "npm is missing: install Node.js 20 or later with npm to test the Node client"
		require.NotEqual(t, "true", os.Getenv("CI"), missing)
		t.Skip(missing)
	}
	dir := install(t, files, "node", "", func(dir string) {
		Run(t, installTimeout, dir, "npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts")
	})
	return []string{"node", filepath.Join(dir, script)}
}

// Python is Node for python/<script> with the packages of python/requirements.txt. It fails the test where python3 is
// missing.
func Python(t testing.TB, files fs.ReadFileFS, script string) []string {
	t.Helper()
	python, err := exec.LookPath("python3")
	require.NoError(t, err, "python3 is missing: install Python 3.10 or later")
	version := Run(t, installTimeout, "", python, "--version")
	dir := install(t, files, "python", string(version), func(dir string) {
		Run(t, installTimeout, dir, python, "-m", "venv", "venv")
		Run(t, installTimeout, dir, filepath.Join(dir, "venv", "bin", "python"), "-m", "pip", "install", "--quiet", "--requirement", "requirements.txt")
	})
	return []string{filepath.Join(dir, "venv", "bin", "python"), filepath.Join(dir, script)}
}

// install copies the files of a language into a cache directory of their
// content and calls setUp there, once: tests of several processes wait for the
// one that does it. An unfinished installation is thrown away.
func install(t testing.TB, files fs.ReadFileFS, language, version string, setUp func(dir string)) string {
	t.Helper()
	sum := sha256.New()
	sum.Write([]byte(version))
	contents := map[string][]byte{}
	entries, err := fs.ReadDir(files, language)
	require.NoError(t, err)
	for _, entry := range entries {
		name := entry.Name()
		content, err := files.ReadFile(language + "/" + name)
		require.NoError(t, err)
		contents[name] = content
		sum.Write(content)
	}
	cache, err := os.UserCacheDir()
	require.NoError(t, err, "no cache directory for the clients: set HOME or XDG_CACHE_HOME")
	root := filepath.Join(cache, "tidemark", "foreign")
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

// Run runs a program in dir and returns its standard output. It fails the test, with all of the output, when the program
// does not succeed in time.
func Run(t testing.TB, timeout time.Duration, dir, program string, args ...string) []byte {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
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
