package devclickhouse

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"tidemark/deploy/engine"
)

// EngineDirEnv names the variable that overrides where engine libraries are cached: by default the user's cache directory,
// in tidemark/engine. Each version has its own folder in it.
const EngineDirEnv = "TIDEMARK_ENGINE_DIR"

// fetchSlack is free space wanted beyond the tarball and the library, so that a fetch does not fill the disk to the last byte.
const fetchSlack = 64 << 20

// EnsureLibrary returns the path of the pinned engine library, fetching it through npm if the cache lacks it (178 MB to load,
// 566 MB on disk). progress, which may be nil, is called with the bytes loaded so far and in all. Two processes never
// fetch at the same time: the second waits for the first. Without npm the error is ErrNoNPM.
func EnsureLibrary(ctx context.Context, progress func(done, total int64)) (string, error) {
	pinned, err := engine.Load()
	if err != nil {
		return "", err
	}
	base := os.Getenv(EngineDirEnv)
	if base == "" {
		cache, err := os.UserCacheDir()
		if err != nil {
			return "", fmt.Errorf("no cache directory, set %s: %w", EngineDirEnv, err)
		}
		base = filepath.Join(cache, "tidemark", "engine")
	}
	dir, err := filepath.Abs(filepath.Join(base, pinned.Version))
	if err != nil {
		return "", err
	}
	return ensure(ctx, dir, pinned, progress)
}

func ensure(ctx context.Context, dir string, pinned engine.Pinned, progress func(done, total int64)) (string, error) {
	path := filepath.Join(dir, pinned.Library)
	if complete(path, pinned) {
		return path, nil
	}
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return "", fmt.Errorf("make the engine's cache directory: %w", err)
	}
	lock, err := lockFile(ctx, filepath.Join(dir, "fetch.lock"))
	if err != nil {
		return "", fmt.Errorf("wait for another fetch of the engine: %w", err)
	}
	defer lock.Close() //nolint:errcheck // Nothing was written to it since it was taken.
	if complete(path, pinned) {
		return path, nil
	}
	if err := checkSpace(dir, pinned.TarballBytes+pinned.LibraryBytes+fetchSlack); err != nil {
		return "", err
	}
	work, err := os.MkdirTemp(dir, "fetch-")
	if err != nil {
		return "", err
	}
	unpacked, err := fetch(ctx, work, pinned, progress)
	if err == nil {
		// Renamed last, so that a library that is there is whole and verified.
		err = os.Rename(unpacked, path)
	}
	if err := errors.Join(err, os.RemoveAll(work)); err != nil {
		return "", fmt.Errorf("fetch %s@%s: %w", pinned.Package, pinned.Version, err)
	}
	return path, nil
}

// complete tells whether the library is there. It was verified before it got its name; the size guards against a file
// that was cut short later.
func complete(path string, pinned engine.Pinned) bool {
	info, err := os.Stat(path)
	return err == nil && info.Size() == pinned.LibraryBytes
}

func checkSpace(dir string, need int64) error {
	var fs unix.Statfs_t
	if err := unix.Statfs(dir, &fs); err != nil {
		return fmt.Errorf("ask for the free space of %s: %w", dir, err)
	}
	if free := int64(fs.Bavail) * int64(fs.Bsize); free < need { //nolint:unconvert,gosec // free bytes; its type differs between systems
		return fmt.Errorf("%s has %d MB free, the ClickHouse engine needs %d MB: free some space, or set %s to a directory on another disk",
			dir, free>>20, need>>20, EngineDirEnv)
	}
	return nil
}
