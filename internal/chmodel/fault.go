package chmodel

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
)

// Fault is what goes wrong with a write.
type Fault uint8

// The faults of a write. All but None are an error to the writer.
const (
	None         Fault = iota // applied, durable, acknowledged
	Refused                   // not applied
	ReadOnly                  // not applied: the table is read-only
	TooManyParts              // not applied: merges do not keep up
	OutOfMemory               // some rows applied: the server ran out of memory on the way
	Torn                      // some rows applied
	Unanswered                // applied, but the acknowledgement is lost
	Late                      // applied a while after the writer was sent away, perhaps after its successor's writes
	Slow                      // applied, but not answered before the writer gives up
	Faults                    // how many there are
)

var faultNames = [Faults]string{
	"none", "insert refused", "table read-only", "too many parts", "out of memory", "insert torn", "answer lost", "applied late", "slow beyond the timeout",
}

// String names the fault.
func (f Fault) String() string { return faultNames[f] }

// ErrFault is the error of a write that was not acknowledged.
var ErrFault = errors.New("the model lets the write fail")

// codes are those of ClickHouse, so that whoever tells errors apart by them is put to the test.
var codes = map[Fault]clickhouse.Exception{
	ReadOnly:     {Code: 242, Name: "TABLE_IS_READ_ONLY", Message: "Table is in readonly mode"},
	TooManyParts: {Code: 252, Name: "TOO_MANY_PARTS", Message: "Too many parts. Merges are processing significantly slower than inserts"},
	OutOfMemory:  {Code: 241, Name: "MEMORY_LIMIT_EXCEEDED", Message: "Memory limit (total) exceeded"},
}

// errReplica is what a sequential read on a replica that lags gets.
var errReplica = &clickhouse.Exception{Code: 289, Name: "REPLICA_IS_NOT_IN_QUORUM", Message: "Replica doesn't have the last acknowledged parts"}

// Err returns the error that a client gets.
func (f Fault) Err() error {
	if e, ok := codes[f]; ok {
		return fmt.Errorf("%w: %w", ErrFault, &e)
	}
	return fmt.Errorf("%w: %s", ErrFault, f)
}

// write does with a write what OnWrite decides.
func (m *Model) write(ctx context.Context, w *write) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	fault := None
	if m.OnWrite != nil {
		fault = m.OnWrite()
	}
	switch fault {
	case None:
		w.acknowledged = true
		m.apply(w)
		return nil
	case Torn, OutOfMemory:
		w.through = m.Through
		if w.through == nil {
			n := 0
			w.through = func() bool { n++; return n%2 == 0 }
		}
		m.apply(w)
	case Unanswered:
		m.apply(w)
	case Late:
		m.applyLate(w)
	case Slow:
		m.apply(w)
		<-ctx.Done()
		return fmt.Errorf("%w: %w", fault.Err(), ctx.Err())
	}
	return fault.Err()
}

// applyLate applies a write after Delay, unless the power is cut before.
func (m *Model) applyLate(w *write) {
	var delay time.Duration
	if m.Delay != nil {
		delay = m.Delay()
	}
	m.mu.Lock()
	m.late++
	boot := m.boots
	m.mu.Unlock()
	time.AfterFunc(delay, func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		m.late--
		if boot == m.boots {
			m.applyLocked(w)
		}
	})
}

// StillToCome returns how many late writes are not applied yet.
func (m *Model) StillToCome() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.late
}
