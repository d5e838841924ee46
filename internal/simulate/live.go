package simulate

import (
	"math"
	"sort"
	"time"
)

// odds say how the next live event falls to one of the accounts: the higher
// the step up to its sum, the likelier.
type odds struct {
	minute time.Time // of which they are
	sums   []float64
}

// account picks the account of a live event.
func (g *Generator) account(at time.Time) *account {
	if minute := at.Truncate(time.Minute); !minute.Equal(g.odds.minute) || g.odds.sums == nil {
		g.odds = odds{minute: minute, sums: make([]float64, len(g.accounts))}
		sum := 0.0
		for i, a := range g.accounts {
			// At night somebody is still there, so that a demo has traffic.
			sum += float64(len(a.users)) * a.story.activity(1) * math.Max(0.05, a.presence(at))
			g.odds.sums[i] = sum
		}
	}
	sums := g.odds.sums
	point := g.r.Float64() * sums[len(sums)-1]
	i := sort.Search(len(sums), func(i int) bool { return sums[i] > point })
	return g.accounts[min(i, len(sums)-1)]
}

// livePace is how much faster than in the past a ticket's life goes, so that a
// demo of a minute shows all of it.
const livePace = 120

// liveSlot queues what the next slot of live traffic brings: in most cases one
// event of one user.
func (g *Generator) liveSlot() {
	s := g.plan.Live[g.stretch]
	at := s.At.Add(time.Duration(float64(g.slot) / s.Rate * float64(time.Second)))
	g.slot++
	if next := s.At.Add(time.Duration(float64(g.slot) / s.Rate * float64(time.Second))); next.After(g.frontier) {
		g.frontier = next
	}
	a := g.account(at)
	u := pick(g.r, a.users)
	switch p := g.r.Float64(); {
	case p < 0.002:
		g.fault(a, at)
	case p < 0.004:
		g.serverEvent(a, at)
	case p < 0.0055:
		g.ticketStory(a, at, livePace)
	case p < 0.006 && u.mobile:
		g.offlineVisit(u, at)
	case p < 0.0062:
		g.moreSeats(a, at, 1)
	case p < 0.0075:
		g.liveSignal(a, at)
	default:
		g.introduce(u, at)
		did := u.next(g.r)
		when := at
		if did.step == 0 { // steps keep their order: they are one user's, a moment apart
			when = at.Add(-delay(g.r))
		}
		g.act(u, did, when, at)
	}
}

// offlineVisit queues a whole visit of some hours ago, in no order.
func (g *Generator) offlineVisit(u *user, due time.Time) {
	g.introduce(u, due)
	at := due.Add(-between(g.r, 3*time.Hour, 9*time.Hour))
	visit := u.visit(g.r)
	for _, a := range visit {
		g.act(u, a, at, due.Add(between(g.r, 0, 500*time.Millisecond)))
		at = at.Add(between(g.r, 2*time.Second, 80*time.Second))
	}
}
