// Command vulncheck runs govulncheck where its database on the web cannot be reached: it takes the database's contents
// from their Go module, golang.org/x/vulndb, at a pinned version.
//
// It exits with 1 if the code reaches a known vulnerability of a required module that a newer version has mended.
// Vulnerabilities of the standard library are printed only: what mends them is a newer Go, not a change here.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
)

func main() {
	govulncheck := flag.String("govulncheck", "govulncheck", "the govulncheck program")
	version := flag.String("vulndb", "latest", "version of golang.org/x/vulndb")
	flag.Parse()
	ok, err := run(context.Background(), os.Stdout, *govulncheck, *version, flag.Args())
	if err != nil {
		fmt.Fprintln(os.Stderr, "vulncheck:", err)
	}
	if err != nil || !ok {
		os.Exit(1)
	}
}

func run(ctx context.Context, out io.Writer, govulncheck, version string, packages []string) (ok bool, err error) {
	dir, err := os.MkdirTemp("", "vulndb")
	if err != nil {
		return false, err
	}
	defer func() { _ = os.RemoveAll(dir) }() // A leftover in the temporary directory harms nobody.
	entries, err := downloadEntries(ctx, version)
	if err != nil {
		return false, err
	}
	if err := writeDatabase(dir, entries); err != nil {
		return false, fmt.Errorf("lay out the database: %w", err)
	}
	args := append([]string{"-db", "file://" + dir, "-format", "json"}, packages...)
	cmd := exec.CommandContext(ctx, govulncheck, args...)
	cmd.Stderr = os.Stderr
	output, err := cmd.Output()
	if err != nil {
		return false, fmt.Errorf("%s: %w", govulncheck, err)
	}
	return summarise(out, bytes.NewReader(output))
}

// downloadEntries fetches the module and returns its directory of entries, one JSON file in the OSV format each.
func downloadEntries(ctx context.Context, version string) (string, error) {
	cmd := exec.CommandContext(ctx, "go", "mod", "download", "-json", "golang.org/x/vulndb@"+version)
	cmd.Dir = os.TempDir() // Outside of any module, so that nobody's go.sum changes.
	output, err := cmd.Output()
	var module struct{ Dir, Error string }
	if jsonErr := json.Unmarshal(output, &module); jsonErr == nil && module.Error != "" {
		return "", fmt.Errorf("download golang.org/x/vulndb: %s", module.Error)
	}
	if err != nil {
		return "", fmt.Errorf("download golang.org/x/vulndb: %w", err)
	}
	return filepath.Join(module.Dir, "data", "osv"), nil
}
