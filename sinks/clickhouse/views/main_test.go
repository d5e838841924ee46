package views_test

import (
	"context"
	"database/sql"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"tidemark/internal/devclickhouse"
	"tidemark/internal/devclickhouse/chtest"
	"tidemark/sinks/clickhouse/migrate"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(chtest.WithShared(m)) }

// now is the time for the views of the tests.
const now = "toDateTime('2026-03-10 12:00:00', 'UTC')"

// fixture is a migrated database of its own whose views believe that it is now.
type fixture struct {
	*chtest.Database
	db *sql.DB
}

func newFixture(t *testing.T) fixture {
	t.Helper()
	t.Parallel() // Planning the bigger views takes a core most of the time.
	d := chtest.Shared(t)
	opts, err := clickhouse.ParseDSN(d.DSN(devclickhouse.Migrator))
	require.NoError(t, err)
	f := fixture{d, clickhouse.OpenDB(opts)}
	t.Cleanup(func() { require.NoError(t, f.db.Close()) })
	o := migrate.DefaultOptions()
	o.Now = now
	require.NoError(t, migrate.Up(t.Context(), f.db, o))
	f.exec(t, "SYSTEM STOP VIEW portfolio_snapshot") // its turn is at each full hour, which may strike while a test runs
	// The tests' time is long past, and their rows must stay all the same.
	for _, table := range []string{"counters", "member_sets", "user_minutes", "facts", "checkpoints", "dead_letters"} {
		f.exec(t, "ALTER TABLE "+table+"_all REMOVE TTL")
	}
	return f
}

func (f fixture) exec(t *testing.T, text string) {
	t.Helper()
	_, err := f.db.ExecContext(t.Context(), text)
	require.NoError(t, err, text)
}

// insert inserts rows twice and in other chunks: whatever was repeated, the views must show the same.
func (f fixture) insert(t *testing.T, table string, rows ...string) {
	t.Helper()
	for _, row := range rows {
		f.exec(t, chtest.Into(table)+values(table, row))
	}
	f.exec(t, chtest.Into(table)+values(table, rows...))
}

// values are rows to insert. Those of member_sets are written with one member each.
func values(table string, rows ...string) string {
	if table == "member_sets" {
		const columns = `'tier String, account_id String, window_start DateTime(\'UTC\'), feature String, metric String, member UInt64, source String'`
		return " SELECT * REPLACE ([member] AS member) FROM values(" + columns + ", " + strings.Join(rows, ", ") + ")"
	}
	return " VALUES " + strings.Join(rows, ", ")
}

// rows are the rows of a query as the reader sees them over HTTP: tab-separated, NULL as \N.
func (f fixture) rows(t *testing.T, query string) string {
	t.Helper()
	return f.get(t, query+" FORMAT TSV")
}

func (f fixture) get(t *testing.T, query string) string {
	t.Helper()
	status, answer := post(t, f.HTTPURL(devclickhouse.Reader), url.Values{}, query)
	require.Equal(t, http.StatusOK, status, "%s\n%s", query, answer)
	return answer
}

// post sends a body to ClickHouse at an address that names user, password and database, with further parameters.
func post(t *testing.T, address string, parameters url.Values, body string) (status int, answer string) {
	t.Helper()
	u, err := url.Parse(address)
	require.NoError(t, err)
	user := u.User
	parameters.Set("database", strings.TrimPrefix(u.Path, "/"))
	u.User, u.Path, u.RawQuery = nil, "/", parameters.Encode()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, u.String(), strings.NewReader(body))
	require.NoError(t, err)
	password, _ := user.Password()
	req.SetBasicAuth(user.Username(), password)
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(req)
	require.NoError(t, err)
	defer resp.Body.Close() //nolint:errcheck // It was read to its end.
	content, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return resp.StatusCode, string(content)
}

// golden strips the indentation of a table written in a test, and turns its | into tabs.
func golden(text string) string {
	var out strings.Builder
	for line := range strings.Lines(strings.TrimLeft(text, "\n")) {
		fields := strings.Split(strings.TrimSpace(line), "|")
		for i, f := range fields {
			fields[i] = strings.TrimSpace(f)
		}
		if joined := strings.Join(fields, "\t"); joined != "" {
			out.WriteString(joined + "\n")
		}
	}
	return out.String()
}
