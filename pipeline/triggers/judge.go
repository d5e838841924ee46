package triggers

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"time"

	"go.uber.org/zap"

	"tidemark/schemas/rules"
)

// change is what a judgement changed.
type change struct {
	program  *program
	account  string
	zone     string
	state    State
	told     []Transition
	evidence *evidence
	at       time.Time // what the evidence is as of
	present  bool      // its window is not over
}

// outcome is what there is to store.
type outcome struct{ changes []change }

func (o *outcome) add(c change) { o.changes = append(o.changes, c) }

// judge steps every rule of a job for every account, and stores what came of it.
func (r *reign) judge(ctx context.Context, j *job, now time.Time) error {
	var out outcome
	fresh := map[key]State{} // of this judgement
	state := func(p int, a string) State {
		if s, ok := fresh[key{r.programs[p].Name, a}]; ok {
			return s
		}
		return r.states[p][a]
	}
	judged := 0
	var doubtful []key // alerts that end, unless they should never have begun
	for i, a := range j.accounts {
		if r.Forgotten.Account(a) {
			continue
		}
		for n, p := range j.programs {
			if !j.judges(p, a) {
				continue
			}
			judged++
			was := state(p.index, a)
			c := r.step(j, n, i, was, r.muted(p, a, now, state), now)
			if j.only == nil && p.corrigible(was) && slices.ContainsFunc(c.told, func(t Transition) bool { return t.Kind == Ended }) {
				doubtful = append(doubtful, key{p.Name, a})
				continue
			}
			if equal(was, c.state) {
				if was.Judged != c.state.Judged && keep(c.state) {
					fresh[key{p.Name, a}] = c.state
				}
				continue
			}
			c.state.Version = was.Version + 1
			fresh[key{p.Name, a}] = c.state
			out.add(c)
		}
	}
	r.metrics.judged.Add(float64(judged))
	if err := r.complement(ctx, out, now); err != nil {
		return err
	}
	if err := r.commit(ctx, out, now); err != nil {
		return err
	}
	for k, s := range fresh {
		for _, p := range j.programs {
			if p.Name == k.rule {
				r.apply(p, k.account, s)
			}
		}
	}
	return r.recheck(ctx, doubtful, now)
}

// corrigible reports whether the window that an alert stands on can be read again.
func (p *program) corrigible(s State) bool {
	return s.Active() && !p.instant && p.step > 0 && !s.Window.IsZero()
}

// recheck reads the windows again that alerts stand on which seem to end: if late events have changed them, they are retracted
// rather than resolved.
func (r *reign) recheck(ctx context.Context, doubtful []key, now time.Time) error {
	if len(doubtful) == 0 {
		return nil
	}
	accounts, only := map[string]bool{}, map[key]bool{}
	fired := map[key]anchor{}
	var programs []*program
	for _, p := range r.programs {
		named := false
		for _, k := range doubtful {
			if k.rule == p.Name {
				named, accounts[k.account], only[k] = true, true, true
				fired[k] = r.stands(p, r.states[p.index][k.account], now)
			}
		}
		if named {
			programs = append(programs, p)
		}
	}
	j := r.job(slices.Sorted(maps.Keys(accounts)), programs, now)
	j.fired, j.only = fired, only
	if err := j.read(ctx); err != nil {
		return err
	}
	return r.judge(ctx, j, now)
}

// stands is the window that an alert stands on.
func (r *reign) stands(p *program, s State, now time.Time) anchor {
	clock := r.final(p, now).clock
	return anchor{at: s.Window, clock: clock, known: !clock.Before(s.Window)}
}

// apply takes in a state that is stored.
func (r *reign) apply(p *program, a string, s State) {
	was := r.states[p.index][a]
	r.states[p.index][a] = s
	if was.Wake(p.Rule) != s.Wake(p.Rule) {
		r.schedule(p.index, a, s)
	}
	if was.Active() == s.Active() {
		return
	}
	if s.Active() {
		r.metrics.firing.WithLabelValues(p.Name).Inc()
	} else {
		r.metrics.firing.WithLabelValues(p.Name).Dec()
	}
	for _, n := range p.muted { // what it kept from firing may fire now
		if r.programs[n].fast {
			r.dirty[a] = true
		} else {
			r.slowDirty[a] = true
		}
	}
}

// keep reports whether a state says anything that the zero state does not.
func keep(s State) bool { return s.Phase != Inactive || s.Episode > 0 }

// equal compares what is worth storing.
func equal(a, b State) bool {
	if !same(a.Value, b.Value) {
		return false
	}
	a.Judged, b.Judged, a.Value, b.Value = time.Time{}, time.Time{}, nil, nil
	if !keep(a) && !keep(b) {
		return true // a condition that held and ceased to: nothing was told of it, but that it was pending is stored
	}
	return a == b
}

func (r *reign) muted(p *program, account string, now time.Time, state func(int, string) State) bool {
	for _, by := range p.muting {
		if state(by, account).Active() {
			return true
		}
	}
	return slices.ContainsFunc(r.silences, func(s Silence) bool { return s.mutes(p.Name, account, now) })
}

// step judges one rule for one account: by the latest complete window, and then by the one that is not over.
func (r *reign) step(j *job, n, i int, s State, muted bool, now time.Time) change {
	p, known, a := j.programs[n], j.readings.known[i], j.accounts[i]
	c := change{program: p, account: a, zone: known.zone, state: s}
	take := func(o Observation, at time.Time, present bool) {
		next, told := Step(p.Rule, c.state, o)
		c.state = next
		if len(told) > 0 {
			c.told = append(c.told, told...)
			c.evidence, c.at, c.present = j.evidence(p, i, at, present, r.complete), at, present
		}
	}
	if known.removed || len(p.Segments) > 0 && !slices.Contains(p.Segments, known.segment) {
		if keep(s) {
			take(Observation{Account: a, At: now, Window: now, Final: true, Holds: False, Clears: True, Enough: True}, now, false)
		}
		return c
	}
	var again *Reading
	if f, ok := j.fired[key{p.Name, a}]; ok && f.at.Equal(s.Window) && s.Active() {
		o := r.observe(j, p, i, f.at, false, true)
		again = &Reading{Final: f.known, Holds: o.Holds, Value: o.Value}
	}
	var present Observation
	if p.present {
		present = r.observe(j, p, i, now, true, s.Active())
		present.At, present.Window, present.Muted = j.now, p.windowEnd(j.now), muted
	}
	if final := j.finals[n]; final.known {
		o := r.observe(j, p, i, final.at, false, s.Active())
		o.At, o.Window, o.Final, o.Muted = final.clock, final.at, true, muted
		if present.Holds != True { // otherwise what holds now is what the alert stands on
			o.Fired = again
		}
		take(o, final.at, false)
	}
	if p.present && present.Holds == True {
		if c.state.Active() {
			present.Fired = again
		}
		take(present, now, true)
	}
	return c
}

// windowEnd is the end of the window that is not over.
func (p *program) windowEnd(now time.Time) time.Time {
	if p.step == 0 {
		return now
	}
	end := now.Truncate(p.step)
	if end.Before(now) {
		end = end.Add(p.step)
	}
	return end
}

// values are those of a condition's inputs, of one account as of an instant.
func (j *job) values(p *program, c *rules.Condition, i int, at time.Time, present bool) func(int) rules.Value {
	columns := j.columns(p, c, at, present)
	return func(k int) rules.Value {
		if columns[k] != nil {
			return columns[k][i]
		}
		if in := j.engine.inputs[p.inputs[c][k]]; in.way == byCalendar {
			return in.Calendar(at, location(j.readings.known[i].zone))
		}
		return rules.Value{}
	}
}

// reading is a condition as of an instant.
type reading struct {
	condition *rules.Condition
	at        int64 // Unix ms
	present   bool
}

// columns are the values of a condition's inputs by account, found once for all accounts; nil: what is not read.
func (j *job) columns(p *program, c *rules.Condition, at time.Time, present bool) [][]rules.Value {
	of := reading{c, at.UnixMilli(), present}
	columns, ok := j.found[of]
	if !ok {
		for _, n := range p.inputs[c] {
			columns = append(columns, j.readings.values[j.want(p, n, at, present)])
		}
		j.found[of] = columns
	}
	return columns
}

// observe evaluates the conditions of a rule for an account as of an instant.
func (r *reign) observe(j *job, p *program, i int, at time.Time, present, show bool) Observation {
	o, _ := Observe(p.Rule, show, func(c *rules.Condition) func(int) rules.Value { return j.values(p, c, i, at, present) }, func(err error) {
		r.metrics.failures.WithLabelValues("condition").Inc()
		r.Log.Warn("a condition cannot be evaluated, so nothing is known", zap.String("rule", p.Name), zap.String("account", j.accounts[i]), zap.Error(err))
	})
	o.Account = j.accounts[i]
	return o
}

// commit stores what was judged, trying until it succeeds, because what is stored is what counts.
func (r *reign) commit(ctx context.Context, out outcome, now time.Time) error {
	var transitions, states []row
	for _, c := range out.changes {
		state, err := json.Marshal(c.state)
		if err != nil {
			return err
		}
		if len(c.told) == 0 {
			states = append(states, row{Rule: c.program.Name, Account: c.account, State: string(state), Version: c.state.Version, KnownAt: now.UnixMilli(), Targets: []string{}})
			continue
		}
		for _, t := range c.told {
			transitions = append(transitions, r.row(c, t, string(state), now))
		}
	}
	if len(transitions)+len(states) == 0 {
		return nil
	}
	for {
		err := r.store.Save(ctx, transitions, states)
		if err == nil {
			break
		}
		if ctx.Err() != nil || errors.Is(err, ErrDeposed) {
			return err
		}
		r.metrics.failures.WithLabelValues("store").Inc()
		r.Log.Warn("transitions cannot be stored; trying again until they are", zap.Int("transitions", len(transitions)), zap.Error(err))
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(r.Tick):
		}
	}
	for _, t := range transitions {
		r.metrics.transitions.WithLabelValues(t.Rule, string(t.Kind)).Inc()
		r.Log.Info("alert", zap.String("kind", string(t.Kind)), zap.String("rule", t.Rule), zap.String("account", t.Account), zap.String("alert", t.AlertID), zap.Uint32("seq", t.Seq))
	}
	if len(transitions) > 0 {
		r.Notify()
	}
	return nil
}
