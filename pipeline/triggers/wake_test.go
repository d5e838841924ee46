package triggers

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/stretchr/testify/require"

	"tidemark/pipeline/forgotten"
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
	each := func(what string) { // of the views that fill known_accounts_all after the part that they read is in sight
		for _, view := range []string{"known_by_counters", "known_by_records", "known_by_tickets"} {
			f.exec(t, what+" TABLE "+view)
		}
	}
	each("DETACH")
	defer each("ATTACH")
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
		for more := true; more; more = unseen(t, r) {
			require.NoError(t, r.tick(t.Context()))
		}
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
	if r.slowBusy { // a reading that the last of them began: it ended with the tick's time, and that is told by the next
		r.slowReady <- <-r.slowReady
		_ = r.tick(t.Context())
	}
	settle(t, r)
	require.Equal(t, want, slices.DeleteFunc(f.history(t), func(line string) bool { return line[0] != 'e' }))
}

const silences = `
pack: none
rules:
  - name: hour
    description: Nothing happened for an hour.
    playbook: look
    owner: cs
    when: usage_hour.events < 1
  - name: day
    description: Nothing happened for a day.
    playbook: look
    owner: cs
    when: usage_day.events < 1
`

// testAWindowsEndJudgesItsRules: when a window ends every account is judged, though nothing of it has changed, by the rules that read
// such windows.
func testAWindowsEndJudgesItsRules(t *testing.T, f *fixture) {
	now := time.Now().UTC().Truncate(24 * time.Hour).Add(12*time.Hour + 30*time.Minute)
	f.watermarks(t, now)
	f.exec(t, `INSERT INTO counters_all (tier, account_id, window_start, metric, source, value, applied_offset)
SELECT tier, 'acme', start, 'events', 'telemetry/0', 3, 1 FROM values('tier String, start DateTime(\'UTC\')', ('day', fromUnixTimestamp(?)), ('hour', fromUnixTimestamp(?)))`,
		now.Add(-24*time.Hour).Truncate(24*time.Hour).Unix(), now.Add(-time.Hour).Truncate(time.Hour).Unix())
	e := f.engine(t, f.client, f.load(t, silences))
	e.Now = func() time.Time { return now }
	r := begin(t, e)
	settle(t, r)
	require.Empty(t, f.history(t), "the last hour and the last day had events")

	now = now.Add(40 * time.Minute)
	f.watermarks(t, now)
	require.NoError(t, r.tick(t.Context()))
	require.Equal(t, []string{"hour acme 1.1 fired 0 final"}, f.history(t))
	require.Len(t, r.sweeping.rules, 1, "days go on")
	require.True(t, r.sweeping.over())
}

// testARuleThatWasRemoved: its alerts end, once; those that wait are forgotten; and when it is back it begins a new episode.
func testARuleThatWasRemoved(t *testing.T, f *fixture) {
	f.watermarks(t, time.Now())
	f.escalate(t, "acme", 3, time.Now())
	settle(t, begin(t, f.engine(t, f.client, f.load(t, testRules))))
	require.Equal(t, []string{"escalations acme 1.1 fired 3"}, f.history(t))

	_, others, _ := strings.Cut(testRules, "  - name: halved")
	others = "pack: none\nrules:\n  - name: halved" + strings.Replace(others, "inhibited_by: [escalations]", "for: 1h", 1)
	for range 2 {
		settle(t, begin(t, f.engine(t, f.client, f.load(t, others))))
		require.Equal(t, []string{"escalations acme 1.1 fired 3", "escalations acme 1.2 resolved - final"}, f.history(t))
	}
	_, last, _ := strings.Cut(others, "  - name: tickets") // which waits for its hour now
	settle(t, begin(t, f.engine(t, f.client, f.load(t, strings.TrimSuffix(others, "  - name: tickets"+last)))))
	require.Len(t, f.history(t), 2)

	settle(t, begin(t, f.engine(t, f.client, f.load(t, testRules))))
	require.Contains(t, f.history(t), "escalations acme 2.1 fired 3")
	require.Equal(t, []string{"The rule was removed."}, f.texts(t, "SELECT JSONExtractString(payload, 'description') FROM alert_transitions WHERE kind = 'resolved'"))
}

// testWhatIsRememberedIsWhatIsThere writes here and there, and compares after each look what is read with the memory with what is
// read without.
func testWhatIsRememberedIsWhatIsThere(t *testing.T, f *fixture) {
	now := time.Now().UTC().Truncate(24 * time.Hour).Add(12 * time.Hour)
	f.watermarks(t, now)
	for _, insert := range []string{life, lifeMembers, lifeTickets, lifeAccounts} {
		f.exec(t, fmt.Sprintf(insert, now.Unix()))
	}
	e := f.engine(t, f.client, f.load(t, benchRules()))
	e.Now = func() time.Time { return now }
	r := begin(t, e)
	random := rand.New(rand.NewPCG(1, 2))
	for round := range 12 {
		for range random.IntN(3) {
			account := fmt.Sprintf("a%d", random.IntN(60)) // some are new
			switch random.IntN(3) {
			case 0:
				f.events(t, account, now, random.IntN(30), 100+round)
			case 1:
				f.escalate(t, account, 1+random.IntN(3), now.Add(-time.Duration(random.IntN(700))*time.Hour))
			case 2:
				f.exec(t, "INSERT INTO member_sets_all (tier, account_id, window_start, metric, source, members) VALUES ('day', ?, ?, 'active_users', 'telemetry/0', [?])",
					account, now.Truncate(24*time.Hour).AddDate(0, 0, -random.IntN(30)), 1000+round)
			}
		}
		for more := true; more; more = unseen(t, r) {
			require.NoError(t, r.look(t.Context(), now))
		}
		clear(r.dirty)
		job := func(m *memory) *job {
			j := r.job(slices.Sorted(maps.Keys(r.since)), r.programs, now)
			j.readings.memory = m
			require.NoError(t, j.read(t.Context()))
			return j
		}
		remembered := job(r.memory)
		read := job(nil).readings.values
		require.Len(t, remembered.readings.values, len(read))
		for w, values := range read {
			for i, v := range values {
				require.Equal(t, v, remembered.readings.values[w][i], "round %d: %s of %s", round, r.inputs[w.input].View, remembered.accounts[i])
			}
		}
		for _, w := range remembered.wanted() {
			if tableOf[r.inputs[w.input].way] != "" {
				require.Empty(t, r.memory.recall(remembered.readings, []want{w}), "it was read, so it is remembered")
			}
		}
	}
}

// testWhoWasForgotten: an account with an alert that is firing, one that waits and one that was judged is put onto the list; its rows go;
// nothing is told of it any more, by this process or the next, also of a rule that is removed.
func testWhoWasForgotten(t *testing.T, f *fixture) {
	f.watermarks(t, time.Now())
	f.escalate(t, "acme", 3, time.Now())
	f.escalate(t, "beta", 3, time.Now())
	list := forgotten.NewList()
	watch := &forgotten.Watch{Read: func(context.Context) (*forgotten.List, error) { return list, nil }, Every: time.Millisecond}
	require.NoError(t, watch.Begin(t.Context()))
	e := f.engine(t, f.client, f.load(t, testRules))
	now := time.Now().UTC()
	e.Forgotten, e.Now = watch, func() time.Time { return now }
	r := begin(t, e)
	settle(t, r)
	before := []string{"escalations acme 1.1 fired 3", "escalations beta 1.1 fired 3"}
	require.Equal(t, before, f.history(t))

	list = forgotten.NewList(forgotten.Account("acme"))
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		watch.Run(ctx)
	}()
	require.Eventually(t, func() bool { return watch.Account("acme") }, 5*time.Minute, time.Millisecond)
	stop()
	<-done
	for _, table := range []string{"facts_all", "known_accounts_all"} { // alerts are left, to see that none is added
		f.exec(t, "ALTER TABLE "+table+" DELETE WHERE account_id = 'acme' SETTINGS mutations_sync = 2")
	}
	f.exec(t, "ALTER TABLE facts_all DELETE WHERE account_id = 'beta' SETTINGS mutations_sync = 2")
	now = now.Add(48 * time.Hour)
	f.watermarks(t, now)
	r.sweeping.add(r.programs...)
	settle(t, r)
	require.NotContains(t, r.since, "acme")
	require.NotContains(t, r.states[0], "acme")
	told := strings.Join(f.history(t), "\n")
	require.Contains(t, told, "escalations beta 1.2 re", "what its rows say no longer ends the alert of another account")
	require.NotContains(t, told, "acme 1.2")

	_, others, _ := strings.Cut(testRules, "  - name: halved")
	e = f.engine(t, f.connect(t), f.load(t, "pack: none\nrules:\n  - name: halved"+strings.Replace(others, "inhibited_by: [escalations]", "for: 1h", 1)))
	e.Forgotten = watch
	settle(t, begin(t, e))
	require.NotContains(t, strings.Join(f.history(t), "\n"), "acme 1.2")
}

// testAnIdleTickIsOneQuery: where nothing was written, a tick asks ClickHouse for its list of parts and for nothing else; a silence that
// is made is read all the same.
func testAnIdleTickIsOneQuery(t *testing.T, f *fixture) {
	f.watermarks(t, time.Now())
	f.escalate(t, "acme", 3, time.Now())
	e := f.engine(t, f.client, f.load(t, testRules))
	e.Slow = time.Hour
	now := time.Now().UTC().Truncate(time.Hour).Add(time.Minute) // no window ends meanwhile
	e.Now = func() time.Time { return now }
	r := begin(t, e)
	for len(r.dirty)+len(r.perhaps) > 0 || !r.sweeping.over() || len(r.stale) > 0 || unseen(t, r) {
		require.NoError(t, r.tick(t.Context()))
	}
	var cost costs
	ctx := clickhouse.Context(t.Context(), clickhouse.WithProfileEvents(cost.add))
	for range 5 {
		require.NoError(t, r.tick(ctx))
	}
	require.Equal(t, int64(5), cost.queries.Load())
	t.Logf("of %s of ClickHouse's CPU each", time.Duration(cost.cpu.Load())*time.Microsecond/5)
	require.NoError(t, AddSilence(t.Context(), f.client, Silence{ID: "s", Rule: "escalations", From: now, To: time.Now().Add(time.Hour)}))
	require.NoError(t, r.tick(ctx))
	require.Len(t, r.silences, 1)
}
