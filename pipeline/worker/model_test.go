package worker

import (
	"fmt"
	"maps"
	"slices"

	"tidemark/sinks/clickhouse"
)

// model is ClickHouse as far as the invariants lean on it: it merges the versions of a row, whatever the order and number.
type model struct {
	counters map[string][2]uint64 // value, applied offset: the highest of each
	sets     map[string]bool      // members, facts, account changes, users' accounts and dead letters, whole rows
	minutes  map[string][2]int64  // first, last: the lowest and the highest
	points   map[uint64]clickhouse.Checkpoint

	loadable clickhouse.Counters // every version of a counter written, for loads
	mapped   clickhouse.UserAccounts
}

func newModel() *model {
	return &model{
		counters: map[string][2]uint64{}, sets: map[string]bool{}, minutes: map[string][2]int64{},
		points: map[uint64]clickhouse.Checkpoint{},
	}
}

// write stores the rows for which keep holds; it is asked for each row of each table.
func (m *model) write(b *clickhouse.Batch, keep func() bool) {
	c := &b.Counters
	for i := range c.Value {
		if !keep() {
			continue
		}
		key := fmt.Sprint(c.Tier[i], c.AccountID[i], c.WindowStart[i], c.Feature[i], c.Metric[i], c.Source[i])
		was := m.counters[key]
		m.counters[key] = [2]uint64{max(was[0], c.Value[i]), max(was[1], c.AppliedOffset[i])}
		appendCounter(&m.loadable, c, i)
	}
	u := &b.UserMinutes
	for i := range u.User {
		if !keep() {
			continue
		}
		key := fmt.Sprint(u.AccountID[i], u.Minute[i], u.User[i], u.Source[i])
		was, ok := m.minutes[key]
		if !ok {
			was = [2]int64{u.First[i], u.Last[i]}
		}
		m.minutes[key] = [2]int64{min(was[0], u.First[i]), max(was[1], u.Last[i])}
	}
	s, f, w, d := &b.Members, &b.Facts, &b.UserAccounts, &b.DeadLetters
	add := func(row ...any) {
		if keep() {
			m.sets[fmt.Sprint(row...)] = true
		}
	}
	for i := range s.Member {
		add("member", s.Tier[i], s.AccountID[i], s.WindowStart[i], s.Feature[i], s.Metric[i], s.Member[i])
	}
	for i := range f.ID {
		add("fact", f.Kind[i], f.AccountID[i], f.Entity[i], f.At[i], f.Name[i], f.User[i], f.ID[i], f.Offset[i], f.Attributes[i])
	}
	for i := range d.Offset {
		add("dead", d.Offset[i], d.Reason[i], d.Detail[i], d.LogTime[i])
	}
	for i := range w.User {
		if keep() {
			m.sets[fmt.Sprint("user", w.User[i], w.Offset[i], w.AccountID[i])] = true
			m.mapped.User = append(m.mapped.User, w.User[i])
			m.mapped.Offset = append(m.mapped.Offset, w.Offset[i])
			m.mapped.AccountID = append(m.mapped.AccountID, w.AccountID[i])
		}
	}
}

func appendCounter(to, from *clickhouse.Counters, i int) {
	to.Tier = append(to.Tier, from.Tier[i])
	to.AccountID = append(to.AccountID, from.AccountID[i])
	to.WindowStart = append(to.WindowStart, from.WindowStart[i])
	to.Feature = append(to.Feature, from.Feature[i])
	to.Metric = append(to.Metric, from.Metric[i])
	to.Value = append(to.Value, from.Value[i])
	to.AppliedOffset = append(to.AppliedOffset, from.AppliedOffset[i])
}

// load returns the final counters of the windows for which want holds.
func (m *model) load(want func(tier clickhouse.Tier, account string, start int64) bool) *clickhouse.Counters {
	last := map[string]int{}
	c := &m.loadable
	for i := range c.Value {
		if !want(clickhouse.Tier(c.Tier[i]), c.AccountID[i], c.WindowStart[i]) {
			continue
		}
		key := fmt.Sprint(c.Tier[i], c.AccountID[i], c.WindowStart[i], c.Feature[i], c.Metric[i])
		if j, ok := last[key]; !ok || c.AppliedOffset[i] > c.AppliedOffset[j] {
			last[key] = i
		}
	}
	out := &clickhouse.Counters{}
	for _, i := range last {
		appendCounter(out, c, i)
	}
	return out
}

func (m *model) open(watermark int64) *clickhouse.Counters {
	return m.load(func(tier clickhouse.Tier, _ string, start int64) bool { return start >= tier.Start(max(watermark, 0)) })
}

func (m *model) satisfy(c *Core, needs *Needs) {
	rows := m.load(func(tier clickhouse.Tier, account string, start int64) bool {
		return slices.Contains(needs.Windows, clickhouse.WindowKey{AccountID: account, Tier: tier, Start: start})
	})
	accounts := map[uint64]string{}
	at := map[uint64]uint64{}
	for i, user := range m.mapped.User {
		if o := m.mapped.Offset[i]; slices.Contains(needs.Users, user) && o < c.Position() && o+1 > at[user] {
			accounts[user], at[user] = m.mapped.AccountID[i], o+1
		}
	}
	c.Install(needs, rows, accounts)
}

// final is everything that a reader can see.
func (m *model) final() []string {
	var out []string
	for k, v := range m.counters {
		out = append(out, fmt.Sprint("counter ", k, v))
	}
	for k, v := range m.minutes {
		out = append(out, fmt.Sprint("minute ", k, v))
	}
	out = append(out, slices.Collect(maps.Keys(m.sets))...)
	slices.Sort(out)
	return out
}
