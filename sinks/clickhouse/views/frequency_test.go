package views_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"tidemark/internal/devclickhouse/chtest"
)

// activeOn are rows of a user who was active on the days of March that are listed.
func activeOn(account string, user int, days ...int) []string {
	var rows []string
	for _, day := range days {
		rows = append(rows, fmt.Sprintf("('day', '%s', toDate('2026-02-28') + %d, '', 'active_users', %d, 'telemetry/0@T')", account, day, user))
	}
	return rows
}

// metrics.md rows 2 and 3: frequency bands of accounts and users, and active days against the target.
func TestFrequency(t *testing.T) {
	f := newFixture(t)
	f.insert(t, "account_changes",
		"('acme', '2026-02-01 00:00:00', 'accounts/0@A', 1, 0, {'segment': 'smb', 'targets.active_days': '12'})",
		"('acme', '2026-03-10 00:00:00', 'accounts/0@A', 2, 0, {'targets.active_days': '6'})",
		"('silent', '2026-02-01 00:00:00', 'accounts/0@A', 3, 0, {})")
	f.insert(t, "member_sets", activeOn("acme", 1, 1, 2, 8, 9)...) // weekly: 4 days
	f.insert(t, "member_sets", activeOn("acme", 2, 2)...)          // monthly
	f.insert(t, "member_sets", activeOn("acme", 3, -10, -11)...)   // the 17th and 18th of February
	// Over the 7 days to the end of March 8th: the 2nd and the 8th; target 12 in 28 days is 3 in 7.
	require.Equal(t, golden(`
		2026-03-09 | 2 | 2 | 3 | 1.5 | weekly | 3   | 0.6666666666666666
		2026-03-10 | 2 | 1 | 2 |   2 | weekly | 1.5 | 1
		2026-03-11 | 2 | 1 | 2 |   2 | weekly | 1.5 | 1
	`), f.rows(t, `SELECT toDate(window_end), active_days, active_users, active_user_days, active_days_per_user, band, target_days, frequency_attainment
		FROM frequency_7d WHERE account_id = 'acme' AND window_end >= '2026-03-09' ORDER BY window_end`))
	// Over 28 days to the end of March 10th: days 1, 2, 8, 9 and two in February; 3 users with 4, 1 and 2 days.
	require.Equal(t, golden(`
		acme   | 6 | 3 | 7 | 0 | 1 | 2 | weekly   | 6  | 1    | smb
		silent | 0 | 0 | 0 | 0 | 0 | 0 | inactive | 12 | 0    | \N
	`), f.rows(t, `SELECT account_id, active_days, active_users, active_user_days, users_daily, users_weekly, users_monthly, band, target_days, frequency_attainment, segment
		FROM frequency_28d WHERE window_end = '2026-03-11' ORDER BY account_id`))
	require.Equal(t, golden(`
		    | 1 | 0 | 0 | 0 | 0 | 0 | 1 | 0
		smb | 1 | 3 | 7 | 6 | 1 | 1 | 0 | 1
	`), f.rows(t, `SELECT segment, accounts, active_users, active_user_days, active_days_median, frequency_attainment_median, accounts_weekly, accounts_inactive, accounts_on_target
		FROM segment_frequency_28d WHERE window_end = '2026-03-11' ORDER BY segment`))
}

// Bands are counted by changes; counting each window's days for each user, which is what they mean, must give the same.
func TestBandsAreExact(t *testing.T) {
	f := newFixture(t)
	random := rand.New(rand.NewPCG(3, 4))
	var rows []string
	for range 700 {
		user := random.IntN(8)
		rows = append(rows, fmt.Sprintf("('day', 'a%d', toDate('2026-03-10') - %d, '', 'active_users', %d, 'telemetry/%d@T')",
			random.IntN(2), random.IntN(30+user*20), user, random.IntN(2)))
	}
	f.exec(t, chtest.Into("member_sets")+values("member_sets", rows...))
	f.exec(t, chtest.Into("counters")+" SELECT tier, account_id, window_start, '', 'events', source, 1, 1 FROM members")
	slow := f.rows(t, `SELECT account_id, window_end, countIf(n >= 16) AS daily, countIf(n BETWEEN 4 AND 15) AS weekly, countIf(n < 4) AS monthly, countIf(n >= 10) AS regular FROM
		(
			SELECT account_id, member, window_start + 86400 * (1 + arrayJoin(range(28))) AS window_end, uniqExact(window_start) AS n
			FROM members GROUP BY account_id, member, window_end
		)
		WHERE window_end <= '2026-03-11' GROUP BY account_id, window_end ORDER BY account_id, window_end`)
	require.Contains(t, slow, "\t1\t")
	require.Equal(t, slow, f.rows(t, `SELECT account_id, window_end, users_daily, users_weekly, users_monthly, users_regular FROM frequency_28d
		WHERE active_users > 0 ORDER BY account_id, window_end`))
}
