package views_test

import (
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"tidemark/internal/devclickhouse/chtest"
)

// What TestConditionsReachTheTables says of usage holds of the other views of accounts, but of those that compare an account with its
// peers: engagement_14d, benchmarks_28d, and for its relative engagement the portfolio.
func TestConditionsReachEveryTable(t *testing.T) {
	f := newFixture(t)
	f.exec(t, chtest.Into("counters")+" SELECT 'day', 'a' || toString(number), '2026-03-09', '', 'events', 'telemetry/0@T', 1, 1 FROM numbers(10)")
	f.exec(t, chtest.Into("member_sets")+" SELECT 'day', 'a' || toString(number), '2026-03-09', '', 'active_users', [1], 'telemetry/0@T' FROM numbers(10)")
	f.exec(t, chtest.Into("user_minutes")+" SELECT 'a' || toString(number), '2026-03-09 10:00:00', 1, 'telemetry/0@T', '2026-03-09 10:00:00', '2026-03-09 10:00:00' FROM numbers(10)")
	f.exec(t, chtest.Into("account_changes")+" SELECT 'a' || toString(number), '2026-03-09', 'accounts/0@A', number, 0, map('seats', '5') FROM numbers(10)")
	for _, kind := range []string{"ticket", "workflow"} {
		f.exec(t, chtest.Into("facts")+" SELECT '"+kind+"', 'a' || toString(number), 'report_published', '2026-03-09', 'created', 1, number, 'tickets/0@S', number, 1, map() FROM numbers(10)")
	}
	keys := regexp.MustCompile(`ReadFromMergeTree \((\S+)\)|PrimaryKey[\s\S]*?Condition: (.*)`)
	for _, view := range []string{"frequency_28d", "usage_pattern_28d", "licences_28d", "adoption_28d", "features_28d", "session_lengths_28d", "task_times_28d", "ticket_times_28d",
		"first_value", "onboarding", "quotas", "account_issues_28d", "account_months", "expansion_30d", "user_cohorts_week", "segment_memberships"} {
		plan := f.get(t, "EXPLAIN indexes = 1 SELECT * FROM "+view+" WHERE account_id = 'a1' FORMAT TSVRaw")
		table, read := "", 0
		for _, m := range keys.FindAllStringSubmatch(plan, -1) {
			if m[1] != "" {
				table = strings.TrimPrefix(m[1], f.Name+".")
				continue
			}
			if strings.HasSuffix(table, "_all") && table != "source_progress_all" {
				read++
				require.Contains(t, m[2], "account_id in ['a1', 'a1']", "%s reads %s", view, table)
			}
		}
		require.Positive(t, read, view)
	}
}
