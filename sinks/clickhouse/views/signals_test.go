package views_test

import (
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"tidemark/internal/devclickhouse/chtest"
)

// What TestConditionsReachTheTables says of usage holds of the views over signals: of one account, nothing else is read.
func TestConditionsReachTheFacts(t *testing.T) {
	f := newFixture(t)
	for _, kind := range []string{"survey", "kpi", "meter", "goal"} {
		f.exec(t, chtest.Into("facts")+" SELECT '"+kind+"', 'a' || toString(number), 'e', '2026-03-09', 'nps', 1, number, 'signals/0@S', number, 1, map('kpi', 'e', 'period_start', '2026-03-01', 'period_end', '2026-03-02') FROM numbers(10)")
	}
	f.exec(t, chtest.Into("counters")+" SELECT 'day', 'a' || toString(number), '2026-03-09', '', 'events', 'telemetry/0@T', 1, 1 FROM numbers(10)")
	f.exec(t, chtest.Into("member_sets")+" SELECT 'day', 'a' || toString(number), '2026-03-09', '', 'active_users', [1], 'telemetry/0@T' FROM numbers(10)")
	keys := regexp.MustCompile(`ReadFromMergeTree \((\S+)\)|PrimaryKey[\s\S]*?Condition: (.*)`)
	for view, also := range map[string]string{
		"sentiment_90d": "window_start >= toDateTime('2026-01-01 00:00:00', 'UTC')", "meters_day": "window_start >= toDateTime('2026-03-08 00:00:00', 'UTC')",
		"meters_week": "1", "meters": "1", "kpis": "1", "kpi_usage_correlation": "1", "goals": "1", "goal_progress": "1",
	} {
		plan := f.get(t, "EXPLAIN indexes = 1 SELECT * FROM "+view+" WHERE account_id = 'a1' AND "+also+" FORMAT TSVRaw")
		table, read := "", 0
		for _, m := range keys.FindAllStringSubmatch(plan, -1) {
			if m[1] != "" {
				table = strings.TrimPrefix(m[1], f.Name+".")
				continue
			}
			if table == "facts_all" || table == "counters_all" || table == "member_sets_all" {
				read++
				require.Contains(t, m[2], "account_id in ['a1', 'a1']", "%s reads %s\n%s", view, table, plan)
			}
		}
		require.Positive(t, read, plan)
	}
}
