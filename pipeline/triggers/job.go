package triggers

import (
	"context"
	"maps"
	"slices"
	"time"

	"tidemark/schemas/rules"
)

// job is some accounts to judge by some rules, and what has to be read for it.
type job struct {
	engine     *Engine
	generation uint16
	now        time.Time
	accounts   []string
	programs   []*program
	finals     []anchor       // by program
	fired      map[key]anchor // windows on which alerts stand, to be read again
	only       map[key]bool   // if set: rules of accounts that are judged, beside those that are not fast
	readings   *readings
	found      map[reading][][]rules.Value
}

// anchor is what a rule is judged as of.
type anchor struct {
	at    time.Time // of the window's end, or the instant
	clock time.Time // how far the watermark is
	known bool      // there is a complete window
}

// final is the latest complete window of a rule, or now for one that reads none.
func (r *reign) final(p *program, now time.Time) anchor {
	if p.instant {
		return anchor{now, now, true}
	}
	var clock time.Time
	for _, t := range p.topics {
		c, ok := r.complete[t]
		if !ok {
			return anchor{}
		}
		if clock.IsZero() || c.Before(clock) {
			clock = c
		}
	}
	if clock.After(now) {
		clock = now
	}
	at := clock
	if p.step > 0 {
		at = clock.Truncate(p.step)
	}
	return anchor{at.UTC(), clock.UTC(), at.Unix() > 0}
}

func (r *reign) job(accounts []string, programs []*program, now time.Time) *job {
	j := &job{engine: r.Engine, generation: r.generation, now: now, accounts: accounts, programs: programs, fired: map[key]anchor{}, found: map[reading][][]rules.Value{}}
	for _, p := range programs {
		j.finals = append(j.finals, r.final(p, now))
	}
	j.readings = newReadings(accounts, r.since)
	return j
}

// slowJob is what there is to judge beside the ticks: rules that read views, and alerts whose window may have been changed by late
// events. Nil: nothing.
func (r *reign) slowJob(now time.Time) *job {
	fired, only := map[key]anchor{}, map[key]bool{}
	accounts := map[string]bool{}
	slow := false
	var programs []*program
	for i, p := range r.programs {
		slow = slow || !p.fast
		amended := false
		for a, s := range r.states[i] {
			if r.slowDirty[a] && p.corrigible(s) {
				k := key{p.Name, a}
				fired[k] = r.stands(p, s, now)
				only[k], accounts[a], amended = true, true, true
			}
		}
		if amended || !p.fast {
			programs = append(programs, p)
		}
	}
	if slow {
		accounts = r.slowDirty
	}
	if len(accounts) == 0 || len(programs) == 0 {
		return nil
	}
	j := r.job(slices.Sorted(maps.Keys(accounts)), programs, now)
	j.fired, j.only = fired, only
	return j
}

// judges reports whether the job has read what the rule needs for the account.
func (j *job) judges(p *program, account string) bool {
	return j.only == nil || !p.fast || j.only[key{p.Name, account}]
}

// wanted are the values that the job's programs read.
func (j *job) wanted() []want {
	wanted := map[want]bool{}
	for i, p := range j.programs {
		for _, n := range p.reads {
			if j.finals[i].known {
				wanted[j.want(p, n, j.finals[i].at, false)] = true
			}
			if p.present {
				wanted[j.want(p, n, j.now, true)] = true
			}
		}
	}
	for k, a := range j.fired {
		for _, p := range j.programs {
			if p.Name == k.rule {
				for _, n := range p.reads {
					wanted[j.want(p, n, a.at, false)] = true
				}
			}
		}
	}
	return slices.Collect(maps.Keys(wanted))
}

// read reads all of it.
func (j *job) read(ctx context.Context) error {
	return j.engine.reader.read(ctx, j.generation, j.readings, j.wanted(), j.now)
}

// want is the value of an input as of an instant. Windows of one end are one want, whenever they are judged.
func (j *job) want(p *program, n int, at time.Time, present bool) want {
	in := j.engine.inputs[n]
	if in.windowed() && in.Shape.Step > 0 {
		at = in.WindowEnd(at).Add(time.Duration(in.Back) * in.Shape.Size) // WindowEnd goes back again
	}
	return want{input: n, at: at.UnixMilli(), ended: in.windowed() && in.Shape.Calendar && !present && !p.present}
}
