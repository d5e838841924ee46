package rules_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"tidemark/schemas/rules"
)

// event is one of a log, in a window that is not over.
type event struct {
	user     int
	feature  int
	day      int
	ticket   int // escalated by it; 0: none
	score    float64
	previous bool // it belongs to the window before
}

// fold is what the views show of a log, by what conditions call it. What can only grow is counted; health is the last score.
func fold(log []event, seats float64) map[string]rules.Value {
	users, active, features, tickets := map[int]bool{}, map[int]bool{}, map[int]bool{}, map[int]bool{}
	events, before := 0.0, 0.0
	score := rules.Value{}
	for _, e := range log {
		if e.previous {
			before++
			continue
		}
		events++
		users[e.user], active[e.day], features[e.feature] = true, true, true
		if e.ticket > 0 {
			tickets[e.ticket] = true
		}
		score = rules.Num(e.score)
	}
	out := map[string]rules.Value{
		"usage_7d.events": rules.Num(events), "previous(usage_7d.events)": rules.Num(before),
		"usage_7d.active_users": rules.Num(float64(len(users))), "usage_7d.active_days": rules.Num(float64(len(active))),
		"usage_7d.features_used": rules.Num(float64(len(features))), "support_30d.escalated": rules.Num(float64(len(tickets))),
		"usage_pattern_28d.zero_days": rules.Num(float64(28 - len(active))), "health_day.score": score,
	}
	if seats > 0 {
		out["account.seats"] = rules.Num(seats)
	}
	return out
}

var numbers = []string{
	"usage_7d.events", "previous(usage_7d.events)", "usage_7d.active_users", "usage_7d.active_days", "usage_7d.features_used",
	"support_30d.escalated", "usage_pattern_28d.zero_days", "health_day.score", "account.seats", "account.seats", "2", "0.5", "-3", "0",
}

func number(depth int) *rapid.Generator[string] {
	leaf := rapid.SampledFrom(numbers)
	if depth == 0 {
		return leaf
	}
	return rapid.Custom(func(t *rapid.T) string {
		if rapid.IntRange(0, 2).Draw(t, "leaf") > 0 {
			return leaf.Draw(t, "number")
		}
		op := rapid.SampledFrom([]string{"+", "-", "*", "/"}).Draw(t, "op")
		return "(" + number(depth-1).Draw(t, "left") + " " + op + " " + number(depth-1).Draw(t, "right") + ")"
	})
}

func truth(depth int) *rapid.Generator[string] {
	return rapid.Custom(func(t *rapid.T) string {
		kind := rapid.IntRange(0, 9).Draw(t, "kind")
		switch {
		case depth == 0 || kind < 4:
			op := rapid.SampledFrom([]string{"<", "<=", ">", ">=", ">", ">=", "==", "!="}).Draw(t, "compare")
			return number(2).Draw(t, "left") + " " + op + " " + number(1).Draw(t, "right")
		case kind < 8:
			op := rapid.SampledFrom([]string{"&&", "||"}).Draw(t, "connect")
			return "(" + truth(depth-1).Draw(t, "left") + ") " + op + " (" + truth(depth-1).Draw(t, "right") + ")"
		case kind == 8:
			return "!(" + truth(depth-1).Draw(t, "negated") + ")"
		default:
			return "known(" + rapid.SampledFrom([]string{"usage_7d.events", "health_day.score", "account.seats"}).Draw(t, "known") + ")"
		}
	})
}

// TestGrowthIsWhatEventsDo reads logs prefix by prefix: a condition that is said to grow never becomes less true, and one that is
// said to be fixed never changes.
func TestGrowthIsWhatEventsDo(t *testing.T) {
	compile, err := rules.Compiler(vocabulary(t))
	require.NoError(t, err)
	claims := map[rules.Growth]int{}
	moved := 0
	rapid.Check(t, func(t *rapid.T) {
		log := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) event {
			return event{
				rapid.IntRange(1, 4).Draw(t, "user"), rapid.IntRange(1, 3).Draw(t, "feature"), rapid.IntRange(1, 7).Draw(t, "day"),
				rapid.IntRange(0, 3).Draw(t, "ticket"), float64(rapid.IntRange(0, 100).Draw(t, "score")), rapid.Bool().Draw(t, "previous"),
			}
		}), 1, 12).Draw(t, "log")
		seats := float64(rapid.IntRange(0, 5).Draw(t, "seats"))
		for _, text := range rapid.SliceOfN(truth(2), 10, 10).Draw(t, "conditions") {
			c, err := compile(text, rules.Bool)
			require.NoError(t, err, text)
			claims[c.Growth]++
			require.True(t, c.Growth != rules.Mixed || c.Reason != "", text)
			moved += check(t, c, log, seats)
		}
	})
	require.Positive(t, claims[rules.Up])
	require.Positive(t, claims[rules.Down])
	require.Positive(t, claims[rules.Fixed])
	require.Positive(t, moved)
	t.Logf("claims: %v, changes seen: %d", claims, moved)
}

// check reads a log prefix by prefix, and counts how often a condition changed that may.
func check(t *rapid.T, c *rules.Condition, log []event, seats float64) (moved int) {
	var was rules.Value
	for n := range len(log) + 1 {
		given := fold(log[:n], seats)
		is, err := c.Eval(func(i int) rules.Value { return given[c.Inputs()[i].String()] })
		require.NoError(t, err)
		if n > 0 && is != was && c.Growth != rules.Mixed {
			moved++
			why := fmt.Sprintf("%s is %s (%s), and went from %s to %s", c.Source, c.Growth, c.Reason, was, is)
			require.NotEqual(t, rules.Fixed, c.Growth, why)
			require.False(t, c.Growth == rules.Up && was.True(), why)
			require.False(t, c.Growth == rules.Down && was.False(), why)
		}
		was = is
	}
	return moved
}

func TestWhatFiresEarly(t *testing.T) {
	for when, want := range map[string]struct {
		fires  rules.Fires
		reason string
	}{
		`support_30d.escalated >= 3`:                          {rules.Monotone, "can only grow"},
		`support_30d.escalated >= 3 && account.plan == "pro"`: {rules.Monotone, "can only grow"},
		`features_28d["export"].users / account.seats > 0.8`:  {rules.Monotone, "can only grow"},
		`!(usage_7d.events < 100)`:                            {rules.Monotone, "can only grow"},
		`days_until(account.renewal_at) < 30`:                 {rules.Monotone, "only the account and the calendar"},
		`usage_7d.events < 100`:                               {rules.AtWatermark, "asks for less of something that grows"},
		`usage_7d.events > 2 * previous(usage_7d.events)`:     {rules.AtWatermark, "both sides grow"},
		`usage_7d.events == 3`:                                {rules.AtWatermark, "exactly one value"},
		`health_day.score > 3`:                                {rules.AtWatermark, "health_day.score can rise and fall"},
		`support_30d.opened >= 3`:                             {rules.AtWatermark, "support_30d.opened can rise and fall"},
		`usage_7d.sessions > 3`:                               {rules.AtWatermark, "usage_7d.sessions can rise and fall"},
		`usage_7d.events > 3 || usage_7d.active_users < 2`:    {rules.AtWatermark, "asks for less"},
		`usage_7d.events * account.mrr > 3`:                   {rules.AtWatermark, "may be negative"},
		`3 / usage_7d.events < 1`:                             {rules.AtWatermark, "divides by something that further events change"},
		`known(features_28d["export"].seat_utilization)`:      {rules.AtWatermark, "whether features_28d"},
	} {
		r, err := one(t, when)
		require.NoError(t, err, when)
		require.Equal(t, want.fires, r.Fires, when)
		require.Contains(t, r.Reason, want.reason, when)
	}
}
