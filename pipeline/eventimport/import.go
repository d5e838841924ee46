// Package eventimport replays product events from files into Kafka, as the collector would have written them: exports of Segment's and
// PostHog's and CloudEvents, in JSON lines or arrays.
package eventimport

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"tidemark/pipeline/collect"
	"tidemark/pipeline/decode"
	"tidemark/schemas"
)

// batchEvents are sent at once. After a kill at most so many are sent again.
const batchEvents = 500

// Options say where events go. All are needed but the last five.
type Options struct {
	Kafka  []kgo.Opt
	Desk   *collect.Desk // which Run opens
	Limits decode.Limits // of times, as the pipeline's
	State  string        // file that says what was imported

	Again    bool // import files that were imported already
	DryRun   bool // write nothing
	Rate     int  // events a second, 0 for as many as Kafka takes
	Refused  func(Refusal)
	Progress func(Summary) // after each batch
}

// Refusal is why an event is not imported.
type Refusal struct {
	File string
	Line int
	*decode.Rejection
}

// Summary is what an import did, or would do.
type Summary struct {
	Files       int // with those that were skipped
	FilesKnown  int // skipped, as their content was imported already
	Resumed     int // events that an earlier run had imported of a file
	Events      int // sent
	Parked      int // of those, that wait for their account
	ByKind      map[string]int
	ByReason    map[schemas.Reason]int // refused
	First, Last time.Time              // of the events
}

// Refusals is how many events were refused.
func (s Summary) Refusals() (n int) {
	for _, count := range s.ByReason {
		n += count
	}
	return n
}

type run struct {
	Options
	client  *kgo.Client
	journal *journal
	sum     Summary
	started time.Time

	entry   entry // of the file that is read
	batch   *collect.Batch
	records []*kgo.Record
	events  int // in records
	passed  int // of the file since the last entry
}

// Run imports the files in order, until ctx ends. A run with the same state file goes on where one that ended in the middle had come.
func Run(ctx context.Context, files []string, o Options) (Summary, error) {
	r := &run{Options: o, started: time.Now(), sum: Summary{ByKind: map[string]int{}, ByReason: map[schemas.Reason]int{}}}
	var err error
	if r.journal, err = openJournal(o.State, o.DryRun); err != nil {
		return r.sum, err
	}
	r.client, err = kgo.NewClient(append([]kgo.Opt{kgo.RecordPartitioner(kgo.StickyKeyPartitioner(nil))}, o.Kafka...)...) // as Java's clients
	if err != nil {
		return r.sum, errors.Join(fmt.Errorf("connect to Kafka: %w", err), r.journal.close())
	}
	defer r.client.Close()
	err = o.Desk.Open(ctx, func() error { return r.files(ctx, files) })
	return r.sum, errors.Join(err, r.journal.close())
}

func (r *run) files(ctx context.Context, files []string) error {
	r.batch = r.Desk.Batch()
	for _, path := range files {
		content, err := hash(path)
		if err != nil {
			return err
		}
		r.sum.Files++
		r.entry = entry{Content: content, Path: path}
		known, ok := r.journal.entries[content]
		switch {
		case ok && !known.Done:
			r.entry.Events = known.Events
			r.sum.Resumed += known.Events
		case ok && !r.Again:
			r.sum.FilesKnown++
			continue
		}
		if err := r.file(ctx, path); err != nil {
			return err
		}
	}
	return nil
}

func (r *run) file(ctx context.Context, path string) error {
	skip := r.entry.Events
	err := each(path, func(line int, raw []byte, err error) error {
		if skip > 0 {
			skip--
			return nil
		}
		r.passed++
		if err != nil {
			r.refuse(path, line, rejected(schemas.Oversize, "", "%v", err))
			return nil
		}
		made, rejection := records(r.batch, raw, time.Now().UTC().Truncate(time.Millisecond), r.Limits)
		if rejection != nil {
			r.refuse(path, line, rejection)
			return nil
		}
		r.count(made)
		if r.events >= batchEvents {
			return r.flush(ctx)
		}
		return nil
	})
	if err != nil {
		return err
	}
	r.entry.Done = true
	return r.flush(ctx)
}

func (r *run) refuse(path string, line int, why *decode.Rejection) {
	r.sum.ByReason[why.Reason]++
	if r.Refused != nil {
		r.Refused(Refusal{File: path, Line: line, Rejection: why})
	}
}

// count adds an event's records; its own is the last.
func (r *run) count(made []*kgo.Record) {
	own := made[len(made)-1]
	if r.Desk.Parks(own.Topic) {
		r.sum.Parked++
	}
	var event struct {
		Type      string          `json:"type"`
		Action    string          `json:"action"` // in place of type
		Timestamp time.Time       `json:"timestamp"`
		Event     json.RawMessage `json:"event"`
	}
	err := json.Unmarshal(own.Value, &event)
	if event.Type+event.Action == "" { // one that waits, and is wrapped
		err = json.Unmarshal(event.Event, &event)
	}
	if err == nil { // the collector's own code has written it
		r.sum.ByKind[cmp.Or(event.Type, event.Action)]++
		if r.sum.First.IsZero() || event.Timestamp.Before(r.sum.First) {
			r.sum.First = event.Timestamp
		}
		if event.Timestamp.After(r.sum.Last) {
			r.sum.Last = event.Timestamp
		}
	}
	r.sum.Events++
	r.events++
	if !r.DryRun {
		r.records = append(r.records, made...)
	}
}

// flush brings the batch into Kafka, then into the state file, and waits for the rate.
func (r *run) flush(ctx context.Context) error {
	if r.DryRun {
		r.events = 0
		return ctx.Err() // what the batch says of users counts for the rest
	}
	if err := r.client.ProduceSync(ctx, r.records...).FirstErr(); err != nil {
		return fmt.Errorf("write the events of %s behind the first %d: %w", r.entry.Path, r.entry.Events, err)
	}
	if err := r.batch.Written(ctx); err != nil {
		return err
	}
	r.entry.Events += r.passed
	r.entry.At = time.Now().UTC()
	if err := r.journal.write(r.entry); err != nil {
		return err
	}
	r.batch, r.records, r.events, r.passed = r.Desk.Batch(), nil, 0, 0
	if r.Progress != nil {
		r.Progress(r.sum)
	}
	if r.Rate == 0 {
		return nil
	}
	due := r.started.Add(time.Duration(float64(r.sum.Events) / float64(r.Rate) * float64(time.Second)))
	timer := time.NewTimer(time.Until(due))
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
