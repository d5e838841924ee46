package rollup

import "tidemark/sinks/clickhouse"

// sum is what consecutive events of an account add to its counters in one minute, before it is put into the windows.
type sum struct {
	account *account // nil = there is nothing in it
	minute  int64    // its start, Unix ms
	first   uint64   // offset of the first event
	tiers   uint8
	windows [tiers]*window // nil = the tier does not take the events

	ofAccount  []share // by slot
	ofFeatures []share // by number of the account's feature and slot
	features   []int32 // that have a share
	used       []bool  // by number of the account's feature: it is among features
}

// share is what is added to one counter: nothing if delta is 0.
type share struct {
	delta  uint64
	offset uint64 // of the last event in it
}

// begin makes the sum, which is empty, that of an event's account, minute and tiers.
func (s *State) begin(a *account, ev *waiting) {
	m := &s.sum
	m.account, m.minute, m.first, m.tiers = a, ev.time-ev.time%minute, ev.offset, ev.tiers
	if m.ofAccount == nil {
		m.ofAccount = make([]share, len(s.program.AccountCounters))
	}
	if n := a.features.len(); n > len(m.used) {
		m.used = make([]bool, 2*n)
		m.ofFeatures = make([]share, 2*n*len(s.program.FeatureCounters))
	}
	for i, tier := range clickhouse.Tiers {
		m.windows[i] = nil
		if ev.tiers&(1<<i) == 0 {
			continue
		}
		start := tier.Start(ev.time)
		w := a.window(i, start)
		if w == nil {
			w = a.open(i, start, s)
		}
		w.used = s.takes
		m.windows[i] = w
	}
}

// ofFeature returns the shares of the account's i-th feature, of so many slots.
func (m *sum) ofFeature(i int32, slots int) []share {
	return m.ofFeatures[int(i)*slots : (int(i)+1)*slots]
}

// addTo adds to shares what an event counts in always, and its hits.
func addTo(shares []share, always []int, hits []hit, offset uint64) {
	for _, slot := range always {
		sh := &shares[slot]
		sh.delta++
		sh.offset = offset
	}
	for _, h := range hits {
		sh := &shares[h.slot]
		sh.delta += h.delta
		sh.offset = offset
	}
}

// use notes that the account's i-th feature has a share.
func (m *sum) use(i int32) {
	if !m.used[i] {
		m.used[i] = true
		m.features = append(m.features, i)
	}
}

// spread puts the sum into the windows and empties it.
func (s *State) spread() {
	m := &s.sum
	if m.account == nil {
		return
	}
	slots := len(s.program.FeatureCounters)
	for i, w := range m.windows {
		if w == nil {
			continue
		}
		changed := s.put(&w.row, m.ofAccount, i, w.start)
		for _, f := range m.features {
			changed = s.put(s.featureRow(w, int(f)), m.ofFeature(f, slots), i, w.start) || changed
		}
		if changed {
			s.touch(m.account, w, i)
		}
	}
	for _, f := range m.features {
		clear(m.ofFeature(f, slots))
		m.used[f] = false
	}
	clear(m.ofAccount)
	m.features = m.features[:0]
	m.account = nil
}

// put adds shares to a row's counters, but for those that hold this offset already. A share of several events is never
// partly in a row: fold sees to that.
func (s *State) put(r *row, shares []share, tier int, start int64) (changed bool) {
	for i := range shares {
		add := &shares[i]
		if add.delta == 0 {
			continue
		}
		sl := r.slot(i)
		if sl.value != 0 && add.offset <= sl.applied {
			changed = true // though it is as it was loaded: whoever wrote it was perhaps never told that it is durable
			continue
		}
		s.count(tier, start, sl)
		if sl.value == 0 || sl.applied < s.taken {
			s.changed++
		}
		sl.value += add.delta
		sl.applied = add.offset
		changed = true
	}
	return changed
}
