package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestWriteDatabase(t *testing.T) {
	t.Parallel()
	osv, dir := t.TempDir(), t.TempDir()
	for name, text := range map[string]string{
		"GO-2026-0002.json": `{"id":"GO-2026-0002","modified":"2026-02-01T00:00:00Z","affected":[
			{"package":{"name":"example.com/b"}},{"package":{"name":"example.com/a"}},{"package":{"name":"example.com/b"}}]}`,
		"GO-2026-0001.json": `{"id":"GO-2026-0001","modified":"2026-03-01T00:00:00Z","affected":[{"package":{"name":"example.com/b"}}]}`,
	} {
		require.NoError(t, os.WriteFile(filepath.Join(osv, name), []byte(text), 0o600))
	}
	require.NoError(t, writeDatabase(dir, osv))

	for file, want := range map[string]string{
		"index/db.json": `{"modified":"2026-03-01T00:00:00Z"}`,
		"index/modules.json": `[
			{"path":"example.com/a","vulns":[{"id":"GO-2026-0002","modified":"2026-02-01T00:00:00Z"}]},
			{"path":"example.com/b","vulns":[{"id":"GO-2026-0001","modified":"2026-03-01T00:00:00Z"},
				{"id":"GO-2026-0002","modified":"2026-02-01T00:00:00Z"}]}]`,
	} {
		got, err := os.ReadFile(filepath.Join(dir, file))
		require.NoError(t, err)
		require.JSONEq(t, want, string(got))
	}
	_, err := os.Stat(filepath.Join(dir, "ID", "GO-2026-0001.json"))
	require.NoError(t, err)

	require.ErrorContains(t, writeDatabase(t.TempDir(), t.TempDir()), "has no entries")
}

// What govulncheck printed for this project, shortened.
const (
	stdlibEntry   = `{"osv": {"id": "GO-2026-6603", "summary": "HTTP/2 memory exhaustion"}}`
	stdlibFinding = `{"finding": {"osv": "GO-2026-6603", "fixed_version": "v1.26.9", "trace": [
		{"module": "stdlib", "version": "v1.26.8", "package": "net/http", "function": "Read", "receiver": "body"},
		{"module": "tidemark", "package": "tidemark/x", "function": "main"}]}}`
	moduleEntryText = `{"osv": {"id": "GO-2026-0001", "summary": "Panic in A"}}`
	moduleRequired  = `{"finding": {"osv": "GO-2026-0001", "fixed_version": "v1.2.0", "trace": [{"module": "example.com/a", "version": "v1.1.0"}]}}`
	moduleFinding   = `{"finding": {"osv": "GO-2026-0001", "fixed_version": "v1.2.0", "trace": [
		{"module": "example.com/a", "version": "v1.1.0", "package": "example.com/a/p", "function": "F"}]}}`
)

func TestSummarise(t *testing.T) {
	t.Parallel()
	stdlibNote := "note: GO-2026-6603: stdlib v1.26.8, reached by net/http.body.Read: HTTP/2 memory exhaustion; mended in Go 1.26.9: build releases with it\n"
	for name, test := range map[string]struct {
		messages []string
		want     string
		ok       bool
	}{
		"nothing": {nil, "no known vulnerability is reached\n", true},
		"required, not reached": {
			[]string{moduleEntryText, moduleRequired}, "no known vulnerability is reached\n", true,
		},
		"standard library": {[]string{stdlibEntry, stdlibFinding, stdlibFinding}, stdlibNote, true},
		"module": {
			[]string{stdlibEntry, moduleEntryText, moduleRequired, moduleFinding, stdlibFinding},
			"error: GO-2026-0001: example.com/a v1.1.0, reached by example.com/a/p.F: Panic in A; go get example.com/a@v1.2.0\n" + stdlibNote,
			false,
		},
		"module without a remedy": {
			[]string{moduleEntryText, strings.Replace(moduleFinding, `"fixed_version": "v1.2.0", `, "", 1)},
			"note: GO-2026-0001: example.com/a v1.1.0, reached by example.com/a/p.F: Panic in A; no version mends it yet\n",
			true,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var out bytes.Buffer
			ok, err := summarise(&out, strings.NewReader(strings.Join(test.messages, "\n")))
			require.NoError(t, err)
			require.Equal(t, test.want, out.String())
			require.Equal(t, test.ok, ok)
		})
	}
	_, err := summarise(&bytes.Buffer{}, strings.NewReader("{"))
	require.ErrorContains(t, err, "read govulncheck's output")
}
