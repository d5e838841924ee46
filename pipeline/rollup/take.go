package rollup

import (
	"cmp"
	"slices"

	"tidemark/sinks/clickhouse"
)

// idleTakes is how many Takes a window below the floor stays in memory unused: late events come in bursts, and loading a
// window again for each would cost a query each.
const idleTakes = 20

const daySeconds = 86400

// evictEvery is how many Takes pass between two walks over everything in memory.
const evictEvery = 8

// Batch returns the rows gathered since the last Take, for those who add rows of their own.
func (s *State) Batch() *clickhouse.Batch { return s.batch }

// Pending returns about how many rows the next Take will hold.
func (s *State) Pending() int {
	return s.batch.Rows() + len(s.waiting) + len(s.joins) - 1 + len(s.spans) + len(s.dirty)*len(s.program.AccountCounters)
}

// Take returns the rows that have changed by offsets below position since the last Take, in the order of the tables' keys.
// The caller writes them, until that succeeds or the source is given up.
func (s *State) Take(position uint64) *clickhouse.Batch {
	s.drain()
	slices.SortFunc(s.dirty, func(a, b ref) int {
		return cmp.Or(cmp.Compare(a.tier, b.tier), byID(a.account, b.account), cmp.Compare(a.window.start, b.window.start))
	})
	s.batch.Counters.Grow(s.counted + s.counted/8)
	for _, d := range s.dirty {
		d.window.dirty = false
		s.takeRow(&d.window.row, d, "", &s.ofAccount)
		for _, i := range d.account.byName {
			if int(i) < len(d.window.features) && d.window.features[i] != nil {
				s.takeRow(d.window.features[i], d, d.account.names[i], &s.ofFeature)
			}
		}
	}
	s.counted = len(s.batch.Counters.Value)
	s.takeSpans()
	batch := s.batch
	s.batch = &clickhouse.Batch{}
	clear(s.dirty)
	s.dirty, s.joins = s.dirty[:0], s.joins[:1]
	s.taken = position
	s.takes++
	return batch
}

func byID(a, b *account) int {
	if a == b {
		return 0
	}
	return cmp.Compare(a.id, b.id)
}

func (s *State) takeRow(r *row, d ref, feature string, m *metrics) {
	c := &s.batch.Counters
	for _, metric := range m.counters {
		sl := r.slot(metric.slot)
		if sl.value == 0 || sl.applied < s.taken {
			continue
		}
		c.Tier = append(c.Tier, int8(clickhouse.Tiers[d.tier]))
		c.AccountID.Append(d.account.id)
		c.WindowStart = append(c.WindowStart, d.window.start)
		c.Feature.Append(feature)
		c.Metric.Append(metric.name)
		c.Source.Append(s.source)
		c.Value = append(c.Value, sl.value)
		c.AppliedOffset = append(c.AppliedOffset, sl.applied)
	}
	if r.joins != 0 {
		s.takeJoins(r, d, feature, m)
		r.joins = 0
	}
}

func (s *State) takeJoins(r *row, d ref, feature string, m *metrics) {
	rows := &s.batch.Members
	for _, metric := range m.distincts {
		found := false
		for i := r.joins; i != 0; i = s.joins[i].next {
			if int(s.joins[i].slot) == metric.slot {
				rows.Members.Add(s.joins[i].user)
				found = true
			}
		}
		if !found {
			continue
		}
		rows.Members.Close()
		rows.Tier = append(rows.Tier, int8(clickhouse.Tiers[d.tier]))
		rows.AccountID.Append(d.account.id)
		rows.WindowStart = append(rows.WindowStart, d.window.start)
		rows.Feature.Append(feature)
		rows.Metric.Append(metric.name)
		rows.Source.Append(s.source)
	}
}

func (s *State) takeSpans() {
	u := &s.batch.UserMinutes
	u.Grow(len(s.spans))
	slices.SortFunc(s.spans, func(a, b userRef) int {
		return cmp.Or(byID(a.account, b.account), cmp.Compare(a.window.start/daySeconds, b.window.start/daySeconds),
			cmp.Compare(a.user, b.user), cmp.Compare(a.window.start, b.window.start))
	})
	for _, r := range s.spans {
		place := r.window.users.find(r.user)
		place.mask &^= dirtyBit
		u.AccountID.Append(r.account.id)
		u.Minute = append(u.Minute, r.window.start)
		u.User = append(u.User, r.user)
		u.Source.Append(s.source)
		u.First = append(u.First, r.window.start*1000+int64(place.span.first))
		u.Last = append(u.Last, r.window.start*1000+int64(place.span.last))
	}
	clear(s.spans)
	s.spans = s.spans[:0]
}

// OpenRows returns how many counter rows there are in the windows that hold the watermark, in Unix ms, or start later.
// Once those of the last Take are written, a recovery at this watermark must find at least as many.
func (s *State) OpenRows(watermark int64) int {
	n := 0
	for i, tier := range clickhouse.Tiers {
		open := tier.Start(max(watermark, 0))
		for start, rows := range s.counters[i] {
			if start >= open {
				n += rows
			}
		}
	}
	return n
}

// Evict drops windows from memory; an event that needs one again has it loaded. Dropped are those that the watermark, in
// Unix ms, has passed and that nothing has used for a while, and, when more than most are left, all that nothing has used
// since the last flushes. Call it after Take; evicting changes no row.
func (s *State) Evict(watermark int64, most int) {
	for i, tier := range clickhouse.Tiers {
		open := tier.Start(max(watermark, 0))
		s.floor[i] = max(s.floor[i], open)
		for start := range s.counters[i] {
			if start < open {
				delete(s.counters[i], start)
			}
		}
	}
	if s.takes%evictEvery != 0 {
		return
	}
	s.evict(idleTakes)
	if s.windows > most {
		for i := range s.floor { // whenever it starts
			for start := range s.counters[i] {
				s.floor[i] = max(s.floor[i], start+clickhouse.Tiers[i].Seconds())
			}
		}
		s.evict(1)
	}
}

// evict drops the windows below the floor that have not been used in the last takes.
func (s *State) evict(idle uint32) {
	s.drain() // what waits has been promised that its windows are in memory
	for id, a := range s.accounts {
		left := 0
		for i := range a.windows {
			before := len(a.windows[i])
			a.windows[i] = slices.DeleteFunc(a.windows[i], func(w *window) bool {
				out := w.start < s.floor[i] && !w.dirty && s.takes-w.used > idle
				if out {
					s.evicted[i].add(id, w.start)
				}
				return out
			})
			s.windows -= before - len(a.windows[i])
			left += len(a.windows[i])
		}
		a.minute = never
		if left == 0 {
			delete(s.accounts, id)
		}
	}
}

// Windows returns how many windows are in memory.
func (s *State) Windows() int { return s.windows }
