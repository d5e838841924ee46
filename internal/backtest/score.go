package backtest

import (
	"slices"
	"time"

	"tidemark/pipeline/triggers"
)

// Episode is a time in which a rule was firing on an account.
type Episode struct {
	Account  string
	From, To time.Time // To is zero if it has not ended
	Levels   int       // reached
	Value    *float64  // on which it fired
}

// Duration is how long it was firing, until now at most.
func (e Episode) Duration(now time.Time) time.Duration {
	if e.To.IsZero() {
		return now.Sub(e.From)
	}
	return e.To.Sub(e.From)
}

// Episodes are those of a rule among what was told of an account.
func Episodes(account, rule string, told []Told) []Episode {
	var out []Episode
	for _, t := range told {
		if t.Rule.Name != rule {
			continue
		}
		switch t.Kind {
		case triggers.Fired:
			out = append(out, Episode{Account: account, From: t.At, Levels: t.Level, Value: t.Value})
		case triggers.LevelUp:
			out[len(out)-1].Levels = t.Level
		case triggers.Ended, triggers.Retracted:
			out[len(out)-1].To = t.At
		case triggers.Amended:
		}
	}
	return out
}

// Score says how well a rule foretold which accounts were lost.
type Score struct {
	Alerts    int           // episodes that can be told right or wrong
	Right     int           // of those, accounts that were lost within the horizon
	Undecided int           // episodes too near the end of what is known, and of accounts lost before
	Lost      int           // accounts that were lost in the range
	Foretold  int           // of those, accounts with an alert within the horizon before
	Lead      time.Duration // median time from the first such alert to the loss
}

// Precision is the share of alerts that were right; ok is false where there are none.
func (s Score) Precision() (v float64, ok bool) {
	return float64(s.Right) / float64(max(1, s.Alerts)), s.Alerts > 0
}

// Recall is the share of losses that were foretold; ok is false where there are none.
func (s Score) Recall() (v float64, ok bool) {
	return float64(s.Foretold) / float64(max(1, s.Lost)), s.Lost > 0
}

// Judge scores episodes against when accounts were lost (zero: they were not).
func Judge(episodes []Episode, accounts []string, lost func(account string) time.Time, r Range, horizon time.Duration) Score {
	var s Score
	var leads []time.Duration
	for _, e := range episodes {
		when := lost(e.Account)
		switch {
		case !when.IsZero() && !when.After(e.From):
			s.Undecided++ // it was known already
		case !when.IsZero() && when.Sub(e.From) <= horizon:
			s.Alerts++
			s.Right++
		case r.To.Sub(e.From) < horizon:
			s.Undecided++
		default:
			s.Alerts++
		}
	}
	for _, a := range accounts {
		when := lost(a)
		if when.IsZero() || when.Before(r.From) || when.After(r.To) {
			continue
		}
		s.Lost++
		i := slices.IndexFunc(episodes, func(e Episode) bool {
			return e.Account == a && e.From.Before(when) && when.Sub(e.From) <= horizon
		})
		if i >= 0 {
			s.Foretold++
			leads = append(leads, when.Sub(episodes[i].From))
		}
	}
	if len(leads) > 0 {
		slices.Sort(leads)
		s.Lead = leads[len(leads)/2]
	}
	return s
}
