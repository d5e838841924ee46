package rules_test

import (
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"tidemark/schemas"
	"tidemark/schemas/rules"
	"tidemark/sinks/clickhouse/views"
)

// builtin is the catalogue with its views, made once: that takes a tenth of a second.
var builtin = sync.OnceValues(schemas.Builtin)

var tables = sync.OnceValues(func() ([]rules.Table, error) {
	cat, err := builtin()
	if err != nil {
		return nil, err
	}
	return views.Tables(cat)
})

func vocabulary(t require.TestingT) (*schemas.Catalogue, []rules.Table) {
	cat, err := builtin()
	require.NoError(t, err)
	all, err := tables()
	require.NoError(t, err)
	return cat, all
}

func load(t *testing.T, text string) ([]*rules.Rule, error) {
	t.Helper()
	cat, all := vocabulary(t)
	if text == "" {
		return rules.Load(cat, all)
	}
	path := filepath.Join(t.TempDir(), "own.yaml")
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	return rules.Load(cat, all, path)
}

// one is the rule that has just the condition.
func one(t *testing.T, when string) (*rules.Rule, error) {
	t.Helper()
	all, err := load(t, "pack: none\nrules:\n  - name: a\n    description: d\n    playbook: p\n    owner: o\n    when: >-\n      "+when+"\n")
	if err != nil {
		return nil, err
	}
	return all[0], nil
}

func TestShippedPack(t *testing.T) {
	all, err := load(t, "")
	require.NoError(t, err)
	rows := map[int]bool{}
	for _, r := range all {
		for _, row := range r.Rows {
			rows[row] = true
		}
		t.Logf("%-20s %-12s %s", r.Name, r.Fires, r.Reason)
	}
	for _, row := range []int{7, 10, 11, 13, 17, 26, 29, 31, 32, 33, 34} {
		require.True(t, rows[row], "row %d of metrics.md has no rule", row)
	}
}
