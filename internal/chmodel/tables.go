package chmodel

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"sync"

	"tidemark/sinks/clickhouse"
)

// tables are the rows, merged.
type tables struct {
	counters map[counterKey]counter
	members  map[memberKey]bool
	minutes  map[minuteKey][2]int64
	users    map[userKey]string
	dead     map[deadKey]bool
	others   map[string]bool // of the other tables that are sets: facts, account changes
	points   map[pointKey]clickhouse.Checkpoint
}

type counterKey struct {
	tier                             clickhouse.Tier
	account, feature, metric, source string
	start                            int64
}

type counter struct{ value, applied uint64 }

type memberKey struct {
	tier                             clickhouse.Tier
	account, feature, metric, source string
	start                            int64
	member                           uint64
}

type minuteKey struct {
	account, source string
	minute          int64
	user            uint64
}

type userKey struct {
	source       string
	user, offset uint64
}

type deadKey struct {
	source         string
	offset         uint64
	reason, detail string
	logTime        int64
}

type pointKey struct {
	source string
	offset uint64
}

func newTables() *tables {
	return &tables{
		counters: map[counterKey]counter{}, members: map[memberKey]bool{}, minutes: map[minuteKey][2]int64{}, users: map[userKey]string{},
		dead: map[deadKey]bool{}, others: map[string]bool{}, points: map[pointKey]clickhouse.Checkpoint{},
	}
}

// apply merges the rows for which keep holds.
func (t *tables) apply(b *clickhouse.Batch, keep func() bool, add bool) {
	c := &b.Counters
	for i := range c.Value {
		if keep() {
			t.merge(counterKey{
				clickhouse.Tier(c.Tier[i]), c.AccountID.At(i), c.Feature.At(i), c.Metric.At(i), c.Source.At(i), c.WindowStart[i],
			}, c.Value[i], c.AppliedOffset[i], add)
		}
	}
	u := &b.UserMinutes
	for i := range u.User {
		if keep() {
			key := minuteKey{u.AccountID.At(i), u.Source.At(i), u.Minute[i], u.User[i]}
			first, last := u.First[i], u.Last[i]
			if was, ok := t.minutes[key]; ok {
				first, last = min(first, was[0]), max(last, was[1])
			}
			t.minutes[key] = [2]int64{first, last}
		}
	}
	w := &b.UserAccounts
	for i := range w.User {
		if keep() {
			t.users[userKey{w.Source[i], w.User[i], w.Offset[i]}] = w.AccountID[i]
		}
	}
	t.applySets(b, keep)
}

func (t *tables) merge(key counterKey, value, applied uint64, add bool) {
	was := t.counters[key]
	if add {
		value += was.value
	}
	t.counters[key] = counter{max(value, was.value), max(applied, was.applied)}
}

func (t *tables) applySets(b *clickhouse.Batch, keep func() bool) {
	s, f, d, a := &b.Members, &b.Facts, &b.DeadLetters, &b.AccountChanges
	for i := range s.Tier {
		for _, member := range s.Members.At(i) { // sets merge to their union, so each member stands for itself
			if keep() {
				t.members[memberKey{
					clickhouse.Tier(s.Tier[i]), s.AccountID.At(i), s.Feature.At(i), s.Metric.At(i), s.Source.At(i), s.WindowStart[i], member,
				}] = true
			}
		}
	}
	for i := range d.Offset {
		if keep() {
			t.dead[deadKey{d.Source[i], d.Offset[i], d.Reason[i], d.Detail[i], d.LogTime[i]}] = true
		}
	}
	for i := range f.ID {
		if keep() {
			t.others[fmt.Sprint("fact ", f.Kind[i], f.AccountID[i], f.Entity[i], f.At[i], f.Name[i], f.User[i], f.ID[i], f.Source[i], f.Offset[i], f.Value[i], f.Attributes[i])] = true
		}
	}
	for i := range a.Offset {
		if keep() {
			t.others[fmt.Sprint("change ", a.AccountID[i], a.ValidFrom[i], a.Source[i], a.Offset[i], a.Deleted[i], a.Attributes[i])] = true
		}
	}
}

func (t *tables) applyPoints(p *clickhouse.Checkpoints, keep func() bool) {
	for i := range p.Source {
		if !keep() {
			continue
		}
		point := clickhouse.Checkpoint{
			Source: p.Source[i], Offset: p.Offset[i], Received: p.Received[i], Applied: p.Applied[i], Duplicate: p.Duplicate[i],
			Filtered: p.Filtered[i], DeadLettered: p.DeadLettered[i], Watermark: p.Watermark[i], MaxEventTime: p.MaxEventTime[i],
			LogTime: p.LogTime[i], Catalogue: p.Catalogue[i],
		}
		key := pointKey{point.Source, point.Offset}
		if was, ok := t.points[key]; ok && was != point {
			t.others[fmt.Sprint("contradiction ", was, point)] = true
		}
		t.points[key] = point
	}
}

// load returns a source's counters that are wanted, in the order of their keys.
func (t *tables) load(source string, want func(counterKey) bool) *clickhouse.Counters {
	var keys []counterKey
	for k := range t.counters {
		if k.source == source && want(k) {
			keys = append(keys, k)
		}
	}
	slices.SortFunc(keys, func(a, b counterKey) int {
		return cmp.Or(cmp.Compare(a.tier, b.tier), cmp.Compare(a.account, b.account), cmp.Compare(a.start, b.start),
			cmp.Compare(a.feature, b.feature), cmp.Compare(a.metric, b.metric))
	})
	out := &clickhouse.Counters{}
	for _, k := range keys {
		out.Append(k.tier, k.account, k.start, k.feature, k.metric, source, t.counters[k].value, t.counters[k].applied)
	}
	return out
}

func (t *tables) forget(source string, mu *sync.Mutex) (restore func()) {
	points, counters := maps.Clone(t.points), maps.Clone(t.counters)
	maps.DeleteFunc(t.points, func(k pointKey, _ clickhouse.Checkpoint) bool { return k.source == source })
	maps.DeleteFunc(t.counters, func(k counterKey, _ counter) bool { return k.source == source })
	return func() {
		mu.Lock()
		defer mu.Unlock()
		maps.Copy(t.points, points)
		maps.Copy(t.counters, counters)
	}
}

// rows counts what a reader can see; checkpoints are compared by themselves.
func (t *tables) rows() int {
	return len(t.counters) + len(t.members) + len(t.minutes) + len(t.users) + len(t.dead) + len(t.others)
}

func (t *tables) equal(u *tables) bool {
	return maps.Equal(t.counters, u.counters) && maps.Equal(t.members, u.members) && maps.Equal(t.minutes, u.minutes) &&
		maps.Equal(t.users, u.users) && maps.Equal(t.dead, u.dead) && maps.Equal(t.others, u.others)
}

// lines returns a line a row, in order.
func (t *tables) lines() []string {
	var out []string
	add := func(row ...any) { out = append(out, fmt.Sprint(row...)) }
	for k, v := range t.counters {
		add("counter ", k, v)
	}
	for k := range t.members {
		add("member ", k)
	}
	for k, v := range t.minutes {
		add("minute ", k, v)
	}
	for k, v := range t.users {
		add("user ", k, v)
	}
	for k := range t.dead {
		add("dead ", k)
	}
	out = append(out, slices.Collect(maps.Keys(t.others))...)
	slices.Sort(out)
	return out
}

// differences tells two sorted lists of lines apart.
func differences(want, got []string) []string {
	var out []string
	for len(want)+len(got) > 0 {
		switch {
		case len(got) == 0 || len(want) > 0 && want[0] < got[0]:
			out, want = append(out, "- "+want[0]), want[1:]
		case len(want) == 0 || got[0] < want[0]:
			out, got = append(out, "+ "+got[0]), got[1:]
		default:
			want, got = want[1:], got[1:]
		}
	}
	return out
}
