package schemas

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// FuzzCatalogue holds that a user's file is refused with an error that names it, or added, compiled and looked up in.
func FuzzCatalogue(f *testing.F) {
	for _, s := range []string{
		``, `metrics: []`, `null`, `[`, "\xff", `a: &a [*a]`, `session_gap: 1ns`, `session_gap: [1]`, `tickets: {escalated_when: {reopened: -1}}`,
		"metrics:\n  - {name: a, view: usage, aggregate: count, unit: u, description: d, decision: x, owner: o, match: {event: [A], where: [{property: p, in: [1]}]}}\n",
		"metrics:\n  - {name: a, view: features, by: feature, aggregate: distinct, unit: u, description: d, decision: x, owner: o}\n",
		"metrics:\n  - {name: a, view: usage, aggregate: sum, of: p, unit: u, description: d, decision: x, owner: o, match: {active: engaged, not_event: [logins]}}\n",
		"workflows:\n  - {name: w, within: 1h, steps: [a, a]}\n", "workflows:\n  - &w {name: w, within: 1h, steps: [a, b]}\n  - *w\n",
		"active_when:\n  x: {active: x}\nmetrics:\n  - {name: a, view: usage, aggregate: count, unit: u, description: d, decision: x, owner: o, match: {active: x}}\n",
		"events: {logins: [logins], errors: [A, A]}\nfeature: {property: ''}\nversion: 9\n",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		add, err := decode("mine.yaml", data)
		if err != nil {
			require.True(t, strings.HasPrefix(err.Error(), "mine.yaml"), err)
			return
		}
		c, err := Builtin()
		require.NoError(t, err)
		c.extend(add)
		if err := c.validate("mine.yaml"); err != nil {
			require.True(t, strings.HasPrefix(err.Error(), "mine.yaml"), err)
			return
		}
		p, err := Compile(c)
		if err != nil {
			require.ErrorContains(t, err, "do not fit") // the only limit that takes the compiled form to tell
			return
		}
		require.Equal(t, c.Hash(), p.Hash)
		require.Len(t, p.Hash, 16)
		for _, e := range []string{"Signed In", "Anything", "", "\xff"} {
			require.NotNil(t, p.Plan(Track, []byte(e)))
			require.NotNil(t, p.Plan(Page, []byte(e)))
		}
		require.LessOrEqual(t, len(p.AccountDistincts), MaxDistinct)
		require.LessOrEqual(t, len(p.FeatureDistincts), MaxDistinct)
		require.Less(t, p.FeatureProperty, len(p.Properties))
	})
}
