package simulate

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"tidemark/internal/recount"
)

// Truth is what a prefix of the stream means, folded from what the simulator
// meant. Windows are hours and days: of minutes, only the user minutes, as how
// old an event may be for the minute tier depends on when it is received.
type Truth struct {
	Seed     uint64
	Messages uint64    // of which it is the truth
	Through  time.Time // when the last of them was due

	// Applied, Filtered, Duplicates and DeadLetters are records, by verdict.
	Applied, Filtered, Duplicates uint64
	DeadLetters                   map[string]uint64
	// Repeated are dead letters that may be there twice: their first delivery
	// was not acknowledged before the simulator was killed.
	Repeated map[string]uint64

	counts   map[recount.Cell]uint64
	users    map[recount.Cell]map[string]struct{}
	minutes  map[userMinute]recount.Span
	visits   map[userOf][]int64
	steps    map[userOf][]stepAt
	tickets  map[ticketOf][]ticketAt
	signals  map[recount.Cell]uint64 // facts of signals, by account and day
	accounts map[string][]recordAt
	parked   map[string][]Message
}

type (
	userOf     struct{ account, user string }
	userMinute struct {
		userOf
		minute int64
	}
	stepAt struct {
		at   int64
		step int
	}
	ticketOf struct{ account, entity string }
	ticketAt struct {
		at int64
		*ticketEvent
	}
	recordAt struct {
		at         int64
		attributes map[string]string
	}
)

// NewTruth is the truth of no messages.
func NewTruth(plan Plan) *Truth {
	return &Truth{
		Seed: plan.Seed, DeadLetters: map[string]uint64{}, Repeated: map[string]uint64{},
		counts: map[recount.Cell]uint64{}, users: map[recount.Cell]map[string]struct{}{},
		minutes: map[userMinute]recount.Span{}, visits: map[userOf][]int64{}, steps: map[userOf][]stepAt{},
		tickets: map[ticketOf][]ticketAt{}, signals: map[recount.Cell]uint64{}, accounts: map[string][]recordAt{}, parked: map[string][]Message{},
	}
}

// Add folds the next message of the stream.
func (t *Truth) Add(m Message) {
	t.Messages++
	if m.At.After(t.Through) {
		t.Through = m.At
	}
	if m.intent.waits {
		t.parked[m.intent.user] = append(t.parked[m.intent.user], m)
		return
	}
	t.settle(m)
	if m.intent.knows {
		for _, waiting := range t.parked[m.intent.user] {
			t.settle(waiting)
		}
		delete(t.parked, m.intent.user)
	}
}

// Parked is the number of messages that still wait for their user's account.
func (t *Truth) Parked() int {
	n := 0
	for _, waiting := range t.parked {
		n += len(waiting)
	}
	return n
}

func (t *Truth) settle(m Message) {
	in := m.intent
	switch in.verdict {
	case deadLettered:
		t.DeadLetters[string(in.reason)]++
		return
	case duplicate:
		t.Duplicates++
		return
	case filtered:
		t.Filtered++
		return
	case applied:
		t.Applied++
	}
	if in.record != nil {
		t.accounts[in.account] = append(t.accounts[in.account], recordAt{in.at, in.record})
	}
	if e := in.ticket; e != nil {
		key := ticketOf{in.account, e.Source + ":" + e.TicketID}
		t.tickets[key] = append(t.tickets[key], ticketAt{in.at, e})
	}
	if s := in.signal; s != nil {
		t.signals[factCell(in.account, recount.Day.Window(in.at), s.kind, s.name, "")]++
	}
	if in.action.kind != "" {
		t.addAction(in)
	}
}

// tiers are those of whose windows the truth is known.
var tiers = []recount.Tier{recount.Hour, recount.Day}

func (t *Truth) addAction(in intent) {
	a := in.action
	view := a.kind != "track"
	engaged := !view && !a.login && !a.logout && !a.failed
	for _, tier := range tiers {
		cell := recount.Cell{Table: "counters", Account: in.account, Tier: tier, Window: tier.Window(in.at)}
		t.count(cell, "events", "", 1)
		t.user(cell, "users", "", in.user)
		t.countIf(view, cell, "page_views", "")
		t.countIf(a.login, cell, "logins", "")
		t.countIf(a.failed, cell, "errors", "")
		if engaged {
			t.user(cell, "active_users", "", in.user)
		}
		switch {
		case a.feature == "":
		case a.failed:
			t.count(cell, "feature_errors", a.feature, 1)
		default:
			t.count(cell, "feature_uses", a.feature, 1)
			t.count(cell, "feature_duration_ms", a.feature, a.duration)
			t.user(cell, "feature_users", a.feature, in.user)
		}
	}
	if in.user == "" {
		return
	}
	who := userOf{in.account, in.user}
	t.visits[who] = append(t.visits[who], in.at)
	minute := userMinute{who, recount.Minute.Window(in.at)}
	span, ok := t.minutes[minute]
	if !ok {
		span = recount.Span{First: in.at, Last: in.at}
	}
	t.minutes[minute] = recount.Span{First: min(span.First, in.at), Last: max(span.Last, in.at)}
	if a.step > 0 {
		t.steps[who] = append(t.steps[who], stepAt{in.at, a.step})
	}
}

func (t *Truth) count(cell recount.Cell, metric, feature string, n uint64) {
	cell.Metric, cell.Feature = metric, feature
	t.counts[cell] += n
}

func (t *Truth) countIf(yes bool, cell recount.Cell, metric, feature string) {
	if yes {
		t.count(cell, metric, feature, 1)
	}
}

func (t *Truth) user(cell recount.Cell, metric, feature, user string) {
	if user == "" {
		return
	}
	cell.Table, cell.Metric, cell.Feature = "members", metric, feature
	if t.users[cell] == nil {
		t.users[cell] = map[string]struct{}{}
	}
	t.users[cell][user] = struct{}{}
}

// Accounts are the accounts of which anything was said, in order.
func (t *Truth) Accounts() []string { return slices.Sorted(maps.Keys(t.accounts)) }

// Account is what was said of the account: each attribute's latest value.
func (t *Truth) Account(id string) map[string]string {
	records := slices.Clone(t.accounts[id])
	slices.SortStableFunc(records, func(a, b recordAt) int { return cmp.Compare(a.at, b.at) })
	known := map[string]string{}
	for _, r := range records {
		maps.Copy(known, r.attributes)
	}
	return known
}
