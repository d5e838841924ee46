package simulate

import (
	"maps"
	"strconv"
	"time"
)

// act queues an action of the user that happens at the instant at, and is sent
// when it is due.
func (g *Generator) act(u *user, a action, at, due time.Time) {
	in := intent{account: u.account.id, user: u.identity(), at: at.UnixMilli(), action: a}
	if a.step > 0 {
		in.at = u.reserve(in.at)
	}
	m := Message{At: due, intent: in}
	body := compose(u, a, g.id())
	body.Timestamp = stamp(in.at)
	if u.skew != 0 { // its producer is not the collector, and leaves the clock to the pipeline
		due := due.UnixMilli()
		m.Via, m.Key = Telemetry, u.account.id
		body.OriginalTimestamp = stamp(in.at + u.skew.Milliseconds())
		body.SentAt = stamp(due + u.skew.Milliseconds())
		body.ReceivedAt = stamp(due)
		body.Timestamp = body.OriginalTimestamp
	}
	m.Body = encode(body)
	g.push(m, u)
}

// introduce queues, once, the calls by which the user's account gets known.
func (g *Generator) introduce(u *user, at time.Time) {
	if u.seen {
		return
	}
	u.seen = true
	switch u.intro {
	case byEachCall:
	case byCompany:
		g.call(u, at, segmentMessage{Type: "identify", Traits: map[string]any{
			"email": u.id + "@example.com", "company": map[string]any{"id": u.account.id},
		}}, intent{verdict: applied, knows: true})
	case byLate:
		g.group(u, at.Add(between(g.r, 500*time.Millisecond, 2*time.Minute)))
	case byGroup:
		g.group(u, at)
	}
	if u.anonymous || u.skew != 0 {
		return
	}
	// These two say the account themselves, and count for nothing.
	context := contextOf(u)
	context.GroupID = u.account.id
	g.call(u, at, segmentMessage{Type: "identify", Context: context, Traits: map[string]any{"email": u.id + "@example.com"}},
		intent{verdict: filtered})
	if chance(g.r, 0.1) {
		g.call(u, at, segmentMessage{Type: "alias", Context: context, PreviousID: "anon-" + u.id}, intent{verdict: filtered})
	}
}

// group queues the user's group call; that of the account's first
// user has its traits.
func (g *Generator) group(u *user, at time.Time) {
	m, in := segmentMessage{Type: "group", GroupID: u.account.id}, intent{verdict: applied, knows: true}
	if u.intro == byGroup && !u.account.introduced {
		u.account.introduced = true
		m.Traits = map[string]any{"name": u.account.name, "industry": "services", "employees": 10 * u.account.seats}
		in.record = map[string]string{"name": u.account.name, "industry": "services",
			"employees": strconv.Itoa(10 * u.account.seats)}
	}
	g.call(u, at, m, in)
}

// call queues a call that is not an event of the product.
func (g *Generator) call(u *user, at time.Time, m segmentMessage, in intent) {
	if m.Context == nil {
		m.Context = contextOf(u)
	}
	m.MessageID, m.Timestamp = g.id(), stamp(at.UnixMilli())
	m.identify(u)
	in.account, in.at = u.account.id, at.UnixMilli()
	if in.knows {
		in.user = u.identity()
	}
	var settles *user
	if in.knows {
		settles = u
	}
	g.push(Message{At: at, Body: encode(m), intent: in}, settles)
}

// serverEvent queues an event of the account that no user caused.
func (g *Generator) serverEvent(a *account, at time.Time) {
	in := intent{account: a.id, at: at.UnixMilli(), action: action{kind: "track", name: "Nightly Import Finished"}}
	if chance(g.r, 0.5) {
		in.action.feature, in.action.took, in.action.duration = "import", "1500", 1500
	}
	m := segmentMessage{Type: "track", Event: in.action.name, MessageID: g.id(), Context: &segmentContext{GroupID: a.id},
		ReceivedAt: stamp(at.UnixMilli()), Timestamp: stamp(in.at)}
	m.Context.Library.Name, m.Context.Library.Version = "analytics-go", "3.3.0"
	m.Properties = &segmentProperties{Feature: in.action.feature, DurationMS: []byte(in.action.took)}
	g.push(Message{At: at, Via: Telemetry, Key: a.id, Body: encode(m), intent: in}, nil)
}

// tellAccount queues the account's record and what changes in it.
func (g *Generator) tellAccount(a *account) {
	due := g.frontier
	if a.created.After(due) {
		due = a.created
	}
	g.record(a, a.created, due, map[string]any{
		"name": a.name, "plan": a.plan, "segment": a.segment, "stage": a.stage, "owner": a.owner, "seats": a.seats,
		"mrr": a.mrr, "created_at": a.created.Format(time.RFC3339), "renewal_at": a.renewal.Format(time.RFC3339),
		"external_ids": map[string]any{"zendesk": "org-" + a.id}, "targets": map[string]any{"active_days": 12},
		"timezone": zoneNames[int(a.zone.Hours())], "limits": map[string]any{"api_calls": 50000},
	}, map[string]string{
		"name": a.name, "plan": a.plan, "segment": a.segment, "stage": a.stage, "owner": a.owner,
		"seats": strconv.Itoa(a.seats), "mrr": strconv.Itoa(a.mrr),
		"created_at": a.created.Format(time.RFC3339), "renewal_at": a.renewal.Format(time.RFC3339),
		"external_ids.zendesk": "org-" + a.id, "targets.active_days": "12",
		"timezone": zoneNames[int(a.zone.Hours())], "limits.api_calls": "50000",
	})
	g.defineGoals(a, due.Add(30*time.Second))
	// The account's traits come right after its record, long before anything in
	// it changes: the collector merges them over what it has read by then.
	for _, u := range a.users {
		if u.intro == byGroup {
			g.introduce(u, due.Add(time.Minute))
			break
		}
	}
	if g.plan.History < day(1) {
		return // no past in which anything could change
	}
	at := func(progress float64) time.Time {
		return g.plan.Start.Add(-time.Duration((1 - progress) * float64(g.plan.History))).Truncate(time.Millisecond)
	}
	switch a.story {
	case growing:
		g.moreSeats(a, at(0.3), 5+g.r.IntN(5))
		g.moreSeats(a, at(0.7), 5+g.r.IntN(10))
	case onboarding:
		g.stage(a, at(0.85), "adopted")
	case atRisk:
		g.stage(a, at(0.6), "at_risk")
	case churned:
		g.stage(a, at(0.55), "churned")
	}
}

func (g *Generator) moreSeats(a *account, at time.Time, seats int) {
	a.seats += seats
	a.mrr += 30 * seats
	g.record(a, at, at, map[string]any{"seats": a.seats, "mrr": a.mrr},
		map[string]string{"seats": strconv.Itoa(a.seats), "mrr": strconv.Itoa(a.mrr)})
}

func (g *Generator) stage(a *account, at time.Time, stage string) {
	g.record(a, at, at, map[string]any{"stage": stage}, map[string]string{"stage": stage})
}

// record queues an account record; meant is what it says, as strings.
func (g *Generator) record(a *account, at, due time.Time, record map[string]any, meant map[string]string) {
	full := maps.Clone(record)
	full["account_id"], full["at"] = a.id, stamp(at.UnixMilli())
	g.push(Message{At: due, Via: Accounts, Key: a.id, Body: encode(full),
		intent: intent{account: a.id, at: at.UnixMilli(), record: meant}}, nil)
}
