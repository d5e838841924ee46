package triggers

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest"

	"tidemark/schemas/rules"
	sink "tidemark/sinks/clickhouse"
	"tidemark/sinks/clickhouse/views"
)

const testRules = `
pack: none
rules:
  - name: escalations
    description: Three escalations in 30 days.
    playbook: win-back
    owner: cs
    severity: warning
    when: support_30d.escalated >= 3
    targets: [crm]
  - name: halved
    description: Usage fell by half.
    severity: info
    playbook: look
    owner: cs
    when: usage_7d.events < 0.5 * previous(usage_7d.events)
    minimum: previous(usage_7d.events) >= 10
    targets: [crm]
  - name: tickets
    description: An escalation.
    severity: info
    playbook: look
    owner: cs
    when: support_30d.escalated >= 1
    inhibited_by: [escalations]
    targets: [crm]
`

// load compiles rules as they are in a file.
func (f *fixture) load(t testing.TB, text string) []*rules.Rule {
	t.Helper()
	tables, err := views.Tables(f.cat)
	require.NoError(t, err)
	path := filepath.Join(t.TempDir(), "rules.yaml")
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	all, err := rules.Load(f.cat, tables, path)
	require.NoError(t, err)
	return all
}

func (f *fixture) engine(t testing.TB, client *sink.Client, all []*rules.Rule) *Engine {
	t.Helper()
	e, err := New(Config{
		Client: client, Catalogue: f.cat, Views: f.views, Rules: all, Tick: 50 * time.Millisecond, Slow: time.Millisecond, Sweep: time.Hour,
		Link: "https://crm.example/{account}?alert={alert}", Metrics: prometheus.NewRegistry(), Log: zaptest.NewLogger(t, zaptest.Level(zap.WarnLevel)),
	})
	require.NoError(t, err)
	return e
}

// begin takes over.
func begin(t testing.TB, e *Engine) *reign {
	t.Helper()
	r, err := e.reign(t.Context())
	require.NoError(t, err)
	t.Cleanup(r.slowDone)
	return r
}

// settle ticks until everything that was read beside the ticks is judged too.
func settle(t testing.TB, r *reign) {
	t.Helper()
	for {
		require.NoError(t, r.tick(t.Context()))
		if len(r.dirty)+len(r.perhaps)+len(r.slowDirty) == 0 && r.sweeping.over() && !r.slowBusy && !unseen(t, r) {
			return
		}
		if r.slowBusy { // the reading under way has to end before a tick can judge by it
			r.slowReady <- <-r.slowReady
		}
	}
}

// unseen reports whether there is what no look has read: a merge may take a part away after it was listed and before it is read, and
// what took it in is new at the next look.
func unseen(t testing.TB, r *reign) bool {
	t.Helper()
	parts, beside, err := r.changes.unseen(t.Context(), r.generation)
	require.NoError(t, err)
	maps.Copy(r.stale, beside)
	return len(parts)+len(beside) > 0
}

// history is what was told, in order: rule, account, kind and value.
func (f *fixture) history(t testing.TB) []string {
	t.Helper()
	return f.texts(t, "SELECT concat(rule, ' ', account_id, ' ', toString(episode), '.', toString(seq), ' ', kind, ' ', ifNull(toString(value), '-'), if(is_final, ' final', '')) FROM alert_history ORDER BY rule, account_id, episode, seq")
}

func (f *fixture) escalate(t testing.TB, account string, n int, at time.Time) {
	t.Helper()
	for i := range n {
		f.exec(t, fmt.Sprintf(`INSERT INTO facts_all (kind, account_id, entity, at, name, id, source, offset, attributes)
SELECT 'ticket', '%[1]s', 'z:%[1]s%[2]d-%[3]d', fromUnixTimestamp64Milli(%[3]d, 'UTC'), x, 1, 'tickets/0', 1, if(x = 'priority', map('escalation', 'priority'), map()) FROM (SELECT arrayJoin(['created', 'priority']) AS x)`, account, i, at.UnixMilli()))
	}
}

// events are n of the day that is so many before now, which a test takes once: it may run over midnight.
func (f *fixture) events(t testing.TB, account string, now time.Time, daysAgo, n int) {
	t.Helper()
	f.exec(t, fmt.Sprintf(`INSERT INTO counters_all (tier, account_id, window_start, metric, source, value, applied_offset)
VALUES ('day', '%s', %s, 'events', 'telemetry/0@x', %d, %[3]d)`, account, moment(now.UTC().Truncate(24*time.Hour).AddDate(0, 0, -daysAgo)), n))
}

// testFromRowsToTransitions plays an account's life: an early alert, one at the watermark, inhibition, a restart, late events.
func testFromRowsToTransitions(t *testing.T, f *fixture) {
	now := time.Now().UTC()
	midnight := now.Truncate(24 * time.Hour)
	f.watermarks(t, midnight.Add(-time.Hour)) // yesterday is not complete
	for day := 1; day <= 14; day++ {
		f.events(t, "acme", now, day, map[bool]int{true: 1, false: 10}[day <= 7])
	}
	rr := f.load(t, testRules)
	r := begin(t, f.engine(t, f.client, rr))
	settle(t, r)
	// The seven days up to the day before yesterday have 6 and 1 of the others: 6+10 against 70.
	require.Equal(t, []string{"halved acme 1.1 fired 16 final"}, f.history(t), "of the last window that is complete")

	f.escalate(t, "acme", 2, now)
	settle(t, r)
	require.Equal(t, []string{"halved acme 1.1 fired 16 final", "tickets acme 1.1 fired 2"}, f.history(t))
	f.escalate(t, "acme", 3, now.Add(-time.Hour))
	settle(t, r)
	require.Contains(t, f.history(t), "escalations acme 1.1 fired 5", "as soon as it holds")
	before := f.history(t)

	settle(t, r)
	r = begin(t, f.engine(t, f.connect(t), rr)) // a restart neither repeats nor forgets
	settle(t, r)
	require.Equal(t, before, f.history(t))

	f.events(t, "acme", now, 2, 60) // late: the window that it fired on had 75 and not 16
	settle(t, r)
	require.Contains(t, f.history(t), "halved acme 1.2 retracted 75 final")

	f.escalate(t, "beta", 3, now) // its tickets are not told: the escalations are
	settle(t, r)
	require.Contains(t, f.history(t), "escalations beta 1.1 fired 3")
	require.NotContains(t, strings.Join(f.history(t), "\n"), "tickets beta")

	evidence := f.texts(t, "SELECT evidence FROM alert_history WHERE rule = 'escalations' AND account_id = 'acme'")[0]
	for _, part := range []string{`"value":5`, `"threshold":3`, `"playbook":"win-back"`, `"input":"support_30d.escalated"`, `"tickets":"`, `"offsets":{"tickets/0@x":7}`, `"link":"https://crm.example/acme?alert=al_`} {
		require.Contains(t, evidence, part)
	}
	require.Contains(t, f.texts(t, "SELECT evidence FROM alert_history WHERE rule = 'halved' AND kind = 'fired'")[0], `"previous":60,`)
}

// testADeposedProcessStoresNothing: one that slept while another took over finds out by its own insert.
func testADeposedProcessStoresNothing(t *testing.T, f *fixture) {
	f.watermarks(t, time.Now())
	rr := f.load(t, testRules)
	old := begin(t, f.engine(t, f.client, rr))
	settle(t, old)
	successor := begin(t, f.engine(t, f.connect(t), rr))
	settle(t, successor)
	f.escalate(t, "acme", 3, time.Now())
	var err error
	require.Eventually(t, func() bool { err = old.tick(t.Context()); return err != nil }, 5*time.Minute, time.Millisecond)
	require.ErrorIs(t, err, ErrDeposed)
	require.Empty(t, f.history(t))
	settle(t, successor)
	require.Len(t, f.history(t), 1)
}

// testSilence: nothing new is fired meanwhile, and what still holds is fired after it.
func testSilence(t *testing.T, f *fixture) {
	f.watermarks(t, time.Now())
	s := Silence{ID: "s", Rule: "escalations", From: time.Now().Add(-time.Minute), To: time.Now().Add(time.Hour), Reason: "known", By: "me"}
	require.NoError(t, AddSilence(t.Context(), f.client, s))
	r := begin(t, f.engine(t, f.client, f.load(t, testRules)))
	f.escalate(t, "acme", 3, time.Now())
	settle(t, r)
	require.Equal(t, []string{"tickets acme 1.1 fired 3"}, f.history(t), "what is silent keeps nothing from firing")
	s.To = time.Now()
	require.NoError(t, AddSilence(t.Context(), f.client, s))
	settle(t, r)
	require.Contains(t, f.history(t), "escalations acme 1.1 fired 3")
}

// testEvidenceOfHealth: an alert by health says what its components gave.
func testEvidenceOfHealth(t *testing.T, f *fixture) {
	now := time.Now()
	f.watermarks(t, now)
	for day := range 30 {
		f.events(t, "acme", now, day, 40-day)
	}
	f.escalate(t, "acme", 1, now.Add(-26*time.Hour))
	r := begin(t, f.engine(t, f.client, f.load(t, `
pack: none
rules:
  - name: health
    description: It has a health.
    playbook: look
    owner: cs
    when: health_day.score >= 1
`)))
	settle(t, r)
	texts := f.texts(t, "SELECT payload FROM alert_transitions WHERE rule = 'health' AND account_id = 'acme' AND kind = 'fired'")
	require.Len(t, texts, 1)
	var told payload
	require.NoError(t, json.Unmarshal([]byte(texts[0]), &told))
	require.Greater(t, len(told.Health), 2, texts[0])
	sum, named := 0.0, map[string]bool{}
	for _, c := range told.Health {
		require.NotNil(t, c.Contribution, c.Name)
		sum += *c.Contribution
		named[c.Name] = true
	}
	require.InDelta(t, *told.Value, sum, 0.1, "the contributions add up to the score")
	require.Len(t, named, len(told.Health), "each component once")
	require.Equal(t, "health_day.score", told.Inputs[0].Input)
	require.Equal(t, *told.Value, told.Inputs[0].Value)
}

const segmentRules = `
pack: none
rules:
  - name: last
    description: No peer does less.
    playbook: look
    owner: cs
    when: benchmarks_28d.events_percentile <= 0 && benchmarks_28d.peers >= 3
  - name: enterprise
    description: An enterprise does something.
    playbook: look
    owner: cs
    segments: [ent]
    when: usage_28d.events >= 1
`

// testSegments: a rule may ask where an account stands among its peers, and be of accounts of some segments only, in which they are now.
func testSegments(t *testing.T, f *fixture) {
	now := time.Now().UTC()
	f.watermarks(t, now)
	segment := func(account, of string, offset int) {
		f.exec(t, "INSERT INTO account_changes_all (account_id, valid_from, source, offset, attributes) VALUES (?, ?, 'accounts/0@x', ?, map('segment', ?))",
			account, now.Add(time.Duration(offset-1000)*time.Hour), offset, of)
	}
	for i, account := range []string{"many", "some", "few"} {
		segment(account, "smb", i)
		f.events(t, account, now, 3, 30-10*i)
	}
	segment("big", "ent", 3)
	f.events(t, "big", now, 3, 1)
	r := begin(t, f.engine(t, f.client, f.load(t, segmentRules)))
	settle(t, r)
	require.Equal(t, []string{"enterprise big 1.1 fired 1 final", "last few 1.1 fired 0 final"}, f.history(t))
	segment("big", "smb", 900)
	segment("few", "ent", 901)
	settle(t, r)
	require.Contains(t, f.history(t), "enterprise big 1.2 resolved - final", "it is no enterprise any more")
	require.Contains(t, f.history(t), "enterprise few 1.1 fired 10 final")
}
