package bitest

import (
	"bytes"
	"cmp"
	"database/sql"
	"embed"
	"encoding/json"
	"flag"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"tidemark/internal/devclickhouse"
	"tidemark/internal/devclickhouse/chtest"
	"tidemark/internal/foreign"
	"tidemark/schemas"
	"tidemark/sinks/clickhouse/migrate"
)

//go:embed node/package.json node/package-lock.json node/read.mjs python/requirements.txt python/read.py
var files embed.FS

// readTimeout bounds one client's reading of everything, on a busy machine.
const readTimeout = 15 * time.Minute

func TestMain(m *testing.M) { goleak.VerifyTestMain(chtest.WithShared(m)) }

var update = flag.Bool("update", false, "write what the clients got to testdata, to be read before it is committed")

func TestPython(t *testing.T) { testClient(t, "python", foreign.Python(t, files, "read.py")) }

func TestNode(t *testing.T) { testClient(t, "node", foreign.Node(t, files, "read.mjs")) }

// plan tells a client where to connect and what to ask.
type plan struct {
	Host      string     `json:"host"`
	Port      int        `json:"port"`
	User      string     `json:"user"`
	Password  string     `json:"password"`
	Database  string     `json:"database"`
	Questions []question `json:"questions"`
}

type question struct {
	Name       string         `json:"name"`
	SQL        string         `json:"sql"`
	Parameters map[string]any `json:"parameters"`
}

// reading is what a client got.
type reading struct {
	Views    [][2]string                `json:"views"`    // name and comment
	Comments [][3]string                `json:"comments"` // view, column and comment
	Answers  map[string]json.RawMessage `json:"answers"`
}

func testClient(t *testing.T, name string, command []string) {
	d, db := filled(t)
	p := connection(t, d)
	p.Questions = questions(t, db)
	got := ask(t, p, command)

	documented := 0
	for _, v := range got.Views {
		if strings.Contains(v[1], "made by tidemark migrate") { // and not the rows of a table, which are a view as well
			documented++
		}
	}
	require.Equal(t, len(p.Questions), documented)
	shown := map[string]bool{}
	for _, c := range got.Comments {
		require.NotEmpty(t, c[2], "%s.%s", c[0], c[1])
		shown[c[0]] = true
	}
	for _, q := range p.Questions {
		require.True(t, shown[q.Name], "the columns of %s are not listed", q.Name)
		require.NotEqual(t, "[]", string(got.Answers[q.Name]), "%s: the test has no rows for it", q.Name)
	}
	golden := filepath.Join("testdata", name+".json")
	answers := indented(t, got.Answers)
	if *update {
		require.NoError(t, os.WriteFile(golden, answers, 0o600))
	}
	want, err := os.ReadFile(golden)
	require.NoError(t, err)
	require.Equal(t, string(want), string(answers))
}

func ask(t *testing.T, p plan, command []string) reading {
	t.Helper()
	content, err := json.Marshal(p)
	require.NoError(t, err)
	path := filepath.Join(t.TempDir(), "plan.json")
	require.NoError(t, os.WriteFile(path, content, 0o600))
	answer := foreign.Run(t, readTimeout, "", command[0], append(slices.Clone(command[1:]), path)...)
	var got reading
	require.NoError(t, json.Unmarshal(answer, &got), "%s", answer)
	return got
}

// questions asks every view for its first rows of one account, or of whatever else the view is about, by a parameter.
func questions(t *testing.T, db *sql.DB) []question {
	t.Helper()
	rows, err := db.QueryContext(t.Context(), `SELECT table, groupArray(name) FROM system.columns WHERE database = currentDatabase()
		AND table IN (SELECT name FROM system.tables WHERE database = currentDatabase() AND engine = 'View' AND name != 'members'
			AND name || '_all' NOT IN (SELECT name FROM system.tables WHERE database = currentDatabase())) -- those are the rows of tables
		GROUP BY table ORDER BY table`)
	require.NoError(t, err)
	defer rows.Close() //nolint:errcheck // rows.Err has it.
	var out []question
	for rows.Next() {
		var view string
		var columns []string
		require.NoError(t, rows.Scan(&view, &columns))
		by, value := about(columns)
		where := by + " = {value: String}"
		parameters := map[string]any{"value": value}
		if slices.Contains(columns, "window_start") {
			where += " AND window_start >= {from: DateTime('UTC')}"
			parameters["from"] = "2026-02-10 00:00:00"
			for _, long := range []string{"_30d", "_90d", "_365d", "_month"} { // they begin before there is anything
				if strings.HasSuffix(view, long) {
					parameters["from"] = "2025-01-01 00:00:00"
				}
			}
		}
		// By every column, so that no two rows are told apart by chance.
		slices.SortStableFunc(columns, func(a, b string) int { return cmp.Compare(rank(a), rank(b)) })
		shown := "*"
		if view == "portfolio_now" { // was refreshed by the clock
			shown = "* EXCEPT (computed_at, health_computed_at)"
		}
		query := fmt.Sprintf("SELECT %s FROM %s WHERE %s ORDER BY `%s`", shown, view, where, strings.Join(columns, "`, `"))
		out = append(out, question{view, query + " LIMIT 2", parameters})
	}
	require.NoError(t, rows.Err())
	return out
}

// rank is where a column stands in the order of a view's rows: what tells rows apart comes first.
func rank(column string) int {
	keys := []string{"window_start", "source", "started_at", "valid_from", "ticket_id", "feature", "workflow", "priority", "tag", "position", "age", "entered_at", "metric"}
	if i := slices.Index(keys, column); i >= 0 {
		return i
	}
	return len(keys)
}

func about(columns []string) (column, value string) {
	for _, of := range [][2]string{{"account_id", "acme"}, {"feature", "export"}, {"segment", "smb"}, {"topic", "telemetry"}, {"tag", "billing"}, {"label", "segment"}, {"version", "4.0"}, {"target", "crm"}} {
		if slices.Contains(columns, of[0]) {
			return of[0], of[1]
		}
	}
	panic("no column to ask by among " + strings.Join(columns, ", "))
}

// filled is a database whose views believe it is noon on the 10th of March 2026 and all have something to show.
func filled(t *testing.T) (*chtest.Database, *sql.DB) {
	t.Helper()
	d := chtest.Shared(t)
	opts, err := clickhouse.ParseDSN(d.DSN(devclickhouse.Migrator))
	require.NoError(t, err)
	db := clickhouse.OpenDB(opts)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	o := migrate.DefaultOptions()
	o.Now = "toDateTime('2026-03-10 12:00:00', 'UTC')"
	catalogue := filepath.Join(t.TempDir(), "catalogue.yaml")
	require.NoError(t, os.WriteFile(catalogue, []byte("entitlements: {pro: {quotas: [{name: exports, feature: export, limit: 10, period: week}]}}\n"), 0o600))
	o.Catalogue, err = schemas.Load(catalogue)
	require.NoError(t, err)
	require.NoError(t, migrate.Up(t.Context(), db, o))
	script, err := os.ReadFile("testdata/rows.sql")
	require.NoError(t, err)
	for statement := range strings.SplitSeq(strings.TrimSpace(string(script)), ";") {
		if strings.TrimSpace(statement) != "" {
			_, err := db.ExecContext(t.Context(), statement)
			require.NoError(t, err, statement)
		}
	}
	for _, view := range []string{"health_refresh", "portfolio_refresh"} {
		for _, do := range []string{"REFRESH", "WAIT"} {
			_, err := db.ExecContext(t.Context(), "SYSTEM "+do+" VIEW "+view)
			require.NoError(t, err)
		}
	}
	return d, db
}

func connection(t *testing.T, d *chtest.Database) plan {
	t.Helper()
	u, err := url.Parse(d.HTTPURL(devclickhouse.Reader))
	require.NoError(t, err)
	port, err := strconv.Atoi(u.Port())
	require.NoError(t, err)
	password, _ := u.User.Password()
	return plan{Host: u.Hostname(), Port: port, User: u.User.Username(), Password: password, Database: d.Name}
}

func indented(t *testing.T, v any) []byte {
	t.Helper()
	content, err := json.Marshal(v)
	require.NoError(t, err)
	var out bytes.Buffer
	require.NoError(t, json.Indent(&out, content, "", " "))
	return append(out.Bytes(), '\n')
}
