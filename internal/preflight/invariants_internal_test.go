package preflight

import (
	"testing"

	"github.com/stretchr/testify/require"
)

const (
	plainCheckpoints = "ReplacingMergeTree ORDER BY (source, offset) SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, index_granularity = 8192"
	replicatedFacts  = "ReplicatedReplacingMergeTree('/clickhouse/tables/{uuid}/{shard}', '{replica}', offset) PARTITION BY (kind, toYYYYMM(at)) ORDER BY (kind) SETTINGS fsync_after_insert = 0"
	sharedCounters   = "SharedAggregatingMergeTree('/clickhouse/tables/{uuid}/{shard}', '{replica}') ORDER BY tier"
)

func TestParseTable(t *testing.T) {
	t.Parallel()
	defaults := map[string]string{"fsync_after_insert": "1", "fsync_part_directory": "0"}
	require.Equal(t, table{
		name: "checkpoints", engine: "ReplacingMergeTree", sortingKey: "source, offset",
		settings: map[string]string{"fsync_after_insert": "1", "fsync_part_directory": "1", "index_granularity": "8192"},
	}, parseTable("checkpoints", "ReplacingMergeTree", plainCheckpoints, "source, offset", defaults))
	require.Equal(t, table{
		name: "facts", engine: "ReplacingMergeTree", prefix: "Replicated", version: "offset", sortingKey: "kind",
		settings: map[string]string{"fsync_after_insert": "0", "fsync_part_directory": "0"},
	}, parseTable("facts", "ReplicatedReplacingMergeTree", replicatedFacts, "kind", defaults), "the table's setting wins, and is the server's where it has none")
	require.Equal(t, table{
		name: "counters", engine: "AggregatingMergeTree", prefix: "Shared", sortingKey: "tier", settings: defaults,
	}, parseTable("counters", "SharedAggregatingMergeTree", sharedCounters, "tier", defaults))
}

// A cluster can't be had here (the embedded engine has no Keeper), so what is judged of its tables is tested without one.
func TestCompare(t *testing.T) {
	t.Parallel()
	want := table{name: "facts", engine: "ReplacingMergeTree", version: "offset", sortingKey: "kind, at"}
	good := func(change func(*table)) table {
		is := want
		is.settings = map[string]string{"fsync_after_insert": "1", "fsync_part_directory": "1"}
		if change != nil {
			change(&is)
		}
		return is
	}
	replicated := good(func(is *table) { is.prefix = "Replicated" })
	shared := good(func(is *table) { is.prefix = "Shared"; is.settings = nil })
	for name, c := range map[string]struct {
		is   table
		d    Durability
		want []string
	}{
		"one server":            {good(nil), Durability{Addresses: 1}, nil},
		"replicated":            {replicated, Durability{Addresses: 2, Quorum: "auto"}, nil},
		"replicated, a number":  {replicated, Durability{Addresses: 2, Quorum: "2"}, nil},
		"shared":                {shared, Durability{Addresses: 1, Quorum: "auto"}, nil},
		"two servers, no copy":  {good(nil), Durability{Addresses: 2}, []string{"clickhouse.addr names 2 servers, but the table facts is not replicated"}},
		"replicated, no quorum": {replicated, Durability{Addresses: 1}, []string{`the table facts is ReplicatedReplacingMergeTree, but clickhouse.insert_quorum is ""`}},
		"a quorum of one":       {replicated, Durability{Addresses: 1, Quorum: "1"}, []string{`clickhouse.insert_quorum is "1"`}},
		"shared, no quorum":     {shared, Durability{Addresses: 1}, []string{"is SharedReplacingMergeTree"}},
		"another engine": {good(func(is *table) { is.engine = "MergeTree" }), Durability{Addresses: 1},
			[]string{"the table facts has the engine MergeTree, which does not merge rows as they are written for; it must be ReplacingMergeTree, or ReplicatedReplacingMergeTree"}},
		"distributed": {good(func(is *table) { is.engine = "Distributed" }), Durability{Addresses: 1}, []string{"the engine Distributed"}},
		"another key": {good(func(is *table) { is.sortingKey = "at" }), Durability{Addresses: 1},
			[]string{"the table facts is sorted by (at) and versioned by (offset)"}},
		"no version": {good(func(is *table) { is.version = "" }), Durability{Addresses: 1}, []string{"sorted by (kind, at) and versioned by ()"}},
		"not durable": {good(func(is *table) {
			is.settings = map[string]string{"fsync_after_insert": "0", "fsync_part_directory": "0"}
		}), Durability{Addresses: 1},
			[]string{"run ALTER TABLE facts MODIFY SETTING fsync_after_insert = 1", "run ALTER TABLE facts MODIFY SETTING fsync_part_directory = 1"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			errs := want.compare(c.is, c.d)
			require.Len(t, errs, len(c.want), "%v", errs)
			for i, text := range c.want {
				var v *Violation
				require.ErrorAs(t, errs[i], &v)
				require.ErrorContains(t, v, text)
			}
		})
	}
}
