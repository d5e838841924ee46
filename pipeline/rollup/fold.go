package rollup

import (
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
		w := a.recent[i]
		if w == nil || w.start != start {
			if w = a.windows[i][start]; w == nil {
				if start < s.floor[i] {
					return false
				}
				w = a.open(i, start, s)
			}
			a.recent[i] = w
		}
		windows[i] = w
	}
	plan := s.program.Plan(schemas.EventType(ev.Type), ev.Name)
	s.match(ev, plan)
	feature := -1
	if f := &ev.Properties[s.program.FeatureProperty]; f.Kind == decode.String && len(f.Text) > 0 &&
		ev.Type == decode.Track && len(s.hits.feature)+int(s.hits.featureUse) > 0 {
		var ok bool
		if feature, ok = a.features[string(f.Text)]; !ok {
			feature = a.feature(string(f.Text))
		}
	}
	for i, w := range windows {
		if w != nil {
			s.foldWindow(ev, a, w, i, feature, offset)
		}
	}
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

func (s *State) foldWindow(ev *decode.Event, a *account, w *window, tier, feature int, offset uint64) {
	w.used = s.takes
	changed := s.add(&w.row, s.hits.account, tier, w.start, offset)
	if ev.User != 0 {
		s.join(&w.row, ev, a, w, tier, "", s.hits.accountUsers, s.program.AccountDistincts)
	}
	if feature >= 0 {
		r := w.feature(feature, s.program)
		changed = s.add(r, s.hits.feature, tier, w.start, offset) || changed
		if s.hits.featureUse != 0 {
			s.join(r, ev, a, w, tier, a.names[feature], s.hits.featureUse, s.program.FeatureDistincts)
		}
	}
	if changed && !w.dirty {
		w.dirty = true
		s.dirty = append(s.dirty, ref{a, w, tier})
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

// join puts the event's user into a row's sets and queues what is new.
func (s *State) join(r *row, ev *decode.Event, a *account, w *window, tier int, feature string, mask uint32, names []string) {
	timed := tier == 0 && r == &w.row
	place, fresh := r.users.add(ev.User, mask, timed)
	if timed {
		ms := uint16(ev.Time - w.start*1000) //nolint:gosec // below 60 000
		if r.users.stretch(place, ms) {
			s.spans = append(s.spans, userRef{a, w, ev.User})
		}
	}
	for slot := 0; fresh != 0; slot, fresh = slot+1, fresh>>1 {
		if fresh&1 == 0 {
			continue
		}
		m := &s.batch.Members
		m.Tier = append(m.Tier, int8(clickhouse.Tiers[tier]))
		m.AccountID = append(m.AccountID, a.id)
		m.WindowStart = append(m.WindowStart, w.start)
		m.Feature = append(m.Feature, feature)
		m.Metric = append(m.Metric, names[slot])
		m.Member = append(m.Member, ev.User)
		m.Source = append(m.Source, s.source)
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
		if ev.Received-ev.Time <= s.retention[i] && start < s.floor[i] && (a == nil || a.windows[i][start] == nil) {
			keys = append(keys, clickhouse.WindowKey{AccountID: string(accountID), Tier: tier, Start: start})
		}
	}
	return keys
}
