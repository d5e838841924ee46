package views_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"tidemark/internal/devclickhouse/chtest"
	"tidemark/schemas"
	"tidemark/sinks/clickhouse/migrate"
	"tidemark/sinks/clickhouse/views"
)

func (f fixture) options() views.Options {
	o := migrate.DefaultRetention()
	return views.Options{
		Database: f.Name, Topics: views.DefaultTopics(), Now: now,
		MinuteRetention: o.Minute, HourRetention: o.Hour, DayRetention: o.Day,
	}
}

func catalogue(t *testing.T, more string) *schemas.Catalogue {
	t.Helper()
	path := ""
	if more != "" {
		path = filepath.Join(t.TempDir(), "catalogue.yaml")
		require.NoError(t, os.WriteFile(path, []byte(more), 0o600))
	}
	cat, err := schemas.Load(path)
	require.NoError(t, err)
	return cat
}

const ownMetrics = `
metrics:
  - name: exports
    view: usage
    match: {type: [track], event: [Exported]}
    aggregate: count
    unit: exports
    description: It's "own" \ and has a comment.
    decision: none
    owner: me
  - name: exports_per_user
    view: usage
    aggregate: derived
    sql: if(users > 0, exports / users, NULL)
    unit: exports
    description: Exports a user.
    decision: none
    owner: me
  - name: exporters
    view: usage
    match: {type: [track], event: [Exported]}
    aggregate: distinct
    unit: users
    description: Distinct users who export.
    decision: none
    owner: me
  - name: feature_bytes
    view: features
    column: bytes
    by: feature
    match: {type: [track]}
    aggregate: sum
    of: bytes
    unit: bytes
    description: Bytes that went through the feature.
    decision: none
    owner: me
workflows:
  - name: there_and_back
    description: A step may come again.
    owner: me
    within: 1h
    steps: [Go, Turn, Go]
`

// A metric that is added to the catalogue is a column of every view of its family, with its words as the comment.
func TestOwnMetrics(t *testing.T) {
	f := newFixture(t)
	require.NoError(t, views.Apply(t.Context(), f.db, catalogue(t, ownMetrics), f.options()))
	f.insert(t, "counters",
		"('day', 'acme', '2026-03-09', '', 'exports', 'telemetry/0@T', 6, 30)",
		"('day', 'acme', '2026-03-09', 'x', 'feature_bytes', 'telemetry/0@T', 1024, 30)")
	f.insert(t, "member_sets",
		"('day', 'acme', '2026-03-09', '', 'users', 11, 'telemetry/0@T')", "('day', 'acme', '2026-03-09', '', 'users', 12, 'telemetry/0@T')",
		"('day', 'acme', '2026-03-09', '', 'exporters', 12, 'telemetry/0@T')")
	require.Equal(t, golden(`6 | 3 | 1`), f.rows(t, "SELECT exports, exports_per_user, exporters FROM usage_day WHERE window_start = '2026-03-09'"))
	require.Equal(t, golden(`6 | 3 | 1`), f.rows(t, "SELECT exports, exports_per_user, exporters FROM usage_28d WHERE window_end = '2026-03-11'"))
	require.Equal(t, golden(`6 | 3 | 1`), f.rows(t, "SELECT exports, exports_per_user, exporters FROM segment_usage_day WHERE window_start = '2026-03-09'"))
	require.Equal(t, golden(`1024`), f.rows(t, "SELECT bytes FROM features_7d WHERE window_end = '2026-03-11'"))
	require.Equal(t, golden(`It\'s "own" \\ and has a comment. Unit: exports.`),
		f.rows(t, "SELECT comment FROM system.columns WHERE database = currentDatabase() AND table = 'usage_hour' AND name = 'exports'"))

	step := func(at, name string) string {
		return "('workflow', 'acme', 'there_and_back', '2026-03-09 " + at + "', '" + name + "', 1, cityHash64('" + at + "'), 'telemetry/0@T', 1, 0, {})"
	}
	f.insert(t, "facts", step("10:00:00", "Go"), step("10:01:00", "Go"), step("10:02:00", "Turn"), step("10:03:00", "Go"), step("10:04:00", "Go"))
	require.Equal(t, golden(`
		2026-03-09 10:00:00.000 | 3 | completed | 180
		2026-03-09 10:04:00.000 | 1 | abandoned | \N
	`), f.rows(t, "SELECT started_at, step_reached, state, task_seconds FROM workflow_runs WHERE workflow = 'there_and_back' ORDER BY started_at"))
}

func TestObsoleteViewsGo(t *testing.T) {
	f := newFixture(t)
	f.exec(t, "CREATE VIEW mine AS SELECT 1 AS one COMMENT 'somebody made it'")
	f.exec(t, "CREATE VIEW retired AS SELECT 1 AS one COMMENT 'of an older version (made by tidemark migrate)'")
	require.NoError(t, views.Apply(t.Context(), f.db, catalogue(t, ""), f.options()))
	require.Equal(t, golden(`mine`), f.rows(t, "SELECT name FROM system.tables WHERE database = currentDatabase() AND name IN ('mine', 'retired')"))
}

// Everything that a BI tool lists explains itself, and has a type that BI tools know (metrics.md row 41).
func TestViewsExplainThemselves(t *testing.T) {
	f := newFixture(t)
	require.Empty(t, f.rows(t, `SELECT table, name FROM system.columns WHERE database = currentDatabase() AND comment = ''
		AND table IN (SELECT name FROM system.tables WHERE database = currentDatabase() AND engine = 'View')`))
	require.Empty(t, f.rows(t, `SELECT table, name, type FROM system.columns WHERE database = currentDatabase() AND type LIKE '%AggregateFunction%'
		AND table IN (SELECT name FROM system.tables WHERE database = currentDatabase() AND engine = 'View')`))
	// What a column is declared to be is what clients get.
	for _, name := range strings.Fields(f.rows(t, "SELECT name FROM system.tables WHERE database = currentDatabase() AND engine = 'View'")) {
		declared := f.rows(t, "SELECT name, type FROM system.columns WHERE database = currentDatabase() AND table = '"+name+"' ORDER BY position")
		answer := f.get(t, "SELECT * FROM "+name+" WHERE "+emptiness(declared)+" LIMIT 0 FORMAT TSVWithNamesAndTypes")
		heads := strings.Split(strings.TrimRight(answer, "\n"), "\n")
		require.Len(t, heads, 2, name)
		names, types := strings.Split(heads[0], "\t"), strings.Split(heads[1], "\t")
		var got strings.Builder
		for i := range names {
			got.WriteString(names[i] + "\t" + types[i] + "\n")
		}
		require.Equal(t, declared, got.String(), name)
	}
}

// emptiness are conditions that ClickHouse turns into reads of a column's size or null map, which fail where the query of a
// view yields another type than the view declares.
func emptiness(columns string) string {
	conditions := []string{"0"}
	for line := range strings.Lines(columns) {
		switch name, kind, _ := strings.Cut(strings.TrimSpace(line), "\t"); {
		case kind == "String":
			conditions = append(conditions, name+" = ''")
		case strings.Contains(kind, "Nullable("):
			conditions = append(conditions, name+" IS NULL")
		}
	}
	return strings.Join(conditions, " OR ")
}

// Conditions on the account and the time must reach the primary keys, or a dashboard of one account would read all.
func TestConditionsReachTheTables(t *testing.T) {
	f := newFixture(t)
	f.exec(t, chtest.Into("counters")+" SELECT 'day', 'a' || toString(number), '2026-03-09', '', 'events', 'telemetry/0@T', 1, 1 FROM numbers(10)")
	f.exec(t, chtest.Into("member_sets")+" SELECT 'day', 'a' || toString(number), '2026-03-09', '', 'users', [1], 'telemetry/0@T' FROM numbers(10)")
	f.exec(t, chtest.Into("user_minutes")+" SELECT 'a' || toString(number), '2026-03-09 10:00:00', 1, 'telemetry/0@T', '2026-03-09 10:00:00', '2026-03-09 10:00:00' FROM numbers(10)")
	f.exec(t, chtest.Into("account_changes")+" SELECT 'a' || toString(number), '2026-03-09', 'accounts/0@A', number, 0, map('seats', '5') FROM numbers(10)")
	plan := f.get(t, "EXPLAIN indexes = 1 SELECT * FROM usage_day WHERE account_id = 'a1' AND window_start >= toDateTime('2026-03-08 00:00:00', 'UTC') FORMAT TSVRaw")
	conditions := regexp.MustCompile(`ReadFromMergeTree \((\S+)\)|PrimaryKey[\s\S]*?Condition: (.*)`)
	read := map[string][]string{}
	table := ""
	for _, m := range conditions.FindAllStringSubmatch(plan, -1) {
		if m[1] != "" {
			table = strings.TrimPrefix(m[1], f.Name+".")
			continue
		}
		read[table] = append(read[table], m[2])
	}
	require.Len(t, read["counters_all"], 2, "counts and features used: %s", plan)
	for _, condition := range append(read["counters_all"], read["member_sets_all"]...) {
		require.Contains(t, condition, "account_id in ['a1', 'a1']")
		require.Contains(t, condition, "window_start in [1772928000, +Inf)")
	}
	for _, table := range []string{"known_accounts_all", "account_changes_all"} { // who is known, and what of it
		require.Len(t, read[table], 1, plan)
		require.Contains(t, read[table][0], "account_id in ['a1', 'a1']", table)
	}
	require.Len(t, read["member_sets_all"], 1, plan)
	require.NotEmpty(t, read["user_minutes_all"], plan)
	for _, conditions := range read {
		for _, condition := range conditions {
			require.Contains(t, condition, "generation in [0, 0]", "the subquery is evaluated before the table is read")
		}
	}
	for _, condition := range read["user_minutes_all"] {
		require.Contains(t, condition, "account_id in ['a1', 'a1']")
		require.Contains(t, condition, "minute in [")
	}
}

// Sessions are read in slices by age, of which those that are not asked for must not be read.
func TestOldSlicesAreNotRead(t *testing.T) {
	f := newFixture(t)
	f.exec(t, chtest.Into("user_minutes")+` SELECT 'a1', toDateTime('2026-03-09 00:00:00', 'UTC') - 86400 * intDiv(number, 1000) + 60 * (number % 1000) AS minute,
		1, 'telemetry/0@T', minute, minute FROM numbers(200000)`)
	rowsRead := func(query string) int {
		answer := f.get(t, query+" FORMAT JSON")
		n, err := strconv.Atoi(regexp.MustCompile(`"rows_read": (\d+)`).FindStringSubmatch(answer)[1])
		require.NoError(t, err)
		return n
	}
	require.Greater(t, rowsRead("SELECT sum(sessions) FROM usage_day"), 200_000)
	require.Less(t, rowsRead("SELECT sum(sessions) FROM usage_day WHERE window_start >= '2026-03-05'"), 50_000)
}

func TestBadOptions(t *testing.T) {
	o := views.Options{Topics: views.DefaultTopics()}
	_, err := views.Statements(catalogue(t, ""), o)
	require.ErrorContains(t, err, "no database")
	o.Database = "x"
	_, err = views.Statements(catalogue(t, "idle_cap: 30s\n"), o)
	require.ErrorContains(t, err, "idle_cap of the catalogue must be a minute at least")
	_, err = views.Statements(catalogue(t, "metrics: [{name: x, view: support, aggregate: tickets, unit: u, description: d, decision: e, owner: o}]\n"), o)
	require.ErrorContains(t, err, "the view support has no column x")
}
