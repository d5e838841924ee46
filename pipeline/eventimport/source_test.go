package eventimport

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
	"github.com/stretchr/testify/require"

	"tidemark/pipeline/decode"
)

func gzipped(t *testing.T, text string) string {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, err := w.Write([]byte(text))
	require.NoError(t, err)
	require.NoError(t, w.Close())
	return b.String()
}

func zstded(t *testing.T, text string) string {
	t.Helper()
	w, err := zstd.NewWriter(nil)
	require.NoError(t, err)
	defer func() { require.NoError(t, w.Close()) }()
	return string(w.EncodeAll([]byte(text), nil))
}

func write(t *testing.T, path, text string) string {
	t.Helper()
	require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	return path
}

func TestFiles(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"2026-03-02/00/a.jsonl.gz", "2026-03-01/10/a.json", "2026-03-01/09/b.zst", "2026-03-01/09/_SUCCESS", ".tmp/a.json", "2026-03-01/.a.json"} {
		write(t, filepath.Join(dir, name), "")
	}
	alone := write(t, filepath.Join(t.TempDir(), "export"), "")
	files, skipped, err := Files([]string{alone, dir})
	require.NoError(t, err)
	want := []string{alone}
	for _, name := range []string{"2026-03-01/09/b.zst", "2026-03-01/10/a.json", "2026-03-02/00/a.jsonl.gz"} {
		want = append(want, filepath.Join(dir, name))
	}
	require.Equal(t, want, files)
	require.Equal(t, []string{filepath.Join(dir, "2026-03-01/.a.json"), filepath.Join(dir, "2026-03-01/09/_SUCCESS")}, skipped)
	_, _, err = Files([]string{t.TempDir()})
	require.ErrorContains(t, err, "there are no files of events")
	_, _, err = Files([]string{filepath.Join(dir, "none")})
	require.ErrorIs(t, err, os.ErrNotExist)
}

// visited returns line:event of each, or line:error.
func visited(path string) (all []string, err error) {
	err = each(path, func(line int, raw []byte, err error) error {
		if err != nil {
			raw = []byte("error")
		}
		all = append(all, fmt.Sprintf("%d:%s", line, raw))
		return nil
	})
	return all, err
}

func TestEach(t *testing.T) {
	long := `{"a":"` + strings.Repeat("x", decode.MaxValue) + `"}`
	for name, c := range map[string]struct {
		text   string
		want   []string
		failed string
	}{
		"lines":           {"{\"a\":1}\n\n {\"a\":2}\r\n{\"a\":3}", []string{`1:{"a":1}`, `3:{"a":2}`, `4:{"a":3}`}, ""},
		"empty":           {"", nil, ""},
		"blank":           {"  \n\n", nil, ""},
		"marked":          {"\ufeff{}\n", []string{"1:{}"}, ""},
		"broken line":     {"{\n{}\n", []string{"1:{", "2:{}"}, ""},
		"long line":       {long + "\n{}\n", []string{"1:error", "2:{}"}, ""},
		"array":           {" [{\"a\":1},\n{\"a\":\n2}\n,{\"a\":3}]\n", []string{`1:{"a":1}`, "3:{\"a\":\n2}", `4:{"a":3}`}, ""},
		"empty array":     {"[]", nil, ""},
		"broken array":    {"[{},\n{},\n{]", []string{"1:{}", "2:{}"}, "the array is broken"},
		"cut array":       {"[{}", []string{"1:{}"}, "array"},
		"array too large": {"[{}," + strings.Repeat(long, 1) + strings.Repeat(" ", 5<<20) + ",{}]", nil, "bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			for _, text := range []string{c.text, gzipped(t, c.text), zstded(t, c.text)} {
				got, err := visited(write(t, filepath.Join(t.TempDir(), "f"), text))
				if c.failed != "" {
					require.ErrorContains(t, err, c.failed)
				} else {
					require.NoError(t, err)
				}
				if c.want != nil {
					require.Equal(t, c.want, got)
				}
			}
		})
	}
}

// TestHash: the content counts, however it is packed, and a damaged file is found.
func TestHash(t *testing.T) {
	dir, text := t.TempDir(), strings.Repeat("{\"a\":1}\n", 1000)
	plain, err := hash(write(t, filepath.Join(dir, "a"), text))
	require.NoError(t, err)
	packed, err := hash(write(t, filepath.Join(dir, "b"), gzipped(t, text)))
	require.NoError(t, err)
	require.Equal(t, plain, packed)
	other, err := hash(write(t, filepath.Join(dir, "c"), text+"{}"))
	require.NoError(t, err)
	require.NotEqual(t, plain, other)
	for _, whole := range []string{gzipped(t, text), zstded(t, text)} {
		_, err = hash(write(t, filepath.Join(dir, "d"), whole[:len(whole)-9]))
		require.Error(t, err)
	}
}

func TestJournal(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state")
	j, err := openJournal(path, true)
	require.NoError(t, err)
	require.NoError(t, j.close())
	require.NoFileExists(t, path, "a dry run writes nothing")
	j, err = openJournal(path, false)
	require.NoError(t, err)
	_, err = openJournal(path, false)
	require.ErrorContains(t, err, "another import uses")
	require.NoError(t, j.write(entry{Content: "x", Events: 1}))
	require.NoError(t, j.write(entry{Content: "x", Events: 2}))
	require.NoError(t, j.close())
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	write(t, path, string(text[:len(text)-3])) // a kill cut the last off
	j, err = openJournal(path, false)
	require.NoError(t, err)
	require.Equal(t, 1, j.entries["x"].Events)
	require.NoError(t, j.write(entry{Content: "x", Events: 3}))
	require.NoError(t, j.close())
	j, err = openJournal(path, true)
	require.NoError(t, err)
	require.Equal(t, 3, j.entries["x"].Events)
	require.NoError(t, j.close())
	_, err = openJournal(write(t, path, "[]\n"), false)
	require.ErrorContains(t, err, "line 1 is no entry")
}
