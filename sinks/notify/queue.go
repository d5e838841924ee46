package notify

import (
	"cmp"
	"maps"
	"slices"
	"time"
)

// queue decides what one target is sent when. It has no clock and does no I/O: it is told what waits and what came of what was
// sent, and answers what to send next and which rows to write. What it holds is a copy of what ClickHouse has, but for the state of
// the breaker and the limits, which begin anew with a process.
type queue struct {
	target string
	digest digestLimit
	lines  map[string]*line // by alert
	sent   map[string]*outgoing
	breaker
	bucket
	throttle    time.Duration // the pause after the next throttling response
	pausedUntil time.Time     // the target asked for it
	gone        string        // why the target takes no messages any more; empty: it does
}

// digestLimit says how much fits into a digest.
type digestLimit struct{ members, bytes int }

// line is what waits of one alert, in the alert's order.
type line struct {
	entries []*entry
	reached bool // something of the alert was delivered before
}

// entry is a notification that is not settled.
type entry struct {
	Notification
	version uint64    // of its row; 0: it has none
	in      *outgoing // what it goes out in; nil until that is decided
}

// outcome is where a notification stands with a target, as the table deliveries has it.
type outcome string

const (
	pending   outcome = "pending"
	delivered outcome = "delivered"
	dead      outcome = "dead"    // given up; it can be redriven
	skipped   outcome = "skipped" // the end of an alert of which the target never heard
	dropped   outcome = "dropped" // by a person
)

// row is a row of the table deliveries.
type row struct {
	ID, AlertID, MessageID string
	Outcome                outcome
	Attempt                int
	FirstAt, At, NextAt    time.Time
	Status                 int
	Detail                 string
	Version                uint64
}

// item is a notification that is not settled and its row, if it has one.
type item struct {
	Notification
	row *row
}

func newQueue(target string, rate Rate, digest digestLimit) *queue {
	q := &queue{target: target, digest: digest, bucket: newBucket(rate)}
	q.load(nil, nil)
	return q
}

// load replaces what waits. reached are the alerts of which something was delivered.
func (q *queue) load(items []item, reached map[string]bool) {
	q.lines, q.sent = map[string]*line{}, map[string]*outgoing{}
	q.add(items, reached)
}

// add takes in what it does not have yet.
func (q *queue) add(items []item, reached map[string]bool) {
	for _, it := range items {
		l := q.lines[it.AlertID]
		if l == nil {
			l = &line{}
			q.lines[it.AlertID] = l
		}
		l.reached = l.reached || reached[it.AlertID]
		if slices.ContainsFunc(l.entries, func(e *entry) bool { return e.ID == it.ID }) {
			continue
		}
		e := &entry{Notification: it.Notification}
		if r := it.row; r != nil {
			e.version = r.Version
			q.resume(e, r)
		}
		at, _ := slices.BinarySearchFunc(l.entries, e, func(a, b *entry) int { return cmp.Compare(a.Seq, b.Seq) })
		l.entries = slices.Insert(l.entries, at, e)
	}
}

// resume puts an entry back into the message that it was sent in.
func (q *queue) resume(e *entry, r *row) {
	out := q.sent[r.MessageID]
	if out == nil {
		out = &outgoing{id: r.MessageID, attempt: r.Attempt, first: r.FirstAt, next: r.NextAt}
		q.sent[r.MessageID] = out
	}
	out.entries = append(out.entries, e)
	out.arrange()
	e.in = out
}

// waiting is an entry that may go out, and since when.
type waiting struct {
	*entry
	since time.Time
}

// fresh lists the entries that nothing was decided about and that may go out now, and when the next one may. Those of an alert
// are in its order, and behind none that is on its way.
func (q *queue) fresh(now time.Time) (ready []waiting, next time.Time) {
	for _, l := range q.lines {
		var since time.Time
		for _, e := range l.entries {
			if e.in != nil {
				break
			}
			if e.NotBefore.After(now) {
				next = earliest(next, e.NotBefore)
				break
			}
			since = latest(since, latest(e.KnownAt, e.NotBefore))
			ready = append(ready, waiting{e, since})
		}
	}
	slices.SortFunc(ready, func(a, b waiting) int {
		return cmp.Or(a.since.Compare(b.since), cmp.Compare(a.AlertID, b.AlertID), cmp.Compare(a.Seq, b.Seq))
	})
	return ready, next
}

// due is the message on its way whose next attempt has been due longest, and when the next one is.
func (q *queue) due(now time.Time) (out *outgoing, next time.Time) {
	for _, o := range q.sent {
		switch {
		case q.behind(o): // until that is settled
		case o.next.After(now):
			next = earliest(next, o.next)
		case out == nil || o.next.Before(out.next) || o.next.Equal(out.next) && o.id < out.id:
			out = o
		}
	}
	return out, next
}

// behind says whether something of its alerts has to go out before the message, as it may once several were redriven.
func (q *queue) behind(o *outgoing) bool {
	for _, e := range o.entries {
		for _, other := range q.lines[e.AlertID].entries {
			if other == e {
				break
			}
			if other.in != o {
				return true
			}
		}
	}
	return false
}

// next returns the message to send now, or nil and when to ask again; zero: when there is something new. A message that was not
// sent before has attempt 0 and no rows yet: write those of claim first.
func (q *queue) next(now time.Time) (*outgoing, time.Time) {
	q.refill(now)
	ready, later := q.fresh(now)
	out, again := q.due(now)
	if len(ready) == 0 && out == nil {
		return nil, earliest(later, again)
	}
	if wait := q.held(now); wait.After(now) {
		return nil, wait
	}
	if out == nil || len(ready) > 0 && ready[0].since.Before(out.next) {
		out = q.compose(ready, now)
	}
	return out, time.Time{}
}

// together is how many messages are on their way at the same time at most, so that a batch of them costs as many statements as one.
const together = 64

// beside returns a message that next returned and those that may go out at the same time: of other alerts, none of which was sent before,
// as many as the rate allows, and only to a target that takes what it is sent.
func (q *queue) beside(first *outgoing, now time.Time) []*outgoing {
	batch := []*outgoing{first}
	if first.attempt > 0 || len(first.entries) > 1 || q.failures > 0 || q.open > 0 || q.throttle > 0 {
		return batch
	}
	most := min(together, q.available())
	taken := map[string]bool{first.entries[0].AlertID: true}
	join := func(out *outgoing) {
		if alert := out.entries[0].AlertID; len(batch) < most && !taken[alert] {
			taken[alert] = true
			batch = append(batch, out)
		}
	}
	for _, o := range slices.SortedFunc(maps.Values(q.sent), func(a, b *outgoing) int { return cmp.Or(a.first.Compare(b.first), cmp.Compare(a.id, b.id)) }) {
		if o.attempt == 0 && len(o.entries) == 1 && !o.next.After(now) && !q.behind(o) { // taken up again
			join(o)
		}
	}
	ready, _ := q.fresh(now)
	if len(ready) > q.available() && q.digest.members > 1 {
		return batch // they go together, in the next message
	}
	for _, w := range ready {
		join(&outgoing{id: w.ID, entries: []*entry{w.entry}, first: now, next: now})
	}
	return batch
}

// leaveOut forgets what waits of some accounts.
func (q *queue) leaveOut(account func(string) bool) {
	for _, l := range q.lines {
		for _, e := range slices.Clone(l.entries) {
			if !account(e.Account) {
				continue
			}
			if e.in != nil {
				if e.in.entries = slices.DeleteFunc(e.in.entries, func(other *entry) bool { return other == e }); len(e.in.entries) == 0 {
					delete(q.sent, e.in.id)
				}
			}
			q.forget(e)
		}
	}
}

// held is until when nothing may be sent at all.
func (q *queue) held(now time.Time) time.Time {
	wait := latest(q.pausedUntil, q.ready())
	if q.available() < 1 {
		wait = latest(wait, q.bucket.next(now))
	}
	return wait
}

// compose makes a message of what waits: the first alone as long as all could go out one by one, a digest of as many as fit
// otherwise.
func (q *queue) compose(ready []waiting, now time.Time) *outgoing {
	out := &outgoing{first: now, next: now}
	size, fits := 0, 1
	if len(ready) > q.available() {
		fits = q.digest.members
	}
	for _, w := range ready[:min(len(ready), fits)] {
		size += w.size()
		if len(out.entries) > 0 && size > q.digest.bytes {
			break
		}
		out.entries = append(out.entries, w.entry)
	}
	out.arrange()
	out.id = out.entries[0].ID
	if len(out.entries) > 1 {
		ids := make([]string, len(out.entries))
		for i, e := range out.entries {
			ids[i] = e.ID
		}
		out.id = digestID(q.target, ids)
	}
	return out
}

// claim settles what a message consists of. Its rows are to be written before it is sent.
func (q *queue) claim(out *outgoing, now time.Time) []row {
	q.sent[out.id] = out
	for _, e := range out.entries {
		e.in = out
	}
	return out.rows(row{Outcome: pending, NextAt: now}, now)
}

// record takes in what came of a message, and returns the rows that say so.
func (q *queue) record(out *outgoing, r Result, now time.Time) []row {
	q.take()
	to := row{Status: r.Status, Detail: r.Detail}
	if r.Outcome == Unable { // nothing was attempted
		q.pausedUntil = now.Add(unablePause)
		to.Outcome, to.NextAt = pending, now
		return out.rows(to, now)
	}
	out.attempt++
	q.health(r, now)
	pause, more := backoff(out.id, out.attempt, r.RetryAfter)
	switch {
	case r.Outcome == Delivered:
		to.Outcome = delivered
	case r.Outcome == Rejected, r.Outcome == Gone, !more, now.Sub(out.first) >= giveUp:
		to.Outcome = dead
	default:
		out.next = now.Add(pause)
		to.Outcome, to.NextAt = pending, out.next
		return out.rows(to, now)
	}
	rows := out.rows(to, now)
	q.settle(out, to.Outcome == delivered)
	return rows
}

const (
	// unablePause is how long a target waits when this side could not even try, such as for a secret that cannot be read.
	unablePause = 10 * time.Second
	// throttleFirst and throttleLongest bound the pause of a target that says it is asked too much; it doubles each time.
	throttleFirst   = 5 * time.Second
	throttleLongest = 5 * time.Minute
)

// health learns from a result how the target fares.
func (q *queue) health(r Result, now time.Time) {
	switch r.Outcome {
	case Delivered, Rejected: // it answers: what waited for it need not wait longer
		q.throttle = 0
		if q.success() {
			for _, o := range q.sent {
				o.next = earliest(o.next, now)
			}
		}
	case Throttled:
		if q.throttle == 0 || !q.pausedUntil.After(now) { // otherwise it was on its way before
			q.throttle = min(max(2*q.throttle, throttleFirst), throttleLongest)
		}
		q.pausedUntil = latest(q.pausedUntil, now.Add(max(q.throttle, min(r.RetryAfter, maxRetryAfter))))
	case Failed:
		q.failure(now)
	case Gone:
		q.gone = r.Detail
	}
}

// settle forgets a message that was delivered or given up.
func (q *queue) settle(out *outgoing, reached bool) {
	delete(q.sent, out.id)
	for _, e := range out.entries {
		l := q.lines[e.AlertID]
		l.reached = l.reached || reached
		q.forget(e)
	}
}

func (q *queue) forget(e *entry) {
	l := q.lines[e.AlertID]
	l.entries = slices.DeleteFunc(l.entries, func(other *entry) bool { return other == e })
	if len(l.entries) == 0 && !l.reached {
		delete(q.lines, e.AlertID) // what comes later brings along whether it was reached
	}
}

// unsendable returns the rows of what will not be sent, and forgets it: the end of an alert of which the target never heard, and
// all there is for a target that is gone.
func (q *queue) unsendable(now time.Time) []row {
	var rows []row
	give := func(e *entry, to row) {
		e.version++
		to.ID, to.AlertID, to.At, to.FirstAt, to.MessageID, to.Version = e.ID, e.AlertID, now, now, e.ID, e.version
		if e.in != nil {
			to.MessageID, to.FirstAt, to.Attempt = e.in.id, e.in.first, e.in.attempt
		}
		rows = append(rows, to)
		q.forget(e)
	}
	for _, l := range q.lines {
		for len(l.entries) > 0 {
			e := l.entries[0]
			if q.gone != "" {
				give(e, row{Outcome: dead, Detail: "the target is gone: " + q.gone})
			} else if closes(e.Kind) && !l.reached && e.untried() {
				if e.in != nil {
					delete(q.sent, e.in.id)
				}
				give(e, row{Outcome: skipped, Detail: "nothing of its alert reached the target"})
			} else {
				break
			}
		}
	}
	if q.gone != "" {
		q.sent = map[string]*outgoing{}
	}
	return rows
}

// untried says whether the entry was not sent, nor is to be together with others.
func (e *entry) untried() bool { return e.in == nil || e.in.attempt == 0 && len(e.in.entries) == 1 }

// closes says whether an alert ends with a transition of the kind.
func closes(kind string) bool { return kind == Resolved || kind == Retracted }

// backlog is how many notifications wait, but for quiet hours, and since when the oldest does.
func (q *queue) backlog(now time.Time) (n int, oldest time.Time) {
	for _, l := range q.lines {
		for _, e := range l.entries {
			if !e.NotBefore.After(now) {
				n++
				oldest = earliest(oldest, latest(e.KnownAt, e.NotBefore))
			}
		}
	}
	return n, oldest
}

// earliest is the earlier of two times; zero stands for never.
func earliest(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

func latest(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
