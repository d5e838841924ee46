package deploy

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"go.yaml.in/yaml/v3"

	"tidemark/internal/devclickhouse"
	"tidemark/internal/devclickhouse/chtest"
	"tidemark/internal/e2e"
	"tidemark/sinks/clickhouse/migrate"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(e2e.Main(chtest.WithShared(m))) }

// rules are a file of Prometheus's.
type rules struct {
	Groups []struct {
		Rules []struct {
			Record, Alert, Expr string
			Labels, Annotations map[string]string
		}
	}
}

func readRules(t *testing.T, file string) (r rules) {
	t.Helper()
	content, err := os.ReadFile(filepath.Join("prometheus", file))
	require.NoError(t, err)
	require.NoError(t, yaml.Unmarshal(content, &r))
	return r
}

// known are the metrics that the docs explain, which are those that exist (docs TestEveryMetricIsExplained), and what the
// rules compute of them.
func known(t *testing.T) map[string]bool {
	t.Helper()
	names := map[string]bool{}
	for _, page := range []string{"operations.md", "triggers.md"} {
		content, err := os.ReadFile(filepath.Join("../docs", page))
		require.NoError(t, err)
		for _, name := range metricName.FindAllString(string(content), -1) {
			names[name] = true
		}
	}
	for _, g := range readRules(t, "rules.yml").Groups {
		for _, r := range g.Rules {
			names[r.Record] = true
		}
	}
	return names
}

var (
	metricName = regexp.MustCompile(`\b(?:[a-z]+:)?tidemark[a-z0-9_:]*`)
	partOfOne  = regexp.MustCompile(`_(bucket|sum|count)$`) // of a histogram
)

func requireKnown(t *testing.T, names map[string]bool, expression, where string) {
	t.Helper()
	for _, name := range metricName.FindAllString(regexp.MustCompile(`job="tidemark"`).ReplaceAllString(expression, ""), -1) {
		require.True(t, names[name] || names[partOfOne.ReplaceAllString(name, "")], "%s names %s, which nothing exports", where, name)
	}
}

func TestAlertsHaveRunbooks(t *testing.T) {
	names := known(t)
	told, err := os.ReadFile("prometheus/alerts_test.yml")
	require.NoError(t, err)
	faults := onCall(t)
	pages := map[string]bool{}
	for _, file := range []string{"rules.yml", "alerts.yml"} {
		for _, g := range readRules(t, file).Groups {
			for _, r := range g.Rules {
				requireKnown(t, names, r.Expr, file+": "+r.Record+r.Alert)
				if r.Alert == "" {
					continue
				}
				require.Contains(t, []string{"page", "ticket"}, r.Labels["severity"], r.Alert)
				require.NotEmpty(t, r.Annotations["summary"], r.Alert)
				require.NotEmpty(t, r.Annotations["description"], r.Alert)
				runbook, err := os.ReadFile(filepath.Join("..", r.Annotations["runbook_url"]))
				require.NoError(t, err, r.Alert)
				require.True(t, strings.Contains(string(runbook), "`"+r.Alert+"`"), "the runbook does not say that it is for %s", r.Alert) //nolint:testifylint // which would print the page
				pages[filepath.Base(r.Annotations["runbook_url"])] = true
				require.True(t, regexp.MustCompile(`alertname(=|: )"?`+r.Alert+`\b`).Match(told), "alerts_test.yml has no fault that raises %s", r.Alert)
				require.Regexp(t, `raises\([^)]*"`+r.Alert+`\b`, faults, "no fault in real processes raises it")
				require.Contains(t, faults, `walk("`+filepath.Base(r.Annotations["runbook_url"])+`"`, "no test follows the runbook")
			}
		}
	}
	all, err := filepath.Glob("../docs/runbooks/*.md")
	require.NoError(t, err)
	for _, page := range all {
		require.True(t, pages[filepath.Base(page)], "%s is no alert's runbook", page)
	}
}

// onCall is the text of the tests in which a real Prometheus watches: make test-prometheus.
func onCall(t *testing.T) string {
	t.Helper()
	files, err := filepath.Glob("../internal/oncall/*_test.go")
	require.NoError(t, err)
	var all strings.Builder
	for _, file := range files {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		all.Write(text)
	}
	return all.String()
}

// migrated is a reader's connection to a database with all views.
func migrated(t *testing.T) clickhouse.Conn {
	t.Helper()
	d := chtest.Shared(t)
	options, err := clickhouse.ParseDSN(d.DSN(devclickhouse.Migrator))
	require.NoError(t, err)
	db := clickhouse.OpenDB(options)
	defer db.Close() //nolint:errcheck // of the test
	require.NoError(t, migrate.Up(t.Context(), db, migrate.DefaultOptions()))
	return d.Open(t, devclickhouse.Reader)
}

type dashboard struct {
	UID    string
	Panels []struct {
		Title, Description string
		Targets            []struct{ Expr, RawSQL string }
	}
	Templating struct {
		List []struct{ Query struct{ RawSQL string } }
	}
}

// TestDashboards runs every panel's SQL on ClickHouse, and looks for every metric that is charted among those that exist.
func TestDashboards(t *testing.T) {
	names := known(t)
	conn := migrated(t)
	files, err := filepath.Glob("grafana/dashboards/*.json")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		content, err := os.ReadFile(file)
		require.NoError(t, err)
		var b dashboard
		require.NoError(t, json.Unmarshal(content, &b), file)
		for _, v := range b.Templating.List {
			requireRuns(t.Context(), t, conn.Exec, v.Query.RawSQL)
		}
		for _, p := range b.Panels {
			require.NotEmpty(t, p.Description, "%s: %s", file, p.Title)
			for _, q := range p.Targets {
				require.NotEmpty(t, q.Expr+q.RawSQL, "%s: %s", file, p.Title)
				requireKnown(t, names, q.Expr, file+": "+p.Title)
				if q.RawSQL != "" {
					requireRuns(t.Context(), t, conn.Exec, q.RawSQL)
				}
			}
		}
	}
}

var timeFilter = regexp.MustCompile(`\$__timeFilter\(([a-z_]+)\)`)

// requireRuns runs a query as Grafana sends it.
func requireRuns(ctx context.Context, t *testing.T, exec func(context.Context, string, ...any) error, query string) {
	t.Helper()
	query = timeFilter.ReplaceAllString(query, "$1 >= now() - INTERVAL 1 DAY AND $1 <= now()")
	query = strings.ReplaceAll(query, "$account", "acme")
	require.NotContains(t, query, "$")
	require.NoError(t, exec(ctx, query), query)
}

var indented = regexp.MustCompile(`(?m)^        +(.*(?:\n        +.*)*)$`)

// TestRunbooksSQL runs every query that a runbook tells somebody to paste at night.
func TestRunbooksSQL(t *testing.T) {
	conn := migrated(t)
	pages, err := filepath.Glob("../docs/runbooks/*.md")
	require.NoError(t, err)
	n := 0
	for _, page := range pages {
		content, err := os.ReadFile(page)
		require.NoError(t, err)
		var queries []string
		for _, block := range indented.FindAllStringSubmatch(string(content), -1) {
			if strings.HasPrefix(block[1], "SELECT") {
				for query := range strings.SplitSeq(block[1], "\n        SELECT") {
					queries = append(queries, "SELECT"+strings.TrimPrefix(query, "SELECT"))
				}
			}
		}
		for _, inline := range regexp.MustCompile("`(SELECT [^`]+)`").FindAllStringSubmatch(string(content), -1) {
			queries = append(queries, inline[1])
		}
		for _, query := range queries {
			if strings.Contains(query, "system.query_log") { // which the embedded engine does not keep
				continue
			}
			n++
			require.NoError(t, conn.Exec(t.Context(), query), "%s: %s", page, query)
		}
	}
	require.GreaterOrEqual(t, n, 8)
}
