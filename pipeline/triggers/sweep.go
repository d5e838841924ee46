package triggers

import (
	"context"
	"maps"
	"slices"
	"time"
)

// sweep judges every account by some rules: those of which a window has ended, or all. It goes on beside the accounts that changed,
// some more accounts a tick.
type sweep struct {
	due   map[*program]bool // rules to begin with once the sweep under way is over
	rules []*program        // that the sweep under way judges
	left  []string          // accounts that it has not come to
	part  int               // how many a tick
	whole time.Time         // when all rules were last due
}

// add has every account judged by some rules.
func (s *sweep) add(programs ...*program) {
	for _, p := range programs {
		s.due[p] = true
	}
}

// over reports whether there is nothing left to do.
func (s *sweep) over() bool { return len(s.due)+len(s.left) == 0 }

// The least and the most accounts that a sweep judges in a tick.
const leastPart, mostPart = 500, 20_000

// sweepOn judges some more accounts: those that may have changed before all others.
func (r *reign) sweepOn(ctx context.Context, now time.Time) error {
	s := &r.sweeping
	if len(r.perhaps) > 0 {
		some := slices.Sorted(maps.Keys(r.perhaps))
		some = some[:min(s.part, len(some))]
		if err := r.some(ctx, some, r.programs, now); err != nil {
			return err
		}
		for _, a := range some {
			delete(r.perhaps, a)
		}
		return nil
	}
	if len(s.left) == 0 {
		r.beginSweep(now)
	}
	some := s.left[:min(s.part, len(s.left))]
	if err := r.some(ctx, some, s.rules, now); err != nil {
		return err
	}
	s.left = s.left[len(some):]
	r.metrics.sweepLeft.Set(float64(len(s.left)))
	return nil
}

// some judges accounts, and finds out how many take about half of a tick.
func (r *reign) some(ctx context.Context, some []string, programs []*program, now time.Time) error {
	s := &r.sweeping
	began := time.Now()
	if err := r.decide(ctx, some, programs, now); err != nil {
		s.part = max(s.part/2, leastPart) // it may have been too much
		return err
	}
	switch took := time.Since(began); {
	case took > r.Tick/2:
		s.part = max(s.part/2, leastPart)
	case took < r.Tick/4 && len(some) == s.part:
		s.part = min(2*s.part, mostPart)
	}
	return nil
}

// beginSweep begins one by the rules that are due. What reads views is judged beside the ticks.
func (r *reign) beginSweep(now time.Time) {
	s := &r.sweeping
	if len(s.due) == 0 {
		return
	}
	if len(s.due) == len(r.programs) {
		s.whole, r.memory = now, newMemory() // a sweep by all rules trusts nothing
	}
	r.memory.keep(r.job(nil, r.programs, now).wanted())
	s.rules = slices.DeleteFunc(slices.Clone(r.programs), func(p *program) bool { return !s.due[p] }) // in the order in which rules are judged
	if slices.ContainsFunc(s.rules, func(p *program) bool { return !p.fast }) {
		for a := range r.since {
			r.slowDirty[a] = true
		}
	}
	s.left = slices.Sorted(maps.Keys(r.since))
	clear(s.due)
}
