// Package chmodel is ClickHouse as far as Tidemark's invariants lean on it, in maps: it merges the versions of a row as
// the tables do, whatever their order and number, and it fails as a server does. Tests put it where time is virtual.
//
// It keeps every write in a log, so that it can tell what is left of the rows after a power cut, and what a replica shows
// that lags.
package chmodel

import (
	"context"
	"slices"
	"sync"
	"time"

	"tidemark/sinks/clickhouse"
)

// Model keeps rows. It is safe for concurrent use. The zero Model is not usable: make one with New.
type Model struct {
	// OnWrite, if set, decides what becomes of a write to rows or checkpoints.
	OnWrite func() Fault
	// Through, if set, decides for each row of a torn write whether it is applied; without it every second one is.
	Through func() bool
	// Delay, if set, says how long after its writer was sent away a late write is applied; without it at once.
	Delay func() time.Duration
	// OnRead, if set, may let a read fail.
	OnRead func() error
	// Add makes the counters of writes add up, as a table of deltas does. Tests show with it what is wrong with that.
	Add bool
	// AnyReplica lets a replica that lags answer loads too, as without sequential reads. Tests show with it why they are needed.
	AnyReplica bool

	mu      sync.Mutex
	log     []*write // everything that was applied, in that order
	now     *tables
	lagging *tables // what a replica shows that lags; nil = none does
	lacks   bool    // an acknowledged write is not in lagging
	late    int     // writes that are still to be applied
	boots   int     // power cuts so far
}

// New returns an empty model.
func New() *Model { return &Model{now: newTables()} }

// Write applies the batch as OnWrite decides.
func (m *Model) Write(ctx context.Context, b *clickhouse.Batch) error {
	return m.write(ctx, &write{batch: copied(b), add: m.Add})
}

// copied copies a batch, whose memory the pipeline uses again.
func copied(b *clickhouse.Batch) *clickhouse.Batch {
	return clickhouse.Join(&clickhouse.Batch{}, []*clickhouse.Batch{b, {}})
}

// WriteCheckpoints keeps checkpoints as OnWrite decides. Two that differ at one source and offset break invariant 5: that
// is remembered as a row, which no straight run has.
func (m *Model) WriteCheckpoints(ctx context.Context, p *clickhouse.Checkpoints) error {
	return m.write(ctx, &write{points: p})
}

// WriteProgress takes note of nothing: observations are no rollups.
func (m *Model) WriteProgress(ctx context.Context, _ *clickhouse.Progress) error { return ctx.Err() }

// Apply merges the rows for which keep holds, all without keep, as an acknowledged write.
func (m *Model) Apply(b *clickhouse.Batch, keep func() bool) {
	m.apply(&write{batch: copied(b), through: keep, acknowledged: true, add: m.Add})
}

// OpenCounters is that of clickhouse.Client. Like the other reads of a recovery it may be answered by a replica that lags.
func (m *Model) OpenCounters(ctx context.Context, source string, watermark int64) (rows *clickhouse.Counters, err error) {
	err = m.read(ctx, anyReplica, func(t *tables) {
		rows = t.load(source, func(c counterKey) bool { return c.start >= c.tier.Start(max(watermark, 0)) })
	})
	return rows, err
}

// WindowCounters is that of clickhouse.Client. Like the other read of a worker that folds, it sees every acknowledged write
// or fails, as sequential reads do (internal/preflight demands them).
func (m *Model) WindowCounters(ctx context.Context, source string, keys []clickhouse.WindowKey) (rows *clickhouse.Counters, err error) {
	wanted := map[clickhouse.WindowKey]bool{}
	for _, k := range keys {
		wanted[k] = true
	}
	err = m.read(ctx, sequential, func(t *tables) {
		rows = t.load(source, func(c counterKey) bool {
			return wanted[clickhouse.WindowKey{AccountID: c.account, Tier: c.tier, Start: c.start}]
		})
	})
	return rows, err
}

// UserAccounts is that of clickhouse.Client.
func (m *Model) UserAccounts(ctx context.Context, source string, users []uint64, before uint64) (map[uint64]string, error) {
	accounts, at := map[uint64]string{}, map[uint64]uint64{}
	err := m.read(ctx, sequential, func(t *tables) {
		for key, account := range t.users {
			if key.source == source && slices.Contains(users, key.user) && key.offset < before && key.offset+1 > at[key.user] {
				accounts[key.user], at[key.user] = account, key.offset+1
			}
		}
	})
	return accounts, err
}

// Checkpoint is that of clickhouse.Client.
func (m *Model) Checkpoint(ctx context.Context, source string, offset uint64) (p clickhouse.Checkpoint, found bool, err error) {
	err = m.read(ctx, anyReplica, func(t *tables) { p, found = t.points[pointKey{source, offset}] })
	return p, found, err
}

// LastCheckpoint is that of clickhouse.Client.
func (m *Model) LastCheckpoint(ctx context.Context, source string) (offset uint64, found bool, err error) {
	err = m.read(ctx, anyReplica, func(t *tables) {
		for key := range t.points {
			if key.source == source {
				offset, found = max(offset, key.offset), true
			}
		}
	})
	return offset, found, err
}

// Checkpoints returns all checkpoints, in no order.
func (m *Model) Checkpoints() []clickhouse.Checkpoint {
	m.mu.Lock()
	defer m.mu.Unlock()
	all := make([]clickhouse.Checkpoint, 0, len(m.now.points))
	for _, p := range m.now.points {
		all = append(all, p)
	}
	return all
}

// Forget loses the counters and checkpoints of a source, as a replica does that has none of them yet, until restored.
func (m *Model) Forget(source string) (restore func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.now.forget(source, &m.mu)
}

// Final returns everything that a reader of the rollups can see, a line a row, in order.
func (m *Model) Final() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.now.lines()
}

// Rows returns how many rows a reader can see.
func (m *Model) Rows() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.now.rows()
}

// Differences returns the rows of want that a reader does not see, with a minus, and those that it sees besides, with a
// plus: none if the two are alike.
func (m *Model) Differences(want *Model) []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	want.mu.Lock()
	defer want.mu.Unlock()
	if m.now.equal(want.now) {
		return nil
	}
	return differences(want.now.lines(), m.now.lines())
}

// Letter names the record of a dead letter.
type Letter struct {
	Source string
	Offset uint64
}

// DeadLetters returns the records that dead letters were written of, in no order.
func (m *Model) DeadLetters() []Letter {
	m.mu.Lock()
	defer m.mu.Unlock()
	var all []Letter
	for k := range m.now.dead {
		all = append(all, Letter{k.source, k.offset})
	}
	return all
}
