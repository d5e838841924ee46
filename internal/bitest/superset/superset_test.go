//go:build bi

package superset

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"tidemark/internal/devclickhouse"
	"tidemark/internal/e2e"
	"tidemark/internal/foreign"
)

var update = flag.Bool("update", false, "keep the pictures and the figures of this run in docs/bi")

const (
	docs         = "../../../docs/bi"
	venv         = "../../../.cache/bi/venv" // made by make test-bi
	checkTimeout = 15 * time.Minute          // most of it is the browser's, on a busy machine
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(e2e.Main(m)) }

// plan tells check.py where to connect and what to look for.
type plan struct {
	Superset   string   `json:"superset"` // URL
	User       string   `json:"user"`     // of Superset
	Password   string   `json:"password"`
	ClickHouse login    `json:"clickhouse"`
	Views      []string `json:"views"`    // of the first layer
	From       string   `json:"from"`     // first day that is charted
	To         string   `json:"to"`       // the day after the last
	Pictures   string   `json:"pictures"` // directory
	Seconds    int      `json:"seconds"`  // limit of the whole check
}

type login struct {
	Host     string `json:"host"`
	Port     int    `json:"port"`
	User     string `json:"user"`
	Password string `json:"password"`
	Database string `json:"database"`
}

// found is what check.py prints.
type found struct {
	Listed   int                          `json:"listed"` // tables and views that Superset offers
	Views    map[string]view              `json:"views"`
	Comments map[string]string            `json:"comments"` // of the views, in SQL Lab: its list of tables has none
	Datasets map[string]map[string]string `json:"datasets"` // the columns' descriptions, by view
	Answers  []answer                     `json:"answers"`
	Shown    map[string]page              `json:"shown"` // by picture
}

type view struct {
	Comment string      `json:"-"`
	Columns [][3]string `json:"columns"` // name, type and comment
}

// answer is what a chart shows and what ClickHouse says without Superset.
type answer struct {
	Chart    string     `json:"chart"`
	View     string     `json:"view"`
	Superset [][]string `json:"superset"`
	Direct   [][]string `json:"direct"`
	Query    string     `json:"query"` // that Superset made
}

// page is what the browser showed.
type page struct {
	Charts int      `json:"charts"`
	Errors []string `json:"errors"`
}

func TestSupersetChartsTheViews(t *testing.T) {
	python, err := filepath.Abs(filepath.Join(venv, "bin", "python"))
	require.NoError(t, err)
	require.FileExists(t, python, "Superset is not installed: make test-bi does it")
	engine := simulated(t)
	want := documented(t, engine)
	p := startSuperset(t, python)
	p.ClickHouse = reader(t, engine)
	for name := range want {
		p.Views = append(p.Views, name)
	}
	today := time.Now().UTC().Truncate(24 * time.Hour)
	p.From, p.To = today.AddDate(0, 0, -13).Format(time.DateOnly), today.Format(time.DateOnly)
	p.Pictures = t.TempDir()
	got := check(t, p, python)

	requireComments(t, want, got)
	require.Len(t, got.Answers, 5)
	for _, a := range got.Answers {
		require.NotEmpty(t, a.Direct, "%s: nothing to chart", a.Chart)
		require.Equal(t, a.Direct, a.Superset, "%s: Superset asked\n%s", a.Chart, a.Query)
	}
	require.Len(t, got.Shown, 2)
	for name, page := range got.Shown {
		require.Empty(t, page.Errors, name)
		require.Positive(t, page.Charts, name)
	}
	require.GreaterOrEqual(t, got.Shown["dashboard"].Charts, len(got.Answers))
	report(t, p, got)
}

// documented are the views that tidemark migrate made, with their comments, as the reader sees them in ClickHouse itself.
func documented(t *testing.T, engine *devclickhouse.Server) map[string]view {
	t.Helper()
	opts, err := clickhouse.ParseDSN(engine.DSN(devclickhouse.Reader))
	require.NoError(t, err)
	db := clickhouse.OpenDB(opts)
	defer func() { require.NoError(t, db.Close()) }()
	rows, err := db.QueryContext(t.Context(), `SELECT t.name, t.comment, c.name, c.comment
		FROM system.tables AS t JOIN system.columns AS c ON c.database = t.database AND c.table = t.name
		WHERE t.database = currentDatabase() AND t.engine = 'View' AND t.comment LIKE '%made by tidemark migrate%'
		ORDER BY t.name, c.position`)
	require.NoError(t, err)
	defer rows.Close() //nolint:errcheck // rows.Err has it.
	views := map[string]view{}
	for rows.Next() {
		var name, comment, column, meaning string
		require.NoError(t, rows.Scan(&name, &comment, &column, &meaning))
		v := views[name]
		v.Comment = comment
		v.Columns = append(v.Columns, [3]string{column, "", meaning})
		views[name] = v
	}
	require.NoError(t, rows.Err())
	require.NotEmpty(t, views)
	return views
}

func check(t *testing.T, p plan, python string) found {
	t.Helper()
	p.Seconds = int(checkTimeout.Seconds()) - 30 // so that it ends by itself, and the browser with it
	content, err := json.Marshal(p)
	require.NoError(t, err)
	path := filepath.Join(t.TempDir(), "plan.json")
	require.NoError(t, os.WriteFile(path, content, 0o600))
	script, err := filepath.Abs("python/check.py")
	require.NoError(t, err)
	var got found
	answer := foreign.Run(t, checkTimeout, "", python, "-B", script, path) // -B: no __pycache__ beside the sources
	require.NoError(t, json.Unmarshal(answer, &got), "%s", answer)
	return got
}

// requireComments requires that Superset lists every view, shows each column with its comment, also in the datasets made of
// the views, and finds the views' own comments in SQL Lab.
func requireComments(t *testing.T, want map[string]view, got found) {
	t.Helper()
	for name, w := range want {
		g, ok := got.Views[name]
		require.True(t, ok, "Superset does not list %s", name)
		require.Equal(t, w.Comment, got.Comments[name], "the comment of %s in SQL Lab", name)
		require.Len(t, g.Columns, len(w.Columns), name)
		for i, c := range w.Columns {
			require.NotEmpty(t, c[2], "%s.%s", name, c[0])
			require.Equal(t, c[0], g.Columns[i][0], name)
			require.Equal(t, c[2], g.Columns[i][2], "%s.%s", name, c[0])
			if described, ok := got.Datasets[name]; ok {
				require.Equal(t, c[2], described[c[0]], "the dataset of %s.%s", name, c[0])
			}
		}
	}
	require.Len(t, got.Datasets, 5)
}

// report says what was shown, and keeps it in docs/bi if asked to.
func report(t *testing.T, p plan, got found) {
	t.Helper()
	columns := 0
	for _, v := range got.Views {
		columns += len(v.Columns)
	}
	var text strings.Builder
	fmt.Fprintf(&text, "Superset listed %d tables and views, %d of them views of the first layer, with the comments of all %d columns.\n\n",
		got.Listed, len(got.Views), columns)
	text.WriteString("| chart | view | rows, as those of SQL by hand |\n|---|---|---|\n")
	for _, a := range got.Answers {
		fmt.Fprintf(&text, "| %s | %s | %d |\n", a.Chart, a.View, len(a.Direct))
	}
	t.Log(text.String())
	if !*update {
		return
	}
	require.NoError(t, os.MkdirAll(docs, 0o750))
	for name := range got.Shown {
		picture, err := os.ReadFile(filepath.Join(p.Pictures, name+".png"))
		require.NoError(t, err)
		require.Less(t, len(picture), 150_000, "the picture of %s is too large to keep", name)
		require.NoError(t, os.WriteFile(filepath.Join(docs, name+".png"), picture, 0o600))
	}
	head := "# The last run of make test-bi that was kept\n\nMade by `make test-bi ARGS=-update`, of the days from " + p.From + " until " + p.To + ".\n\n"
	require.NoError(t, os.WriteFile(filepath.Join(docs, "latest.md"), []byte(head+text.String()), 0o600))
}
