package migrate

import (
	"io/fs"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var (
	comment = regexp.MustCompile(`(?m)^\s*--.*\n`)
	text    = regexp.MustCompile(`'(?:[^'\\]|\\.)*'`)
	creates = regexp.MustCompile(`^CREATE (?:TABLE IF NOT EXISTS|OR REPLACE VIEW|MATERIALIZED VIEW IF NOT EXISTS) (\w+)`)
	alters  = regexp.MustCompile(`^ALTER TABLE \w+\s`)
	// adds are the parts of an ALTER that the version before does not notice: it names the columns that it inserts and reads.
	adds   = regexp.MustCompile(`^(?:ADD COLUMN IF NOT EXISTS|ADD INDEX IF NOT EXISTS|COMMENT COLUMN|MODIFY COMMENT)\b`)
	column = regexp.MustCompile(`^\s*(\w+)\s+\w`)
)

// expansion holds migrations to what the version before can live with, since it runs beside the new one during an upgrade and may be
// gone back to. It knows the columns of what was created so far.
type expansion map[string][]string

// refuses says what a migration does to the version before; empty: nothing.
func (e expansion) refuses(sql string) string {
	_, sql, _ = strings.Cut(sql, "-- +goose Up")
	if strings.Contains(sql, "-- +goose Down") {
		return "a way back deletes: going back is running the version before"
	}
	sql = strings.TrimSpace(text.ReplaceAllString(comment.ReplaceAllString(sql+"\n", ""), "''"))
	sql = strings.TrimSuffix(sql, ";")
	if strings.Contains(sql, ";") {
		return "more than one statement: ClickHouse could apply half of them"
	}
	switch {
	case strings.HasPrefix(sql, "INSERT INTO "):
		return ""
	case alters.MatchString(sql):
		for _, part := range topLevel(alters.ReplaceAllString(sql, "")) {
			if part = strings.TrimSpace(part); !adds.MatchString(part) {
				return "it changes what is there: " + part
			}
		}
		return ""
	}
	m := creates.FindStringSubmatch(sql)
	if m == nil {
		return "it does not only add: " + strings.SplitN(sql, "\n", 2)[0]
	}
	columns := columnsOf(sql)
	if strings.HasPrefix(sql, "CREATE OR REPLACE") {
		for _, c := range e[m[1]] {
			if !slices.Contains(columns, c) {
				return "the view " + m[1] + " loses the column " + c
			}
		}
	}
	if len(columns) > 0 {
		e[m[1]] = columns
	}
	return ""
}

// topLevel splits a list at the commas that are in no parentheses.
func topLevel(list string) []string {
	var parts []string
	depth, from := 0, 0
	for i, c := range list {
		switch c {
		case '(':
			depth++
		case ')':
			depth--
		case ',':
			if depth == 0 {
				parts, from = append(parts, list[from:i]), i+1
			}
		}
	}
	return append(parts, list[from:])
}

// columnsOf are the columns that a CREATE declares in its first parentheses.
func columnsOf(sql string) []string {
	_, rest, found := strings.Cut(sql, "(\n")
	if !found {
		return nil
	}
	list, _, _ := strings.Cut(rest, "\n)")
	var names []string
	for _, part := range topLevel(list) {
		if m := column.FindStringSubmatch(part); len(m) > 1 && m[1] != "INDEX" {
			names = append(names, m[1])
		}
	}
	return names
}

func TestMigrationsOnlyAdd(t *testing.T) {
	t.Parallel()
	names, err := fs.Glob(files, "sql/*.sql")
	require.NoError(t, err)
	e := expansion{}
	for _, name := range names {
		sql, err := fs.ReadFile(files, name)
		require.NoError(t, err)
		require.Empty(t, e.refuses(string(sql)), "%s: the version before runs beside this one and may be gone back to", name)
	}
	require.Contains(t, e["facts"], "attributes")
	require.Contains(t, e["counters_all"], "applied_offset")
}

func TestWhatIsNoExpansionIsRefused(t *testing.T) {
	t.Parallel()
	for sql, want := range map[string]string{
		"DROP TABLE counters":                                                             "it does not only add: DROP TABLE counters",
		"ALTER TABLE facts_all DROP COLUMN value":                                         "it changes what is there: DROP COLUMN value",
		"ALTER TABLE facts_all RENAME COLUMN value TO v":                                  "it changes what is there: RENAME COLUMN value TO v",
		"ALTER TABLE facts_all ADD COLUMN IF NOT EXISTS a Map(String, String), DROP PART": "it changes what is there: DROP PART",
		"ALTER TABLE facts_all MODIFY COLUMN value String":                                "it changes what is there: MODIFY COLUMN value String",
		"CREATE OR REPLACE VIEW v\n(\n    a String COMMENT 'a, b'\n) AS SELECT 1":         "the view v loses the column b",
		"CREATE TABLE t (a String)":                                                       "it does not only add: CREATE TABLE t (a String)",
		"INSERT INTO t SELECT 1; TRUNCATE TABLE t":                                        "more than one statement: ClickHouse could apply half of them",
		"INSERT INTO t SELECT 1;\n-- +goose Down\nDROP TABLE t":                           "a way back deletes: going back is running the version before",
		"ALTER TABLE facts_all ADD COLUMN IF NOT EXISTS a Enum8('x; y' = 1) DEFAULT 'x'":  "",
	} {
		require.Equal(t, want, expansion{"v": {"a", "b"}}.refuses("-- +goose NO TRANSACTION\n-- +goose Up\n"+sql+";\n"), sql)
	}
}
