package views_test

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// metrics.md row 13: the first time that something holds, which a correction takes back.
func TestMilestones(t *testing.T) {
	f := newFixture(t)
	f.insert(t, "account_changes", "('acme', '2026-03-01 00:00:00', 'accounts/0@A', 1, 0, {'created_at': '2026-03-01T00:00:00Z'})")
	step := func(at, name string) string {
		return "('workflow', 'acme', 'report_published', '2026-03-" + at + "', '" + name + "', 1, cityHash64('" + at + name + "'), 'telemetry/0@T', 1, 0, {})"
	}
	f.insert(t, "facts", step("02 10:00:00", "Report Started"), step("02 10:01:00", "Report Configured"), step("02 10:02:00", "Report Published"),
		step("03 10:00:00", "Report Started"), step("03 10:01:00", "Report Configured"), step("03 10:02:00", "Report Published"),
		"('goal', 'acme', 'otif', '2026-01-01 00:00:00', 'defined', 0, 1, 'signals/0@S', 1, 0.9, {'kpi': 'otif', 'start': '0.8', 'direction': 'up', 'starts_at': '2026-01-01T00:00:00.000Z', 'due_at': '2026-05-01T00:00:00.000Z'})")
	f.insert(t, "member_sets", activeOn("acme", 1, 4, 6)...)
	kpiReports(f, t, "acme otif 2026-01-01 2026-02-01 2026-02-03 0.95\nacme otif 2026-02-01 2026-03-01 2026-03-02 0.97")
	reached := func() string {
		return f.rows(t, "SELECT milestone, name, toDateTime(reached_at, 'UTC') FROM milestones WHERE account_id = 'acme' ORDER BY milestone")
	}
	const others = `
		first value        |                  | 2026-03-04 00:00:00
		goal attained      | otif             | `
	const more = `
		onboarding done    |                  | 2026-03-02 10:02:00
		workflow completed | report_published | 2026-03-02 10:02:00
	`
	require.Equal(t, golden(others+"2026-02-01 00:00:00"+more), reached())
	kpiReports(f, t, "acme otif 2026-01-01 2026-02-01 2026-03-05 0.85") // January was not so good
	require.Equal(t, golden(others+"2026-03-01 00:00:00"+more), reached())
}
