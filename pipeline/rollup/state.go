// Package rollup folds events into the windows of accounts: the state of one source, without clock, goroutine or I/O.
//
// A window is loaded before anything is folded into it, unless no row of it can exist yet, and an event at or below a
// row's applied offset is skipped for that row (docs/design.md, invariant 4). Sets of users and times of events need no
// such care: folding them twice changes nothing.
package rollup

import (
	"cmp"
	"math"
	"slices"
	"time"

	"tidemark/schemas"
	"tidemark/sinks/clickhouse"
)

const tiers = len(clickhouse.Tiers)

// State is what is in memory of one source's rows. It is not safe for concurrent use.
type State struct {
	source    string
	program   *schemas.Program
	ofAccount metrics
	ofFeature metrics
	retention [tiers]int64 // ms; an event older than that when it was received is not folded into the tier
	most      int          // features of an account in a day
	over      uint64       // uses of features beyond them

	accounts map[string]*account
	batch    *clickhouse.Batch // rows to write since the last Take, but for those of dirty windows and spans
	spare    *clickhouse.Batch // empty, to be the next; nil = there is none
	dirty    []ref             // windows whose counters or sets have changed since the last Take
	joins    []join            // members of sets that are new since the last Take; the first is none
	spans    []span            // users' first and last events of minutes since the last Take; the first is none
	spanned  []*account        // that have some
	changed  int               // rows of counters and sets that have changed since the last Take
	counted  int               // counter rows of the last Take: the next will be about as many
	windows  int               // in memory
	rows     int               // of features in them
	kept     int               // windows and rows that the last walk over all of them left
	taken    uint64            // offset below which all is in batches already taken
	loaded   uint64            // above every offset that is counted in a row that was loaded
	takes    uint32            // number of Takes, the clock of eviction

	floor   [tiers]int64   // windows of a tier that start before it may be evicted
	evicted [tiers]evicted // what exists without being in memory
	// counters holds how many counter rows there are by window start, in windows at and above the watermark's.
	counters [tiers]map[int64]int

	waiting []waiting  // events to be folded
	hits    []hit      // what they add
	lines   []*account // whose they are
	sum     sum

	shelf struct {
		windows shelf[window]
		rows    shelf[row]
	}
}

// account is one account's windows.
type account struct {
	id          string
	windows     [tiers][]*window // by start
	users       directory
	features    *features // nil = it has none
	minute      int64     // the last one that lacks nothing, by its start in Unix ms; never = look
	first, last int32     // its events that wait, by index; none = there is none
	span        int32     // the last of its spans, by index in State.spans; 0 = there is none
}

// window is one account's window in one tier: the counters of the account and of its features.
type window struct {
	start    int64        // Unix seconds
	features []*row       // by number, of the first many; nil = no event yet
	others   map[int]*row // by number
	used     uint32       // the Take before which it was last used
	admitted int32        // features of a day that are counted by their names
	row
}

// row is one keyed entity's counters and sets of users. There are many, so what most have need of is in place: fewer objects
// to find in memory.
type row struct {
	few      [4]slot   // of the first counters
	fewUsers [2]uint64 // of the first distinct metrics: a bit for each of the account's first users
	more     *more     // nil = there is none
	joins    int32     // the last of those of this row, by index in State.joins; 0 = there is none
	admitted bool      // of a feature in a day: it is counted by its name
	dirty    bool      // of a window: it is among State.dirty
}

// more is what has no place in a row itself.
type more struct {
	slots  []slot
	users  []uint64  // bits of further distinct metrics
	beyond []numbers // by distinct metric: users without a bit
}

func (r *row) slot(i int) *slot {
	if i < len(r.few) {
		return &r.few[i]
	}
	return &r.more.slots[i-len(r.few)]
}

func (r *row) rest() *more {
	if r.more == nil {
		r.more = &more{}
	}
	return r.more
}

// slot is one counter row: its absolute value and the highest offset folded into it. Value 0: there is no row.
type slot struct {
	value   uint64
	applied uint64
}

type ref struct {
	account *account
	window  *window
	tier    int
}

// span is a user's first and last event within a minute, in ms after its start, of those since the last Take.
type span struct {
	window      *window
	user        uint64
	first, last uint16
	next        int32 // the account's one before, by index in State.spans; 0 = it is the first
}

// join is a user's first appearance in a distinct set of a row.
type join struct {
	user uint64
	next int32 // the row's one before, by index in State.joins; 0 = it is the first
	slot int8
}

// metrics are the slots of an account's row, or of a feature's, in the order of their names: that of ClickHouse's keys.
type metrics struct{ counters, distincts []metric }

type metric struct {
	name string
	slot int
}

func byName(names []string) []metric {
	sorted := make([]metric, len(names))
	for i, n := range names {
		sorted[i] = metric{n, i}
	}
	slices.SortFunc(sorted, func(a, b metric) int { return cmp.Compare(a.name, b.name) })
	return sorted
}

// none stands for the account itself where a feature's index is asked for, and for what is not there.
const none = -1

// never is before every time.
const never = math.MinInt64

// New returns an empty state of a source, by its name in ClickHouse. Nothing of it is known to exist in ClickHouse; a
// source that may have rows needs Resume. Retention is by tier, shortest first. An account has at most so many features in
// a day; what comes beyond them is counted as the feature Other.
func New(source string, p *schemas.Program, retention [tiers]time.Duration, features int) *State {
	s := &State{
		source: source, program: p, most: features, accounts: map[string]*account{}, batch: &clickhouse.Batch{}, joins: make([]join, 1), spans: make([]span, 1),
		ofAccount: metrics{byName(p.AccountCounters), byName(p.AccountDistincts)},
		ofFeature: metrics{byName(p.FeatureCounters), byName(p.FeatureDistincts)},
	}
	for i := range s.counters {
		s.counters[i] = map[int64]int{}
		s.retention[i] = retention[i].Milliseconds()
	}
	return s
}

// Resume sets the state up to go on at position, after a watermark in Unix ms: rows are the counters of every window that
// holds the watermark or starts later. Older windows will be asked for when an event needs them.
func (s *State) Resume(position uint64, watermark int64, rows *clickhouse.Counters) {
	s.taken = position
	for i, tier := range clickhouse.Tiers {
		s.floor[i] = tier.Start(max(watermark, 0))
		s.evicted[i].since = s.floor[i]
	}
	s.install(rows, true)
}

// Install adds windows that were asked for: rows holds their counters, and a key without rows has none.
func (s *State) Install(keys []clickhouse.WindowKey, rows *clickhouse.Counters) {
	for _, k := range keys {
		a, i := s.account(k.AccountID), int(k.Tier)-1
		if a.window(i, k.Start) == nil {
			a.open(i, k.Start, s)
		}
	}
	s.install(rows, false) // an open window among them was counted before it was evicted
}

func (s *State) install(rows *clickhouse.Counters, counted bool) {
	ofAccount, ofFeature := slotsOf(s.program.AccountCounters, &rows.Metric), slotsOf(s.program.FeatureCounters, &rows.Metric)
	// The rows of a window stand together, and of those the rows of a feature.
	var a *account
	var w *window
	var r *row
	var slots []int
	for n := range rows.Value {
		if n == 0 || rows.AccountID.KeyAt(n) != rows.AccountID.KeyAt(n-1) {
			a, w = s.account(rows.AccountID.At(n)), nil
		}
		i, start := int(rows.Tier[n])-1, rows.WindowStart[n]
		if w == nil || w.start != start || rows.Tier[n] != rows.Tier[n-1] {
			if w = a.window(i, start); w == nil {
				w = a.open(i, start, s)
			}
			r = nil
		}
		if r == nil || rows.Feature.KeyAt(n) != rows.Feature.KeyAt(n-1) {
			r, slots = &w.row, ofAccount
			if f := rows.Feature.At(n); f != "" {
				r, slots = s.featureRow(w, a.ownFeatures().number(f)), ofFeature
				if i == dayTier {
					w.admit(r, []byte(f))
				}
			}
		}
		k := slots[rows.Metric.KeyAt(n)]
		if k < 0 { // a metric that the catalogue no longer has stays as it is
			continue
		}
		sl := r.slot(k)
		if counted {
			s.count(i, start, sl)
		}
		*sl = slot{rows.Value[n], rows.AppliedOffset[n]}
		s.loaded = max(s.loaded, sl.applied+1)
	}
}

// slotsOf returns the counter that each word of a column names, by the words' numbers; -1: none.
func slotsOf(counters []string, metrics *clickhouse.Words) []int {
	slots := make([]int, len(metrics.List()))
	for k, name := range metrics.List() {
		slots[k] = slices.Index(counters, name)
	}
	return slots
}

// count counts a counter row that comes to be, before its slot is set.
func (s *State) count(tier int, start int64, sl *slot) {
	if sl.value == 0 {
		s.counters[tier][start]++
	}
}

func (s *State) account(id string) *account {
	a := s.accounts[id]
	if a == nil {
		a = &account{id: id, minute: never, first: none, last: none}
		s.accounts[id] = a
	}
	return a
}

// window returns the account's window that starts at start, nil if it is not in memory.
func (a *account) window(tier int, start int64) *window {
	ws := a.windows[tier]
	if n := len(ws); n > 0 && ws[n-1].start == start { // most events are of the latest
		return ws[n-1]
	}
	if i, ok := position(ws, start); ok {
		return ws[i]
	}
	return nil
}

// position returns where in the windows, which are in order, the one that starts at start is or would go.
func position(ws []*window, start int64) (int, bool) {
	return slices.BinarySearchFunc(ws, start, func(w *window, start int64) int { return cmp.Compare(w.start, start) })
}

func (a *account) open(tier int, start int64, s *State) *window {
	w := s.shelf.windows.take()
	w.start, w.used = start, s.takes
	w.row.make(len(s.program.AccountCounters))
	i, _ := position(a.windows[tier], start)
	a.windows[tier] = slices.Insert(a.windows[tier], i, w)
	s.windows++
	return w
}

// make gives an empty row room for so many counters.
func (r *row) make(slots int) {
	if more := slots - len(r.few); more > 0 && len(r.rest().slots) != more {
		r.more.slots = make([]slot, more)
	}
}
