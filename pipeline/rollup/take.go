package rollup

import (
	"cmp"
	"slices"

	"tidemark/sinks/clickhouse"
)

// idleTakes is how many Takes a window below the floor stays in memory unused: late events come in bursts, and loading a
// window again for each would cost a query each.
const idleTakes = 20

// evictEvery is how many Takes pass between two walks over everything in memory, unless there is too much of it.
const evictEvery = 8

// Batch returns the rows gathered since the last Take, for those who add rows of their own.
func (s *State) Batch() *clickhouse.Batch { return s.batch }

// Pending returns about how many rows the next Take will hold: events that wait are taken for a row each.
func (s *State) Pending() int {
	return s.batch.Rows() + s.changed + len(s.spans) - 1 + len(s.waiting)
}

// Take returns the rows that have changed by offsets below position since the last Take, in the order of the tables' keys.
// The caller writes them, until that succeeds or the source is given up.
func (s *State) Take(position uint64) *clickhouse.Batch {
	s.drain()
	slices.SortFunc(s.dirty, func(a, b ref) int {
		return cmp.Or(cmp.Compare(a.tier, b.tier), byID(a.account, b.account), cmp.Compare(a.window.start, b.window.start))
	})
	s.batch.Counters.Grow(s.counted + s.counted/8)
	t := s.taker()
	for _, d := range s.dirty {
		d.window.dirty = false
		t.enter(d)
		t.row(&d.window.row, "", &t.ofAccount)
		d.window.each(d.account, func(i int, r *row) { t.row(r, d.account.features.names[i], &t.ofFeature) })
	}
	s.counted = len(s.batch.Counters.Value)
	s.takeSpans()
	batch := s.batch
	if s.batch, s.spare = s.spare, nil; s.batch == nil {
		s.batch = &clickhouse.Batch{}
	}
	clear(s.dirty)
	s.dirty, s.joins, s.changed = s.dirty[:0], s.joins[:1], 0
	s.taken = position
	s.takes++
	return batch
}

// Reuse takes a batch back that Take has returned and nobody needs any more.
func (s *State) Reuse(b *clickhouse.Batch) {
	b.Reset()
	s.spare = b
}

func byID(a, b *account) int {
	if a == b {
		return 0
	}
	return cmp.Compare(a.id, b.id)
}

// taker writes the rows of one Take. Words that many rows share are looked up once.
type taker struct {
	*State
	counters *clickhouse.Counters
	members  *clickhouse.Members

	tier                          int8
	start                         int64
	ofAccount, ofFeature          keyed
	counterSource, memberSource   uint32
	counterAccount, memberAccount uint32 // of the window at hand
}

// keyed are the metrics of an account or a feature, with the keys of their names.
type keyed struct {
	*metrics
	counterKeys, memberKeys []uint32
}

func (s *State) taker() *taker {
	t := &taker{State: s, counters: &s.batch.Counters, members: &s.batch.Members}
	t.counterSource, t.memberSource = t.counters.Source.Key(s.source), t.members.Source.Key(s.source)
	t.ofAccount, t.ofFeature = t.keyed(&s.ofAccount), t.keyed(&s.ofFeature)
	return t
}

func (t *taker) keyed(m *metrics) keyed {
	k := keyed{metrics: m}
	for _, metric := range m.counters {
		k.counterKeys = append(k.counterKeys, t.counters.Metric.Key(metric.name))
	}
	for _, metric := range m.distincts {
		k.memberKeys = append(k.memberKeys, t.members.Metric.Key(metric.name))
	}
	return k
}

// enter goes on to the rows of a window.
func (t *taker) enter(d ref) {
	t.tier, t.start = int8(clickhouse.Tiers[d.tier]), d.window.start
	t.counterAccount, t.memberAccount = t.counters.AccountID.Key(d.account.id), t.members.AccountID.Key(d.account.id)
}

func (t *taker) row(r *row, feature string, m *keyed) {
	c, featureKey := t.counters, uint32(0)
	for i, metric := range m.counters {
		sl := r.slot(metric.slot)
		if sl.value == 0 || sl.applied < t.taken {
			continue
		}
		if featureKey == 0 {
			featureKey = c.Feature.Key(feature)
		}
		t.counter(featureKey, m.counterKeys[i], sl.value, sl.applied)
	}
	if r.joins != 0 {
		t.sets(r, feature, m)
		r.joins = 0
	}
}

// counter writes a counter of the window at hand.
func (t *taker) counter(feature, metric uint32, value, applied uint64) {
	c := t.counters
	c.Tier = append(c.Tier, t.tier)
	c.AccountID.AppendKey(t.counterAccount)
	c.WindowStart = append(c.WindowStart, t.start)
	c.Feature.AppendKey(feature)
	c.Metric.AppendKey(metric)
	c.Source.AppendKey(t.counterSource)
	c.Value = append(c.Value, value)
	c.AppliedOffset = append(c.AppliedOffset, applied)
}

// sets writes the users that are new in a row's sets.
func (t *taker) sets(r *row, feature string, m *keyed) {
	rows := t.members
	for n, metric := range m.distincts {
		found := false
		for i := r.joins; i != 0; i = t.joins[i].next {
			if int(t.joins[i].slot) == metric.slot {
				rows.Members.Add(t.joins[i].user)
				found = true
			}
		}
		if !found {
			continue
		}
		rows.Members.Close()
		rows.Tier = append(rows.Tier, t.tier)
		rows.AccountID.AppendKey(t.memberAccount)
		rows.WindowStart = append(rows.WindowStart, t.start)
		rows.Feature.AppendKey(rows.Feature.Key(feature))
		rows.Metric.AppendKey(m.memberKeys[n])
		rows.Source.AppendKey(t.memberSource)
	}
}

func (s *State) takeSpans() {
	u := &s.batch.UserMinutes
	u.Grow(len(s.spans))
	slices.SortFunc(s.spanned, byID)
	var own []span
	for _, a := range s.spanned {
		own = own[:0]
		for i := a.span; i != 0; i = s.spans[i].next {
			own = append(own, s.spans[i])
		}
		a.span = 0
		slices.SortFunc(own, func(a, b span) int {
			return cmp.Or(cmp.Compare(a.window.start/clickhouse.Day.Seconds(), b.window.start/clickhouse.Day.Seconds()),
				cmp.Compare(a.user, b.user), cmp.Compare(a.window.start, b.window.start))
		})
		for _, sp := range own {
			u.AccountID.Append(a.id)
			u.Minute = append(u.Minute, sp.window.start)
			u.User = append(u.User, sp.user)
			u.Source.Append(s.source)
			u.First = append(u.First, sp.window.start*1000+int64(sp.first))
			u.Last = append(u.Last, sp.window.start*1000+int64(sp.last))
		}
	}
	clear(s.spans)
	clear(s.spanned)
	s.spans, s.spanned = s.spans[:1], s.spanned[:0]
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
	due, grown := s.takes%evictEvery == 0, s.cells() > max(most, s.kept+most/8)
	if !due && !grown {
		return
	}
	if due {
		s.evict(idleTakes)
		s.shed(most)
	}
	if s.cells() > most {
		for i := range s.floor { // whenever it starts
			for start := range s.counters[i] {
				s.floor[i] = max(s.floor[i], start+clickhouse.Tiers[i].Seconds())
			}
		}
		for _, idle := range []uint32{1, 0} {
			if s.cells() > most {
				s.evict(idle)
			}
		}
	}
	s.kept = s.cells()
}

// cells is how many windows and rows of features are in memory.
func (s *State) cells() int { return s.windows + s.rows }

// usersPerWindow bounds the users in memory, by the windows that may be.
const usersPerWindow = 8

// shed forgets all users when there are too many: a few accounts with a million users each.
func (s *State) shed(most int) {
	places := 0
	for _, a := range s.accounts {
		places += a.places()
	}
	if places <= most*usersPerWindow {
		return
	}
	for _, a := range s.accounts {
		a.forget()
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
					s.drop(w)
				}
				return out
			})
			left += len(a.windows[i])
			if i == dayTier && len(a.windows[i]) < before {
				a.forget() // so that who was there some days ago is not kept for ever
			}
		}
		a.minute = never
		if a.features != nil {
			a.features.day = never
			a.renumber()
		}
		if left == 0 {
			delete(s.accounts, id)
		}
	}
}

// Windows returns how many windows are in memory.
func (s *State) Windows() int { return s.windows }
