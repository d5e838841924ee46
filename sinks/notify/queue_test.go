package notify

import (
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

var start = time.Date(2026, 3, 10, 12, 0, 0, 0, time.UTC)

// world is a queue among what it does not control: the tables, the target, crashes, and time. It keeps what a naive observer
// would write down, and knows nothing of how the queue decides.
type world struct {
	t           *rapid.T
	now         time.Time
	q           *queue
	rate        Rate
	transitions []Notification
	rows        map[string]row // the table deliveries
	sends       []send
	lives       int // crashes so far
	turns       int
}

// send is an attempt that the observer saw.
type send struct {
	at       time.Time
	life     int
	turn     int // of its life; what is sent in one turn is on its way at the same time
	message  string
	ids      []string
	received bool
	outcome  Outcome
}

func newWorld(t *rapid.T) *world {
	w := &world{t: t, now: start, rows: map[string]row{}}
	if rapid.Bool().Draw(t, "limited") {
		w.rate = Rate{PerMinute: rapid.SampledFrom([]int{1, 6, 60}).Draw(t, "per minute"), Burst: rapid.IntRange(1, 3).Draw(t, "burst")}
	}
	for a := range rapid.IntRange(1, 6).Draw(t, "alerts") {
		at := start.Add(time.Duration(rapid.IntRange(0, 300).Draw(t, "begins")) * time.Second)
		kinds := rapid.SampledFrom([][]string{{Fired}, {Fired, Resolved}, {Fired, "level", Resolved}, {Resolved}, {Fired, "amended", Retracted}}).Draw(t, "kinds")
		for i, kind := range kinds {
			n := Notification{ID: fmt.Sprintf("t%d.%d", a, i), AlertID: fmt.Sprintf("a%d", a), Seq: uint64(i + 1), Kind: kind, Rule: "r", Account: "acme", At: at, KnownAt: at}
			if rapid.IntRange(0, 3).Draw(t, "quiet") == 0 {
				n.NotBefore = at.Add(time.Duration(rapid.IntRange(0, 3600).Draw(t, "until")) * time.Second)
			}
			w.transitions = append(w.transitions, n)
			at = at.Add(time.Duration(rapid.IntRange(0, 600).Draw(t, "pause")) * time.Second)
		}
	}
	w.boot()
	return w
}

// boot is a new process.
func (w *world) boot() {
	w.lives++
	w.q = newQueue("x", w.rate, rapid.SampledFrom([]digestLimit{oneByOne, {members: 3, bytes: 1 << 20}, {members: 100, bytes: 400}}).Draw(w.t, "digest"))
	w.sync(true)
}

// sync reads the tables.
func (w *world) sync(whole bool) {
	reached := map[string]bool{}
	for _, r := range w.rows {
		if r.Outcome == delivered {
			reached[r.AlertID] = true
		}
	}
	var items []item
	for _, n := range w.transitions {
		if n.KnownAt.After(w.now) {
			continue
		}
		r, ok := w.rows[n.ID]
		switch {
		case !ok:
			items = append(items, item{n, nil})
		case r.Outcome == pending:
			items = append(items, item{n, &r})
		}
	}
	if len(items) > 1 { // tables have no order
		items = rapid.Permutation(items).Draw(w.t, "as read")
	}
	if whole {
		w.q.load(items, reached)
	} else {
		w.q.add(items, reached)
	}
}

func (w *world) write(rows []row) {
	for _, r := range rows {
		old, ok := w.rows[r.ID]
		require.Equal(w.t, old.Version+1, r.Version, r.ID)
		if ok {
			require.Equal(w.t, old.MessageID, r.MessageID, "a message's id never changes")
			require.Equal(w.t, pending, old.Outcome, "what is settled stays settled")
		}
		w.rows[r.ID] = r
	}
}

// turn is what the worker does, with crashes at each of its steps.
func (w *world) turn() (next time.Time) {
	crash := func() bool { return rapid.IntRange(0, 19).Draw(w.t, "crash") == 0 }
	w.write(w.q.unsendable(w.now))
	out, next := w.q.next(w.now)
	if out == nil {
		return next
	}
	w.turns++
	batch := w.q.beside(out, w.now)
	if rapid.Bool().Draw(w.t, "alone") {
		batch = batch[:1]
	}
	var claimed []row
	for _, out := range batch {
		if out.attempt == 0 && out.entries[0].in == nil {
			claimed = append(claimed, w.q.claim(out, w.now)...)
		}
	}
	if len(claimed) > 0 {
		if crash() {
			w.boot()
			return w.now
		}
		w.write(claimed)
		if crash() {
			w.boot()
			return w.now
		}
	}
	results := make([]Result, len(batch))
	for i, out := range batch {
		s := send{at: w.now, life: w.lives, turn: w.turns, message: out.id}
		for _, e := range out.entries {
			s.ids = append(s.ids, e.ID)
		}
		results[i] = w.answer()
		s.outcome, s.received = results[i].Outcome, results[i].Outcome == Delivered || results[i].Outcome == Failed && rapid.Bool().Draw(w.t, "answer lost")
		w.sends = append(w.sends, s)
		if crash() {
			w.boot()
			return w.now
		}
	}
	w.now = w.now.Add(time.Duration(rapid.IntRange(0, 15000).Draw(w.t, "takes")) * time.Millisecond)
	for i, out := range batch {
		w.write(w.q.record(out, results[i], w.now))
	}
	return w.now
}

func (w *world) answer() Result {
	outcome := rapid.SampledFrom([]Outcome{Delivered, Delivered, Failed, Failed, Failed, Throttled, Rejected, Unable}).Draw(w.t, "outcome")
	r := Result{Outcome: outcome, Detail: outcome.String()}
	if outcome == Throttled || outcome == Failed {
		r.RetryAfter = time.Duration(rapid.SampledFrom([]int{0, 0, 120}).Draw(w.t, "retry after")) * time.Second
	}
	return r
}

// run plays until everything is settled.
func (w *world) run() {
	for turn := 0; ; turn++ {
		require.Less(w.t, turn, 5000, "it comes to no end")
		w.sync(rapid.IntRange(0, 9).Draw(w.t, "sweep") == 0)
		next := w.turn()
		for _, n := range w.transitions { // there may be something new before that
			if n.KnownAt.After(w.now) {
				next = earliest(next, n.KnownAt)
			}
		}
		if next.IsZero() {
			return
		}
		w.now = latest(w.now, next)
	}
}

// Whatever a target answers and whenever the process dies: every transition is settled, goes out in one message only, however
// often it is sent, in the order of its alert, not in quiet hours, and an alert's end only if something of it arrived.
func TestEachTransitionHasOneMessage(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(t)
		w.run()
		byID := map[string]Notification{}
		for _, n := range w.transitions {
			byID[n.ID] = n
			require.Contains(t, w.rows, n.ID)
			require.NotEqual(t, pending, w.rows[n.ID].Outcome, n.ID)
		}
		message, contents, attempts := map[string]string{}, map[string][]string{}, map[string]int{}
		last, got := map[string]uint64{}, map[string]bool{}
		for _, s := range w.sends {
			if s.outcome != Unable {
				attempts[s.message]++
			}
			if c, ok := contents[s.message]; ok {
				require.Equal(t, c, s.ids, "a message's content never changes, nor its order")
			} else {
				contents[s.message] = s.ids
			}
			for _, id := range s.ids {
				n := byID[id]
				if m, ok := message[id]; ok {
					require.Equal(t, m, s.message, "%s went out in two messages", id)
				} else {
					require.Greater(t, n.Seq, last[n.AlertID], "out of order")
					last[n.AlertID] = n.Seq
				}
				message[id] = s.message
				require.False(t, n.NotBefore.After(s.at), "in quiet hours")
				if closes(n.Kind) && !inSame(byID, s.ids, n) {
					require.True(t, got[n.AlertID], "%s is the end of an alert that never arrived", id)
				}
			}
			for _, id := range s.ids {
				got[byID[id].AlertID] = got[byID[id].AlertID] || s.received
			}
		}
		for id, n := range attempts {
			require.LessOrEqual(t, n-w.lives, len(schedule), "attempts of %s, but for those whose end a crash hid", id)
		}
		for _, r := range w.rows {
			received := slices.ContainsFunc(w.sends, func(s send) bool { return s.received && slices.Contains(s.ids, r.ID) })
			require.True(t, received || r.Outcome != delivered, "%s counts as delivered and never was", r.ID)
		}
	})
}

// inSame says whether an earlier transition of the alert is in the same message.
func inSame(byID map[string]Notification, ids []string, n Notification) bool {
	return slices.ContainsFunc(ids, func(id string) bool { return byID[id].AlertID == n.AlertID && byID[id].Seq < n.Seq })
}

// Within any stretch of time a target gets no more messages than the burst and what the rate allows in that time.
func TestRateIsKept(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(t)
		w.run()
		if w.rate.PerMinute == 0 {
			return
		}
		for i, from := range w.sends {
			n := 0
			for _, to := range w.sends[i:] {
				if to.life != from.life { // a new process has a burst of its own
					break
				}
				n++
				allowed := float64(w.rate.Burst) + to.at.Sub(from.at).Minutes()*float64(w.rate.PerMinute)
				require.LessOrEqual(t, float64(n), allowed+1e-3, "from %s to %s", from.at, to.at)
			}
		}
	})
}

// Nothing is sent to a target that the breaker leaves alone, nor while it has asked for a pause.
func TestTheQueueHeedsTheBreaker(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(t)
		w.run()
		failures := 0
		for i, s := range w.sends {
			if i > 0 && w.sends[i-1].life == s.life {
				before := w.sends[i-1]
				switch {
				case before.turn == s.turn:
				case failures >= 5 && before.outcome == Failed:
					require.GreaterOrEqual(t, s.at.Sub(before.at), breakerFirst)
				case before.outcome == Throttled:
					require.GreaterOrEqual(t, s.at.Sub(before.at), throttleFirst)
				case before.outcome == Unable:
					require.GreaterOrEqual(t, s.at.Sub(before.at), unablePause)
				}
			} else {
				failures = 0
			}
			switch s.outcome {
			case Failed:
				failures++
			case Delivered, Rejected:
				failures = 0
			}
		}
	})
}

// The pauses are the specification's, a tenth more or less, or longer if the target asks for it.
func TestSchedule(t *testing.T) {
	want := []string{"0s", "5s", "5m0s", "30m0s", "2h0m0s", "5h0m0s", "10h0m0s", "14h0m0s", "20h0m0s", "24h0m0s"}
	for i, d := range schedule {
		require.Equal(t, want[i], d.String())
	}
	rapid.Check(t, func(t *rapid.T) {
		id := rapid.StringN(1, 20, -1).Draw(t, "id")
		asked := time.Duration(rapid.Int64Range(0, int64(50*time.Hour)).Draw(t, "asked"))
		attempt := rapid.IntRange(1, 12).Draw(t, "attempt")
		pause, more := backoff(id, attempt, asked)
		require.Equal(t, attempt < 10, more)
		if !more {
			return
		}
		again, _ := backoff(id, attempt, asked)
		require.Equal(t, pause, again, "a restart does not change it")
		nominal, err := time.ParseDuration(want[attempt])
		require.NoError(t, err)
		low, high := nominal*9/10, nominal*11/10
		require.GreaterOrEqual(t, pause, max(low, min(asked, 24*time.Hour)))
		require.LessOrEqual(t, pause, max(high, min(asked, 24*time.Hour)))
	})
	spread := map[time.Duration]bool{}
	for i := range 100 {
		pause, _ := backoff(fmt.Sprint(i), 2, 0)
		spread[pause] = true
	}
	require.Greater(t, len(spread), 50, "they differ")
}

// A bad day: thousands at once make a few singles and then digests, each transition once, within the size that is allowed.
func TestABadDayMakesADigest(t *testing.T) {
	q := newQueue("x", machineRate, webhookDigest)
	var items []item
	for i := range 10_000 {
		n := single(fmt.Sprintf("tr_%032d", i)).Notifications[0]
		n.AlertID, n.Account = fmt.Sprintf("al_%032d", i), fmt.Sprintf("account-%d", i)
		items = append(items, item{n, nil})
	}
	q.load(items, nil)
	now := items[0].KnownAt
	seen, messages, biggest := map[string]string{}, 0, 0
	for {
		out, next := q.next(now)
		if out == nil && next.IsZero() {
			break
		}
		if out == nil {
			now = next
			continue
		}
		q.claim(out, now)
		m := Message{ID: out.id}
		for _, e := range out.entries {
			require.Empty(t, seen[e.ID])
			seen[e.ID] = out.id
			m.Notifications = append(m.Notifications, e.Notification)
		}
		body, err := m.Body()
		require.NoError(t, err)
		require.Less(t, len(body), 20_000)
		messages, biggest = messages+1, max(biggest, len(m.Notifications))
		q.record(out, Result{}, now)
	}
	require.Len(t, seen, 10_000)
	require.Less(t, messages, 300)
	require.Greater(t, biggest, 40)
	require.Less(t, now.Sub(items[0].KnownAt), 5*time.Minute)

	// People get one message that says how many.
	q = newQueue("x", peopleRate, peopleDigest)
	q.load(items, nil)
	out, _ := q.next(items[0].KnownAt)
	m := Message{ID: out.id}
	for _, e := range out.entries {
		m.Notifications = append(m.Notifications, e.Notification)
	}
	require.Equal(t, "1000 changes of alerts: escalations fired 1000", m.Subject())
	require.Len(t, m.Lines(), digestLines+1)
}

// As long as the rate allows it, each goes out by itself and at once.
func TestAFewGoOutOneByOne(t *testing.T) {
	q := newQueue("x", Rate{PerMinute: 60, Burst: 3}, webhookDigest)
	var items []item
	for i := range 3 {
		n := single(fmt.Sprint(i)).Notifications[0]
		n.AlertID = fmt.Sprint("al", i)
		items = append(items, item{n, nil})
	}
	q.load(items, nil)
	for range 3 {
		out, _ := q.next(items[0].KnownAt)
		require.Len(t, out.entries, 1)
		q.claim(out, items[0].KnownAt)
		q.record(out, Result{}, items[0].KnownAt)
	}
}

// A target that is gone is sent nothing more, and all that waits for it is dead.
func TestGone(t *testing.T) {
	q := newQueue("x", noRate, oneByOne)
	a, b := single("a").Notifications[0], single("b").Notifications[0]
	b.AlertID = "al_2"
	q.load([]item{{a, nil}, {b, nil}}, nil)
	out, _ := q.next(a.KnownAt)
	q.claim(out, a.KnownAt)
	rows := q.record(out, Result{Outcome: Gone, Status: 410, Detail: "HTTP 410"}, a.KnownAt)
	require.Equal(t, dead, rows[0].Outcome)
	rows = q.unsendable(a.KnownAt)
	require.Len(t, rows, 1)
	require.Equal(t, dead, rows[0].Outcome)
	require.Equal(t, "the target is gone: HTTP 410", rows[0].Detail)
	require.Empty(t, slices.Collect(maps.Keys(q.sent)))
	out, next := q.next(a.KnownAt)
	require.Nil(t, out)
	require.Zero(t, next)
}

// When a target is back, what waits for it does not wait for its schedule.
func TestATargetThatIsBackGetsWhatWaited(t *testing.T) {
	q := newQueue("x", noRate, oneByOne)
	now := start
	var items []item
	for i := range 6 {
		n := single(fmt.Sprint(i)).Notifications[0]
		n.AlertID, n.KnownAt = fmt.Sprint("al", i), now
		items = append(items, item{n, nil})
	}
	q.load(items, nil)
	step := func(o Outcome) {
		out, next := q.next(now)
		require.NotNil(t, out, next)
		if out.entries[0].in == nil {
			q.claim(out, now)
		}
		q.record(out, Result{Outcome: o}, now)
	}
	for range 5 {
		step(Failed)
	}
	out, next := q.next(now)
	require.Nil(t, out)
	require.Equal(t, now.Add(breakerFirst), next)
	require.Equal(t, 2, q.state(now))
	now = next
	require.Equal(t, 1, q.state(now))
	for range 6 {
		step(Delivered)
	}
	n, _ := q.backlog(now)
	require.Zero(t, n)
}

// What was redriven together stays in order though its first part fails again, and its end is skipped if that dies.
func TestRedrivenMessagesStayInOrder(t *testing.T) {
	q := newQueue("x", noRate, oneByOne)
	begin, end := single("a").Notifications[0], single("b").Notifications[0]
	end.Seq, end.Kind = 2, Resolved
	redriven := func(id string) *row {
		return &row{ID: id, AlertID: "al_1", MessageID: id, Outcome: pending, FirstAt: start, NextAt: start, Version: 12}
	}
	q.load([]item{{end, redriven("b")}, {begin, redriven("a")}}, nil)
	now := start
	for range schedule {
		require.Empty(t, q.unsendable(now))
		out, next := q.next(now)
		for out == nil {
			now = next
			out, next = q.next(now)
		}
		require.Equal(t, "a", out.id)
		q.record(out, Result{Outcome: Failed}, now)
	}
	rows := q.unsendable(now)
	require.Len(t, rows, 1)
	require.Equal(t, "b", rows[0].ID)
	require.Equal(t, skipped, rows[0].Outcome)
	out, next := q.next(now.Add(time.Hour))
	require.Nil(t, out)
	require.Zero(t, next)
}
