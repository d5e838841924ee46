package board

import (
	"context"
	"database/sql"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/andybalholm/cascadia"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"go.uber.org/zap/zaptest"
	"golang.org/x/net/html"

	"tidemark/internal/devclickhouse"
	"tidemark/internal/devclickhouse/chtest"
	"tidemark/sinks/clickhouse/migrate"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(chtest.WithShared(m)) }

// stage is a migrated database of its own and a board that reads it.
type stage struct {
	db     *sql.DB
	reader driver.Conn
	url    string // of the board, without the last slash
}

// now is the time for the views and the pages of the tests: noon of a Tuesday.
var now = time.Date(2026, 3, 10, 12, 0, 0, 0, time.UTC)

// newStage migrates a database; the statements, as INSERTs, are its rows.
func newStage(t *testing.T, statements ...string) *stage {
	t.Helper()
	d := chtest.Shared(t)
	f := migrated(t, d.DSN(devclickhouse.Migrator), migrate.DefaultOptions(), statements...)
	f.reader = d.Open(t, devclickhouse.Reader)
	f.url = serve(t, Config{Reader: f.reader})
	return f
}

// migrated is a stage without a board.
func migrated(t *testing.T, migrator string, o migrate.Options, statements ...string) *stage {
	t.Helper()
	opts, err := clickhouse.ParseDSN(migrator)
	require.NoError(t, err)
	f := &stage{db: clickhouse.OpenDB(opts)}
	t.Cleanup(func() { require.NoError(t, f.db.Close()) })
	o.Now = "toDateTime('2026-03-10 12:00:00', 'UTC')"
	require.NoError(t, migrate.Up(t.Context(), f.db, o))
	for _, table := range []string{"counters", "member_sets", "user_minutes", "facts", "checkpoints", "dead_letters"} {
		f.exec(t, "ALTER TABLE "+table+"_all REMOVE TTL") // the rows' time is long past, and they must stay all the same
	}
	for _, s := range statements {
		f.exec(t, s)
	}
	return f
}

func (f *stage) exec(t *testing.T, text string) {
	t.Helper()
	_, err := f.db.ExecContext(t.Context(), text)
	require.NoError(t, err, text)
}

// serve runs a board until the test's end, and returns its URL without the last slash.
func serve(t *testing.T, cfg Config) string {
	t.Helper()
	if cfg.Listen == "" {
		cfg.Listen = "127.0.0.1:0"
	}
	if cfg.Now == nil {
		cfg.Now = func() time.Time { return now }
	}
	cfg.Log = zaptest.NewLogger(t)
	s, err := Listen(t.Context(), cfg)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		require.NoError(t, <-done)
	})
	return strings.TrimSuffix(s.URL(), "/")
}

// answer is what was answered, but for the body.
type answer struct {
	StatusCode int
	Header     http.Header
}

// get asks for a URL with headers, given as pairs, and does not follow redirects.
func get(t *testing.T, url string, header ...string) (answer, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	require.NoError(t, err)
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	return do(t, req)
}

func do(t *testing.T, req *http.Request) (answer, string) {
	t.Helper()
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	client := http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := client.Do(req)
	require.NoError(t, err)
	defer resp.Body.Close() //nolint:errcheck // it was read to its end
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return answer{resp.StatusCode, resp.Header}, string(body)
}

// page is the HTML at a path, asked for with headers, given as pairs.
func (f *stage) page(t *testing.T, path string, header ...string) *html.Node {
	t.Helper()
	resp, body := get(t, f.url+path, header...)
	require.Equal(t, http.StatusOK, resp.StatusCode, body)
	doc, err := html.Parse(strings.NewReader(body))
	require.NoError(t, err)
	return doc
}

// texts are the texts of the nodes that a CSS selector finds, with spaces made single.
func texts(t *testing.T, node *html.Node, selector string) []string {
	t.Helper()
	compiled, err := cascadia.Compile(selector)
	require.NoError(t, err)
	all := []string{}
	for _, n := range cascadia.QueryAll(node, compiled) {
		all = append(all, textOf(n))
	}
	return all
}

func textOf(n *html.Node) string {
	var out strings.Builder
	for d := range n.Descendants() {
		if d.Type == html.TextNode {
			out.WriteString(d.Data)
		}
	}
	return strings.Join(strings.Fields(out.String()), " ")
}

// table is a page's first table that the selector finds: a line a row, cells apart by |.
func table(t *testing.T, node *html.Node, selector string) []string {
	t.Helper()
	compiled, err := cascadia.Compile(selector)
	require.NoError(t, err)
	found := cascadia.Query(node, compiled)
	require.NotNil(t, found, selector)
	var rows []string
	for _, tr := range cascadia.QueryAll(found, cascadia.MustCompile("tbody tr")) {
		var cells []string
		for c := range tr.ChildNodes() {
			if c.Type == html.ElementNode {
				cells = append(cells, textOf(c))
			}
		}
		rows = append(rows, strings.Join(cells, " | "))
	}
	return rows
}

func attribute(n *html.Node, name string) string {
	if n != nil {
		for _, a := range n.Attr {
			if a.Key == name {
				return a.Val
			}
		}
	}
	return ""
}
