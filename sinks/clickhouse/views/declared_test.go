package views_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"tidemark/sinks/clickhouse/migrate"
)

// TestGoalsAndSurveysOfTheCatalogue answers metrics.md rows 12, 24 and 25 for goals and surveys that are declared in YAML.
func TestGoalsAndSurveysOfTheCatalogue(t *testing.T) {
	f := newFixture(t)
	cat := ownCatalogue(t, `
segments:
  - {name: paying, description: Customers that pay., where: {plan: pro}}
goals:
  - {name: ten_active, description: Ten people use it, owner: customer success, segments: [paying], metric: usage_28d.active_users, start: 0, target: 10, within: 20d}
surveys:
  - {survey: quick, kind: csat, satisfied: 3}
  - {survey: pulse, kind: nps, satisfied: 4, dissatisfied: 2}
`)
	f.use(t, cat)
	f.insert(t, "account_changes",
		"('acme', '2026-02-28 12:00:00', 'accounts/0@A', 0, 0, {'plan': 'pro', 'created_at': '2026-02-28T12:00:00Z'})",
		"('free', '2026-02-28 12:00:00', 'accounts/0@A', 1, 0, {'plan': 'free', 'created_at': '2026-02-28T12:00:00Z'})",
		"('own', '2026-02-28 12:00:00', 'accounts/0@A', 2, 0, {'plan': 'pro', 'created_at': '2026-02-28T12:00:00Z'})",
	)
	f.insert(t, "facts",
		"('goal', 'own', 'ten_active', '2026-03-01 00:00:00', 'defined', 0, 1, 'signals/0@S', 1, 5, {'start': '0', 'metric': 'events', 'direction': 'up', 'name': 'agreed', 'starts_at': '2026-03-01T00:00:00.000Z', 'due_at': '2026-04-01T00:00:00.000Z'})",
		// Three of five are enough of quick, though two thirds are not of others; the kind in the record was another.
		"('survey', 'acme', 'quick', '2026-03-08 10:00:00', 'ces', 1, 11, 'signals/0@S', 11, 3, {'scale_min': '1', 'scale_max': '5'})",
		"('survey', 'acme', 'quick', '2026-03-08 10:00:00', 'ces', 2, 12, 'signals/0@S', 12, 2, {'scale_min': '1', 'scale_max': '5'})",
		"('survey', 'acme', 'other', '2026-03-08 10:00:00', 'csat', 3, 13, 'signals/0@S', 13, 3, {'scale_min': '1', 'scale_max': '5'})",
		// Of pulse, a scale of 1 to 5: 4 and 5 promote, 1 and 2 detract.
		"('survey', 'acme', 'pulse', '2026-03-08 10:00:00', 'nps', 4, 14, 'signals/0@S', 14, 4, {'scale_min': '1', 'scale_max': '5'})",
		"('survey', 'acme', 'pulse', '2026-03-08 10:00:00', 'nps', 5, 15, 'signals/0@S', 15, 3, {'scale_min': '1', 'scale_max': '5'})",
		"('survey', 'acme', 'pulse', '2026-03-08 10:00:00', 'nps', 6, 16, 'signals/0@S', 16, 5, {'scale_min': '1', 'scale_max': '5'})",
	)
	f.insert(t, "member_sets",
		"('day', 'acme', '2026-03-05', '', 'active_users', 1, 'telemetry/0@T')", "('day', 'acme', '2026-03-05', '', 'active_users', 2, 'telemetry/0@T')",
		"('day', 'acme', '2026-03-06', '', 'active_users', 3, 'telemetry/0@T')", "('day', 'acme', '2026-03-06', '', 'active_users', 4, 'telemetry/0@T')",
	)
	// 4 of 10 by half of the time, at noon of the 10th of March.
	require.Equal(t, golden(`
		acme | ten_active | Ten people use it | active_users | 4 | 0.4 | 0.5 | 0.8 | behind
		own  | ten_active | agreed            | events       | 0 |   0 | 0.306 | 0 | behind
	`), f.rows(t, "SELECT account_id, goal_id, name, measure, current_value, progress, round(elapsed_share, 3), pace, state FROM goals ORDER BY account_id"))
	require.Equal(t, golden(`33.333 | 3 | 66.667 | 3`),
		f.rows(t, "SELECT round(csat, 3), csat_responses, round(nps, 3), nps_responses FROM sentiment_90d WHERE account_id = 'acme' AND window_end = '2026-03-10'"))

	cat.Goals[0].Metric = "usage_28d.active_user"
	o := migrate.DefaultOptions()
	o.Now, o.Catalogue = now, cat
	require.ErrorContains(t, migrate.Up(t.Context(), f.db, o), "mine.yaml:5: goal ten_active: usage_28d.active_user is no column of usage_28d that is a number; did you mean active_users?")
}
