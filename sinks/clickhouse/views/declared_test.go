package views_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"tidemark/sinks/clickhouse/views"
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
}

// metrics.md row 12 for goals over any column of a view with a row an account and period: two of the catalogue, and records whose metric
// goal_metrics names. Of a view that nothing names a goal has no value. It is the 10th of March, 12:00.
func TestGoalsOverOtherViews(t *testing.T) {
	f := newFixture(t)
	f.use(t, ownCatalogue(t, `
goals:
  - {name: adopted, description: Half of the key features are used, owner: customer success, metric: adoption_28d.breadth, start: 0, target: 0.5, within: 20d}
  - {name: seated, description: Most seats are used, owner: customer success, metric: licences_28d.seat_utilization, start: 0, target: 1, within: 20d}
goal_metrics: [{metric: support_28d.escalated}, {metric: sentiment_90d.nps}]
`))
	goal := func(n int, id, metric, start, target, starts, due string) string {
		return fmt.Sprintf("('goal', 'acme', '%s', '2026-01-01 00:00:00', 'defined', 0, %d, 'signals/0@S', %d, %s, {'metric': '%s', 'start': '%s', 'direction': 'up', 'starts_at': '%sT00:00:00.000Z', 'due_at': '%sT00:00:00.000Z'})",
			id, n+1, n, target, metric, start, starts, due)
	}
	f.insert(t, "facts",
		goal(0, "calm", "support_28d.escalated", "4", "0", "2026-03-08", "2026-03-13"),
		goal(1, "liked", "sentiment_90d.nps", "0", "50", "2026-03-01", "2026-03-20"),
		goal(2, "used", "usage_28d.active_users", "0", "6", "2026-03-01", "2026-03-20"),
		goal(3, "unread", "expansion_30d.seats_change", "0", "6", "2026-03-01", "2026-03-20"))
	f.insert(t, "account_changes", "('acme', '2026-02-28 12:00:00', 'accounts/0@A', 1, 0, {'created_at': '2026-02-28T12:00:00Z', 'seats': '4'})")
	f.insert(t, "member_sets", activeOn("acme", 1, 5)...)
	f.insert(t, "member_sets", activeOn("acme", 2, 5)...)
	f.insert(t, "member_sets", activeOn("acme", 3, 6)...)
	f.insert(t, "member_sets", "('day', 'acme', '2026-03-05', 'dashboards', 'feature_users', 1, 'telemetry/0@T')")
	f.insert(t, "counters", "('day', 'acme', '2026-03-05', 'dashboards', 'feature_uses', 'telemetry/0@T', 1, 1)")
	ticketEvents(f, t, `
		1 2026-03-03 09:00:00 created
		1 2026-03-04 09:00:00 tag {'to': 'escalated', 'tags': 'escalated', 'escalation': 'tag'}
		2 2026-03-08 09:00:00 created
		2 2026-03-08 10:00:00 tag {'to': 'escalated', 'tags': 'escalated', 'escalation': 'tag'}
	`)
	for user, score := range []int{10, 9, 7, 3} {
		f.insert(t, "facts", fmt.Sprintf("('survey', 'acme', 'q1', '2026-03-08 10:00:00', 'nps', %d, %d, 'signals/0@S', %d, %d, {'scale_min': '0', 'scale_max': '10'})", user+1, 50+user, 50+user, score))
	}
	// One of four key features; two escalations of four to none; (2 - 1) of 4 answers are an NPS of 25; three users have four seats.
	require.Equal(t, golden(`
		adopted | adoption_28d.breadth       | 0.25 | 2026-03-10 | 0.5  | 0.5 | 1   | on track
		calm    | support_28d.escalated      | 2    | 2026-03-10 | 0.5  | 0.5 | 1   | on track
		liked   | sentiment_90d.nps          | 25   | 2026-03-10 | 0.5  | 0.5 | 1   | on track
		seated  | licences_28d.seat_utilization | 0.75 | 2026-03-10 | 0.75 | 0.5 | 1.5 | on track
		unread  | expansion_30d.seats_change | \N   | \N         | \N   | 0.5 | \N  | unknown
		used    | active_users               | 3    | 2026-03-10 | 0.5  | 0.5 | 1   | on track
	`), f.rows(t, "SELECT goal_id, measure, current_value, toDate(current_at), progress, elapsed_share, pace, state FROM goals ORDER BY goal_id"))
	require.Equal(t, golden(`
		calm  | 2026-03-08 | 1
		calm  | 2026-03-09 | 2
		calm  | 2026-03-10 | 2
		liked | 2026-03-09 | 25
		liked | 2026-03-10 | 25
	`), f.rows(t, "SELECT goal_id, toDate(at), value FROM goal_progress WHERE goal_id IN ('calm', 'liked') ORDER BY goal_id, at"))
}

// TestMeasuresOfGoalsThatAreNotThere: file, line and the nearest name.
func TestMeasuresOfGoalsThatAreNotThere(t *testing.T) {
	for want, text := range map[string]string{
		"mine.yaml:4: goal g: the view usage_28d has no column active_user that is a number or text; did you mean active_users?": `
goals:
  - {name: g, description: d, owner: o, start: 0, target: 10, within: 20d,
     metric: usage_28d.active_user}
`,
		"mine.yaml:3: goal metric supports_28d.escalated: there is no view supports_28d with one row an account and day; did you mean support_28d?": `
goal_metrics:
  - {metric: supports_28d.escalated}
`,
		"mine.yaml:2: goal metric usage_7d.plan: usage_7d.plan is text: a goal is measured by a number": `
goal_metrics: [{metric: usage_7d.plan}]
`,
	} {
		_, err := views.Statements(ownCatalogue(t, text), views.Options{Database: "d", Topics: views.DefaultTopics()})
		require.ErrorContains(t, err, want)
	}
	_, err := views.Statements(ownCatalogue(t, "goal_metrics: [{metric: health_day.score}]"), views.Options{Database: "d", Topics: views.DefaultTopics()})
	require.NoError(t, err, "health reads the others, and goals read health")
}
