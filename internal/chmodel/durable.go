package chmodel

import (
	"context"

	"tidemark/sinks/clickhouse"
)

// write is one insert: rows, or checkpoints.
type write struct {
	batch        *clickhouse.Batch
	points       *clickhouse.Checkpoints
	through      func() bool // of a torn one: whether the next row is applied
	kept         []bool      // what through has said, row by row
	acknowledged bool        // and so synced to disk: fsync_after_insert
	add          bool        // counters are deltas
}

// applyTo merges the write's rows into tables, the same rows each time.
func (w *write) applyTo(t *tables) {
	row := 0
	keep := func() bool {
		if w.through == nil {
			return true
		}
		if row++; row > len(w.kept) {
			w.kept = append(w.kept, w.through())
		}
		return w.kept[row-1]
	}
	if w.batch != nil {
		t.apply(w.batch, keep, w.add)
	}
	if w.points != nil {
		t.applyPoints(w.points, keep)
	}
}

func (m *Model) apply(w *write) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.applyLocked(w)
}

func (m *Model) applyLocked(w *write) {
	m.log = append(m.log, w)
	w.applyTo(m.now)
	m.lacks = m.lacks || m.lagging != nil && w.acknowledged
}

// PowerCut loses what was applied but not acknowledged, and so not synced: all but the first of them, as many as keep says
// when it is told how many there are. It returns how many writes are lost. Late ones that are on their way are lost too.
func (m *Model) PowerCut(keep func(unsynced int) int) (lost int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.boots++
	unsynced := 0
	for _, w := range m.log {
		if !w.acknowledged {
			unsynced++
		}
	}
	kept := 0
	if unsynced > 0 {
		kept = keep(unsynced)
	}
	var log []*write
	seen := 0
	for _, w := range m.log {
		if !w.acknowledged {
			if seen++; seen > kept {
				continue
			}
		}
		log = append(log, w)
	}
	m.log, m.now = log, replay(log)
	return unsynced - kept
}

func replay(log []*write) *tables {
	t := newTables()
	for _, w := range log {
		w.applyTo(t)
	}
	return t
}

// Lag lets a replica without the newest n writes answer what is read from now on: the reads of a recovery get what it has,
// which the recovery must notice; sequential reads fail if an acknowledged write is missing, else get what it has.
func (m *Model) Lag(n int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	has := max(0, len(m.log)-n)
	m.lagging, m.lacks = replay(m.log[:has]), false
	for _, w := range m.log[has:] {
		m.lacks = m.lacks || w.acknowledged
	}
}

// CatchUp ends Lag.
func (m *Model) CatchUp() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.lagging, m.lacks = nil, false
}

// consistency is what a read asks of the replica.
type consistency uint8

const (
	anyReplica consistency = iota // whatever the replica has
	sequential                    // every acknowledged write, or an error
)

func (m *Model) read(ctx context.Context, want consistency, from func(*tables)) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if m.OnRead != nil {
		if err := m.OnRead(); err != nil {
			return err
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.lagging == nil {
		from(m.now)
		return nil
	}
	if want == sequential && m.lacks && !m.AnyReplica {
		return errReplica
	}
	from(m.lagging)
	return nil
}
