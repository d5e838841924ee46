package recount

import (
	"math"
	"strconv"
)

// The cells of each family of views, as the log gives them. Table and tier are
// left to the caller.

// sums add up values by cell.
type sums map[Cell]int64

// add adds n to every window of the view that holds the tier's window.
func (s sums) add(w windows, account string, window int64, feature, metric string, n int64) {
	for _, start := range w.holding(window) {
		s[Cell{Account: account, Window: start, Feature: feature, Metric: metric}] += n
	}
}

func (s sums) texts() map[Cell]string {
	cells := make(map[Cell]string, len(s))
	for cell, n := range s {
		cells[cell] = strconv.FormatInt(n, 10)
	}
	return cells
}

// sets count distinct things by cell.
type sets map[Cell]map[any]bool

func (s sets) add(w windows, account string, window int64, feature, metric string, member any) {
	for _, start := range w.holding(window) {
		cell := Cell{Account: account, Window: start, Feature: feature, Metric: metric}
		if s[cell] == nil {
			s[cell] = map[any]bool{}
		}
		s[cell][member] = true
	}
}

func (s sets) addTo(total sums) {
	for cell, members := range s {
		total[cell] += int64(len(members))
	}
}

func usageCells(r *Result, w windows) map[Cell]string {
	total, distinct := sums{}, sets{}
	for k, n := range r.Counters {
		switch {
		case k.Tier != w.tier:
		case k.Feature == "":
			total.add(w, k.Account, k.Window, "", k.Metric, int64(n)) //nolint:gosec // a count
		case k.Metric == "feature_uses":
			distinct.add(w, k.Account, k.Window, "", "features_used", k.Feature)
		}
	}
	for k := range r.Members {
		if k.Tier == w.tier && k.Feature == "" {
			distinct.add(w, k.Account, k.Window, "", k.Metric, k.Member)
		}
	}
	for k, use := range r.Use() {
		if k.Tier == w.tier {
			total.add(w, k.Account, k.Window, "", "sessions", int64(use.Sessions)) //nolint:gosec // a count
			total.add(w, k.Account, k.Window, "", "session_seconds", use.SessionMS)
			total.add(w, k.Account, k.Window, "", "active_seconds", use.ActiveMS)
		}
	}
	distinct.addTo(total)
	return total.texts()
}

var featureColumns = map[string]string{"feature_uses": "uses", "feature_users": "users", "feature_errors": "errors",
	"feature_duration_ms": "duration_ms"}

func featureCells(r *Result, w windows) map[Cell]string {
	total, distinct := sums{}, sets{}
	for k, n := range r.Counters {
		if k.Tier == w.tier && k.Feature != "" {
			total.add(w, k.Account, k.Window, k.Feature, featureColumns[k.Metric], int64(n)) //nolint:gosec // a count
		}
	}
	for k := range r.Members {
		if k.Tier == w.tier && k.Feature != "" {
			distinct.add(w, k.Account, k.Window, k.Feature, featureColumns[k.Metric], k.Member)
		}
	}
	distinct.addTo(total)
	return total.texts()
}

func workflowCells(r *Result, w windows) map[Cell]string {
	total := sums{}
	for k, runs := range r.RunCounts(r.completeTo.UnixMilli()) {
		if k.Tier == w.tier {
			total.add(w, k.Account, k.Window, k.Workflow, "started", int64(runs.Started))     //nolint:gosec // a count
			total.add(w, k.Account, k.Window, k.Workflow, "completed", int64(runs.Completed)) //nolint:gosec // a count
			total.add(w, k.Account, k.Window, k.Workflow, "abandoned", int64(runs.Abandoned)) //nolint:gosec // a count
			total.add(w, k.Account, k.Window, k.Workflow, "task_seconds", runs.TaskMS)
		}
	}
	return total.texts()
}

// supportCells count a ticket once in a window, however often it was solved.
func supportCells(r *Result, w windows) map[Cell]string {
	total, distinct := sums{}, sets{}
	ms, n := sums{}, sums{}
	for _, t := range r.Tickets() {
		for metric, times := range map[string][]int64{"solved": t.Solves, "reopened": t.Reopens, "escalated": t.Escalations} {
			for _, at := range times {
				distinct.add(w, t.Account, w.tier.Window(at), "", metric, t.Entity)
			}
		}
		if t.Opened == 0 {
			continue
		}
		opened := w.tier.Window(t.Opened)
		total.add(w, t.Account, opened, "", "opened", 1)
		for metric, end := range map[string]int64{"first_reply_seconds_avg": t.FirstReply, "resolution_seconds_avg": t.Solved()} {
			if end != 0 {
				ms.add(w, t.Account, opened, "", metric, end-t.Opened)
				n.add(w, t.Account, opened, "", metric, 1)
			}
		}
	}
	distinct.addTo(total)
	cells := total.texts()
	for cell, sum := range ms {
		micros := math.Round(float64(sum) * 1000 / float64(n[cell]))
		cells[cell] = strconv.FormatFloat(micros, 'f', 0, 64)
	}
	return cells
}
