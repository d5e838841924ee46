// Package worker runs one source: it folds the records of a partition, flushes the rows and commits the offset.
//
// Core is its pure part: state and record in, rows and verdict out. Worker is the shell around it, one goroutine a source,
// which owns the clock, the loads and the flushes.
package worker

import (
	"time"

	"tidemark/pipeline/decode"
	"tidemark/pipeline/dedup"
	"tidemark/pipeline/enrich"
	"tidemark/pipeline/forgotten"
	"tidemark/pipeline/rollup"
	"tidemark/schemas"
	"tidemark/sinks/clickhouse"
)

// Record is one record of the source's log.
type Record struct {
	Offset uint64
	Time   int64 // the broker's or producer's timestamp, Unix ms
	Key    []byte
	Value  []byte
}

// Verdict is what became of a record.
type Verdict uint8

// The verdicts. Every record but a blocked one gets exactly one of the first four, and is counted under it.
const (
	Applied      Verdict = iota // folded into at least one keyed row
	Duplicate                   // its message id stands among the previous offsets
	Filtered                    // valid, but nothing is kept of its kind
	DeadLettered                // cannot be folded; kept with the reason
	Blocked                     // rows have to be loaded first; then step the record again
)

// Content is what a topic carries, and so how its records are folded.
type Content uint8

// The contents.
const (
	Telemetry Content = iota
	Tickets
	Accounts
	Signals
)

// Spec is what a source's rows are a function of, beside its log.
type Spec struct {
	Source       string // its name in ClickHouse: topic/partition@topic id
	Content      Content
	Program      *schemas.Program
	Limits       decode.Limits
	Retention    [3]time.Duration // of the minute, hour and day tiers
	Disorder     time.Duration    // how far events may be out of order before a window counts as complete
	DedupRecords int64            // how many offsets back a duplicate is looked for
	MaxFeatures  int              // of an account in a day; more are counted as one
	Forgotten    *forgotten.List  // of whom there are no rows, though the log names them
}

// Core is the pure state of one source. It is not safe for concurrent use.
type Core struct {
	spec    Spec
	decoder *decode.Telemetry
	filter  *dedup.Filter
	users   *enrich.Users
	state   *rollup.State

	prefix clickhouse.Checkpoint // of the records stepped so far

	ev      decode.Event // scratch
	checked uint64       // 1 + the offset that the duplicate filter has judged last
	repeats bool         // its judgement
}

// NewCore returns the core of a source without history that is read from the offset first on.
func NewCore(spec Spec, first uint64) *Core {
	return &Core{
		spec:    spec,
		decoder: decode.NewTelemetry(spec.Program, spec.Limits),
		filter:  dedup.New(spec.DedupRecords),
		users:   enrich.NewUsers(spec.Source, true),
		state:   rollup.New(spec.Source, spec.Program, spec.Retention, spec.MaxFeatures),
		prefix:  clickhouse.Checkpoint{Source: spec.Source, Offset: first, Catalogue: spec.Program.Hash},
	}
}

// Resume sets a new core up to go on from a checkpoint: open are the counters of every window that holds the checkpoint's
// watermark or starts later. The duplicate filter is warmed by Warm, with the records from WarmFrom on.
func (c *Core) Resume(from clickhouse.Checkpoint, open *clickhouse.Counters) {
	c.prefix = from
	c.prefix.Catalogue = c.spec.Program.Hash
	c.users = enrich.NewUsers(c.spec.Source, false)
	c.state.Resume(from.Offset, from.Watermark, c.remembered(open))
}

// Warm shows the duplicate filter a record from before the checkpoint.
func (c *Core) Warm(r *Record) {
	if id, ok := c.messageID(r); ok {
		c.filter.Repeats(int64(r.Offset), id) //nolint:gosec // Kafka's offsets are int64
	}
}

// WarmFrom returns the offset from which a filter has to be warmed to go on at the core's position.
func (c *Core) WarmFrom() uint64 {
	if n := uint64(c.spec.DedupRecords); c.prefix.Offset > n { //nolint:gosec // a positive number of records
		return c.prefix.Offset - n
	}
	return 0
}

// Step folds the next record. A Blocked record changes nothing: load what Look asks for, Install it, and step it again.
func (c *Core) Step(r *Record) (Verdict, *decode.Rejection) {
	var v Verdict
	var rej *decode.Rejection
	switch c.spec.Content {
	case Telemetry:
		v, rej = c.stepTelemetry(r)
	case Tickets:
		v, rej = c.stepTicket(r)
	case Accounts:
		v, rej = c.stepAccount(r)
	case Signals:
		v, rej = c.stepSignal(r)
	}
	p := &c.prefix
	switch v {
	case Blocked:
		return v, nil
	case Applied:
		p.Applied++
	case Duplicate:
		p.Duplicate++
	case Filtered:
		p.Filtered++
	case DeadLettered:
		p.DeadLettered++
		c.deadLetter(r, rej)
	}
	p.Received++
	p.Offset = r.Offset + 1
	p.LogTime = max(p.LogTime, decode.Storable(r.Time))
	return v, rej
}

// Pass moves the position past an offset that holds no record.
func (c *Core) Pass(offset uint64) { c.prefix.Offset = offset + 1 }

// duplicate judges a record once, however often it is stepped.
func (c *Core) duplicate(r *Record, id uint64) bool {
	if c.checked != r.Offset+1 {
		c.checked = r.Offset + 1
		c.repeats = c.filter.Repeats(int64(r.Offset), id) //nolint:gosec // Kafka's offsets are int64
	}
	return c.repeats
}

// seen moves the watermark.
func (c *Core) seen(eventTime int64) {
	if eventTime > c.prefix.MaxEventTime {
		c.prefix.MaxEventTime = eventTime
		c.prefix.Watermark = eventTime - c.spec.Disorder.Milliseconds()
	}
}

func (c *Core) deadLetter(r *Record, rej *decode.Rejection) {
	d := &c.state.Batch().DeadLetters
	d.Source = append(d.Source, c.spec.Source)
	d.Offset = append(d.Offset, r.Offset)
	d.Reason = append(d.Reason, string(rej.Reason))
	d.Detail = append(d.Detail, c.unlessForgotten(r, rej.Detail))
	d.Field = append(d.Field, rej.Field)
	d.Producer = append(d.Producer, decode.Producer(r.Value))
	d.LogTime = append(d.LogTime, decode.Storable(r.Time))
	d.Key = append(d.Key, c.unlessForgotten(r, string(r.Key)))
	d.Size = append(d.Size, uint32(min(len(r.Value), 1<<32-1)))
}

// Needs is what has to be loaded before blocked records can be stepped.
type Needs struct {
	Windows []clickhouse.WindowKey
	Users   []uint64
}

// Empty reports whether nothing is needed.
func (n *Needs) Empty() bool { return len(n.Windows)+len(n.Users) == 0 }

// Look adds to needs what stepping the record will ask for, as far as can be told now. It changes nothing.
func (c *Core) Look(r *Record, needs *Needs) {
	if c.spec.Content == Telemetry {
		c.lookTelemetry(r, needs)
	}
}

// Install adds what was loaded: the counters of needs.Windows, and the accounts of needs.Users as of the core's position.
func (c *Core) Install(needs *Needs, rows *clickhouse.Counters, accounts map[uint64]string) {
	c.state.Install(needs.Windows, rows)
	c.users.Install(needs.Users, accounts)
}

// Position returns the next offset to step.
func (c *Core) Position() uint64 { return c.prefix.Offset }

// Watermark returns the event time, in Unix ms, up to which windows are complete but for late events.
func (c *Core) Watermark() int64 { return c.prefix.Watermark }

// Pending returns about how many rows a flush would write.
func (c *Core) Pending() int { return c.state.Pending() }

// Windows returns how many windows are in memory.
func (c *Core) Windows() int { return c.state.Windows() }

// Flush is one flush of a source: the rows, and what holds once they are written.
type Flush struct {
	Rows       *clickhouse.Batch
	Checkpoint clickhouse.Checkpoint
	OpenRows   int    // counter rows that a recovery at the checkpoint's watermark must find at least
	WarmFrom   uint64 // offset from which a recovery must warm the duplicate filter
	Forgotten  int    // how many accounts and users were forgotten by then
}

// Take returns everything that the records stepped so far have changed since the last Take.
func (c *Core) Take() Flush {
	return Flush{
		Rows:       c.state.Take(c.prefix.Offset),
		Checkpoint: c.prefix,
		OpenRows:   c.state.OpenRows(c.prefix.Watermark),
		WarmFrom:   c.WarmFrom(),
		Forgotten:  c.spec.Forgotten.Len(),
	}
}

// Written says that the flush, and every one taken before, is in ClickHouse. Its rows are gone with it: their memory holds the next
// ones. It lets go of what memory need not hold: windows beyond most, about, when they are idle. No row depends on it.
func (c *Core) Written(f Flush, most int) {
	c.users.Written()
	c.state.Reuse(f.Rows)
	c.state.Evict(c.prefix.Watermark, most)
}

// Over returns how many uses of features came beyond the most that an account can have in a day.
func (c *Core) Over() uint64 { return c.state.Over() }
