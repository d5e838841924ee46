package schemas

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// TestVanityIsFlagged answers metrics.md row 38: metrics that serve no goal, target or health score are named.
func TestVanityIsFlagged(t *testing.T) {
	const metrics = `
metrics:
  - {name: exports, view: usage, match: {event: [Data Exported]}, aggregate: count, unit: u, description: d, decision: x, owner: o}
  - {name: exports_twice, view: usage, aggregate: derived, sql: exports * 2, unit: u, description: d, decision: x, owner: o}
  - {name: imports, view: usage, match: {event: [File Imported]}, aggregate: count, unit: u, description: d, decision: x, owner: o}
`
	names := func(text string) (out []string) {
		c, err := own(t, text)
		require.NoError(t, err)
		for _, m := range c.Vanity() {
			out = append(out, m.Name)
		}
		return out
	}
	builtin := names("")
	require.Contains(t, builtin, "page_views")
	require.Contains(t, builtin, "sessions", "time in the product alone is vanity")
	require.NotContains(t, builtin, "active_users")
	require.NotContains(t, builtin, "logins", "a health profile reads them")
	require.NotContains(t, builtin, "active_seconds", "active_minutes are made of it")
	require.Subset(t, names(metrics), []string{"exports", "exports_twice", "imports"})

	used := names(metrics + "goals:\n  - {name: g, description: d, owner: o, metric: usage_28d.exports_twice, start: 0, target: 5, within: 90d}\n")
	require.NotContains(t, used, "exports")
	require.NotContains(t, used, "exports_twice")
	require.Contains(t, used, "imports")
}
