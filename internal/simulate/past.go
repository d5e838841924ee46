package simulate

import (
	"math/rand/v2"
	"time"
)

// pastHour queues what happened in the next hour of the past.
func (g *Generator) pastHour() {
	start := g.frontier
	end := start.Add(time.Hour)
	if end.After(g.plan.Start) {
		end = g.plan.Start
	}
	g.frontier = end
	share := float64(end.Sub(start)) / float64(time.Hour)
	progress := g.progress(start)
	if start.Hour() == 10 && start.YearDay()%4 == 0 {
		g.release(start.Add(5 * time.Minute))
	}
	for _, a := range g.accounts {
		g.pastSignals(a, start, end, progress)
		// A user who is present makes a quarter of a visit an hour.
		busy := share * a.story.activity(progress) * a.presence(start)
		for range howMany(g.r, 0.25*busy*float64(len(a.users))) {
			g.pastVisit(pick(g.r, a.users), start.Add(between(g.r, 0, end.Sub(start))))
		}
		if busy > 0.01 {
			for range howMany(g.r, share*a.story.ticketsADay()*a.presence(start)/10) {
				g.ticketStory(a, start.Add(between(g.r, 0, end.Sub(start))), 1)
			}
		}
		for range howMany(g.r, share*0.01) {
			g.fault(a, start.Add(between(g.r, 0, end.Sub(start))))
		}
		for range howMany(g.r, share*0.02*a.story.activity(progress)) {
			g.serverEvent(a, start.Add(between(g.r, 0, end.Sub(start))))
		}
	}
}

// pastVisit queues one visit that begins at start.
func (g *Generator) pastVisit(u *user, start time.Time) {
	g.introduce(u, start)
	offline := u.mobile && chance(g.r, 0.05)
	at := start
	for _, a := range u.visit(g.r) {
		due := at.Add(delay(g.r))
		if offline { // all at once, hours later, in no order
			due = start.Add(5*time.Hour + between(g.r, 0, time.Second))
		}
		g.act(u, a, at, due)
		at = at.Add(pause(g.r))
	}
}

// pause is how long a user thinks between two actions: mostly seconds, rarely
// longer than counts as active, or than a session lasts.
func pause(r *rand.Rand) time.Duration {
	switch p := r.Float64(); {
	case p < 0.01:
		return between(r, 31*time.Minute, 50*time.Minute)
	case p < 0.05:
		return between(r, 6*time.Minute, 29*time.Minute)
	default:
		return between(r, 2*time.Second, 80*time.Second)
	}
}

// delay is how long an event is under way: mostly not long enough to notice,
// sometimes long enough to be overtaken, rarely hours.
func delay(r *rand.Rand) time.Duration {
	switch p := r.Float64(); {
	case p < 0.02:
		return between(r, time.Hour, 8*time.Hour)
	case p < 0.10:
		return between(r, 2*time.Second, 3*time.Minute)
	default:
		return between(r, 10*time.Millisecond, 1500*time.Millisecond)
	}
}
