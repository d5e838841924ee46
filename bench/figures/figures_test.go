package figures_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"tidemark/bench/figures"
)

func TestAddTellsTheSpread(t *testing.T) {
	var s figures.Section
	s.Add("odd", "", "", nil, 3, 1, 2)
	s.Add("even", "", "", nil, 4, 1, 2, 3)
	require.Equal(t, figures.Figure{ID: "odd", Median: 2, Min: 1, Max: 3}, s.Figures[0])
	require.Equal(t, figures.Figure{ID: "even", Median: 2.5, Min: 1, Max: 4}, s.Figures[1])
}

func TestGoals(t *testing.T) {
	for _, c := range []struct {
		goal *figures.Goal
		aim  string
		met  bool
	}{
		{nil, "", true},
		{figures.AtLeast(2), "at least 2: met", true},
		{figures.AtLeast(2.5), "at least 2.50: missed", false},
		{figures.AtMost(2), "at most 2: met", true},
		{figures.AtMost(0.1), "at most 0.100: missed", false},
	} {
		f := figures.Figure{Median: 2, Goal: c.goal}
		require.Equal(t, c.met, f.Met(), c.aim)
		require.Equal(t, c.aim, f.Aim())
	}
}

func TestAReportIsKept(t *testing.T) {
	path := filepath.Join(t.TempDir(), "latest.json")
	r, err := figures.Load(path)
	require.NoError(t, err)
	require.Empty(t, r)
	s := &figures.Section{Command: "make bench ARGS=memory"}
	s.Add("window_bytes", "heap", "B", figures.AtMost(400), 376)
	r["memory"] = s
	require.NoError(t, r.Save(path))
	again, err := figures.Load(path)
	require.NoError(t, err)
	require.Equal(t, r, again)
	found, err := again.Find("memory", "window_bytes")
	require.NoError(t, err)
	require.True(t, found.Met())
	_, err = again.Find("memory", "rows")
	require.ErrorContains(t, err, "make bench ARGS=memory")
	_, err = again.Find("soak", "rows")
	require.ErrorContains(t, err, "make bench ARGS=soak")
	require.NoError(t, os.WriteFile(path, []byte(`{"command": "make bench"}`), 0o600)) // as it was before there were sections
	_, err = figures.Load(path)
	require.ErrorContains(t, err, "delete it")
}

func TestPrintShowsGoals(t *testing.T) {
	var s figures.Section
	s.Add("ratio", "pipeline : bare", "", figures.AtLeast(0.5), 0.25)
	var out bytes.Buffer
	s.Print(&out)
	require.Contains(t, out.String(), "at least 0.500: missed")
}

func TestShortKeepsThreeDigits(t *testing.T) {
	for v, text := range map[float64]string{0: "0", 7: "7", 1234567: "1234567", 123.4: "123", 12.34: "12.3", 1.234: "1.23", 0.1234: "0.123", 0.01234: "0.0123"} {
		require.Equal(t, text, figures.Short(v))
	}
}
