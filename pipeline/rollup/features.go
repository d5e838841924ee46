package rollup

import (
	"cmp"
	"iter"
	"slices"

	"tidemark/sinks/clickhouse"
)

// Other is the feature under which an account's uses of features beyond the most in a day are counted.
const Other = "__other__"

const (
	dayTier = tiers - 1
	dayMS   = 86_400_000

	// many is how many features of an account stand in a window by their index; accounts with more are few, and each of
	// their windows has few of them.
	many = 64
	// maxName is the longest name of a feature, in bytes: a longer one is no name, and counts for Other.
	maxName = 256
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
	case known && w.at(i) != nil && w.at(i).admitted:
	case string(name) != Other && (int(w.admitted) >= s.most || len(name) > maxName):
		s.over++
		return a.feature(Other)
	default:
		i = a.feature(string(name))
		w.admit(s.featureRow(w, i), name)
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

// feature returns the index of a feature of the account.
func (a *account) feature(name string) int {
	i, ok := a.features[name]
	if !ok {
		if a.features == nil {
			a.features = map[string]int{}
		}
		i = len(a.names)
		a.features[name] = i
		a.names = append(a.names, name)
	}
	return i
}

// sorted returns the indices of all features of the account in the order of their names.
func (a *account) sorted() []int {
	if n := len(a.byName); n < len(a.names) {
		for i := n; i < len(a.names); i++ {
			a.byName = append(a.byName, i)
		}
		slices.SortFunc(a.byName, a.byNames)
	}
	return a.byName
}

func (a *account) byNames(i, j int) int { return cmp.Compare(a.names[i], a.names[j]) }

// at returns the row of the account's i-th feature, nil if there is none.
func (w *window) at(i int) *row {
	switch {
	case i >= many:
		return w.more[i]
	case i < len(w.features):
		return w.features[i]
	}
	return nil
}

// featureRow returns the row of the account's i-th feature, a new one if there is none.
func (s *State) featureRow(w *window, i int) *row {
	if r := w.at(i); r != nil {
		return r
	}
	r := &row{}
	r.make(len(s.program.FeatureCounters))
	s.rows++
	w.set(i, r)
	return r
}

// set makes r the row of the account's i-th feature.
func (w *window) set(i int, r *row) {
	if i >= many {
		if w.more == nil {
			w.more = map[int]*row{}
		}
		w.more[i] = r
		return
	}
	if i >= len(w.features) {
		w.features = append(w.features, make([]*row, i+1-len(w.features))...)
	}
	w.features[i] = r
}

// each calls do for every feature of the account's window, in the order of their names.
func (w *window) each(a *account, do func(i int, r *row)) {
	if w.more == nil && len(a.names) <= many {
		for _, i := range a.sorted() {
			if i < len(w.features) && w.features[i] != nil {
				do(i, w.features[i])
			}
		}
		return
	}
	var own []int
	for i := range w.all() {
		own = append(own, i)
	}
	slices.SortFunc(own, a.byNames)
	for _, i := range own {
		do(i, w.at(i))
	}
}

// all yields the rows of the window's features, by the account's index, in any order.
func (w *window) all() iter.Seq2[int, *row] {
	return func(yield func(int, *row) bool) {
		for i, r := range w.features {
			if r != nil && !yield(i, r) {
				return
			}
		}
		for i, r := range w.more {
			if !yield(i, r) {
				return
			}
		}
	}
}

// renumber forgets the features that no window of the account has any more, once they are most of those that are known.
func (a *account) renumber() {
	if len(a.names) <= many {
		return
	}
	index := make([]int, len(a.names)) // 1 + the new one
	used := 0
	for _, windows := range a.windows {
		for _, w := range windows {
			for i := range w.all() {
				if index[i] == 0 {
					used++
					index[i] = used
				}
			}
		}
	}
	if used > len(a.names)/2 {
		return
	}
	names := a.names
	a.names, a.byName, a.features, a.admitted = make([]string, used), nil, make(map[string]int, used), nil
	for i, name := range names {
		if index[i] != 0 {
			a.names[index[i]-1] = name
			a.features[name] = index[i] - 1
		}
	}
	for _, windows := range a.windows {
		for _, w := range windows {
			w.renumber(index)
		}
	}
}

// renumber moves the features' rows to their new indices, of which index has each one's successor.
func (w *window) renumber(index []int) {
	old := *w
	w.features, w.more = nil, nil
	for i, r := range old.all() {
		w.set(index[i]-1, r)
	}
}

// Over returns how many uses of features were counted under Other so far.
func (s *State) Over() uint64 { return s.over }
