package schemas

import (
	"math/bits"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestBuiltinCompiles(t *testing.T) {
	c, err := Builtin()
	require.NoError(t, err)
	p, err := Compile(c)
	require.NoError(t, err)
	require.Equal(t, []string{"feature", "duration_ms"}, p.Properties)
	require.Equal(t, []string{"events", "page_views", "logins", "errors"}, p.AccountCounters)
	require.Equal(t, []string{"users", "active_users", "training_users"}, p.AccountDistincts)

	login := p.Plan(Track, []byte("Signed In"))
	require.Len(t, login.Account.Always, 2, "events and logins")
	require.Equal(t, 1, bits.OnesCount32(login.Account.Users), "users, not active_users")
	other := p.Plan(Track, []byte("Anything"))
	require.Len(t, other.Account.Always, 1)
	require.Equal(t, 2, bits.OnesCount32(other.Account.Users))
	require.Len(t, other.Feature.Sums, 1)
	failed := p.Plan(Track, []byte("$exception"))
	require.Zero(t, failed.Feature.Users)
	require.Len(t, failed.Feature.Always, 1, "feature_errors")
	require.Equal(t, []Step{{"report_published", "Report Started"}}, p.Plan(Track, []byte("Report Started")).Steps)
	require.Len(t, p.Plan(Page, nil).Account.Always, 2, "events and page_views")
}

func TestHashFollowsMeaning(t *testing.T) {
	a, err := Builtin()
	require.NoError(t, err)
	b, err := Builtin()
	require.NoError(t, err)
	require.Equal(t, a.Hash(), b.Hash())
	b.Metrics[0].Match.Type = []string{"page"}
	require.NotEqual(t, a.Hash(), b.Hash())
}

func TestUserMetricIsAddedInYAMLAlone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "mine.yaml")
	require.NoError(t, os.WriteFile(path, []byte(`
metrics:
  - name: enterprise_exports
    view: usage
    match: {type: [track], event: [Report Exported], where: [{property: plan, in: [enterprise]}]}
    aggregate: count
    unit: exports
    description: Exports by enterprise users.
    decision: Offer the export API.
    owner: me
`), 0o600))
	c, err := Load(path)
	require.NoError(t, err)
	p, err := Compile(c)
	require.NoError(t, err)
	require.Contains(t, p.AccountCounters, "enterprise_exports")
	require.Contains(t, p.Properties, "plan")
	counts := p.Plan(Track, []byte("Report Exported")).Account.Counts
	require.Equal(t, []string{"enterprise"}, counts[len(counts)-1].Where[0].In)
}

func TestErrorsNameTheLine(t *testing.T) {
	for name, tc := range map[string]struct{ yaml, want string }{
		"unknown key": {"metrics:\n  - name: a\n    vieww: usage\n", `c.yaml:3: metrics has no key "vieww"; did you mean view?`},
		"bad view": {
			"metrics:\n  - {name: a, view: b, aggregate: count, unit: u, description: d, decision: x, owner: o}\n",
			`:2: metric a: view "b" is none of`,
		},
		"no decision":      {"metrics:\n  - {name: a, view: usage, aggregate: count, unit: u, description: d, owner: o}\n", "decision is missing"},
		"taken name":       {"metrics:\n  - {name: events, view: usage, aggregate: count}\n", "declared twice"},
		"bad duration":     {"session_gap: soon\n", `"soon" is not a positive duration`},
		"unknown meaning":  {"metrics:\n  - {name: a, view: usage, match: {active: zeal}, aggregate: count}\n", `active "zeal" is not declared`},
		"endless meaning":  {"active_when: {x: {active: x}}\n", "a meaning does not refer to another, or to itself"},
		"one-step funnel":  {"workflows:\n  - {name: w, within: 1h, steps: [a]}\n", "needs at least two steps"},
		"sum without `of`": {"metrics:\n  - {name: a, view: usage, aggregate: sum}\n", "`of` goes with aggregate sum"},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "c.yaml")
			require.NoError(t, os.WriteFile(path, []byte(tc.yaml), 0o600))
			_, err := Load(path)
			require.ErrorContains(t, err, tc.want)
		})
	}
}
