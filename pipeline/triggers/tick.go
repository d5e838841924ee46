package triggers

import (
	"container/heap"
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"go.uber.org/zap"
)

// reign is the time in which this process judges. One goroutine owns it.
type reign struct {
	*Engine
	store      *Store
	changes    *Changes
	generation uint16
	states     []map[string]State // by rule and account; those that never held are left out
	since      map[string]time.Time
	complete   map[string]time.Time // by the topic's role
	completeAt time.Time            // when that was read
	stale      map[string]bool      // tables beside the accounts' that are to be read anew
	silences   []Silence
	muting     int // silences that hold now

	dirty     map[string]bool // accounts to judge in the next tick
	perhaps   map[string]bool // accounts that may have changed, to judge some more of in each tick
	slowDirty map[string]bool // the same, for rules that read views and for what late events amend
	boundary  []time.Time     // by rule, the window that was last complete
	timers    timers
	sweeping  sweep
	memory    *memory

	slowBusy  bool
	slowBegan time.Time
	slowReady chan slowResult
	oldest    time.Time // when the first of the rows was written that this tick judges
	forgotten int       // how many are on the list of whom nothing is kept here
}

func (r *reign) size() int {
	n := 0
	for _, m := range r.states {
		n += len(m)
	}
	return n
}

// tick judges whoever may have changed, and then some more accounts of a sweep.
func (r *reign) tick(ctx context.Context) error {
	now := r.Now().UTC().Truncate(time.Millisecond)
	r.leaveOut()
	if err := r.look(ctx, now); err != nil {
		return err
	}
	r.wake(now)
	if err := r.slow(ctx, now); err != nil {
		return err
	}
	changed := r.dirty
	maps.DeleteFunc(r.perhaps, func(a string, _ bool) bool { return changed[a] })
	r.dirty = map[string]bool{} // by judging, others may come to be judged
	if err := r.decide(ctx, slices.Sorted(maps.Keys(changed)), r.programs, now); err != nil {
		maps.Copy(r.dirty, changed)
		return err
	}
	if !r.oldest.IsZero() {
		r.metrics.decision.Observe(max(0, r.Now().Sub(r.oldest).Seconds()))
		r.oldest = time.Time{}
	}
	return r.sweepOn(ctx, now)
}

// leaveOut drops what is known of accounts that were put onto the list of the forgotten. Their rows in ClickHouse go without a word, so
// that nothing else would tell.
func (r *reign) leaveOut() {
	n := r.Forgotten.Len()
	if n == r.forgotten {
		return
	}
	r.forgotten = n
	for i, p := range r.programs {
		for a, s := range r.states[i] {
			if r.Forgotten.Account(a) {
				if s.Active() {
					r.metrics.firing.WithLabelValues(p.Name).Dec()
				}
				delete(r.states[i], a)
			}
		}
	}
	maps.DeleteFunc(r.since, func(a string, _ time.Time) bool { return r.Forgotten.Account(a) })
}

// decide judges accounts by those of the rules that are read within a tick.
func (r *reign) decide(ctx context.Context, accounts []string, programs []*program, now time.Time) error {
	programs = slices.DeleteFunc(slices.Clone(programs), func(p *program) bool { return !p.fast })
	if len(accounts) == 0 || len(programs) == 0 {
		return nil
	}
	j := r.job(accounts, programs, now)
	j.readings.memory = r.memory
	if err := j.read(ctx); err != nil {
		return err
	}
	return r.judge(ctx, j, now)
}

// look finds out what has changed: mostly by one query, if nothing has.
func (r *reign) look(ctx context.Context, now time.Time) error {
	if now.Sub(r.completeAt) >= r.Slow/watermarksLast { // first: what a watermark covers is in the parts that are listed after it
		complete, err := r.completeness(ctx)
		if err != nil {
			return err
		}
		r.complete, r.completeAt = complete, now
	}
	found, err := r.changes.Next(ctx, r.generation)
	maps.Copy(r.stale, found.Beside)
	if err != nil {
		return err
	}
	for _, a := range found.Accounts {
		r.dirty[a], r.slowDirty[a] = true, true
	}
	for _, a := range found.Perhaps {
		r.perhaps[a], r.slowDirty[a] = true, true
	}
	if r.oldest.IsZero() {
		r.oldest = found.Oldest
	}
	for table, accounts := range found.Tables {
		r.memory.forget(r.inputs, table, accounts)
	}
	for a, at := range found.Since { // new ones, and those of which late events are the first
		r.since[a] = earlier(r.since[a], at)
	}
	if err := r.lookBeside(ctx, now); err != nil {
		return err
	}
	for i, p := range r.programs {
		if at := r.final(p, now).at; p.step > 0 && at.After(r.boundary[i]) {
			if !r.boundary[i].IsZero() {
				r.sweeping.add(p)
			}
			r.boundary[i] = at
		}
	}
	if now.Sub(r.sweeping.whole) >= r.Sweep {
		r.sweeping.add(r.programs...)
	}
	return nil
}

// watermarksLast is how long it is not asked anew up to when the topics are complete, as a divisor of the pace at which views are
// read: what waits for a watermark has waited for minutes.
const watermarksLast = 12

// lookBeside reads which rows the views show, and the silences, if they were written to.
func (r *reign) lookBeside(ctx context.Context, now time.Time) error {
	if r.stale[generationsTable] {
		generation, err := r.Client.LiveGeneration(ctx)
		if err != nil {
			return err
		}
		delete(r.stale, generationsTable)
		if generation != r.generation { // the views show other rows now
			if err := r.change(ctx, generation); err != nil {
				r.stale[generationsTable] = true
				return err
			}
		}
	}
	all := r.silences
	if r.stale[silencesTable] {
		var err error
		if all, err = Silences(ctx, r.Client); err != nil {
			return err
		}
		delete(r.stale, silencesTable)
	}
	r.hush(all, now)
	return nil
}

// change goes over to another generation of rows, of which everything is judged.
func (r *reign) change(ctx context.Context, generation uint16) error {
	changes := NewChanges(r.Client)
	if err := changes.Skip(ctx, generation); err != nil {
		return err
	}
	since, err := r.reader.Since(ctx, generation)
	if err != nil {
		return err
	}
	r.generation, r.changes, r.memory, r.since = generation, changes, newMemory(), since
	r.stale[generationsTable], r.stale[silencesTable] = true, true
	r.sweeping.add(r.programs...)
	return nil
}

// hush takes in the silences. When they change, whatever waits for the end of one is judged.
func (r *reign) hush(all []Silence, now time.Time) {
	held := 0
	for _, s := range all {
		if !now.Before(s.From) && now.Before(s.To) {
			held++
		}
	}
	if held != r.muting || !slices.Equal(all, r.silences) {
		for _, of := range r.states {
			for a, s := range of {
				if s.Phase == Pending {
					r.dirty[a], r.slowDirty[a] = true, true
				}
			}
		}
	}
	r.silences, r.muting = all, held
}

// wake has accounts judged whose clock has run out.
func (r *reign) wake(now time.Time) {
	for len(r.timers) > 0 && !r.timers[0].at.After(now) {
		t := heap.Pop(&r.timers).(timer) //nolint:forcetypeassert // there is nothing else in it
		p := r.programs[t.rule]
		s := r.states[t.rule][t.account]
		due := s.Wake(p.Rule)
		if due.IsZero() || due.After(t.at) && due.After(now) {
			continue // it changed meanwhile, and has another timer
		}
		r.dirty[t.account] = true
		if !p.fast {
			r.slowDirty[t.account] = true
		}
		if clock := r.final(p, now).clock; clock.Before(due) && !p.instant { // its time has not come yet
			heap.Push(&r.timers, timer{at: now.Add(max(r.Tick, due.Sub(clock))), rule: t.rule, account: t.account})
		}
	}
}

// schedule sets the timer of a state.
func (r *reign) schedule(rule int, account string, s State) {
	if at := s.Wake(r.programs[rule].Rule); !at.IsZero() {
		heap.Push(&r.timers, timer{at: at, rule: rule, account: account})
	}
}

// timer wakes a rule for an account.
type timer struct {
	at      time.Time
	rule    int
	account string
}

// timers are a heap, the earliest first.
type timers []timer

func (t timers) Len() int           { return len(t) }
func (t timers) Less(i, j int) bool { return t[i].at.Before(t[j].at) }
func (t timers) Swap(i, j int)      { t[i], t[j] = t[j], t[i] }

// Push is for the heap.
func (t *timers) Push(x any) { *t = append(*t, x.(timer)) } //nolint:forcetypeassert // only timers are pushed

// Pop is for the heap.
func (t *timers) Pop() any {
	last := (*t)[len(*t)-1]
	*t = (*t)[:len(*t)-1]
	return last
}

// slowResult is what was read beside the ticks.
type slowResult struct {
	job *job
	err error
}

// slow judges by what was read of views, and begins to read anew. Reading takes seconds, so the ticks go on meanwhile.
func (r *reign) slow(ctx context.Context, now time.Time) error {
	select {
	case result := <-r.slowReady:
		r.slowBusy = false
		r.metrics.slow.Observe(r.Now().Sub(r.slowBegan).Seconds())
		err := result.err
		if err == nil {
			err = r.judge(ctx, result.job, now)
		}
		if err != nil {
			for _, a := range result.job.accounts {
				r.slowDirty[a] = true
			}
			return fmt.Errorf("rules that read views: %w", err)
		}
	default:
	}
	if r.slowBusy || len(r.slowDirty) == 0 || now.Sub(r.slowBegan) < r.Slow {
		return nil
	}
	j := r.slowJob(now)
	clear(r.slowDirty)
	if j == nil {
		return nil
	}
	r.slowBusy, r.slowBegan = true, now
	go func() {
		err := j.read(ctx)
		r.slowReady <- slowResult{j, err}
	}()
	r.Log.Debug("reading views", zap.Int("accounts", len(j.accounts)))
	return nil
}

// slowDone waits for the reading under way.
func (r *reign) slowDone() {
	if r.slowBusy {
		<-r.slowReady
		r.slowBusy = false
	}
}
