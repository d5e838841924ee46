// Package chmodel is ClickHouse as far as Tidemark's invariants lean on it, in maps: it merges the versions of a row as
// the tables do, whatever their order and number, and it fails as a server does. Tests put it where time is virtual.
package chmodel

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"

	"tidemark/sinks/clickhouse"
)

// Outcome is what becomes of a write.
type Outcome uint8

// The outcomes of a write.
const (
	Acknowledged Outcome = iota
	Refused              // not applied, an error
	Unanswered           // applied, but the acknowledgement is lost: an error
	Torn                 // some rows applied, an error
)

// ErrFault is the error of a write that was not acknowledged.
var ErrFault = errors.New("the model lets the write fail")

// Model keeps rows. It is safe for concurrent use. The zero Model is not usable: make one with New.
type Model struct {
	// OnWrite, if set, decides what becomes of a write to rows or checkpoints.
	OnWrite func() Outcome
	// Through, if set, decides for each row of a torn write whether it is applied; without it every second one is.
	Through func() bool
	// OnRead, if set, may let a read fail.
	OnRead func() error

	mu       sync.Mutex
	counters map[string]counter
	rows     map[string]bool // of tables that are sets: members, facts, dead letters, account changes
	minutes  map[string][2]int64
	users    map[userKey]string
	points   map[pointKey]clickhouse.Checkpoint
	torn     int
}

type counter struct {
	tier                             clickhouse.Tier
	account, feature, metric, source string
	start                            int64
	value, applied                   uint64
}

type userKey struct {
	source       string
	user, offset uint64
}

type pointKey struct {
	source string
	offset uint64
}

// New returns an empty model.
func New() *Model {
	return &Model{
		counters: map[string]counter{}, rows: map[string]bool{}, minutes: map[string][2]int64{},
		users: map[userKey]string{}, points: map[pointKey]clickhouse.Checkpoint{},
	}
}

// Write applies the batch as OnWrite decides.
func (m *Model) Write(ctx context.Context, b *clickhouse.Batch) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	switch m.outcome() {
	case Refused:
		return ErrFault
	case Unanswered:
		m.Apply(b, nil)
		return ErrFault
	case Torn:
		keep := m.Through
		if keep == nil {
			keep = func() bool { m.torn++; return m.torn%2 == 0 }
		}
		m.Apply(b, keep)
		return ErrFault
	}
	m.Apply(b, nil)
	return nil
}

func (m *Model) outcome() Outcome {
	if m.OnWrite == nil {
		return Acknowledged
	}
	return m.OnWrite()
}

// Apply merges the rows for which keep holds, all without keep.
func (m *Model) Apply(b *clickhouse.Batch, keep func() bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if keep == nil {
		keep = func() bool { return true }
	}
	c := &b.Counters
	for i := range c.Value {
		if keep() {
			m.mergeCounter(counter{
				clickhouse.Tier(c.Tier[i]), c.AccountID.At(i), c.Feature.At(i), c.Metric.At(i), c.Source.At(i), c.WindowStart[i], c.Value[i], c.AppliedOffset[i],
			})
		}
	}
	u := &b.UserMinutes
	for i := range u.User {
		if keep() {
			m.mergeMinute(fmt.Sprint(u.AccountID.At(i), u.Minute[i], u.User[i], u.Source.At(i)), u.First[i], u.Last[i])
		}
	}
	w := &b.UserAccounts
	for i := range w.User {
		if keep() {
			m.users[userKey{w.Source[i], w.User[i], w.Offset[i]}] = w.AccountID[i]
		}
	}
	m.addSets(b, keep)
}

func (m *Model) mergeCounter(c counter) {
	key := fmt.Sprint(c.tier, c.account, c.start, c.feature, c.metric, c.source)
	was := m.counters[key]
	c.value, c.applied = max(c.value, was.value), max(c.applied, was.applied)
	m.counters[key] = c
}

func (m *Model) mergeMinute(key string, first, last int64) {
	if was, ok := m.minutes[key]; ok {
		first, last = min(first, was[0]), max(last, was[1])
	}
	m.minutes[key] = [2]int64{first, last}
}

func (m *Model) addSets(b *clickhouse.Batch, keep func() bool) {
	add := func(row ...any) {
		if keep() {
			m.rows[fmt.Sprint(row...)] = true
		}
	}
	s, f, d, a := &b.Members, &b.Facts, &b.DeadLetters, &b.AccountChanges
	for i := range s.Tier {
		for _, member := range s.Members.At(i) { // sets merge to their union, so each member stands for itself
			add("member", s.Tier[i], s.AccountID.At(i), s.WindowStart[i], s.Feature.At(i), s.Metric.At(i), member, s.Source.At(i))
		}
	}
	for i := range f.ID {
		add("fact", f.Kind[i], f.AccountID[i], f.Entity[i], f.At[i], f.Name[i], f.User[i], f.ID[i], f.Source[i], f.Offset[i], f.Attributes[i])
	}
	for i := range d.Offset {
		add("dead", d.Source[i], d.Offset[i], d.Reason[i], d.Detail[i], d.LogTime[i])
	}
	for i := range a.Offset {
		add("change", a.AccountID[i], a.ValidFrom[i], a.Source[i], a.Offset[i], a.Deleted[i], a.Attributes[i])
	}
}

// WriteCheckpoints keeps checkpoints as OnWrite decides. Two that differ at one source and offset break invariant 5: that
// is remembered as a row, which no straight run has.
func (m *Model) WriteCheckpoints(ctx context.Context, p *clickhouse.Checkpoints) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	outcome := m.outcome()
	if outcome == Refused {
		return ErrFault
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for i := range p.Source {
		point := clickhouse.Checkpoint{
			Source: p.Source[i], Offset: p.Offset[i], Received: p.Received[i], Applied: p.Applied[i], Duplicate: p.Duplicate[i],
			Filtered: p.Filtered[i], DeadLettered: p.DeadLettered[i], Watermark: p.Watermark[i], MaxEventTime: p.MaxEventTime[i],
			LogTime: p.LogTime[i], Catalogue: p.Catalogue[i],
		}
		key := pointKey{point.Source, point.Offset}
		if was, ok := m.points[key]; ok && was != point {
			m.rows[fmt.Sprint("contradiction ", was, point)] = true
		}
		m.points[key] = point
	}
	if outcome != Acknowledged {
		return ErrFault
	}
	return nil
}

// WriteProgress takes note of nothing: observations are no rollups.
func (m *Model) WriteProgress(ctx context.Context, _ *clickhouse.Progress) error { return ctx.Err() }

// OpenCounters is that of clickhouse.Client.
func (m *Model) OpenCounters(ctx context.Context, source string, watermark int64) (*clickhouse.Counters, error) {
	return m.load(ctx, source, func(c counter) bool { return c.start >= c.tier.Start(max(watermark, 0)) })
}

// WindowCounters is that of clickhouse.Client.
func (m *Model) WindowCounters(ctx context.Context, source string, keys []clickhouse.WindowKey) (*clickhouse.Counters, error) {
	wanted := map[clickhouse.WindowKey]bool{}
	for _, k := range keys {
		wanted[k] = true
	}
	return m.load(ctx, source, func(c counter) bool {
		return wanted[clickhouse.WindowKey{AccountID: c.account, Tier: c.tier, Start: c.start}]
	})
}

func (m *Model) load(ctx context.Context, source string, want func(counter) bool) (*clickhouse.Counters, error) {
	if err := m.read(ctx); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	out := &clickhouse.Counters{}
	for _, key := range slices.Sorted(maps.Keys(m.counters)) {
		c := m.counters[key]
		if c.source != source || !want(c) {
			continue
		}
		out.Tier = append(out.Tier, int8(c.tier))
		out.AccountID.Append(c.account)
		out.WindowStart = append(out.WindowStart, c.start)
		out.Feature.Append(c.feature)
		out.Metric.Append(c.metric)
		out.Source.Append(source)
		out.Value = append(out.Value, c.value)
		out.AppliedOffset = append(out.AppliedOffset, c.applied)
	}
	return out, nil
}

func (m *Model) read(ctx context.Context) error {
	if err := ctx.Err(); err != nil || m.OnRead == nil {
		return err
	}
	return m.OnRead()
}

// UserAccounts is that of clickhouse.Client.
func (m *Model) UserAccounts(ctx context.Context, source string, users []uint64, before uint64) (map[uint64]string, error) {
	if err := m.read(ctx); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	accounts, at := map[uint64]string{}, map[uint64]uint64{}
	for key, account := range m.users {
		if key.source == source && slices.Contains(users, key.user) && key.offset < before && key.offset+1 > at[key.user] {
			accounts[key.user], at[key.user] = account, key.offset+1
		}
	}
	return accounts, nil
}

// Checkpoint is that of clickhouse.Client.
func (m *Model) Checkpoint(ctx context.Context, source string, offset uint64) (clickhouse.Checkpoint, bool, error) {
	if err := m.read(ctx); err != nil {
		return clickhouse.Checkpoint{}, false, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	p, ok := m.points[pointKey{source, offset}]
	return p, ok, nil
}

// LastCheckpoint is that of clickhouse.Client.
func (m *Model) LastCheckpoint(ctx context.Context, source string) (offset uint64, found bool, err error) {
	if err := m.read(ctx); err != nil {
		return 0, false, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for key := range m.points {
		if key.source == source {
			offset, found = max(offset, key.offset), true
		}
	}
	return offset, found, nil
}

// Forget loses the rows and checkpoints that want names, as a replica does that has not caught up.
func (m *Model) Forget(source string) (restore func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	points, counters := maps.Clone(m.points), maps.Clone(m.counters)
	maps.DeleteFunc(m.points, func(k pointKey, _ clickhouse.Checkpoint) bool { return k.source == source })
	maps.DeleteFunc(m.counters, func(_ string, c counter) bool { return c.source == source })
	return func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		maps.Copy(m.points, points)
		maps.Copy(m.counters, counters)
	}
}

// Final returns everything that a reader of the rollups can see, a line a row, in order.
func (m *Model) Final() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	var out []string
	for _, c := range m.counters {
		out = append(out, fmt.Sprint("counter ", c))
	}
	for k, v := range m.minutes {
		out = append(out, fmt.Sprint("minute ", k, v))
	}
	for k, v := range m.users {
		out = append(out, fmt.Sprint("user ", k, v))
	}
	out = append(out, slices.Collect(maps.Keys(m.rows))...)
	slices.Sort(out)
	return out
}
