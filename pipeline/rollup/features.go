package rollup

import "tidemark/sinks/clickhouse"

// Other is the feature under which an account's uses of features beyond the most in a day are counted.
const Other = "__other__"

const (
	dayTier = tiers - 1
	dayMS   = 86_400_000
)

// admit returns the index of the feature that a use of a feature counts for: its own if the account's day counts it already
// or has fewer than the most, else that of Other.
//
// That is a function of the log before, though rows that were loaded may be ahead of it: they hold only features that are
// among the day's first. One of those is admitted whether it is there or still to come, as the others are fewer than the
// most; and when one comes that is not, all of the first have come before it.
func (s *State) admit(a *account, name []byte, at int64) int {
	start := clickhouse.Day.Start(at)
	if a.day != start*1000 {
		a.day = start * 1000
		clear(a.admitted)
	}
	w := a.window(dayTier, start)
	if w == nil {
		w = a.open(dayTier, start, s)
	}
	i, known := a.features[string(name)]
	switch {
	case known && i < len(w.features) && w.features[i] != nil && w.features[i].admitted:
	case string(name) != Other && int(w.admitted) >= s.most:
		s.over++
		return a.feature(Other)
	default:
		i = a.feature(string(name))
		w.admit(w.feature(i, s.program), name)
	}
	if i >= len(a.admitted) {
		a.admitted = append(a.admitted, make([]bool, len(a.names)-len(a.admitted))...)
	}
	a.admitted[i] = true
	return i
}

// admit counts a feature among those of the day.
func (w *window) admit(r *row, name []byte) {
	if !r.admitted && string(name) != Other {
		w.admitted++
	}
	r.admitted = true
}

// Over returns how many uses of features were counted under Other so far.
func (s *State) Over() uint64 { return s.over }
