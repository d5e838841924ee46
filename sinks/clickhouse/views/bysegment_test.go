package views_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"tidemark/schemas"
	"tidemark/sinks/clickhouse/migrate"
	"tidemark/sinks/clickhouse/views"
)

// ownCatalogue is the built-in catalogue with what the test adds.
func ownCatalogue(t *testing.T, text string) *schemas.Catalogue {
	t.Helper()
	path := filepath.Join(t.TempDir(), "mine.yaml")
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	cat, err := schemas.Load(path)
	require.NoError(t, err)
	return cat
}

// TestSegmentsOverViewsAreRefused: a condition that could never hold is a mistake with its line.
func TestSegmentsOverViewsAreRefused(t *testing.T) {
	for where, want := range map[string]string{
		"usage_28d.active_users: {min: 50}": "mine.yaml:4: segment heavy: usage_28d.active_users is of a view, and segments are over attributes of the account's record",
		"targets.active_days: {min: 5}":     "",
	} {
		cat := ownCatalogue(t, "segments:\n  - name: heavy\n    description: Much used.\n    where: {"+where+"}\n")
		_, err := views.Statements(cat, views.Options{Database: "d", Topics: views.DefaultTopics()})
		if want == "" {
			require.NoError(t, err)
		} else {
			require.ErrorContains(t, err, want)
		}
	}
}

// use makes the views anew from another catalogue.
func (f fixture) use(t *testing.T, cat *schemas.Catalogue) {
	t.Helper()
	o := migrate.DefaultOptions()
	o.Now, o.Catalogue = now, cat
	require.NoError(t, migrate.Up(t.Context(), f.db, o))
}

// TestSegmentsOfTheCatalogue: the first predicate that holds of what was known at the window's end, else the record's own word.
func TestSegmentsOfTheCatalogue(t *testing.T) {
	f := newFixture(t)
	f.use(t, ownCatalogue(t, `
segments:
  - {name: trial, description: Not paying yet., where: {plan: free, converted_at: {exists: false}}}
  - {name: big, description: Many seats., where: {seats: {min: 100, max: 999}, region: {not_in: [test]}}}
`))
	f.insert(t, "account_changes",
		"('acme', '2026-03-05 00:00:00', 'accounts/0@A', 0, 0, {'plan': 'free', 'seats': '100', 'segment': 'smb'})",
		"('acme', '2026-03-08 12:00:00', 'accounts/0@A', 1, 0, {'plan': 'pro'})",
		"('acme', '2026-03-09 12:00:00', 'accounts/0@A', 2, 0, {'seats': '1000'})",
		"('other', '2026-03-09 00:00:00', 'accounts/0@A', 3, 0, {'seats': 'many'})",
		"('test', '2026-03-09 00:00:00', 'accounts/0@A', 4, 0, {'seats': '100', 'region': 'test'})",
	)
	require.Equal(t, golden(`
		acme  | 2026-03-07 | trial
		acme  | 2026-03-08 | big
		acme  | 2026-03-09 | smb
		other | 2026-03-09 | \N
		test  | 2026-03-09 | \N
	`), f.rows(t, "SELECT account_id, toDate(window_start), segment FROM usage_day WHERE window_start BETWEEN '2026-03-07' AND '2026-03-09' ORDER BY 1, 2"))
	require.Equal(t, golden(`
		      | 2
		smb   | 1
	`), f.rows(t, "SELECT segment, accounts FROM segment_usage_day WHERE window_start = '2026-03-09' ORDER BY 1"))
}
