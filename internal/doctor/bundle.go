package doctor

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"time"

	"go.yaml.in/yaml/v3"
)

// Entry is a file of a bundle.
type Entry struct {
	Name string
	Text []byte
}

// Entries are what somebody who helps needs to see: the report for people and for programs, the configuration and, of each
// process, its metrics and profiles of goroutines where it serves them.
func (r *Report) Entries(ctx context.Context, cfg any, version string) ([]Entry, error) {
	var text bytes.Buffer
	if err := r.WriteText(&text); err != nil {
		return nil, err
	}
	asJSON, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("write the report: %w", err)
	}
	settings, err := yaml.Marshal(cfg)
	if err != nil {
		return nil, fmt.Errorf("write the configuration: %w", err)
	}
	all := []Entry{
		{"version.txt", []byte(version + "\n")}, {"report.txt", text.Bytes()}, {"report.json", asJSON}, {"configuration.yaml", settings},
	}
	for i := range r.Facts.Processes {
		p := &r.Facts.Processes[i]
		for name, path := range map[string]string{"metrics": "/metrics", "goroutines": "/debug/pprof/goroutine?debug=1"} {
			if status, body, err := get(ctx, p.URL+path); err == nil && status == 200 {
				all = append(all, Entry{fmt.Sprintf("process-%d/%s.txt", i+1, name), body})
			}
		}
	}
	return all, nil
}

// WriteBundle writes the entries as a tar.gz, redacted.
func WriteBundle(out io.Writer, entries []Entry, secrets *Redactor, at time.Time) error {
	zip := gzip.NewWriter(out)
	archive := tar.NewWriter(zip)
	for _, e := range entries {
		text := secrets.Redact(e.Text)
		header := &tar.Header{Name: "tidemark-doctor/" + e.Name, Mode: 0o600, Size: int64(len(text)), ModTime: at}
		if err := archive.WriteHeader(header); err != nil {
			return fmt.Errorf("write %s: %w", e.Name, err)
		}
		if _, err := archive.Write(text); err != nil {
			return fmt.Errorf("write %s: %w", e.Name, err)
		}
	}
	if err := archive.Close(); err != nil {
		return fmt.Errorf("end the bundle: %w", err)
	}
	return zip.Close()
}
