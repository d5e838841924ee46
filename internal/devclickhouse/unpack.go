package devclickhouse

import (
	"archive/tar"
	"crypto/sha512"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/klauspost/compress/gzip"

	"tidemark/deploy/engine"
)

// errIntegrity means that what the registry serves is not what was pinned. Another try would not help.
var errIntegrity = errors.New("the engine's package is not the pinned one, so it is not used")

// unpack reads an npm tarball, writes the one library in it to dir and returns its path. The whole tarball is hashed on
// the way, and the library is removed again if the hash is not the pinned one.
func unpack(tarball io.Reader, dir string, pinned engine.Pinned, progress func(done, total int64)) (string, error) {
	hash := sha512.New()
	source := io.TeeReader(&progressReader{Reader: tarball, total: pinned.TarballBytes, report: progress}, hash)
	path := filepath.Join(dir, pinned.Library)
	unpackErr := unpackLibrary(source, path, pinned)
	// The hash is of the whole tarball, and it is what tells a wrong package from a broken transfer.
	if _, err := io.Copy(io.Discard, source); err != nil {
		return "", errors.Join(fmt.Errorf("read the tarball: %w", err), remove(path))
	}
	if got := "sha512-" + base64.StdEncoding.EncodeToString(hash.Sum(nil)); got != pinned.Integrity {
		return "", errors.Join(fmt.Errorf("%w: its hash is %s, pinned is %s", errIntegrity, got, pinned.Integrity), remove(path))
	}
	if unpackErr != nil {
		return "", errors.Join(fmt.Errorf("unpack the tarball: %w", unpackErr), remove(path))
	}
	return path, nil
}

func unpackLibrary(source io.Reader, path string, pinned engine.Pinned) error {
	unzipped, err := gzip.NewReader(source)
	if err != nil {
		return err
	}
	files := tar.NewReader(unzipped)
	for {
		header, err := files.Next()
		if errors.Is(err, io.EOF) {
			return fmt.Errorf("there is no package/%s in it", pinned.Library)
		}
		if err != nil {
			return err
		}
		if header.Name != "package/"+pinned.Library {
			continue
		}
		if header.Size != pinned.LibraryBytes {
			return fmt.Errorf("%s has %d bytes, pinned are %d", header.Name, header.Size, pinned.LibraryBytes)
		}
		return writeFile(path, files)
	}
}

func writeFile(path string, content io.Reader) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o640)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, content)
	// Synced before it gets its name: after a power cut a cached library must be whole.
	return errors.Join(err, f.Sync(), f.Close())
}

func remove(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}
