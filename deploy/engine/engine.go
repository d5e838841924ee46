// Package engine pins the library that the embedded ClickHouse runs on: which npm package, version and hash serve each platform.
//
// To upgrade, put the new version into manifest.json with what `npm view PACKAGE@VERSION dist.integrity` and `npm pack` say of it,
// and run the tests of internal/devclickhouse: the way the library is made a server is undocumented, and they are its gates.
// A platform is added the same way, once a registry serves its package to whoever adds it; so far only linux/amd64 is.
package engine

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"runtime"
	"slices"
	"strings"
)

//go:embed manifest.json
var manifestJSON []byte

// Manifest is the content of manifest.json.
type Manifest struct {
	Version   string              `json:"version"`
	Platforms map[string]Platform `json:"platforms"` // By GOOS/GOARCH.
}

// Platform pins the engine library of one operating system and processor.
type Platform struct {
	Package      string `json:"package"`       // Package is the npm package's name.
	Integrity    string `json:"integrity"`     // Integrity is the tarball's hash as npm writes it: sha512-<base64>.
	Library      string `json:"library"`       // Library is the file in the tarball's package folder that is kept.
	TarballBytes int64  `json:"tarball_bytes"` // TarballBytes is the size of the download.
	LibraryBytes int64  `json:"library_bytes"` // LibraryBytes is the size of the unpacked library.
}

// Pinned is the engine library of this machine's platform.
type Pinned struct {
	Version string
	Platform
}

// Load returns the pinned library for this machine, or an error that names the platforms which have one.
func Load() (Pinned, error) {
	return load(manifestJSON, runtime.GOOS+"/"+runtime.GOARCH)
}

func load(manifest []byte, platform string) (Pinned, error) {
	var m Manifest
	if err := json.Unmarshal(manifest, &m); err != nil {
		return Pinned{}, fmt.Errorf("read the engine manifest: %w", err)
	}
	p, ok := m.Platforms[platform]
	if !ok {
		known := make([]string, 0, len(m.Platforms))
		for name := range m.Platforms {
			known = append(known, name)
		}
		slices.Sort(known)
		return Pinned{}, fmt.Errorf("the embedded ClickHouse runs on %s only, this is %s: "+
			"start a ClickHouse server yourself and give its address",
			strings.Join(known, ", "), platform)
	}
	return Pinned{Version: m.Version, Platform: p}, nil
}
