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

	// many is how many features of an account stand in a window by their number; accounts with more are few, and each of
	// their windows has few of them.
	many = 64
	// few is how many features a window has room for at first: growing from one costs most accounts five allocations a window.
	few = 16
	// maxName is the longest name of a feature, in bytes: a longer one is no name, and counts for Other.
	maxName = 256
)

// features are those of an account, numbered in the order in which they came: their numbers are indices into its windows.
type features struct {
	numbers  map[string]int
	names    []string // by number
	byName   []int    // the numbers in the order of the names, as far as it was asked for
	day      int64    // the last one that features were looked up in, by its start in Unix ms; never = look
	admitted []bool   // in that day, by number
}

func (a *account) ownFeatures() *features {
	if a.features == nil {
		a.features = &features{numbers: map[string]int{}, day: never}
	}
	return a.features
}

// len returns how many there are.
func (f *features) len() int {
	if f == nil {
		return 0
	}
	return len(f.names)
}

// number returns the feature's number, a new one if the feature is new.
func (f *features) number(name string) int {
	i, ok := f.numbers[name]
	if !ok {
		i = len(f.names)
		f.numbers[name] = i
		f.names = append(f.names, name)
	}
	return i
}

// sorted returns the numbers in the order of the names.
func (f *features) sorted() []int {
	if n := len(f.byName); n < len(f.names) {
		for i := n; i < len(f.names); i++ {
			f.byName = append(f.byName, i)
		}
		slices.SortFunc(f.byName, f.byNames)
	}
	return f.byName
}

func (f *features) byNames(i, j int) int { return cmp.Compare(f.names[i], f.names[j]) }

// admit returns the number of the feature that a use of a feature counts for: its own if the account's day counts it already
// or has fewer than the most, else that of Other.
//
// That is a function of the log before, though rows that were loaded may be ahead of it: they hold only features that are
// among the day's first. One of those is admitted whether it is there or still to come, as the others are fewer than the
// most; and when one comes that is not, all of the first have come before it.
func (s *State) admit(a *account, name []byte, at int64) int {
	f, start := a.ownFeatures(), clickhouse.Day.Start(at)
	if f.day != start*1000 {
		f.day = start * 1000
		clear(f.admitted)
	}
	w := a.window(dayTier, start)
	if w == nil {
		w = a.open(dayTier, start, s)
	}
	i, known := f.numbers[string(name)]
	switch {
	case known && w.at(i) != nil && w.at(i).admitted:
	case string(name) != Other && (int(w.admitted) >= s.most || len(name) > maxName):
		s.over++
		return f.number(Other)
	default:
		i = f.number(string(name))
		w.admit(s.featureRow(w, i), name)
	}
	if i >= len(f.admitted) {
		f.admitted = append(f.admitted, make([]bool, len(f.names)-len(f.admitted))...)
	}
	f.admitted[i] = true
	return i
}

// admit counts a feature among those of the day.
func (w *window) admit(r *row, name []byte) {
	if !r.admitted && string(name) != Other {
		w.admitted++
	}
	r.admitted = true
}

// at returns the row of the account's i-th feature, nil if there is none.
func (w *window) at(i int) *row {
	switch {
	case i >= many:
		return w.others[i]
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
	r := s.newRow(len(s.program.FeatureCounters))
	s.rows++
	w.set(i, r)
	return r
}

// set makes r the row of the account's i-th feature.
func (w *window) set(i int, r *row) {
	if i >= many {
		if w.others == nil {
			w.others = map[int]*row{}
		}
		w.others[i] = r
		return
	}
	if i >= len(w.features) {
		if w.features == nil { // room for what most accounts use, at once
			w.features = make([]*row, 0, max(few, i+1))
		}
		w.features = append(w.features, make([]*row, i+1-len(w.features))...)
	}
	w.features[i] = r
}

// each calls do for every feature of the account's window, in the order of their names.
func (w *window) each(a *account, do func(i int, r *row)) {
	if w.others == nil && a.features.len() <= many {
		if len(w.features) == 0 {
			return
		}
		for _, i := range a.features.sorted() {
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
	slices.SortFunc(own, a.features.byNames)
	for _, i := range own {
		do(i, w.at(i))
	}
}

// all yields the rows of the window's features, by number, in any order.
func (w *window) all() iter.Seq2[int, *row] {
	return func(yield func(int, *row) bool) {
		for i, r := range w.features {
			if r != nil && !yield(i, r) {
				return
			}
		}
		for i, r := range w.others {
			if !yield(i, r) {
				return
			}
		}
	}
}

// renumber forgets the features that no window of the account has any more, once they are most of those that are known.
func (a *account) renumber() {
	old := a.features
	if len(old.names) <= many {
		return
	}
	number := make([]int, len(old.names)) // 1 + the new one
	used := 0
	for _, windows := range a.windows {
		for _, w := range windows {
			for i := range w.all() {
				if number[i] == 0 {
					used++
					number[i] = used
				}
			}
		}
	}
	if used > len(old.names)/2 {
		return
	}
	a.features = &features{numbers: make(map[string]int, used), names: make([]string, used), day: never}
	for i, name := range old.names {
		if number[i] != 0 {
			a.features.names[number[i]-1] = name
			a.features.numbers[name] = number[i] - 1
		}
	}
	for _, windows := range a.windows {
		for _, w := range windows {
			w.renumber(number)
		}
	}
}

// renumber moves the features' rows to their new numbers, of which number has each one's successor.
func (w *window) renumber(number []int) {
	old := *w
	w.features, w.others = nil, nil
	for i, r := range old.all() {
		w.set(number[i]-1, r)
	}
}

// Over returns how many uses of features were counted under Other so far.
func (s *State) Over() uint64 { return s.over }
