package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// moduleEntry is what index/modules.json says of one module. Its vulnerabilities' optional fixed version is left out:
// it only saves govulncheck from opening entries.
type moduleEntry struct {
	Path  string          `json:"path"`
	Vulns []vulnerability `json:"vulns"`
}

type vulnerability struct {
	ID       string    `json:"id"`
	Modified time.Time `json:"modified"`
}

// writeDatabase lays out in dir a database as https://go.dev/doc/security/vuln/database describes it, for the entries
// in the directory osv.
func writeDatabase(dir, osv string) error {
	files, err := filepath.Glob(filepath.Join(osv, "GO-*.json"))
	if err != nil {
		return err
	}
	if len(files) == 0 {
		return fmt.Errorf("%s has no entries", osv)
	}
	var modified time.Time
	modules := map[string]*moduleEntry{}
	for _, file := range files {
		v, paths, err := readEntry(file)
		if err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
		if v.Modified.After(modified) {
			modified = v.Modified
		}
		for _, path := range paths {
			if modules[path] == nil {
				modules[path] = &moduleEntry{Path: path}
			}
			modules[path].Vulns = append(modules[path].Vulns, v)
		}
	}
	if err := os.Mkdir(filepath.Join(dir, "index"), 0o755); err != nil {
		return err
	}
	if err := writeJSON(filepath.Join(dir, "index", "db.json"), map[string]time.Time{"modified": modified}); err != nil {
		return err
	}
	sorted := make([]*moduleEntry, 0, len(modules))
	for _, path := range slices.Sorted(maps.Keys(modules)) {
		sorted = append(sorted, modules[path])
	}
	if err := writeJSON(filepath.Join(dir, "index", "modules.json"), sorted); err != nil {
		return err
	}
	return os.Symlink(osv, filepath.Join(dir, "ID"))
}

// readEntry returns an entry, and the modules that it is about, each once.
func readEntry(file string) (vulnerability, []string, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return vulnerability{}, nil, err
	}
	var entry struct {
		vulnerability
		Affected []struct {
			Package struct{ Name string }
		}
	}
	if err := json.Unmarshal(data, &entry); err != nil {
		return vulnerability{}, nil, err
	}
	var paths []string
	for _, affected := range entry.Affected {
		if !slices.Contains(paths, affected.Package.Name) {
			paths = append(paths, affected.Package.Name)
		}
	}
	return entry.vulnerability, paths, nil
}

func writeJSON(file string, value any) error {
	data, err := json.Marshal(value)
	if err != nil {
		return err
	}
	return os.WriteFile(file, data, 0o644)
}
