package views_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"tidemark/internal/devclickhouse/chtest"
)

// answers are facts of surveys, one a line: account, user (0 is nobody), day of March 2026, kind, scale and score.
func answers(f fixture, t *testing.T, text string) {
	t.Helper()
	var rows []string
	for line := range strings.Lines(strings.TrimSpace(text)) {
		var account, kind string
		var user, day, low, high int
		var score float64
		_, err := fmt.Sscanf(strings.TrimSpace(line), "%s %d %d %s %d-%d %g", &account, &user, &day, &kind, &low, &high, &score)
		require.NoError(t, err, line)
		rows = append(rows, fmt.Sprintf("('survey', '%s', 's1', toDateTime64('2026-02-28 09:00:00', 3, 'UTC') + INTERVAL %d DAY, '%s', %d, %d, 'signals/0@S', %d, %g, {'scale_min': '%d', 'scale_max': '%d'})",
			account, day, kind, user, 100+len(rows), len(rows), score, low, high))
	}
	for range 2 { // a repeat changes nothing
		f.exec(t, chtest.Into("facts")+values("facts", rows...))
	}
}

// metrics.md rows 24 and 25, and the customer effort score of formats.md.
func TestSentiment(t *testing.T) {
	f := newFixture(t)
	f.insert(t, "account_changes",
		"('acme', '2026-01-01 00:00:00', 'accounts/0@A', 1, 0, {'segment': 'smb'})", "('beta', '2026-01-01 00:00:00', 'accounts/0@A', 2, 0, {'segment': 'smb'})",
		"('silent', '2026-01-01 00:00:00', 'accounts/0@A', 3, 0, {'segment': 'ent'})")
	answers(f, t, `
		acme 1 1 nps 0-10 10
		acme 2 1 nps 0-10 9
		acme 3 2 nps 0-10 7
		acme 4 2 nps 0-10 6
		acme 1 5 nps 0-10 8
		acme 1 5 csat 1-5 4
		acme 2 5 csat 1-5 3
		acme 3 6 csat 0-1 1
		acme 4 6 csat 0-1 0
		acme 0 7 csat 1-5 5
		acme 0 7 csat 1-5 2
		acme 1 7 ces 1-7 5
		acme 2 7 ces 1-7 4
		acme 3 7 ces 1-5 4
		beta 1 3 nps 1-5 5
		beta 2 3 nps 1-5 4
		beta 3 3 nps 1-5 3
		beta 4 3 nps 0-100 90
		beta 5 3 csat 1-10 8
		beta 6 3 csat 1-10 7
	`)
	const columns = "nps, nps_responses, nps_promoters, nps_passives, nps_detractors, csat, csat_responses, csat_satisfied, ces, ces_responses, ces_easy"
	// acme on the 2nd: users 1 and 2 promote, 3 is passive, 4 detracts: 100*(2-1)/4. From the 5th on user 1 is passive: (1-1)/4.
	// csat: satisfied are user 1 (4 of 5), user 3 (good) and one of the two nobodies: 3 of 6. ces: 5 of 7 and 4 of 5: 2 of 3.
	require.Equal(t, golden(`
		2026-03-01 | \N |  0 | 0 | 0 | 0 | \N | 0 | 0 | \N | 0 | 0
		2026-03-02 | 100 | 2 | 2 | 0 | 0 | \N | 0 | 0 | \N | 0 | 0
		2026-03-03 | 25 |  4 | 2 | 1 | 1 | \N | 0 | 0 | \N | 0 | 0
		2026-03-11 | 0  |  4 | 1 | 2 | 1 | 50 | 6 | 3 | 66.66666666666667 | 3 | 2
	`), f.rows(t, "SELECT toDate(window_end), "+columns+` FROM sentiment_90d WHERE account_id = 'acme'
		AND window_end IN ('2026-03-01', '2026-03-02', '2026-03-03', '2026-03-11') ORDER BY window_end`))
	require.Equal(t, f.rows(t, "SELECT "+columns+" FROM sentiment_90d WHERE window_end = '2026-03-11' ORDER BY account_id"),
		f.rows(t, "SELECT "+columns+" FROM sentiment_365d WHERE window_end = '2026-03-11' ORDER BY account_id"))
	// By the day: of user 1 on the 5th the passive answer alone.
	require.Equal(t, golden(`
		2026-03-04 | \N | 0 | 0 | 0 | 0 | \N | 0 | 0
		2026-03-05 | 0  | 1 | 0 | 1 | 0 | 50 | 2 | 1
	`), f.rows(t, `SELECT toDate(window_start), nps, nps_responses, nps_promoters, nps_passives, nps_detractors, csat, csat_responses, csat_satisfied
		FROM sentiment_day WHERE account_id = 'acme' AND window_start IN ('2026-03-04', '2026-03-05') ORDER BY window_start`))
	// beta on other scales: 5 of 5 and 90 of 100 promote, 4 of 5 is passive, 3 of 5 detracts; of 1 to 10 the upper quarter begins at 7.75.
	// Together with acme: 3 promoters and 2 detractors of 8.
	require.Equal(t, golden(`
		ent | 1 | 0 | \N   | 0 | \N | 0
		smb | 2 | 2 | 12.5 | 8 | 50 | 8
	`), f.rows(t, `SELECT segment, accounts, answering_accounts, nps, nps_responses, csat, csat_responses FROM segment_sentiment_28d WHERE window_end = '2026-03-11' ORDER BY segment`))
}

// The latest answers are counted by changes; looking for each user's latest in each window, which is what they mean, must
// give the same.
func TestLatestAnswersAreExact(t *testing.T) {
	f := newFixture(t)
	random := rand.New(rand.NewPCG(5, 6))
	var rows []string
	for i := range 400 {
		rows = append(rows, fmt.Sprintf("('survey', 'a%d', 's', toDateTime64('2026-03-10 09:00:00', 3, 'UTC') - INTERVAL %d HOUR, 'nps', %d, %d, 'signals/0@S', %d, %d, {'scale_min': '0', 'scale_max': '10'})",
			random.IntN(2), random.IntN(60*24), random.IntN(12), i+1, i, random.IntN(11)))
	}
	f.exec(t, chtest.Into("facts")+values("facts", rows...))
	f.exec(t, chtest.Into("counters")+" SELECT DISTINCT 'day', account_id, toStartOfDay(at), '', 'events', 'telemetry/0@T', 1, 1 FROM facts")
	slow := f.rows(t, `SELECT account_id, e, count(), countIf(score >= 9), countIf(score <= 6) FROM
		(
			SELECT account_id, e, argMax(value, (at, offset)) AS score
			FROM facts CROSS JOIN (SELECT toDateTime('2026-03-11', 'UTC') - 86400 * number AS e FROM numbers(25)) AS ends
			WHERE at >= e - 28 * 86400 AND at < e GROUP BY account_id, e, user, if(user = 0, id, 0)
		)
		GROUP BY account_id, e ORDER BY account_id, e`)
	require.Equal(t, slow, f.rows(t, `SELECT account_id, window_end, nps_responses, nps_promoters, nps_detractors FROM sentiment_28d
		WHERE window_end >= toDateTime('2026-03-11', 'UTC') - 86400 * 24 ORDER BY account_id, window_end`))
	require.Greater(t, strings.Count(slow, "\n"), 45)
}
