package devclickhouse

import (
	"archive/tar"
	"bytes"
	"crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/klauspost/compress/gzip"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"tidemark/deploy/engine"
)

// registry is a small npm registry on this machine, which the real npm is pointed at.
type registry struct {
	pinned    engine.Pinned
	library   []byte
	tarball   []byte
	integrity string // As the registry tells it.
	token     string // Wanted for the tarball, if set.
	cut       bool   // The tarball's transfer breaks off.
	downloads atomic.Int64
}

func newRegistry(t *testing.T) *registry {
	t.Helper()
	if _, err := exec.LookPath("npm"); err != nil && os.Getenv("CI") != "true" {
		t.Skip("npm is not installed")
	}
	library := bytes.Repeat([]byte("engine "), 50_000)
	tarball := newTarball(t, map[string][]byte{"package/package.json": []byte("{}"), "package/libfake.so": library, "package/x.node": {1}})
	sum := sha512.Sum512(tarball)
	r := &registry{library: library, tarball: tarball, integrity: "sha512-" + base64.StdEncoding.EncodeToString(sum[:])}
	r.pinned = engine.Pinned{Version: "1.2.3", Platform: engine.Platform{
		Package: "@fake/lib", Integrity: r.integrity, Library: "libfake.so",
		TarballBytes: int64(len(tarball)), LibraryBytes: int64(len(library)),
	}}
	server := httptest.NewServer(r)
	t.Cleanup(server.Close)
	t.Setenv("npm_config_registry", server.URL)
	t.Setenv("npm_config_cache", t.TempDir())
	t.Setenv("npm_config_fetch_retries", "0")
	config := filepath.Join(t.TempDir(), "npmrc")
	require.NoError(t, os.WriteFile(config, []byte(strings.TrimPrefix(server.URL, "http:")+"/:_authToken=secret\n"), 0o600))
	t.Setenv("npm_config_userconfig", config)
	return r
}

func newTarball(t *testing.T, files map[string][]byte) []byte {
	t.Helper()
	var out bytes.Buffer
	zipped := gzip.NewWriter(&out)
	w := tar.NewWriter(zipped)
	for name, content := range files {
		require.NoError(t, w.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: int64(len(content))}))
		_, err := w.Write(content)
		require.NoError(t, err)
	}
	require.NoError(t, w.Close())
	require.NoError(t, zipped.Close())
	return out.Bytes()
}

func (r *registry) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	if !strings.HasSuffix(req.URL.Path, ".tgz") {
		_ = json.NewEncoder(w).Encode(map[string]any{
			"name": r.pinned.Package, "dist-tags": map[string]string{"latest": r.pinned.Version},
			"versions": map[string]any{r.pinned.Version: map[string]any{
				"name": r.pinned.Package, "version": r.pinned.Version,
				"dist": map[string]string{"tarball": "http://" + req.Host + "/lib.tgz", "integrity": r.integrity},
			}},
		})
		return
	}
	r.downloads.Add(1)
	if r.token != "" && req.Header.Get("Authorization") != "Bearer "+r.token {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	body := r.tarball
	if r.cut {
		w.Header().Set("Content-Length", "1000000") // More than comes.
	}
	_, _ = w.Write(body)
}

func requireOnlyLibrary(t *testing.T, r *registry, path string) {
	t.Helper()
	got, err := os.ReadFile(path)
	require.NoError(t, err)
	require.True(t, bytes.Equal(r.library, got))
	entries, err := os.ReadDir(filepath.Dir(path))
	require.NoError(t, err)
	require.Len(t, entries, 2, "the library and the lock")
}

func requireNothingKept(t *testing.T, dir string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, entries, 1, "only the lock")
}

func TestFetchDownloadsOnceWithProgress(t *testing.T) {
	r := newRegistry(t)
	dir := t.TempDir()
	var last int64
	progress := func(done, total int64) {
		require.Greater(t, done, last)
		require.Equal(t, r.pinned.TarballBytes, total)
		last = done
	}
	for range 2 {
		path, err := ensure(t.Context(), dir, r.pinned, progress)
		require.NoError(t, err)
		require.Equal(t, filepath.Join(dir, "libfake.so"), path)
		requireOnlyLibrary(t, r, path)
	}
	require.Equal(t, r.pinned.TarballBytes, last)
	require.EqualValues(t, 1, r.downloads.Load())
}

func TestFetchHappensOnceForTwoCallers(t *testing.T) {
	r := newRegistry(t)
	dir := t.TempDir()
	var group errgroup.Group
	for range 2 {
		group.Go(func() error {
			_, err := ensure(t.Context(), dir, r.pinned, nil)
			return err
		})
	}
	require.NoError(t, group.Wait())
	require.EqualValues(t, 1, r.downloads.Load())
}

func TestFetchReplacesALibraryThatWasCutShort(t *testing.T) {
	r := newRegistry(t)
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "libfake.so"), r.library[:100], 0o600))
	path, err := ensure(t.Context(), dir, r.pinned, nil)
	require.NoError(t, err)
	requireOnlyLibrary(t, r, path)
}

func TestFetchFallsBackToNPMPack(t *testing.T) {
	r := newRegistry(t)
	r.token = "secret" // Known to npm, not to us.
	path, err := ensure(t.Context(), t.TempDir(), r.pinned, nil)
	require.NoError(t, err)
	requireOnlyLibrary(t, r, path)
	require.EqualValues(t, 2, r.downloads.Load())
}

func TestFetchRefusesAnotherPackageThanPinned(t *testing.T) {
	r := newRegistry(t)
	r.integrity = "sha512-" + base64.StdEncoding.EncodeToString(make([]byte, 64))
	dir := t.TempDir()
	_, err := ensure(t.Context(), dir, r.pinned, nil)
	require.ErrorIs(t, err, errIntegrity)
	require.ErrorContains(t, err, "npm's registry offers sha512-AAAA")
	require.Zero(t, r.downloads.Load())
	requireNothingKept(t, dir)
}

func TestFetchRefusesATamperedTarball(t *testing.T) {
	r := newRegistry(t)
	dir := t.TempDir()
	evil := append([]byte("evil"), r.library[4:]...)
	genuine := r.tarball
	r.tarball = newTarball(t, map[string][]byte{"package/libfake.so": evil})
	_, err := ensure(t.Context(), dir, r.pinned, nil)
	require.ErrorIs(t, err, errIntegrity)
	require.EqualValues(t, 1, r.downloads.Load(), "another try would not help")
	requireNothingKept(t, dir)

	for name, tarball := range map[string][]byte{
		"no library":    newTarball(t, map[string][]byte{"package/x": {1}}),
		"not a tarball": []byte("<html>please log in</html>"),
		"appended":      append(bytes.Clone(genuine), "more"...),
	} {
		dir := t.TempDir()
		_, err := unpack(bytes.NewReader(tarball), dir, r.pinned, nil)
		require.ErrorIs(t, err, errIntegrity, name)
		require.NoFileExists(t, filepath.Join(dir, r.pinned.Library), name)
	}
}

func TestFetchReportsABrokenTransfer(t *testing.T) {
	r := newRegistry(t)
	r.cut = true
	dir := t.TempDir()
	_, err := ensure(t.Context(), dir, r.pinned, nil)
	require.ErrorContains(t, err, "unexpected EOF")
	require.ErrorContains(t, err, "then with npm pack")
	requireNothingKept(t, dir)
}

func TestFetchWithoutNPMSaysWhatToDo(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	t.Setenv(EngineDirEnv, t.TempDir())
	_, err := EnsureLibrary(t.Context(), nil)
	require.ErrorIs(t, err, ErrNoNPM)
	require.ErrorContains(t, err, "install Node.js")
}

func TestFetchChecksTheFreeSpaceFirst(t *testing.T) {
	r := newRegistry(t)
	r.pinned.LibraryBytes = 1 << 60
	_, err := ensure(t.Context(), t.TempDir(), r.pinned, nil)
	require.ErrorContains(t, err, "MB free, the ClickHouse engine needs 1099511627840 MB: free some space, or set "+EngineDirEnv)
	require.Zero(t, r.downloads.Load())
}

// A sparse file of the right size stands for the library: it is found where the variable says, by version, without npm.
func TestEngineDirVariableNamesTheCache(t *testing.T) {
	pinned, err := engine.Load()
	require.NoError(t, err)
	base := t.TempDir()
	want := filepath.Join(base, pinned.Version, pinned.Library)
	require.NoError(t, os.Mkdir(filepath.Dir(want), 0o750))
	require.NoError(t, os.WriteFile(want, nil, 0o600))
	require.NoError(t, os.Truncate(want, pinned.LibraryBytes))
	t.Setenv("PATH", t.TempDir())
	t.Setenv(EngineDirEnv, base)
	path, err := EnsureLibrary(t.Context(), nil)
	require.NoError(t, err)
	require.Equal(t, want, path)
}
