package triggers

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const everywhere = `
pack: none
rules:
  - name: everywhere
    description: What is read is in every table.
    playbook: look
    owner: cs
    when: support_30d.escalated >= 1 && usage_day.events >= 3 && usage_hour.events >= 3 && usage_hour.active_users >= 1 && account.plan == "pro"
`

// testWhateverComesLastIsJudged has the parts of one insert come into sight one after the other, as ClickHouse commits them, with a
// tick after each: each kind of part is the last one of one account.
func testWhateverComesLastIsJudged(t *testing.T, f *fixture) {
	now := time.Now().UTC().Truncate(24 * time.Hour).Add(12 * time.Hour)
	f.watermarks(t, now)
	for _, view := range []string{"known_by_counters", "known_by_records", "known_by_tickets"} { // they fill known_accounts_all after the part that they read is in sight
		f.exec(t, "DETACH TABLE "+view)
		defer f.exec(t, "ATTACH TABLE "+view)
	}
	pieces := []func(account string){
		func(a string) { f.escalate(t, a, 1, now) },
		func(a string) {
			f.exec(t, "INSERT INTO known_accounts_all (account_id, since) VALUES (?, ?)", a, now.Add(-time.Hour))
		},
		func(a string) {
			f.exec(t, "INSERT INTO account_changes_all (account_id, valid_from, source, attributes) VALUES (?, ?, 'accounts/0', map('plan', 'pro'))", a, now.Add(-time.Hour))
		},
		func(a string) {
			f.exec(t, "INSERT INTO member_sets_all (tier, account_id, window_start, metric, source, members) VALUES ('hour', ?, ?, 'active_users', 'telemetry/0', [1])", a, now.Add(-time.Hour))
		},
	}
	for _, tier := range []string{"day", "hour"} {
		start := map[string]time.Time{"day": now.Truncate(24 * time.Hour), "hour": now.Add(-time.Hour)}[tier]
		pieces = append(pieces, func(a string) {
			f.exec(t, "INSERT INTO counters_all (tier, account_id, window_start, metric, source, value, applied_offset) VALUES (?, ?, ?, 'events', 'telemetry/0', 3, 1)", tier, a, start)
		})
	}
	e := f.engine(t, f.client, f.load(t, everywhere))
	e.Now = func() time.Time { return now }
	r := begin(t, e)
	for round := range pieces {
		for account := range pieces {
			pieces[(account+round)%len(pieces)](fmt.Sprintf("last-%d", (account+len(pieces)-1)%len(pieces)))
		}
		require.NoError(t, r.tick(t.Context()))
		require.Equal(t, round == len(pieces)-1, len(f.history(t)) > 0, "after round %d", round)
	}
	var want []string
	for account := range pieces {
		want = append(want, fmt.Sprintf("everywhere last-%d 1.1 fired 1", account))
	}
	require.Equal(t, want, f.history(t))
}

// testAFailedTickLosesNobody ends ticks at any moment: who had changed is judged by a later one.
func testAFailedTickLosesNobody(t *testing.T, f *fixture) {
	f.watermarks(t, time.Now())
	r := begin(t, f.engine(t, f.client, f.load(t, testRules)))
	var want []string
	for round := range 30 {
		account := fmt.Sprintf("failed-%02d", round)
		f.escalate(t, account, 3, time.Now())
		want = append(want, "escalations "+account+" 1.1 fired 3")
		ctx, cancel := context.WithTimeout(t.Context(), time.Duration(round)*3*time.Millisecond)
		_ = r.tick(ctx) // it ends somewhere, or not
		cancel()
	}
	settle(t, r)
	require.Equal(t, want, slices.DeleteFunc(f.history(t), func(line string) bool { return line[0] != 'e' }))
}
