// Package verify compares rows in ClickHouse with the log that they were made
// from, on a system that runs.
//
// It reads the log with recount, which shares no code with the pipeline, and
// leans on one thing: a row is a function of a prefix of its source's log, and
// says which (docs/design.md). Of each source it counts the records of a range
// that ends at a checkpoint, then reads the rows. A row that has not gone beyond
// the range must be equal. For those that have, it reads the log on, to where
// the row is. So nothing has to stand still, and nothing is compared about.
package verify

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"tidemark/internal/recount"
	"tidemark/pipeline/forgotten"
)

// Options says what to compare, and how gently.
type Options struct {
	// Log is where the records are, what is counted and by which limits. Topics
	// left empty are not read.
	Log recount.Options
	// Catalogue is the hash of the catalogue that Log.Rules are of.
	Catalogue string
	// Forgotten are those of whom there may be no rows.
	Forgotten *forgotten.List
	// Quorum says that ClickHouse is replicated and written by quorum.
	Quorum bool

	Partition *int   // of each topic; nil = all
	From, To  *int64 // offsets [From, To) of each partition; nil = from the log's start, to the last checkpoint
	Account   string // compare the rows of this account only; "" = all

	Rate      float64 // records a second to read at most; 0 = as fast as it goes
	ReadAhead int64   // records to read beyond the range at most, for rows that are ahead of it
	MaxRows   int     // rows to hold in memory at most

	Progress func(Progress) // called now and then; may be nil
}

// Progress says how far the comparison is, in records of all partitions.
type Progress struct {
	Source      string
	Done, Total int64
}

// maxDifferences bounds the differences that a report lists; all are counted.
const maxDifferences = 1000

// session is one run of the comparison.
type session struct {
	opts   Options
	conn   driver.Conn
	log    *recount.Log
	now    time.Time
	pace   pace
	done   int64
	total  int64
	report *Report
}

// Run compares, and reports what it found. An error means that it could not
// finish; what the report says by then holds all the same.
func Run(ctx context.Context, conn driver.Conn, opts Options) (*Report, error) {
	now := time.Now().UTC()
	opts.Log.Limits = opts.Log.Limits.WithDefaults()
	s := &session{opts: opts, conn: conn, now: now, pace: pace{rate: opts.Rate, start: now}, report: &Report{StartedAt: now, Account: opts.Account}}
	log, err := recount.Open(ctx, opts.Log)
	if err != nil {
		return s.report, err
	}
	defer log.Close()
	s.log = log
	spans, err := s.plan(s.context(ctx))
	if err != nil {
		return s.report, err
	}
	for _, planned := range spans {
		// Anew, because by now the log may have grown by much.
		sp, skipped, err := s.spanOf(s.context(ctx), planned.Partition)
		switch {
		case err != nil:
		case skipped != "":
			s.report.Skipped = append(s.report.Skipped, Skipped{Source: planned.Source, Reason: skipped})
		case sp != nil:
			s.total += (sp.end - sp.warm) - (planned.end - planned.warm)
			err = s.compare(s.context(ctx), sp)
		}
		if err != nil {
			return s.report, fmt.Errorf("compare %s: %w", planned.Source, err)
		}
	}
	s.report.FinishedAt = time.Now().UTC()
	return s.report, nil
}

// context has the settings with which ClickHouse is read: little memory, few
// threads, and every acknowledged insert seen.
func (s *session) context(ctx context.Context) context.Context {
	settings := clickhouse.Settings{"optimize_aggregation_in_order": 1, "max_threads": 2}
	if s.opts.Quorum {
		settings["select_sequential_consistency"] = 1
	}
	return clickhouse.Context(ctx, clickhouse.WithSettings(settings))
}

// plan works out the range of every partition that was asked for.
func (s *session) plan(ctx context.Context) ([]span, error) {
	var spans []span
	found := false
	for _, p := range s.log.Partitions {
		if s.opts.Partition != nil && *s.opts.Partition != p.Number {
			continue
		}
		found = true
		sp, skipped, err := s.spanOf(ctx, p)
		switch {
		case err != nil:
			return nil, fmt.Errorf("find out what of %s can be compared: %w", p.Source, err)
		case skipped != "":
			s.report.Skipped = append(s.report.Skipped, Skipped{Source: p.Source, Reason: skipped})
		case sp != nil:
			spans = append(spans, *sp)
			s.total += sp.end - sp.warm
		}
	}
	if !found {
		return nil, errors.New("there is no such partition: tidemark lag lists those that there are")
	}
	return spans, nil
}

// compare compares one source.
func (s *session) compare(ctx context.Context, sp *span) error {
	result := &Source{Source: sp.Source, From: sp.begin, To: sp.end, Notes: sp.notes}
	t := newTally(s)
	fold := recount.NewFold(sp.Partition, s.opts.Log, t)
	if err := s.learnUsers(ctx, sp, fold); err != nil {
		return err
	}
	if err := s.learnFeatures(ctx, sp, fold); err != nil {
		return err
	}
	c := &checkpoints{session: s, span: sp}
	err := s.read(ctx, sp.Partition, sp.warm, sp.end, func(r recount.Record) error {
		if r.Offset < sp.begin {
			fold.Warm(r)
			return nil
		}
		if err := c.reach(ctx, r.Offset); err != nil {
			return err
		}
		if sp.Topic == s.opts.Log.Accounts {
			t.present[r.Offset] = struct{}{}
		}
		v := fold.Take(r)
		c.count(r.Offset, v.Kind)
		if v.Kind == recount.DeadLettered {
			t.deadLetter(r, v.Reason)
		}
		return t.full()
	})
	if err == nil {
		err = c.reach(ctx, sp.end)
	}
	if err != nil {
		return err
	}
	m := &match{session: s, span: sp, tally: t, result: result, pending: newAhead()}
	if err := m.readRows(ctx); err != nil {
		return err
	}
	if err := m.readAhead(ctx, fold); err != nil {
		return err
	}
	result.Checkpoints = c.compared
	v := c.mine
	result.Records = Records{Received: v.Received, Applied: v.Applied, Duplicate: v.Duplicate, Filtered: v.Filtered, DeadLettered: v.DeadLettered}
	s.report.Sources = append(s.report.Sources, *result)
	return nil
}

// read reads [from, to) of a partition at the pace that was asked for.
func (s *session) read(ctx context.Context, p recount.Partition, from, to int64, each func(recount.Record) error) error {
	p.Start, p.End = from, to
	position := from
	err := s.log.Read(ctx, p, func(r recount.Record) error {
		s.done += r.Offset + 1 - position
		position = r.Offset + 1
		if s.pace.records++; s.pace.records%100 == 0 {
			s.progress(p)
			if err := s.pace.wait(ctx); err != nil {
				return err
			}
		}
		return each(r)
	})
	if err == nil {
		s.done += to - position // control records at the end
		s.progress(p)
	}
	return err
}

func (s *session) progress(p recount.Partition) {
	if s.opts.Progress != nil {
		s.opts.Progress(Progress{Source: p.Source, Done: s.done, Total: s.total})
	}
}

// pace holds reading back to a rate.
type pace struct {
	rate    float64 // records a second; 0 = none
	start   time.Time
	records int64
}

func (p *pace) wait(ctx context.Context) error {
	if p.rate <= 0 {
		return ctx.Err()
	}
	ahead := time.Until(p.start.Add(time.Duration(float64(p.records) / p.rate * float64(time.Second))))
	if ahead <= 0 {
		return ctx.Err()
	}
	timer := time.NewTimer(ahead)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
