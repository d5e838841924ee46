package views_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"tidemark/internal/devclickhouse/chtest"
)

func TestUsageOver7And28Days(t *testing.T) {
	f := week(t)
	f.insert(t, "member_sets",
		"('day', 'acme', '2026-02-20', '', 'active_users', 13, 'telemetry/0@T')",
		"('day', 'acme', '2026-03-01', '', 'active_users', 11, 'telemetry/0@T')",
		"('day', 'acme', '2026-03-01', '', 'active_users', 12, 'telemetry/0@T')",
	)
	f.insert(t, "counters",
		"('day', 'acme', '2026-02-20', '', 'events', 'telemetry/0@T', 2, 1)",
		"('day', 'acme', '2026-03-01', '', 'events', 'telemetry/0@T', 8, 1)",
		"('day', 'acme', '2026-03-01', 'import', 'feature_uses', 'telemetry/0@T', 8, 1)",
	)
	require.Equal(t, golden(`
		2026-02-25 | 2026-03-04 |  8 | 2 | 1 | 2 |     3 | 1 | 1 | 0 | 1 |   \N
		2026-03-01 | 2026-03-08 | 15 | 2 | 2 | 0 |    \N | 0 | \N | 4 | 2 | 0.5
		2026-03-04 | 2026-03-11 | 11 | 1 | 2 | 8 | 0.375 | 2 | -0.5 | 4 | 1 | 0.1
	`), f.rows(t, `SELECT toDate(window_start), toDate(window_end), events, active_users, active_days, events_previous, events_trend,
			active_users_previous, active_users_trend, sessions, features_used, seat_utilization
		FROM usage_7d WHERE account_id = 'acme' AND window_end IN ('2026-03-04', '2026-03-08', '2026-03-11') ORDER BY window_start`))
	require.Equal(t, golden(`
		2026-03-10 | 21 | 3 | 4 | 0.3333333333333333 | 2 | true  | 7
		2026-03-11 | 21 | 3 | 4 |                  0 | 2 | false | 7
	`), f.rows(t, `SELECT toDate(window_end), events, active_users, active_days, stickiness, features_used, complete, active_minutes
		FROM usage_28d WHERE account_id = 'acme' AND window_end >= '2026-03-10' ORDER BY window_end`))
	require.Equal(t, golden(`0 | 0 | \N | \N | 0 | \N`),
		f.rows(t, `SELECT events, active_users, events_trend, seat_utilization, active_days, stickiness FROM usage_28d
			WHERE account_id = 'silent' AND window_end = '2026-03-11'`))
}

// Rolling distinct users are counted by changes; a join of every window with its days, which is what they mean, must
// give the same for any pattern of days.
func TestRollingUsersAreExact(t *testing.T) {
	f := newFixture(t)
	random := rand.New(rand.NewPCG(1, 2))
	var rows []string
	for range 400 {
		rows = append(rows, fmt.Sprintf("('day', 'a%d', toDate('2026-03-10') - %d, '', 'users', %d, 'telemetry/%d@T')",
			random.IntN(3), random.IntN(10)*random.IntN(15), random.IntN(6), random.IntN(2)))
	}
	f.exec(t, chtest.Into("member_sets")+values("member_sets", rows...))
	f.exec(t, chtest.Into("counters")+" SELECT tier, account_id, window_start, '', 'events', source, 1, 1 FROM members")
	for _, days := range []int{7, 28} {
		slow := f.rows(t, fmt.Sprintf(`SELECT account_id, window_end, uniqExact(member) AS users
			FROM (SELECT account_id, member, window_start + 86400 * (1 + arrayJoin(range(%d))) AS window_end FROM members)
			WHERE window_end <= '2026-03-11' GROUP BY account_id, window_end ORDER BY account_id, window_end`, days))
		require.NotEmpty(t, slow)
		require.Equal(t, slow, f.rows(t, fmt.Sprintf(
			"SELECT account_id, window_end, users FROM usage_%dd WHERE users > 0 ORDER BY account_id, window_end", days)))
		require.Equal(t, golden("0"), f.rows(t, fmt.Sprintf(`SELECT count() FROM usage_%[1]dd AS a
			INNER JOIN usage_%[1]dd AS b ON a.account_id = b.account_id AND b.window_end = a.window_start
			WHERE a.active_users_previous != b.active_users OR a.events_previous != b.events`, days)))
	}
}
