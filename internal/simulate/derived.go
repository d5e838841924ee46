package simulate

import (
	"cmp"
	"slices"
	"time"

	"tidemark/internal/recount"
)

// Figures are those of the truth that are more than sums over messages, by
// account and window; a ticket or a run counts once a window.
type Figures struct {
	Sessions  uint64 `json:"sessions,omitempty"`
	SessionMS int64  `json:"session_ms,omitempty"`
	ActiveMS  int64  `json:"active_ms,omitempty"`

	Started   uint64 `json:"reports_started,omitempty"`
	Completed uint64 `json:"reports_completed,omitempty"`
	TaskMS    int64  `json:"report_ms,omitempty"`

	Opened    uint64 `json:"tickets_opened,omitempty"`
	Solved    uint64 `json:"tickets_solved,omitempty"`
	Reopened  uint64 `json:"tickets_reopened,omitempty"`
	Escalated uint64 `json:"tickets_escalated,omitempty"`

	// Of the tickets opened in the window.
	FirstReplies uint64 `json:"first_replies,omitempty"`
	FirstReplyMS int64  `json:"first_reply_ms,omitempty"`
	Resolutions  uint64 `json:"resolutions,omitempty"`
	ResolutionMS int64  `json:"resolution_ms,omitempty"`
}

const (
	sessionEnds = 30 * time.Minute
	idleAfter   = 5 * time.Minute
	reportLimit = 24 * time.Hour
)

// Figures works out sessions, reports and tickets.
func (t *Truth) Figures() map[recount.WindowKey]Figures {
	f := figures{}
	for who, visits := range t.visits {
		f.addSessions(who.account, slices.Sorted(slices.Values(visits)))
	}
	for who, steps := range t.steps {
		f.addReports(who.account, steps)
	}
	for who, events := range t.tickets {
		f.addTicket(who.account, events)
	}
	return f
}

type figures map[recount.WindowKey]Figures

// add amends the figures of the windows that hold the instant.
func (f figures) add(account string, at int64, amend func(*Figures)) {
	for _, tier := range tiers {
		key := recount.WindowKey{Tier: tier, Account: account, Window: tier.Window(at)}
		one := f[key]
		amend(&one)
		f[key] = one
	}
}

// addSessions cuts a user's sorted event times where nothing happened for long.
func (f figures) addSessions(account string, times []int64) {
	began := times[0]
	for i, at := range times {
		if i > 0 {
			before := times[i-1]
			if gap := at - before; gap < sessionEnds.Milliseconds() {
				f.add(account, before, func(w *Figures) { w.ActiveMS += min(gap, idleAfter.Milliseconds()) })
			} else {
				f.endSession(account, began, before)
				began = at
			}
		}
	}
	f.endSession(account, began, times[len(times)-1])
}

func (f figures) endSession(account string, first, last int64) {
	f.add(account, first, func(w *Figures) {
		w.Sessions++
		w.SessionMS += last - first
	})
}

// addReports follows one user through the steps of the workflow.
func (f figures) addReports(account string, steps []stepAt) {
	slices.SortFunc(steps, func(a, b stepAt) int { return cmp.Compare(a.at, b.at) })
	done, began := 0, int64(0) // steps done of the report at hand, and when it began
	for _, s := range steps {
		if done > 0 && s.at >= began+reportLimit.Milliseconds() {
			done = 0
		}
		switch {
		case done == 0 && s.step == 1:
			done, began = 1, s.at
			f.add(account, began, func(w *Figures) { w.Started++ })
		case done > 0 && s.step == done+1:
			done++
		}
		if done == len(workflowSteps) {
			done = 0
			f.add(account, began, func(w *Figures) {
				w.Completed++
				w.TaskMS += s.at - began
			})
		}
	}
}

// addTicket follows one ticket.
func (f figures) addTicket(account string, events []ticketAt) {
	slices.SortFunc(events, func(a, b ticketAt) int { return cmp.Compare(a.at, b.at) })
	var opened, replied, solved int64
	var solves, reopens, escalations []int64
	for _, e := range events {
		switch {
		case e.opens:
			opened = e.at
		case e.replies && replied == 0:
			replied = e.at
		case e.solves:
			solved = e.at
			solves = append(solves, e.at)
		case e.reopens:
			solved = 0
			reopens = append(reopens, e.at)
			if len(reopens) > 1 {
				escalations = append(escalations, e.at)
			}
		case e.escalates:
			escalations = append(escalations, e.at)
		}
	}
	f.once(account, solves, func(w *Figures) { w.Solved++ })
	f.once(account, reopens, func(w *Figures) { w.Reopened++ })
	f.once(account, escalations, func(w *Figures) { w.Escalated++ })
	if opened == 0 {
		return
	}
	f.add(account, opened, func(w *Figures) {
		w.Opened++
		if replied != 0 {
			w.FirstReplies++
			w.FirstReplyMS += replied - opened
		}
		if solved != 0 {
			w.Resolutions++
			w.ResolutionMS += solved - opened
		}
	})
}

// once amends every window that holds any of the instants, once.
func (f figures) once(account string, times []int64, amend func(*Figures)) {
	for _, tier := range tiers {
		windows := map[int64]bool{}
		for _, at := range times {
			windows[tier.Window(at)] = true
		}
		for window := range windows {
			key := recount.WindowKey{Tier: tier, Account: account, Window: window}
			one := f[key]
			amend(&one)
			f[key] = one
		}
	}
}

// OpenTickets counts each account's open tickets after the last message.
func (t *Truth) OpenTickets() map[string]uint64 {
	open := map[string]uint64{}
	for who, events := range t.tickets {
		slices.SortFunc(events, func(a, b ticketAt) int { return cmp.Compare(a.at, b.at) })
		state := false
		for _, e := range events {
			switch {
			case e.opens, e.reopens:
				state = true
			case e.solves, e.closes:
				state = false
			}
		}
		if state && slices.ContainsFunc(events, func(e ticketAt) bool { return e.opens }) {
			open[who.account]++
		}
	}
	return open
}
