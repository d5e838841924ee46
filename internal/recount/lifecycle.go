package recount

import (
	"cmp"
	"slices"
)

// Ticket is the life of one ticket. Times are Unix ms; 0 is "not yet".
type Ticket struct {
	Account, Entity string
	Opened          int64
	FirstReply      int64   // first agent reply at or after Opened
	Solves          []int64 // every solve, by time
	Reopens         []int64 // every reopening, by time
	Escalations     []int64 // every transition into an escalated state, by time

	events []ticketState
}

// ticketState is an instant at which a ticket became open or closed.
type ticketState struct {
	at            int64
	open, counted bool // counted: a close that is a solve
}

// Open says whether the ticket was open at an instant, that instant included.
func (t Ticket) Open(at int64) bool {
	open := t.Opened != 0 && t.Opened <= at
	for _, e := range t.events {
		if e.at <= at && e.at >= t.Opened {
			open = e.open && t.Opened != 0
		}
	}
	return open
}

// Solved is the last solve, if no reopening came after it, or 0.
func (t Ticket) Solved() int64 {
	solved := int64(0)
	for _, e := range t.events {
		switch {
		case e.open:
			solved = 0
		case e.counted:
			solved = e.at
		}
	}
	return solved
}

// Tickets follows the ticket facts of every ticket, in no particular order.
func (r *Result) Tickets() []Ticket {
	type moment struct {
		key  FactKey
		fact Fact
	}
	lives := map[[2]string][]moment{}
	for key, fact := range r.Facts {
		if key.Kind == "ticket" {
			who := [2]string{key.Account, key.Entity}
			lives[who] = append(lives[who], moment{key, fact})
		}
	}
	var tickets []Ticket
	for who, life := range lives {
		slices.SortFunc(life, func(a, b moment) int {
			return cmp.Or(cmp.Compare(a.key.At, b.key.At), cmp.Compare(a.fact.Offset, b.fact.Offset))
		})
		t := Ticket{Account: who[0], Entity: who[1]}
		for _, m := range life {
			t.follow(m.key, m.fact)
		}
		for _, m := range life {
			if m.key.Name == "replied_agent" && t.FirstReply == 0 && t.Opened != 0 && m.key.At >= t.Opened {
				t.FirstReply = m.key.At
			}
		}
		tickets = append(tickets, t)
	}
	return tickets
}

// follow takes the ticket's next event.
func (t *Ticket) follow(key FactKey, fact Fact) {
	if fact.Attributes["escalation"] != "" {
		t.Escalations = append(t.Escalations, key.At)
	}
	switch kind, to := key.Name, fact.Attributes["to"]; {
	case kind == "created":
		if t.Opened == 0 {
			t.Opened = key.At
		}
	case kind == "reopened":
		t.reopen(key.At)
		if reopened := countReopened(t); reopened >= 2 {
			t.Escalations = append(t.Escalations, key.At)
		}
	case kind == "status" && slices.Contains([]string{"open", "new", "pending", "hold"}, to):
		if n := len(t.events); n > 0 && !t.events[n-1].open {
			t.events = append(t.events, ticketState{at: key.At, open: true})
			t.Reopens = append(t.Reopens, key.At)
		}
	case kind == "solved", kind == "status" && (to == "solved" || to == "closed"):
		t.events = append(t.events, ticketState{at: key.At, counted: true})
		t.Solves = append(t.Solves, key.At)
	case kind == "merged", kind == "deleted":
		t.events = append(t.events, ticketState{at: key.At})
	}
}

func (t *Ticket) reopen(at int64) {
	t.events = append(t.events, ticketState{at: at, open: true, counted: true})
	t.Reopens = append(t.Reopens, at)
}

// countReopened counts the events of kind "reopened" so far.
func countReopened(t *Ticket) int {
	n := 0
	for _, e := range t.events {
		if e.open && e.counted {
			n++
		}
	}
	return n
}

// TicketCounts are the tickets of an account that had such a transition in a
// window, each ticket once.
type TicketCounts struct{ Opened, Solved, Reopened, Escalated uint64 }

// TicketCounts counts tickets by window.
func (r *Result) TicketCounts() map[WindowKey]TicketCounts {
	counts := map[WindowKey]TicketCounts{}
	add := func(account string, times []int64, count func(*TicketCounts)) {
		for _, tier := range Tiers {
			windows := map[int64]bool{}
			for _, at := range times {
				windows[tier.Window(at)] = true
			}
			for window := range windows {
				c := counts[WindowKey{tier, account, window}]
				count(&c)
				counts[WindowKey{tier, account, window}] = c
			}
		}
	}
	for _, t := range r.Tickets() {
		if t.Opened != 0 {
			add(t.Account, []int64{t.Opened}, func(c *TicketCounts) { c.Opened++ })
		}
		add(t.Account, t.Solves, func(c *TicketCounts) { c.Solved++ })
		add(t.Account, t.Reopens, func(c *TicketCounts) { c.Reopened++ })
		add(t.Account, t.Escalations, func(c *TicketCounts) { c.Escalated++ })
	}
	return counts
}

// Backlog counts the open tickets of every account at an instant (Unix ms).
func (r *Result) Backlog(at int64) map[string]uint64 {
	open := map[string]uint64{}
	for _, t := range r.Tickets() {
		if t.Open(at) {
			open[t.Account]++
		}
	}
	return open
}
