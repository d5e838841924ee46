package recount

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tidemark/schemas"
)

// recountBy recounts a log by a catalogue.
func recountBy(t *testing.T, log []written, catalogue *schemas.Catalogue) *Result {
	t.Helper()
	c := cluster(t)
	client := producer(t, c)
	for _, w := range log {
		require.NoError(t, client.ProduceSync(t.Context(), w.record(t)).FirstErr())
	}
	opts := options(c)
	opts.Rules = RulesOf(catalogue)
	result, err := Count(t.Context(), opts)
	require.NoError(t, err)
	return shortSources(result)
}

// nonZero is without the counters that nothing was added to: a pipeline has no
// rows of them.
func nonZero(counters map[CounterKey]uint64) map[CounterKey]uint64 {
	rest := map[CounterKey]uint64{}
	for key, n := range counters {
		if n > 0 {
			rest[key] = n
		}
	}
	return rest
}

func TestTheBuiltInCatalogueIsWhatIsWrittenOutByHand(t *testing.T) {
	log := telemetryLog
	for i := range log {
		log[i].topic = "telemetry"
	}
	for _, event := range []string{"priority", "assignment", "tag", "sla_breach", "solved"} {
		log = append(log, written{topic: "tickets", value: `{"ticket_id":"1","account_id":"acme","kind":"` + event +
			`","to":"p1","tags":["escalated"],"occurred_at":"2026-03-02T10:00:00Z"}`})
	}
	catalogue, err := schemas.Builtin()
	require.NoError(t, err)
	byHand, byRules := recountLog(t, log), recountBy(t, log, catalogue)
	require.NotEmpty(t, byHand.Members)
	require.Equal(t, nonZero(byHand.Counters), nonZero(byRules.Counters))
	require.Equal(t, byHand.Members, byRules.Members)
	require.Equal(t, byHand.UserMinutes, byRules.UserMinutes)
	require.Equal(t, byHand.Facts, byRules.Facts)
	require.Equal(t, byHand.Sources, byRules.Sources)
}

func TestMetricsOfAUsersOwn(t *testing.T) {
	path := filepath.Join(t.TempDir(), "own.yaml")
	require.NoError(t, os.WriteFile(path, []byte(`
events: {exports: [Exported, Downloaded]}
active_when: {paid: {where: [{property: plan, not_in: [free]}]}}
metrics:
  - {name: pdf_exports, view: usage, aggregate: count, match: {event: [exports], where: [{property: format, in: [pdf]}]}, unit: u, description: d, decision: d, owner: o}
  - {name: pages, view: usage, aggregate: sum, of: pages, match: {event: [exports, Printed]}, unit: u, description: d, decision: d, owner: o}
  - {name: payers, view: usage, aggregate: distinct, match: {active: paid, type: [track]}, unit: u, description: d, decision: d, owner: o}
  - {name: sized, view: usage, aggregate: count, match: {where: [{property: pages, exists: true}]}, unit: u, description: d, decision: d, owner: o}
`), 0o600))
	catalogue, err := schemas.Load(path)
	require.NoError(t, err)
	event := func(user, name, properties string) written {
		return written{topic: "telemetry", value: `{"type":"track","event":"` + name + `","userId":"` + user +
			`","context":{"groupId":"acme"},"properties":` + properties + `,"timestamp":"2026-03-02T10:00:00Z"}`}
	}
	r := recountBy(t, []written{
		event("u1", "Exported", `{"format":"pdf","pages":3,"plan":"free"}`),
		event("u2", "Downloaded", `{"format":"pdf","pages":4.9}`),
		event("u2", "Downloaded", `{"format":"csv","pages":"9","plan":"team"}`),
		event("u3", "Printed", `{"format":"pdf","pages":5,"plan":null}`),
		event("u4", "Printed", `{"pages":null,"plan":"free"}`),
	}, catalogue)
	window := CounterKey{Tier: Day, Account: "acme", Window: clock(t, "2026-03-02T00:00:00Z").UnixMilli(), Source: "telemetry/0"}
	for metric, want := range map[string]uint64{"pdf_exports": 2, "pages": 3 + 4 + 5, "sized": 4, "events": 5} {
		window.Metric = metric
		require.Equal(t, want, r.Counters[window], metric)
	}
	payers := 0
	for m := range r.Members {
		if m.Tier == Day && m.Metric == "payers" {
			payers++
		}
	}
	require.Equal(t, 2, payers, "u2 and u3")
}

func TestDuplicatesAreFoundAsFarAsTheFilterReaches(t *testing.T) {
	seen := recent{reach: 10, at: map[string]int64{}}
	require.False(t, seen.repeated("a", 0))
	require.True(t, seen.repeated("a", 10), "10 offsets back")
	require.False(t, seen.repeated("a", 21), "11 offsets back")
	require.False(t, seen.repeated("", 22))
	require.False(t, seen.repeated("", 22), "no id, no duplicate")
	for offset := int64(100); offset < 10_000; offset++ {
		seen.repeated(time.Unix(offset, 0).String(), offset)
	}
	require.Less(t, len(seen.at), 1100, "what is out of reach is forgotten")
	require.True(t, seen.repeated(time.Unix(9_995, 0).String(), 10_000))
}
