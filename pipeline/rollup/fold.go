package rollup

import (
	"math/bits"

	"tidemark/pipeline/decode"
	"tidemark/schemas"
	"tidemark/sinks/clickhouse"
)

// waiting is an event that is to be folded.
type waiting struct {
	time     int64 // Unix ms
	user     uint64
	offset   uint64
	plan     *schemas.Plan
	hits     [3]int32 // in State.hits: from the first to the second of the account, from there to the third of the feature
	users    uint32   // the distinct metrics of the account that the user joins
	forUsers uint32   // those of the feature
	feature  int32    // by number; none = the event is of no feature
	next     int32    // the account's next event that waits; none = it is the last
	tiers    uint8    // a bit for each tier that takes an event as late as this
}

// maxWaiting bounds the events that wait. They are folded account by account, so that an account's windows are fetched
// from memory, and its counters added to, once for some events, not for each: that is most of what folding costs.
const maxWaiting = 1 << 14

// minute is the length of the shortest tier's windows, in ms.
const minute = 60_000

// Fold folds a track, page or screen event into the account's windows in every tier, before the next Take. It returns false,
// with nothing changed, when a window has to be loaded first: Missing says which.
func (s *State) Fold(ev *decode.Event, accountID []byte, offset uint64) bool {
	a := s.accounts[string(accountID)]
	if a == nil {
		a = s.account(string(accountID))
	}
	late := ev.Received - ev.Time
	if ev.Time < a.minute || ev.Time >= a.minute+minute || late > s.retention[0] {
		if s.lacks(a, ev) {
			return false
		}
		if late <= s.retention[0] { // so that all tiers have been looked at
			a.minute = ev.Time - ev.Time%minute
		}
	}
	w := waiting{
		time: ev.Time, user: ev.User, offset: offset, feature: none, next: none,
		plan: s.program.Plan(schemas.EventType(ev.Type), ev.Name),
	}
	for i := range clickhouse.Tiers {
		if late <= s.retention[i] {
			w.tiers |= 1 << i
		}
	}
	w.hits[0] = int32(len(s.hits)) //nolint:gosec // a few for each event that waits
	w.users = s.match(ev, &w.plan.Account)
	w.hits[1] = int32(len(s.hits)) //nolint:gosec // as above
	s.use(a, ev, &w)
	w.hits[2] = int32(len(s.hits)) //nolint:gosec // as above
	for _, st := range w.plan.Steps {
		s.step(ev, a.id, st, offset)
	}
	s.wait(a, w)
	return true
}

// use works out what an event does to its feature, if it has one.
func (s *State) use(a *account, ev *decode.Event, w *waiting) {
	f := &ev.Properties[s.program.FeatureProperty]
	if f.Kind != decode.String || len(f.Text) == 0 || ev.Type != decode.Track || w.tiers&(1<<dayTier) == 0 {
		return
	}
	w.forUsers = s.match(ev, &w.plan.Feature)
	counts := len(w.plan.Feature.Always) > 0 || len(s.hits) > int(w.hits[1])
	if !counts && w.forUsers == 0 {
		return
	}
	known := a.ownFeatures()
	feature, ok := known.numbers[string(f.Text)]
	switch {
	case !counts: // sets leave no counter to tell by which features a day has
		name := string(f.Text)
		if len(name) > maxName {
			name = Other
		}
		feature = known.number(name)
	case !ok || ev.Time < known.day || ev.Time >= known.day+dayMS || feature >= len(known.admitted) || !known.admitted[feature]:
		feature = s.admit(a, f.Text, ev.Time)
	}
	w.feature = int32(feature) //nolint:gosec // a small number
}

// wait puts an event at the end of its account's line.
func (s *State) wait(a *account, w waiting) {
	n := int32(len(s.waiting)) //nolint:gosec // at most maxWaiting
	if a.last == none {
		a.first = n
		s.lines = append(s.lines, a)
	} else {
		s.waiting[a.last].next = n
	}
	a.last = n
	if s.waiting = append(s.waiting, w); len(s.waiting) >= maxWaiting {
		s.drain()
	}
}

// drain folds the events that wait.
func (s *State) drain() {
	for _, a := range s.lines {
		for i := a.first; i != none; i = s.waiting[i].next {
			s.fold(a, &s.waiting[i])
		}
		s.spread()
		a.first, a.last = none, none
	}
	clear(s.lines)
	s.lines, s.waiting, s.hits = s.lines[:0], s.waiting[:0], s.hits[:0]
}

// fold folds an event: its user into the windows, its counts into the sum of what the account did in the same minute. Where
// rows that were loaded may hold it already, each event is a sum of its own.
func (s *State) fold(a *account, ev *waiting) {
	m := &s.sum
	if m.account != a || ev.time < m.minute || ev.time >= m.minute+minute || m.tiers != ev.tiers || m.first < s.loaded {
		s.spread()
		s.begin(a, ev)
	}
	addTo(m.ofAccount, ev.plan.Account.Always, s.hits[ev.hits[0]:ev.hits[1]], ev.offset)
	if ev.feature != none {
		m.use(ev.feature)
		addTo(m.ofFeature(ev.feature, len(s.program.FeatureCounters)), ev.plan.Feature.Always, s.hits[ev.hits[1]:ev.hits[2]], ev.offset)
	}
	if ev.user != 0 {
		s.meet(ev, a)
	}
}

// meet puts the event's user into the sets, shortest window first: a user that a set of a shorter window holds already has
// been put into those of the longer ones, so only users new to one tier are looked for in the next.
func (s *State) meet(ev *waiting, a *account) {
	number := a.users.number(ev.user)
	users, featureUsers := ev.users, ev.forUsers
	for i, w := range s.sum.windows {
		if w == nil {
			continue
		}
		if i == 0 { // a minute: the time counts as well
			s.stretch(a, w, number, ev)
		}
		users = w.join(number, users)
		s.joined(&w.row, ev.user, users)
		if featureUsers != 0 {
			r := s.featureRow(w, int(ev.feature))
			featureUsers = r.join(number, featureUsers)
			s.joined(r, ev.user, featureUsers)
		}
		if users|featureUsers != 0 {
			s.touch(a, w, i)
		}
	}
}

// stretch widens the user's span of the minute by an event. A user who goes back and forth between minutes has several, of
// which readers take the first and the last event.
func (s *State) stretch(a *account, w *window, number int, ev *waiting) {
	ms := uint16(ev.time - w.start*1000) //nolint:gosec // below 60 000
	if at := int(a.users.spans[number]); at < len(s.spans) {
		if sp := &s.spans[at]; sp.window == w && sp.user == ev.user {
			sp.first, sp.last = min(sp.first, ms), max(sp.last, ms)
			return
		}
	}
	if a.span == 0 {
		s.spanned = append(s.spanned, a)
	}
	s.spans = append(s.spans, span{w, ev.user, ms, ms, a.span})
	a.span = int32(len(s.spans) - 1) //nolint:gosec // a flush comes long before
	a.users.spans[number] = a.span
}

// touch marks a window for the next Take.
func (s *State) touch(a *account, w *window, tier int) {
	if !w.dirty {
		w.dirty = true
		s.dirty = append(s.dirty, ref{a, w, tier})
	}
}

// joined keeps what is new for the next Take.
func (s *State) joined(r *row, user uint64, fresh uint32) {
	if r.joins == 0 {
		s.changed += bits.OnesCount32(fresh)
	}
	for ; fresh != 0; fresh &= fresh - 1 {
		s.joins = append(s.joins, join{user, r.joins, int8(bits.TrailingZeros32(fresh))}) //nolint:gosec // below 32
		r.joins = int32(len(s.joins) - 1)                                                 //nolint:gosec // a flush comes long before
	}
}

// step writes a workflow's step as a fact: its runs are read from the facts, in event-time order, however they came in.
func (s *State) step(ev *decode.Event, account string, st schemas.Step, offset uint64) {
	if ev.User == 0 {
		return // a step of nobody belongs to no run
	}
	s.batch.Facts.Add(clickhouse.Fact{
		Kind: "workflow", AccountID: account, Entity: st.Workflow, At: ev.Time, Name: st.Name, User: ev.User,
		ID: ev.ID, Source: s.source, Offset: offset,
	})
}

// lacks reports whether the event needs a window that has to be loaded first.
func (s *State) lacks(a *account, ev *decode.Event) bool {
	for i, tier := range clickhouse.Tiers {
		if s.unloaded(a, i, tier.Start(ev.Time), ev) {
			return true
		}
	}
	return false
}

// unloaded reports whether a window that the event is folded into may exist without being in memory.
func (s *State) unloaded(a *account, tier int, start int64, ev *decode.Event) bool {
	return ev.Received-ev.Time <= s.retention[tier] && a.window(tier, start) == nil && s.evicted[tier].mayExist(a.id, start)
}

// Missing appends to keys the windows that the event needs and that have to be loaded first.
func (s *State) Missing(ev *decode.Event, accountID []byte, keys []clickhouse.WindowKey) []clickhouse.WindowKey {
	a := s.accounts[string(accountID)]
	if a == nil {
		a = &account{id: string(accountID)}
	}
	for i, tier := range clickhouse.Tiers {
		if start := tier.Start(ev.Time); s.unloaded(a, i, start, ev) {
			keys = append(keys, clickhouse.WindowKey{AccountID: a.id, Tier: tier, Start: start})
		}
	}
	return keys
}
