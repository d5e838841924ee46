package views_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"tidemark/internal/devclickhouse/chtest"
)

// simulated is a database with 2000 events of forty users over 40 days, folded into every tier as three sources would, and with
// tickets and records of seven accounts, one of them silent.
func simulated(t *testing.T) fixture {
	f := newFixture(t)
	random := rand.New(rand.NewPCG(5, 6))
	features := []string{"", "export", "reports", "alerts", "search"}
	names := []string{"view", "work", "work", "work", "login", "error"}
	var events, records, tickets []string
	for range 2000 {
		user := random.IntN(40)
		at := random.IntN(40 * 86400)
		if user%3 == 0 {
			at = random.IntN(20 * 3600) // lately
		}
		events = append(events, fmt.Sprintf("('a%d', toDateTime64('2026-03-10 11:59:59', 3, 'UTC') - %d, %d, '%s', '%s', 'telemetry/%d@T')",
			user%6, at, user, features[random.IntN(len(features))], names[random.IntN(len(names))], random.IntN(3)))
	}
	for account := range 7 {
		for change := range 3 {
			records = append(records, fmt.Sprintf("('a%d', toDateTime64('2026-01-05 10:00:00', 3, 'UTC') + toIntervalDay(%d), 'accounts/0@A', %d, 0, {'segment': '%s', 'seats': '%d', 'mrr': '%d', 'plan': 'pro'})",
				account, change*25, account*3+change, []string{"smb", "ent"}[random.IntN(2)], 3+random.IntN(9), 50*random.IntN(4)))
		}
		for ticket := range 6 {
			id := account*6 + ticket
			opened := fmt.Sprintf("toDateTime64('2026-03-10 08:00:00', 3, 'UTC') - toIntervalHour(%d)", random.IntN(900))
			for i, kind := range []string{"created", "replied_agent", "solved"}[:1+random.IntN(3)] {
				tickets = append(tickets, fmt.Sprintf("('ticket', 'a%d', 'zendesk:%d', %s + toIntervalMinute(%d), '%s', 0, %d, 'tickets/0@K', %d, 0, {'priority': 'p%d', 'tags': 'billing,login'})",
					account, id, opened, i*(1+random.IntN(30)), kind, id*3+i, id*3+i, 1+id%3))
			}
		}
	}
	f.insert(t, "account_changes", records...)
	f.insert(t, "facts", tickets...)
	f.exec(t, "CREATE TABLE happened (account String, at DateTime64(3, 'UTC'), user UInt64, feature String, name String, source String) ENGINE = MergeTree ORDER BY account")
	f.exec(t, "INSERT INTO happened VALUES "+strings.Join(events, ", "))
	for tier, start := range map[string]string{"minute": "toStartOfMinute", "hour": "toStartOfHour", "day": "toStartOfDay"} {
		window := "'" + tier + "', account, " + start + "(toDateTime(at, 'UTC')) AS w"
		for _, m := range [][2]string{{"events", "1"}, {"page_views", "name = 'view'"}, {"logins", "name = 'login'"}, {"errors", "name = 'error'"}} {
			f.exec(t, chtest.Into("counters")+" SELECT "+window+", '', '"+m[0]+"', source, count(), 1 FROM happened WHERE "+m[1]+" GROUP BY account, w, source")
		}
		f.exec(t, chtest.Into("counters")+" SELECT "+window+", feature, 'feature_uses', source, count(), 1 FROM happened WHERE feature != '' AND name = 'work' GROUP BY account, w, feature, source")
		f.exec(t, chtest.Into("member_sets")+" SELECT "+window+", feature, 'feature_users', groupUniqArray(user), source FROM happened WHERE feature != '' AND name = 'work' GROUP BY account, w, feature, source")
		f.exec(t, chtest.Into("member_sets")+" SELECT "+window+", '', 'users', groupUniqArray(user), source FROM happened GROUP BY account, w, source")
		f.exec(t, chtest.Into("member_sets")+" SELECT "+window+", '', 'active_users', groupUniqArray(user), source FROM happened WHERE name = 'work' GROUP BY account, w, source")
	}
	f.exec(t, chtest.Into("user_minutes")+" SELECT account, toStartOfMinute(toDateTime(at, 'UTC')) AS w, user, source, min(at), max(at) FROM happened GROUP BY account, w, user, source")
	return f
}

// What is shown of the same thing in two ways must be the same: by tiers, over several days, by segments, by sources and by events.
func TestSumsAgree(t *testing.T) {
	f := simulated(t)
	const counts = "sum(events), sum(page_views), sum(logins), sum(errors), sum(sessions), round(sum(session_seconds), 3), round(sum(active_seconds), 3)"
	same := [][2]string{
		// events and sources
		{"SELECT account, toStartOfDay(toDateTime(at, 'UTC')) AS w, count(), uniqExact(user) FROM happened GROUP BY account, w ORDER BY ALL",
			"SELECT account_id, window_start, events, users FROM usage_day WHERE events > 0 ORDER BY ALL"},
		{"SELECT count() FROM happened", "SELECT sum(n) FROM (SELECT max(value) AS n FROM counters WHERE tier = 'day' AND metric = 'events' GROUP BY account_id, window_start, source)"},
		{"SELECT account_id, sum(uses) FROM features_day GROUP BY account_id ORDER BY ALL", "SELECT account, count() FROM happened WHERE feature != '' AND name = 'work' GROUP BY account ORDER BY ALL"},
		// tiers
		{"SELECT account_id, toStartOfHour(window_start) AS w, " + counts + " FROM usage_minute WHERE window_start >= '2026-03-09 13:00:00' GROUP BY account_id, w ORDER BY ALL",
			"SELECT account_id, window_start AS w, " + counts + " FROM usage_hour WHERE window_start >= '2026-03-09 13:00:00' GROUP BY account_id, w ORDER BY ALL"},
		{"SELECT account_id, toStartOfDay(window_start) AS w, " + counts + " FROM usage_hour WHERE window_start >= '2026-01-25' GROUP BY account_id, w ORDER BY ALL",
			"SELECT account_id, window_start AS w, " + counts + " FROM usage_day WHERE window_start >= '2026-01-25' GROUP BY account_id, w ORDER BY ALL"},
		{"SELECT account_id, feature, sum(uses) FROM features_minute GROUP BY ALL ORDER BY ALL", "SELECT account_id, feature, sum(uses) FROM features_day GROUP BY ALL ORDER BY ALL"},
		{"SELECT account_id, sum(opened), sum(solved) FROM support_hour GROUP BY account_id ORDER BY ALL", "SELECT account_id, sum(opened), sum(solved) FROM support_day GROUP BY account_id ORDER BY ALL"},
		{"SELECT account_id, count() FROM tickets GROUP BY account_id ORDER BY ALL", "SELECT account_id, sum(opened) FROM support_day GROUP BY account_id ORDER BY ALL"},
		// segments
		{"SELECT ifNull(segment, '') AS s, window_start, count(), " + counts + ", sum(active_users) FROM usage_day WHERE window_start >= '2026-01-25' GROUP BY s, window_start ORDER BY ALL",
			"SELECT segment, window_start, sum(accounts), " + counts + ", sum(active_users) FROM segment_usage_day WHERE window_start >= '2026-01-25' GROUP BY segment, window_start ORDER BY ALL"},
		{"SELECT ifNull(segment, '') AS s, count(), sum(active_users), sum(seats), sum(seats_unused) FROM licences_28d WHERE window_end = '2026-03-11' GROUP BY s ORDER BY ALL",
			"SELECT segment, accounts, active_users, seats, seats_unused FROM segment_licences_28d WHERE window_end = '2026-03-11' ORDER BY ALL"},
		{"SELECT ifNull(segment, '') AS s, count(), sum(active_users_28d), sum(seats), sum(key_features_adopted) FROM portfolio GROUP BY s ORDER BY ALL",
			"SELECT l.segment, l.accounts, l.active_users, l.seats, a.key_features_adopted FROM segment_licences_28d AS l INNER JOIN segment_adoption_28d AS a ON a.segment = l.segment AND a.window_end = l.window_end WHERE l.window_end = '2026-03-11' ORDER BY ALL"},
		{"SELECT window_start, sum(is_customer_start), sum(is_lost), ifNull(sum(mrr_start), 0), ifNull(sum(mrr_start - mrr_lost - mrr_contracted + mrr_expanded), 0) FROM account_months WHERE is_customer_start OR is_customer_end GROUP BY window_start ORDER BY ALL",
			"SELECT window_start, sum(accounts_start), sum(accounts_lost), sum(mrr_start), sum(mrr_start - mrr_lost - mrr_contracted + mrr_expanded) FROM segment_churn_month GROUP BY window_start ORDER BY ALL"},
		{"SELECT sum(sessions) FROM session_lengths_28d WHERE window_end = '2026-03-11'", "SELECT sum(sessions) FROM segment_session_lengths_28d WHERE window_end = '2026-03-11'"},
		{"SELECT sum(tickets) FROM account_issues_28d WHERE window_end = '2026-03-11'", "SELECT sum(tickets) FROM segment_issues_28d WHERE window_end = '2026-03-11'"},
		{"SELECT sum(tickets) FROM account_issues_28d WHERE window_end = '2026-03-11'", "SELECT sum(tickets) FROM issues_28d WHERE window_end = '2026-03-11'"},
		// the same figure in several views
		{"SELECT account_id, sessions FROM session_lengths_28d WHERE window_end = '2026-03-11' ORDER BY ALL", "SELECT account_id, sessions FROM usage_28d WHERE window_end = '2026-03-11' AND sessions > 0 ORDER BY ALL"},
		{"SELECT account_id, window_end, users_daily + users_weekly + users_monthly, active_days FROM frequency_28d WHERE window_end > '2026-02-01' ORDER BY ALL",
			"SELECT account_id, window_end, active_users, active_days FROM usage_28d WHERE window_end > '2026-02-01' ORDER BY ALL"},
		{"SELECT account_id, window_end, events, active_users, features_used, events_previous FROM benchmarks_28d WHERE window_end > '2026-02-20' ORDER BY ALL",
			"SELECT account_id, window_end, events, active_users, features_used, events_previous FROM usage_28d WHERE window_end > '2026-02-20' ORDER BY ALL"},
		{"SELECT account_id, window_end, events, events_7d FROM usage_pattern_28d WHERE window_end > '2026-02-20' ORDER BY ALL",
			"SELECT u.account_id, u.window_end, u.events, s.events FROM usage_28d AS u INNER JOIN usage_7d AS s ON s.account_id = u.account_id AND s.window_end = u.window_end WHERE u.window_end > '2026-02-20' ORDER BY ALL"},
		{"SELECT account_id, actions, active_users FROM engagement_14d WHERE window_end = '2026-03-10' ORDER BY ALL", "SELECT account_id, events, active_users FROM usage_14d WHERE window_end = '2026-03-10' ORDER BY ALL"},
		{"SELECT account_id, uniqExact(member) FROM members WHERE tier = 'day' AND metric = 'active_users' GROUP BY account_id ORDER BY ALL", "SELECT account_id, sum(users) FROM user_cohorts_week WHERE age = 0 GROUP BY account_id ORDER BY ALL"},
		{"SELECT account_id, sum(replied), sum(resolved) FROM ticket_times_by_priority_28d WHERE window_end = '2026-03-11' GROUP BY account_id ORDER BY ALL",
			"SELECT account_id, replied, resolved FROM ticket_times_28d WHERE window_end = '2026-03-11' ORDER BY ALL"},
	}
	for _, days := range []int{7, 14, 28, 30, 90} {
		same = append(same, [2]string{
			fmt.Sprintf("SELECT account, count(), countIf(name = 'view'), uniqExact(user) FROM happened WHERE at >= toDateTime('2026-03-11', 'UTC') - 86400 * %d GROUP BY account ORDER BY ALL", days),
			fmt.Sprintf("SELECT account_id, events, page_views, users FROM usage_%dd WHERE window_end = '2026-03-11' AND users > 0 ORDER BY ALL", days),
		})
	}
	for _, pair := range same {
		want := f.rows(t, pair[0])
		require.NotEmpty(t, want, pair[0])
		require.NotEqual(t, want, golden("0"), pair[0])
		require.Equal(t, want, f.rows(t, pair[1]), "%s\n%s", pair[0], pair[1])
	}
}
