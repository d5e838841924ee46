package triggers_test

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"tidemark/pipeline/triggers"
	"tidemark/schemas/rules"
)

// TestStepAgainstTheOracle plays any observations, and compares what Step tells with what the oracle finds by searching the
// whole history for episodes.
func TestStepAgainstTheOracle(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rule, history := anyRule(t), anyHistory(t)
		var s triggers.State
		var told []triggers.Transition
		for i := range history {
			if history[i].Fired != nil && !s.Active() {
				history[i].Fired = nil // there is no window on which it stands
			}
			var more []triggers.Transition
			s, more = triggers.Step(rule, s, history[i])
			told = append(told, more...)
		}
		if diff := cmp.Diff(oracle(rule, history), told); diff != "" {
			t.Fatalf("oracle - step +\n%s", diff)
		}
	})
}

// TestStepIsRepeatProof: the same observation again, as a repeat after a restart gives it, tells nothing new.
func TestStepIsRepeatProof(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rule := anyRule(t)
		var s triggers.State
		seen := map[string]bool{}
		for _, o := range anyHistory(t) {
			before := s
			next, told := triggers.Step(rule, before, o)
			again, toldAgain := triggers.Step(rule, before, o)
			if diff := cmp.Diff([]any{next, told}, []any{again, toldAgain}); diff != "" {
				t.Fatalf("Step is not a function: %s", diff)
			}
			for _, tr := range told {
				if seen[tr.ID] {
					t.Fatalf("%s was told twice: %+v", tr.ID, tr)
				}
				seen[tr.ID] = true
			}
			o.Fired = nil // which is what was just told
			if _, more := triggers.Step(rule, next, o); len(more) > 0 && !(len(told) > 0 && told[len(told)-1].Kind == triggers.Retracted) {
				t.Fatalf("told after a repeat: %+v, first %+v", more, told)
			}
			s = next
		}
	})
}

// TestEveryEpisodeHasOneBeginningAndOneEnd looks at the ids' own order: fired first, at most one end, nothing after it.
func TestEveryEpisodeHasOneBeginningAndOneEnd(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rule := anyRule(t)
		var s triggers.State
		last := map[uint64]triggers.Transition{}
		for _, o := range anyHistory(t) {
			var told []triggers.Transition
			s, told = triggers.Step(rule, s, o)
			for _, tr := range told {
				was, ok := last[tr.Episode]
				ended := was.Kind == triggers.Ended || was.Kind == triggers.Retracted
				if ok == (tr.Kind == triggers.Fired) || ended || tr.Seq != was.Seq+1 {
					t.Fatalf("%+v after %+v", tr, was)
				}
				if tr.Kind == triggers.LevelUp && tr.Level <= was.Level {
					t.Fatalf("level %d after %d", tr.Level, was.Level)
				}
				last[tr.Episode] = tr
			}
		}
	})
}

func anyRule(t *rapid.T) *rules.Rule {
	duration := rapid.SampledFrom([]time.Duration{0, 0, time.Hour, 3 * time.Hour})
	r := &rules.Rule{
		Name: "r", When: &rules.Condition{}, Fires: rapid.SampledFrom([]rules.Fires{rules.Monotone, rules.AtWatermark}).Draw(t, "fires"),
		For: duration.Draw(t, "for"), KeepFiringFor: duration.Draw(t, "keep"), Cooldown: duration.Draw(t, "cooldown"),
	}
	if rapid.Bool().Draw(t, "hysteresis") {
		r.ClearWhen = &rules.Condition{}
	}
	if rapid.Bool().Draw(t, "minimum") {
		r.Minimum = &rules.Condition{}
	}
	return r
}

var start = time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)

func anyHistory(t *rapid.T) []triggers.Observation {
	truth := rapid.SampledFrom([]triggers.Truth{triggers.Unknown, triggers.False, triggers.True, triggers.True})
	value := rapid.Custom(func(t *rapid.T) *float64 {
		v := float64(rapid.IntRange(0, 2).Draw(t, "v"))
		if v == 0 {
			return nil
		}
		return &v
	})
	at := start
	out := make([]triggers.Observation, rapid.IntRange(1, 25).Draw(t, "n"))
	for i := range out {
		at = at.Add(time.Duration(rapid.IntRange(-1, 3).Draw(t, "step")) * time.Hour)
		o := triggers.Observation{
			Account: "acme", At: at, Window: at.Truncate(2 * time.Hour), Final: rapid.Bool().Draw(t, "final"),
			Holds: truth.Draw(t, "holds"), Clears: truth.Draw(t, "clears"), Enough: truth.Draw(t, "enough"),
			Level: rapid.IntRange(0, 3).Draw(t, "level"), Value: value.Draw(t, "value"), Muted: rapid.IntRange(0, 3).Draw(t, "muted") == 0,
		}
		if rapid.IntRange(0, 2).Draw(t, "again") == 0 {
			o.Fired = &triggers.Reading{Final: rapid.Bool().Draw(t, "again final"), Holds: truth.Draw(t, "again holds"), Value: value.Draw(t, "again value")}
		}
		out[i] = o
	}
	return out
}

// fact is an observation of which something is known.
type fact struct {
	o             triggers.Observation
	holds, clears triggers.Truth
}

// oracle finds the episodes by searching, without a state machine: where one may begin, where it must end, and what is told between.
func oracle(r *rules.Rule, history []triggers.Observation) []triggers.Transition {
	facts := make([]fact, len(history))
	for i, o := range history {
		facts[i] = fact{o: o}
		if (r.Minimum == nil || o.Enough == triggers.True) && (o.Final || r.Fires == rules.Monotone && o.Holds == triggers.True) {
			f := fact{o: o, holds: o.Holds, clears: o.Clears}
			if r.ClearWhen == nil || o.Holds == triggers.True {
				f.clears = map[triggers.Truth]triggers.Truth{triggers.True: triggers.False, triggers.False: triggers.True}[o.Holds]
			}
			facts[i] = f
		}
	}
	var out []triggers.Transition
	judged := func(i int) bool { // nothing later was known before
		for _, f := range facts[:i] {
			if f.o.At.After(facts[i].o.At) && (f.holds != triggers.Unknown || f.clears != triggers.Unknown) {
				return false
			}
		}
		return true
	}
	var begun time.Time // of the last episode, unless it was retracted
	from := 0
	for episode := uint64(1); ; episode++ {
		i := slices.IndexFunc(facts[from:], func(fact) bool { return true })
		for i += from; i < len(facts) && i >= from; i++ {
			if !judged(i) {
				facts[i].holds, facts[i].clears = triggers.Unknown, triggers.Unknown
			}
			if mayBegin(r, facts, from, i, begun) {
				break
			}
		}
		if i < from || i >= len(facts) {
			return out
		}
		told, end, retracted := episodeFrom(r, facts, i, judged)
		for n := range told {
			told[n].Episode, told[n].Seq = episode, uint32(n+1)
			told[n].AlertID = triggers.AlertID(r.Name, "acme", episode)
			told[n].ID = triggers.TransitionID(told[n].AlertID, told[n].Seq)
		}
		out = append(out, told...)
		begun = facts[i].o.At
		if retracted {
			begun = time.Time{}
		}
		if end >= len(facts) {
			return out
		}
		from = end + 1
	}
}

// mayBegin: it holds at i, has held in all that is known since for long enough, and nothing keeps it from firing.
func mayBegin(r *rules.Rule, facts []fact, from, i int, begun time.Time) bool {
	if facts[i].holds != triggers.True || facts[i].o.Muted {
		return false
	}
	since := facts[i].o.At
	for j := i; j >= from && facts[j].holds != triggers.False; j-- {
		if facts[j].holds == triggers.True {
			since = facts[j].o.At
		}
	}
	return facts[i].o.At.Sub(since) >= r.For && (begun.IsZero() || facts[i].o.At.Sub(begun) >= r.Cooldown)
}

// episodeFrom is what is told from the beginning at i on, the index of the end, and whether it was retracted.
func episodeFrom(r *rules.Rule, facts []fact, i int, judged func(int) bool) (told []triggers.Transition, end int, retracted bool) {
	tell := func(k triggers.Kind, at triggers.Observation, window time.Time, value *float64, final bool, level int) {
		told = append(told, triggers.Transition{Kind: k, At: at.At, Window: window, Value: value, Final: final, Level: level})
	}
	first := facts[i].o
	window, value, final, level := first.Window, first.Value, first.Final, first.Level
	tell(triggers.Fired, first, window, value, final, level)
	for n := i + 1; n < len(facts); n++ {
		o := facts[n].o
		if !judged(n) {
			facts[n].holds, facts[n].clears = triggers.Unknown, triggers.Unknown
		}
		if o.Fired != nil && o.Fired.Final {
			differs := (value == nil) != (o.Fired.Value == nil) || value != nil && *value != *o.Fired.Value
			gone := o.Fired.Holds == triggers.False
			if gone && facts[n].holds != triggers.True {
				tell(triggers.Retracted, o, o.Window, o.Fired.Value, true, level)
				facts[n].holds, facts[n].clears = triggers.Unknown, triggers.Unknown // the observation is used up
				return told, n, true
			}
			wasFinal := final
			if gone {
				window, value, final = o.Window, o.Value, o.Final
			} else if o.Fired.Holds == triggers.True {
				value, final = o.Fired.Value, true
			}
			if (gone || o.Fired.Holds == triggers.True && differs && wasFinal) && !o.Muted {
				tell(triggers.Amended, o, window, value, final, level)
			}
		}
		if clearedFor(r, facts, i, n) {
			tell(triggers.Ended, o, o.Window, o.Value, o.Final, level)
			return told, n, false
		}
		if facts[n].holds == triggers.True && o.Level > level && !o.Muted {
			window, value, final, level = o.Window, o.Value, o.Final, o.Level
			tell(triggers.LevelUp, o, window, value, final, level)
		}
	}
	return told, len(facts), false
}

// clearedFor: it is clear at n, and has been in all that is known since for long enough.
func clearedFor(r *rules.Rule, facts []fact, i, n int) bool {
	if facts[n].clears != triggers.True {
		return false
	}
	since := facts[n].o.At
	for j := n; j > i && facts[j].clears != triggers.False; j-- {
		if facts[j].clears == triggers.True {
			since = facts[j].o.At
		}
	}
	return facts[n].o.At.Sub(since) >= r.KeepFiringFor
}
