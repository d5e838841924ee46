package views_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"tidemark/internal/devclickhouse/chtest"
)

// metrics.md row 36: 14 days before and 14 days after a release, by segment, with sample and effect sizes. It is the 10th of
// March.
func TestReleaseEffects(t *testing.T) {
	f := newFixture(t)
	f.telemetryTo(t)
	f.insert(t, "account_changes",
		"('a', '2026-01-01 00:00:00', 'accounts/0@A', 1, 0, {'segment': 'smb'})", "('a', '2026-03-05 00:00:00', 'accounts/0@A', 2, 0, {'segment': 'ent'})",
		"('b', '2026-01-01 00:00:00', 'accounts/0@A', 3, 0, {'segment': 'smb'})", "('c', '2026-01-01 00:00:00', 'accounts/0@A', 4, 0, {'segment': 'smb'})",
		"('silent', '2026-01-01 00:00:00', 'accounts/0@A', 5, 0, {'segment': 'ent'})", "('new', '2026-02-20 00:00:00', 'accounts/0@A', 6, 0, {'segment': 'smb'})",
		"('gone', '2026-01-01 00:00:00', 'accounts/0@A', 7, 0, {'segment': 'smb'})", "('gone', '2026-03-01 00:00:00', 'accounts/0@A', 8, 1, {})")
	release := func(version, at, id, attributes string) string {
		return "('release', '', '" + version + "', '" + at + "', 'deployed', 0, " + id + ", 'signals/0@S', " + id + ", 0, {" + attributes + "})"
	}
	f.insert(t, "facts", release("4.0", "2026-02-20 15:00:00", "1", "'notes': 'first'"), release("4.0", "2026-02-23 15:00:00", "2", "'notes': 'again'"),
		release("4.1", "2026-03-07 10:00:00", "3", "'segment': 'ent'"))
	require.Equal(t, golden(`
		4.0 |     | 2026-02-20 15:00:00.000 | 2 | again
		4.1 | ent | 2026-03-07 10:00:00.000 | 1 |
	`), f.rows(t, "SELECT * FROM releases ORDER BY version"))

	// Before, the 6th to the 19th of February, a, b and c have 1, 2 and 3 events a day; after, the 21st to the 6th of March, 2, 4
	// and 3. On the day itself 100, which count for neither, and so do the days around.
	f.exec(t, chtest.Into("counters")+` SELECT 'day', account, day, '', 'events', 'telemetry/0@T', multiIf(day < '2026-02-06' OR day = '2026-02-20' OR day > '2026-03-06', 100, day < '2026-02-20', n.1, n.2), 1
		FROM (SELECT account, n, toDateTime('2026-02-04', 'UTC') + 86400 * arrayJoin(range(33)) AS day FROM values('account String, n Tuple(UInt64, UInt64)', ('a', (1, 2)), ('b', (2, 4)), ('c', (3, 3))))`)
	f.insert(t, "member_sets", "('day', 'a', '2026-02-21', '', 'active_users', 7, 'telemetry/0@T')", "('day', 'a', '2026-02-21', '', 'active_users', 7, 'telemetry/1@T')",
		"('day', 'a', '2026-02-22', '', 'active_users', 7, 'telemetry/0@T')")
	// events: means 2 and 3; deviations of the sample 1 and 1; d = 1/sqrt((1+1)/2) = 1. active_users: 2 user days of a in 3 * 14.
	// new came in between, gone left.
	require.Equal(t, golden(`
		ent | active_users | 1 | 0 | 0      | 0      | \N  | \N | \N     | \N     | 14 | true
		ent | events       | 1 | 0 | 0      | 0      | \N  | \N | \N     | \N     | 14 | true
		smb | active_users | 3 | 0 | 0.0476 | 0.0476 | \N  | 0  | 0.0825 | 0.8165 | 14 | true
		smb | events       | 3 | 2 | 3      | 1      | 0.5 | 1  | 1      | 1      | 14 | true
	`), f.rows(t, `SELECT segment, metric, accounts, before_avg, round(after_avg, 4), round(difference, 4), relative_change, before_stddev, round(after_stddev, 4), round(effect_size, 4), days_after, complete
		FROM release_effects WHERE version = '4.0' AND metric IN ('events', 'active_users') ORDER BY segment, metric`))
	// Two whole days have passed since 4.1, which was for ent alone: a, which has come to it, and the silent one.
	require.Equal(t, golden(`ent | 2 | 2 | false`), f.rows(t, "SELECT segment, accounts, days_after, complete FROM release_effects WHERE version = '4.1' AND metric = 'events'"))
}
