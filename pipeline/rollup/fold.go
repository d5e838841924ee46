package rollup

import (
	"math/bits"
	"slices"

	"tidemark/pipeline/decode"
	"tidemark/schemas"
	"tidemark/sinks/clickhouse"
)

// hits is what one event adds, worked out once for all tiers.
type hits struct {
	account, feature         []hit
	accountUsers, featureUse uint32 // the distinct metrics that the event's user joins
}

type hit struct {
	slot  int
	delta uint64
}

// Fold folds a track, page or screen event into the account's windows in every tier. It returns false, with nothing
// changed, when a window has to be loaded first: Missing says which.
func (s *State) Fold(ev *decode.Event, accountID []byte, offset uint64) bool {
	a := s.accounts[string(accountID)]
	if a == nil {
		a = s.account(string(accountID))
	}
	var windows [tiers]*window
	for i, tier := range clickhouse.Tiers {
		if ev.Received-ev.Time > s.retention[i] {
			continue
		}
		start := tier.Start(ev.Time)
		w := a.window(i, start)
		if w == nil {
			if s.evicted[i].mayExist(a.id, start) {
				return false
			}
			w = a.open(i, start, s)
		}
		windows[i] = w
	}
	plan := s.program.Plan(schemas.EventType(ev.Type), ev.Name)
	s.match(ev, plan)
	feature := none
	if f := &ev.Properties[s.program.FeatureProperty]; f.Kind == decode.String && len(f.Text) > 0 &&
		ev.Type == decode.Track && len(s.hits.feature)+int(s.hits.featureUse) > 0 {
		var ok bool
		if feature, ok = a.features[string(f.Text)]; !ok {
			feature = a.feature(string(f.Text))
		}
	}
	s.foldWindows(ev, a, &windows, feature, offset)
	for _, st := range plan.Steps {
		s.step(ev, a.id, st, offset)
	}
	return true
}

// match works out what the event adds.
func (s *State) match(ev *decode.Event, plan *schemas.Plan) {
	s.hits.account, s.hits.accountUsers = matched(ev, &plan.Account, s.hits.account[:0])
	s.hits.feature, s.hits.featureUse = matched(ev, &plan.Feature, s.hits.feature[:0])
}

func matched(ev *decode.Event, ins *schemas.Instructions, out []hit) ([]hit, uint32) {
	for i := range ins.Counts {
		if holds(ev, ins.Counts[i].Where) {
			out = append(out, hit{ins.Counts[i].Slot, 1})
		}
	}
	for i := range ins.Sums {
		// A sum that nothing is added to is no row, so that the value 0 can stand for "no row".
		if n, ok := ev.Properties[ins.Sums[i].Property].Number(); ok && n > 0 && holds(ev, ins.Sums[i].Where) {
			out = append(out, hit{ins.Sums[i].Slot, n})
		}
	}
	var mask uint32
	if ev.User != 0 {
		for i := range ins.Distincts {
			if holds(ev, ins.Distincts[i].Where) {
				mask |= 1 << ins.Distincts[i].Slot
			}
		}
	}
	return out, mask
}

// holds reports whether all conditions hold.
func holds(ev *decode.Event, where []schemas.Condition) bool {
	for i := range where {
		v := &ev.Properties[where[i].Property]
		is := v.Kind != decode.Absent
		if is && where[i].In != nil {
			is = slices.Contains(where[i].In, string(v.Text))
		}
		if is == where[i].Negate {
			return false
		}
	}
	return true
}

// foldWindows folds the hits into the windows, shortest first. A user that a set of a shorter window holds already has been
// put into those of the longer ones, so only users new to one tier are looked for in the next.
func (s *State) foldWindows(ev *decode.Event, a *account, windows *[tiers]*window, feature int, offset uint64) {
	accountUsers, featureUse := s.hits.accountUsers, s.hits.featureUse
	for tier, w := range windows {
		if w == nil {
			continue
		}
		w.used = s.takes
		changed := s.add(&w.row, s.hits.account, tier, w.start, offset)
		if tier == 0 && ev.User != 0 {
			accountUsers = s.meet(ev, a, w, accountUsers)
		} else if accountUsers != 0 {
			accountUsers = s.join(&w.row, join{account: a, start: w.start, user: ev.User, feature: none, tier: int8(tier)}, accountUsers)
		}
		if feature != none {
			r := w.feature(feature, s.program)
			changed = s.add(r, s.hits.feature, tier, w.start, offset) || changed
			if featureUse != 0 {
				featureUse = s.join(r, join{account: a, start: w.start, user: ev.User, feature: int32(feature), tier: int8(tier)}, featureUse) //nolint:gosec // a small number
			}
		}
		if changed && !w.dirty {
			w.dirty = true
			s.dirty = append(s.dirty, ref{a, w, tier})
		}
	}
}

// add folds hits into a row's counters, but for those that have this offset already.
func (s *State) add(r *row, hits []hit, tier int, start int64, offset uint64) (changed bool) {
	for _, h := range hits {
		sl := &r.slots[h.slot]
		if sl.value != 0 && offset <= sl.applied {
			continue
		}
		s.count(tier, start, sl)
		sl.value += h.delta
		sl.applied = offset
		changed = true
	}
	return changed
}

// meet puts the event's user into the sets of an account's minute, with the event's time, and returns what is new.
func (s *State) meet(ev *decode.Event, a *account, w *window, mask uint32) (fresh uint32) {
	place, fresh := w.users.add(ev.User, mask)
	if place.stretch(uint16(ev.Time - w.start*1000)) { //nolint:gosec // below 60 000
		s.spans = append(s.spans, userRef{a, w, ev.User})
	}
	s.queue(join{account: a, start: w.start, user: ev.User, feature: none}, fresh)
	return fresh
}

// join puts a user into a row's sets and returns what is new.
func (s *State) join(r *row, j join, mask uint32) (fresh uint32) {
	_, fresh = r.users.add(j.user, mask)
	s.queue(j, fresh)
	return fresh
}

// queue keeps what is new for the next Take.
func (s *State) queue(j join, fresh uint32) {
	for ; fresh != 0; fresh &= fresh - 1 {
		j.slot = int8(bits.TrailingZeros32(fresh)) //nolint:gosec // below 32
		s.joins = append(s.joins, j)
	}
}

// step writes a workflow's step as a fact: its runs are read from the facts, in event-time order, however they came in.
func (s *State) step(ev *decode.Event, account string, st schemas.Step, offset uint64) {
	if ev.User == 0 {
		return // a step of nobody belongs to no run
	}
	id := ev.ID
	if id == 0 {
		id = offset + 1 // without a message id the offset tells two events of the same time apart
	}
	f := &s.batch.Facts
	f.Kind = append(f.Kind, "workflow")
	f.AccountID = append(f.AccountID, account)
	f.Entity = append(f.Entity, st.Workflow)
	f.At = append(f.At, ev.Time)
	f.Name = append(f.Name, st.Name)
	f.User = append(f.User, ev.User)
	f.ID = append(f.ID, id)
	f.Source = append(f.Source, s.source)
	f.Offset = append(f.Offset, offset)
	f.Value = append(f.Value, 0)
	f.Attributes = append(f.Attributes, nil)
}

// Missing appends to keys the windows that the event needs and that have to be loaded first.
func (s *State) Missing(ev *decode.Event, accountID []byte, keys []clickhouse.WindowKey) []clickhouse.WindowKey {
	a := s.accounts[string(accountID)]
	for i, tier := range clickhouse.Tiers {
		start := tier.Start(ev.Time)
		if ev.Received-ev.Time <= s.retention[i] && (a == nil || a.window(i, start) == nil) &&
			s.evicted[i].mayExist(string(accountID), start) {
			keys = append(keys, clickhouse.WindowKey{AccountID: string(accountID), Tier: tier, Start: start})
		}
	}
	return keys
}
