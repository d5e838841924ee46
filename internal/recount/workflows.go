package recount

import (
	"cmp"
	"slices"
)

// runLimit is the time, in ms, within which a run has to be completed.
const runLimit = 24 * 60 * 60 * 1000

// Run is one user's attempt at a workflow; Completed is 0 until it is.
type Run struct {
	Account   string
	Workflow  string
	User      uint64
	Started   int64
	Completed int64
}

// Abandoned says whether the run's time had run out at now.
func (r Run) Abandoned(now int64) bool { return r.Completed == 0 && now > r.Started+runLimit }

// step is one workflow fact: the user reached step number index.
type step struct {
	at    int64
	index int
}

// Runs finds the runs of every workflow, in no particular order.
func (r *Result) Runs() []Run {
	type runner struct {
		account, workflow string
		user              uint64
	}
	reached := map[runner][]step{}
	for key := range r.Facts {
		if key.Kind == "workflow" {
			who := runner{key.Account, key.Entity, key.User}
			index := slices.Index(workflowSteps[key.Entity], key.Name)
			reached[who] = append(reached[who], step{key.At, index})
		}
	}
	var runs []Run
	for who, steps := range reached {
		slices.SortFunc(steps, func(a, b step) int {
			return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.index, b.index))
		})
		for _, run := range followSteps(steps, len(workflowSteps[who.workflow])) {
			run.Account, run.Workflow, run.User = who.account, who.workflow, who.user
			runs = append(runs, run)
		}
	}
	return runs
}

// followSteps splits one user's steps, by time, into runs of a workflow of n
// steps. A first step inside an open run, and a step out of turn, are ignored.
func followSteps(steps []step, n int) []Run {
	var runs []Run
	open, want := false, 0
	for _, s := range steps {
		if open && s.at-runs[len(runs)-1].Started >= runLimit {
			open = false
		}
		switch {
		case !open && s.index == 0:
			runs = append(runs, Run{Started: s.at})
			open, want = true, 1
		case open && s.index == want:
			want++
			if want == n {
				runs[len(runs)-1].Completed = s.at
				open = false
			}
		}
	}
	return runs
}

// RunKey is a workflow's window of an account; Window is its start.
type RunKey struct {
	WindowKey
	Workflow string
}

// RunCounts are the runs that started in a window; TaskMS is the total time on
// task of the completed ones.
type RunCounts struct {
	Started, Completed, Abandoned uint64
	TaskMS                        int64
}

// RunCounts counts runs by the window of their start, as seen at now (Unix ms).
func (r *Result) RunCounts(now int64) map[RunKey]RunCounts {
	counts := map[RunKey]RunCounts{}
	for _, run := range r.Runs() {
		for _, tier := range Tiers {
			key := RunKey{WindowKey{tier, run.Account, tier.Window(run.Started)}, run.Workflow}
			c := counts[key]
			c.Started++
			if run.Completed != 0 {
				c.Completed++
				c.TaskMS += run.Completed - run.Started
			}
			if run.Abandoned(now) {
				c.Abandoned++
			}
			counts[key] = c
		}
	}
	return counts
}
