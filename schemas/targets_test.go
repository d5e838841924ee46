package schemas

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// own loads a user's catalogue that the test has written.
func own(t *testing.T, text string) (*Catalogue, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "c.yaml")
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	return Load(path)
}

func TestSegmentsHaveTargetsOfTheirOwn(t *testing.T) {
	c, err := own(t, `
segments:
  - {name: big, description: Big ones., where: {plan: [pro, enterprise], seats: {min: 100}}}
  - {name: new, description: New ones., where: {stage: onboarding, churned_at: {exists: false}}}
targets:
  gross_margin: 0.7
  segments:
    big:
      return_days: {of_7: 5}
      key_features: [export]
      onboarding: {items: [{name: invited, event: [User Invited, logins]}]}
`)
	require.NoError(t, err)
	require.Equal(t, []string{"big", "new"}, c.SegmentNames())
	require.Equal(t, []string{"onboarding"}, c.Segments[1].Where["stage"].In)
	require.InDelta(t, 100, *c.Segments[0].Where["seats"].Min, 0)
	big, others := c.TargetOf("big"), c.TargetOf("elsewhere")
	require.Equal(t, ReturnDays{Of7: 5, Of28: 12}, big.ReturnDays)
	require.Equal(t, ReturnDays{Of7: 3, Of28: 12}, others.ReturnDays)
	require.Equal(t, []string{"export"}, big.KeyFeatures)
	require.InDelta(t, 0.7, big.GrossMargin, 0)
	require.Equal(t, Duration(14*24*time.Hour), big.Onboarding.StalledAfter)
	require.Equal(t, "active_users", c.ValueMetric("big"))
	require.Equal(t, []string{"Logged In", "Login", "Signed In", "User Invited", "User Signed In"}, c.Steps()[OnboardingFacts],
		"steps of workflows are kept as theirs")
	p, err := Compile(c)
	require.NoError(t, err)
	require.Equal(t, []Step{{OnboardingFacts, "User Invited"}}, p.Plan(Track, []byte("User Invited")).Steps)
}

func TestHashIsOfWhatMakesRows(t *testing.T) {
	hash := func(text string) string {
		c, err := own(t, text)
		require.NoError(t, err)
		return c.Hash()
	}
	builtin := hash("")
	for _, same := range []string{
		"segments: [{name: a, description: d, where: {plan: pro}}]",
		"targets: {return_days: {of_7: 5}, key_features: [x]}",
		"entitlements: {pro: {features: [export]}}",
		"session_gap: 45m",
		"events: {others: [A, B]}",
		"active_when: {exporting: {event: [Data Exported]}}",
		"metrics: [{name: a, view: usage, aggregate: derived, sql: events, unit: u, description: d, decision: x, owner: o}]",
	} {
		require.Equal(t, builtin, hash(same), same)
	}
	for _, other := range []string{
		"active_when: {engaged: {event: [Data Exported]}}",
		"events: {logins: [Entered]}",
		"feature: {property: module}",
		"targets: {onboarding: {items: [{name: a, event: [User Invited]}]}}",
		"tickets: {escalated_when: {sla_breach: true}}",
		"metrics: [{name: a, view: usage, aggregate: count, unit: u, description: d, decision: x, owner: o}]",
		"workflows: [{name: w, within: 1h, steps: [A, B]}]",
	} {
		require.NotEqual(t, builtin, hash(other), other)
	}
	a := hash("metrics: [{name: a, view: usage, aggregate: count, match: {event: [logins]}, unit: u, description: d, decision: x, owner: o}]")
	b := hash("metrics: [{name: a, view: usage, column: b, aggregate: count, match: {event: [Signed In, Logged In, Login, User Signed In]}, unit: v, description: e, decision: x, owner: o}]")
	require.Equal(t, a, b, "the same by other words")
}

func TestErrorsOfSectionsNameLineAndName(t *testing.T) {
	for name, tc := range map[string]struct{ yaml, want string }{
		"unknown section":   {"\nsegmets: []\n", `c.yaml:2: the file has no key "segmets"; did you mean segments?`},
		"unknown condition": {"segments:\n  - name: a\n    description: d\n    where:\n      seats: {mix: 3}\n", `c.yaml:5: where.seats has no key "mix"; did you mean min?`},
		"empty condition":   {"segments:\n  - name: a\n    description: d\n    where: {seats: {}}\n", `c.yaml:4: segment a: the condition on seats asks for nothing`},
		"not a number":      {"segments:\n  - name: a\n    description: d\n    where: {seats: {min: many}}\n", "c.yaml:4: cannot unmarshal"},
		"twice":             {"segments:\n  - {name: a, description: d}\n  - {name: a, description: d}\n", "c.yaml:3: segment a is declared twice, first at "},
		"unknown segment": {
			"segments: [{name: big, description: d}]\ntargets:\n  segments:\n    bog: {low_usage: 0.3}\n",
			`c.yaml:4: targets: segment "bog" is not declared in segments; did you mean big?`,
		},
		"unknown meaning":  {"targets:\n  value_when: engage\n", `c.yaml:2: targets: value_when "engage" is not declared in active_when; did you mean engaged?`},
		"unread meaning":   {"active_when: {mine: {event: [A]}}\ntargets:\n  value_when: mine\n", `c.yaml:3: targets: value_when "mine" has no users to read: declare a metric`},
		"too many days":    {"targets:\n  return_days: {of_7: 8}\n", "c.yaml:2: targets: return_days of_7 must lie between 0 and 7"},
		"bad duration":     {"targets:\n  onboarding:\n    stalled_after: 2 weeks\n", `c.yaml:3: "2 weeks" is not a positive duration such as 30m or 14d`},
		"bad quota":        {"entitlements:\n  pro:\n    quotas:\n      - {name: q, meter: m, limit: 1, period: mont}\n", `c.yaml:4: entitlements of pro: quota q: period "mont" is unknown; did you mean month?`},
		"unknown of merge": {"segments:\n  - &a {name: a, description: d}\n  - <<: *a\n    nam: b\n", `c.yaml:4: segments has no key "nam"; did you mean name?`},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := own(t, tc.yaml)
			require.ErrorContains(t, err, tc.want)
		})
	}
}
