package simulate

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

var testPlan = Plan{Seed: 5, Accounts: 20, Start: time.Date(2026, 3, 2, 9, 30, 0, 0, time.UTC), History: day(5)}

// take reads n messages, beginning live traffic where the past ends.
func take(t *testing.T, g *Generator, n int) []Message {
	t.Helper()
	var list []Message
	for len(list) < n {
		m, ok := g.Next()
		if !ok {
			_, err := g.Resume(testPlan.Start.Add(time.Minute), 500)
			require.NoError(t, err)
			continue
		}
		list = append(list, m)
	}
	return list
}

// past is the number of messages before live traffic.
func past(t *testing.T) int {
	t.Helper()
	g, err := NewGenerator(testPlan)
	require.NoError(t, err)
	for {
		if _, ok := g.Next(); !ok {
			return int(g.Seq())
		}
	}
}

func asText(messages []Message) []string {
	list := make([]string, len(messages))
	for i, m := range messages {
		list[i] = fmt.Sprintf("%d %s %d %s %s %+v", m.Seq, m.At, m.Via, m.Key, m.Body, m.intent.verdict)
	}
	return list
}

func TestAReplayOfThePlanIsTheSameStream(t *testing.T) {
	n := past(t) + 3000
	first, err := NewGenerator(testPlan)
	require.NoError(t, err)
	want := take(t, first, n)
	_, err = first.Resume(testPlan.Start.Add(time.Hour), 100)
	require.NoError(t, err)
	want = append(want, take(t, first, 500)...)

	again, err := NewGenerator(first.plan)
	require.NoError(t, err)
	require.Equal(t, asText(want), asText(take(t, again, len(want))))

	other := testPlan
	other.Seed++
	differs, err := NewGenerator(other)
	require.NoError(t, err)
	require.NotEqual(t, asText(want[:100]), asText(take(t, differs, 100)))
}

func TestMessagesComeInTheOrderOfTheirTimes(t *testing.T) {
	g, err := NewGenerator(testPlan)
	require.NoError(t, err)
	messages := take(t, g, past(t)+2000)
	require.True(t, slices.IsSortedFunc(messages, func(a, b Message) int { return a.At.Compare(b.At) }))
	begin := slices.IndexFunc(messages, func(m Message) bool { return !m.At.Before(testPlan.Start) })
	require.Equal(t, past(t), begin)
	var slots int
	for _, m := range messages[begin:] {
		if m.At.Before(testPlan.Start.Add(time.Minute + 2*time.Second)) {
			slots++
		}
	}
	require.InEpsilon(t, 1000, slots, 0.1, "500 a second for two seconds")
}

// TestTheStreamHasEverythingInIt looks for what the pipeline has to cope with.
func TestTheStreamHasEverythingInIt(t *testing.T) {
	g, err := NewGenerator(testPlan)
	require.NoError(t, err)
	found := map[string]int{}
	active := map[story]int{}
	stories := map[string]story{}
	for _, a := range g.accounts {
		stories[a.id] = a.story
	}
	for _, m := range take(t, g, past(t)+45_000) {
		in := m.intent
		late := m.At.Sub(time.UnixMilli(in.at))
		note := func(what string, yes bool) {
			if yes {
				found[what]++
			}
		}
		event := in.action.kind != ""
		note("late by hours", event && late > time.Hour)
		note("late by minutes", event && late > time.Minute && late < time.Hour)
		note("duplicate", in.verdict == duplicate)
		note("parked", in.waits)
		note("no user", event && in.user == "")
		note("dead letter: "+string(in.reason), in.verdict == deadLettered)
		note("workflow ends", in.action.step == 3)
		note("kind "+in.action.kind, event)
		if in.ticket != nil {
			note("ticket "+in.ticket.Kind, true)
			note("escalation by "+in.ticket.Kind, in.ticket.escalates)
		}
		if in.signal != nil {
			note("signal "+in.signal.kind+"/"+in.signal.name, true)
		}
		var body segmentMessage
		if json.Unmarshal(m.Body, &body) == nil && event {
			note("skewed clock", body.OriginalTimestamp != "" && body.OriginalTimestamp != stamp(in.at))
			note("anonymous", body.AnonymousID != "")
			active[stories[in.account]]++
		}
	}
	for _, what := range []string{"late by hours", "late by minutes", "duplicate", "parked", "no user", "workflow ends",
		"kind track", "kind page", "kind screen", "skewed clock", "anonymous",
		"dead letter: malformed", "dead letter: missing_type", "dead letter: unknown_type", "dead letter: missing_event",
		"dead letter: missing_user", "dead letter: bad_time", "dead letter: future", "dead letter: too_old",
		"dead letter: no_account", "dead letter: missing_field", "dead letter: unknown_kind", "dead letter: bad_value",
		"signal survey/nps", "signal survey/csat", "signal survey/ces", "signal kpi/reported", "signal meter/reported", "signal goal/defined",
		"signal release/deployed",
		"ticket created", "ticket replied_agent", "ticket replied_customer", "ticket solved", "ticket reopened",
		"ticket status", "ticket csat", "escalation by priority", "escalation by assignment", "escalation by tag",
		"escalation by sla_breach"} {
		require.NotZero(t, found[what], "%s in %v", what, found)
	}
	require.Zero(t, active[silent])
	for _, s := range []story{onboarding, healthy, growing, atRisk, churned} {
		require.NotZero(t, active[s], s)
	}
}

// TestRepeatsStayNear keeps repeats inside the pipeline's duplicate window.
func TestRepeatsStayNear(t *testing.T) {
	g, err := NewGenerator(testPlan)
	require.NoError(t, err)
	first := map[string]uint64{}
	for _, m := range take(t, g, past(t)+45_000) {
		if m.Via == Accounts || m.intent.verdict == deadLettered {
			continue
		}
		if before, ok := first[string(m.Body)]; ok {
			require.Equal(t, duplicate, m.intent.verdict)
			require.Less(t, m.Seq-before, uint64(131072))
		} else {
			first[string(m.Body)] = m.Seq
		}
	}
}
