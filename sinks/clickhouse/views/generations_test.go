package views_test

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// A query reads one generation, however many views it joins: the subquery that names the live one is evaluated once.
// Were it not, one that starts while a new generation goes live could show counts of one and users of the other.
func TestOneQueryReadsOneGeneration(t *testing.T) {
	f := newFixture(t)
	f.exec(t, "CREATE VIEW one AS SELECT (SELECT rand64() FROM generations WHERE state = 'live') AS a")
	f.exec(t, "CREATE VIEW two AS SELECT (SELECT rand64() FROM generations WHERE state = 'live') AS b FROM numbers(1) WHERE sleepEachRow(0.2) = 0")
	f.exec(t, "CREATE VIEW three AS SELECT a, b FROM one, two")
	require.Equal(t, golden("1"), f.rows(t, "SELECT a = b FROM three"))
	require.Equal(t, golden("1"), f.rows(t, "SELECT uniqExact(n) FROM (SELECT a AS n FROM one UNION ALL SELECT b FROM two UNION ALL SELECT a FROM three)"))
	first := f.rows(t, "SELECT a FROM one")
	require.NotEqual(t, first, f.rows(t, "SELECT a FROM one"), "once a query, not once for all")
}

// Switching is one row, after which every view shows the other generation, whole.
func TestTheLiveGenerationIsShown(t *testing.T) {
	f := week(t)
	const counted = "SELECT sum(events), sum(users) FROM usage_day"
	was := f.rows(t, counted)
	require.NotEqual(t, golden("0 | 0"), was)
	for _, table := range []string{"counters", "member_sets", "user_minutes", "facts", "account_changes", "source_progress"} {
		f.exec(t, "INSERT INTO "+table+"_all SELECT * REPLACE (1 AS generation) FROM "+table+"_all")
	}
	f.exec(t, `INSERT INTO counters_all SELECT * REPLACE (value + 100 AS value) FROM counters_all
		WHERE generation = 1 AND tier = 'day' AND feature = '' AND metric = 'events' AND account_id = 'acme' ORDER BY value DESC LIMIT 1`)
	require.Equal(t, was, f.rows(t, counted), "it is not live")
	f.exec(t, "INSERT INTO generations SELECT 1, 'live', 'c', now64(3)")
	is := f.rows(t, counted)
	require.NotEqual(t, was, is)
	f.exec(t, "INSERT INTO generations SELECT 0, 'live', '', now64(3)")
	require.Equal(t, was, f.rows(t, counted))
}
