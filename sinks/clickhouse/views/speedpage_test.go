package views_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// speedPage is docs/view-speed.md, or nothing where a benchmark is run for its own sake. Each benchmark writes between marks of its own, as soon
// as it knows something, and leaves the rest as it is.
type speedPage struct{ file string }

func newSpeedPage() speedPage { return speedPage{os.Getenv("VIEW_SPEED")} }

// write replaces what stands between the marks of a part.
func (p speedPage) write(t testing.TB, part, text string) {
	t.Helper()
	before, _, after, ok := p.cut(t, part)
	if ok {
		require.NoError(t, os.WriteFile(p.file, []byte(before+"\n"+strings.TrimSpace(text)+"\n"+after), 0o600))
	}
}

// row replaces the row of a table that has the same first two cells, or adds it at the end, so that a run of some views only, or one
// that was ended, leaves the rows of others.
func (p speedPage) row(t testing.TB, part, line string) {
	t.Helper()
	_, text, _, ok := p.cut(t, part)
	if !ok {
		return
	}
	key := func(line string) string { return strings.Join(strings.SplitN(line+"|||", "|", 4)[:3], "|") }
	lines, found := strings.Split(strings.TrimSpace(text), "\n"), false
	for i := range lines {
		if key(lines[i]) == key(line) {
			lines[i], found = line, true
		}
	}
	if !found {
		lines = append(lines, line)
	}
	p.write(t, part, strings.Join(lines, "\n"))
}

func (p speedPage) cut(t testing.TB, part string) (before, text, after string, ok bool) {
	t.Helper()
	if p.file == "" {
		return "", "", "", false
	}
	page, err := os.ReadFile(p.file)
	require.NoError(t, err)
	begin, end := "<!-- begin of what make bench-views writes: "+part+" -->", "<!-- end of "+part+" -->"
	before, rest, ok := strings.Cut(string(page), begin)
	require.True(t, ok, "%s has no line %s", p.file, begin)
	text, after, ok = strings.Cut(rest, end)
	require.True(t, ok, "%s has no line %s", p.file, end)
	return before + begin, text, end + after, true
}

// TestSpeedPage: a part that is written, or a row of it, leaves the others, and the words around them.
func TestSpeedPage(t *testing.T) {
	const page = "# Page\n\nWords.\n\n<!-- begin of what make bench-views writes: a -->\n| v | w |\n|---|---|\n| x | one | 1 |\n| y | one | 2 |\n<!-- end of a -->\n\n## More\n\n<!-- begin of what make bench-views writes: b -->\nold\n<!-- end of b -->\n\nLast.\n"
	p := speedPage{filepath.Join(t.TempDir(), "page.md")}
	require.NoError(t, os.WriteFile(p.file, []byte(page), 0o600))
	p.row(t, "a", "| x | one | 3 |")
	p.row(t, "a", "| x | all | 4 |")
	p.write(t, "b", "new")
	text, err := os.ReadFile(p.file)
	require.NoError(t, err)
	require.Equal(t, strings.NewReplacer("| x | one | 1 |", "| x | one | 3 |", "| y | one | 2 |", "| y | one | 2 |\n| x | all | 4 |", "old", "new").Replace(page), string(text))
	committed := speedPage{"../../../docs/view-speed.md"}
	for _, part := range []string{"views", "silence", "refreshes", "pages"} {
		_, _, _, ok := committed.cut(t, part)
		require.True(t, ok, part)
	}
}
