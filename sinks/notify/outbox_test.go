package notify

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	conn "github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"

	"tidemark/schemas/secret"
	"tidemark/sinks/clickhouse"
)

// inbox is a receiver that answers what it is told to and writes down what came.
type inbox struct {
	*httptest.Server
	status atomic.Int32
	mu     sync.Mutex
	ids    []string
}

func newInbox(t *testing.T) *inbox {
	t.Helper()
	in := &inbox{}
	in.status.Store(http.StatusOK)
	in.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		in.mu.Lock()
		in.ids = append(in.ids, r.Header.Get("webhook-id"))
		in.mu.Unlock()
		w.WriteHeader(int(in.status.Load()))
	}))
	t.Cleanup(in.Close)
	return in
}

func (in *inbox) got() []string {
	in.mu.Lock()
	defer in.mu.Unlock()
	return slices.Clone(in.ids)
}

func (in *inbox) target() *Target {
	return &Target{Timeout: maxTimeout, Allow: []string{"127.0.0.0/8"}, Webhook: &Webhook{
		URL: secret.New(in.URL), Secrets: []secret.Secret{secret.New(newSecret(1, 32))}, HTTP: HTTP{AllowHTTP: true},
	}}
}

// office is an outbox that runs.
type office struct {
	*Outbox
	registry *prometheus.Registry
	stop     func()
	skew     *atomic.Int64 // what its clock is ahead
}

func newOffice(t *testing.T, store *clickhouse.Client, targets Targets) *office {
	t.Helper()
	return newOfficeThat(t, store, targets, 20*time.Millisecond, 100*time.Millisecond, time.Now)
}

// newOfficeThat looks so often for what is new, and so often at everything, by a clock of its own.
func newOfficeThat(t *testing.T, store *clickhouse.Client, targets Targets, interval, sweep time.Duration, clock func() time.Time) *office {
	t.Helper()
	o := &office{registry: prometheus.NewRegistry(), skew: &atomic.Int64{}}
	var err error
	o.Outbox, err = New(Options{
		Store: store, Targets: targets, Metrics: o.registry, Log: zap.NewNop(), Interval: interval, Sweep: sweep,
		Now: func() time.Time { return clock().Add(time.Duration(o.skew.Load())) },
	})
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- o.Run(ctx) }()
	o.stop = sync.OnceFunc(func() {
		cancel()
		require.NoError(t, <-done)
		o.Close()
	})
	t.Cleanup(o.stop)
	return o
}

// metric is the value of a metric of a target: of a histogram, how many it has seen; -1 if there is none.
func (o *office) metric(t *testing.T, name, target string) float64 {
	t.Helper()
	families, err := o.registry.Gather()
	require.NoError(t, err)
	for _, f := range families {
		if f.GetName() != name {
			continue
		}
		for _, m := range f.GetMetric() {
			for _, l := range m.GetLabel() {
				if l.GetName() == "target" && l.GetValue() == target {
					return m.GetCounter().GetValue() + m.GetGauge().GetValue() + float64(m.GetHistogram().GetSampleCount())
				}
			}
		}
	}
	return -1
}

func outcomes(t *testing.T, store *clickhouse.Client) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := clickhouse.Each(t.Context(), store.Conn(), "SELECT target || ' ' || id, concat(toString(outcome), ' ', toString(attempt)) FROM deliveries FINAL", func(rows conn.Rows) error {
		var id, outcome string
		err := rows.Scan(&id, &outcome)
		all[id] = outcome
		return err
	})
	require.NoError(t, err)
	return all
}

func eventually(t *testing.T, condition func() bool) {
	t.Helper()
	require.Eventually(t, condition, 5*time.Minute, 5*time.Millisecond)
}

// transition is one that is known now.
func transition(alert string, seq int, kind string) Notification {
	n := single(fmt.Sprintf("%s_%d", alert, seq)).Notifications[0]
	n.AlertID, n.Seq, n.Kind, n.KnownAt = alert, uint64(seq), kind, time.Now()
	return n
}

// Each target that a transition names is told once, soon, in the alert's order, with metrics; a second process that comes after
// finds nothing to do.
func TestOutbox(t *testing.T) {
	store := sharedStore(t)
	crm, chat := newInbox(t), newInbox(t)
	targets := Targets{"crm": crm.target(), "chat": chat.target()}
	o := newOffice(t, store, targets)
	begin, level, end := transition("al_1", 1, Fired), transition("al_1", 2, "level"), transition("al_1", 3, Resolved)
	require.NoError(t, tell(t.Context(), store, []string{"crm", "chat", "nowhere"}, end, begin, level))
	require.NoError(t, tell(t.Context(), store, []string{"crm", "chat", "nowhere"}, begin)) // a repeat
	require.NoError(t, tell(t.Context(), store, nil, transition("al_silenced", 1, Fired)))
	o.Notify()
	want := map[string]string{}
	for _, target := range []string{"crm", "chat"} {
		for _, n := range []Notification{begin, level, end} {
			want[target+" "+n.ID] = "delivered 1"
		}
	}
	eventually(t, func() bool {
		return len(outcomes(t, store)) == 6 && !slices.ContainsFunc(slices.Collect(values(outcomes(t, store))), isPending)
	})
	require.Equal(t, want, outcomes(t, store))
	require.Equal(t, []string{begin.ID, level.ID, end.ID}, crm.got())
	require.Equal(t, []string{begin.ID, level.ID, end.ID}, chat.got())
	for name, want := range map[string]float64{
		"tidemark_deliveries_attempts_total": 3, "tidemark_deliveries_settled_total": 3, "tidemark_deliveries_seconds": 3, "tidemark_deliveries_waiting": 0,
		"tidemark_deliveries_oldest_waiting_seconds": 0, "tidemark_deliveries_dead": 0, "tidemark_deliveries_breaker_state": 0, "tidemark_deliveries_target_disabled": 0,
	} {
		eventually(t, func() bool { return o.metric(t, name, "chat") == want })
	}
	o.stop()

	next := newOffice(t, store, targets)
	late := transition("al_2", 1, Fired)
	require.NoError(t, tell(t.Context(), store, []string{"crm"}, late))
	next.Notify()
	eventually(t, func() bool { return len(crm.got()) == 4 })
	require.Equal(t, late.ID, crm.got()[3])
	require.Len(t, chat.got(), 3)
}

func isPending(outcome string) bool { return outcome[:4] == "pend" }

func values(m map[string]string) func(func(string) bool) {
	return func(yield func(string) bool) {
		for _, v := range m {
			if !yield(v) {
				return
			}
		}
	}
}

// What waits for the end of quiet hours goes out then, in order.
func TestQuietHours(t *testing.T) {
	store := sharedStore(t)
	crm := newInbox(t)
	o := newOffice(t, store, Targets{"crm": crm.target()})
	begin, end, other := transition("al_1", 1, Fired), transition("al_1", 2, Resolved), transition("al_2", 1, Fired)
	begin.NotBefore = time.Now().Add(8 * time.Hour)
	require.NoError(t, tell(t.Context(), store, []string{"crm"}, begin, end, other))
	o.Notify()
	eventually(t, func() bool { return outcomes(t, store)["crm al_2_1"] == "delivered 1" })
	require.Equal(t, []string{other.ID}, crm.got())
	eventually(t, func() bool { return o.metric(t, "tidemark_deliveries_waiting", "crm") == 1 }) // the end, behind its begin
	o.skew.Store(int64(9 * time.Hour))
	eventually(t, func() bool { return len(crm.got()) == 3 })
	require.Equal(t, []string{other.ID, begin.ID, end.ID}, crm.got())
}

// A target that answers 410 is asked no more, by no process, until it is redriven by name or is somewhere else; then all comes, in
// order and under the same ids. What is no use any more is dropped.
func TestGoneAndRedriven(t *testing.T) {
	store := sharedStore(t)
	crm := newInbox(t)
	crm.status.Store(http.StatusGone)
	o := newOffice(t, store, Targets{"crm": crm.target()})
	begin, end, other := transition("al_1", 1, Fired), transition("al_1", 2, Resolved), transition("al_2", 1, Fired)
	require.NoError(t, tell(t.Context(), store, []string{"crm"}, begin))
	o.Notify()
	eventually(t, func() bool { return len(crm.got()) == 1 })
	require.NoError(t, tell(t.Context(), store, []string{"crm"}, end, other))
	all := func(outcome string) map[string]string {
		return map[string]string{"crm " + begin.ID: outcome, "crm " + end.ID: outcome, "crm " + other.ID: outcome}
	}
	eventually(t, func() bool { return len(outcomes(t, store)) == 3 })
	require.Len(t, crm.got(), 1)
	o.stop()
	crm.status.Store(http.StatusOK)
	o = newOffice(t, store, Targets{"crm": crm.target()})
	eventually(t, func() bool { return o.metric(t, "tidemark_deliveries_dead", "crm") == 3 })
	eventually(t, func() bool { return o.metric(t, "tidemark_deliveries_target_disabled", "crm") == 1 })
	require.Len(t, crm.got(), 1, "the next process does not ask it either")

	n, err := Drop(t.Context(), store, Selection{Target: "crm", ID: other.ID}, "ann", time.Now())
	require.NoError(t, err)
	require.Equal(t, 1, n)
	done, err := Redrive(t.Context(), store, Selection{Target: "crm"}, time.Now())
	require.NoError(t, err)
	require.Equal(t, Redriven{Redriven: 2}, done)
	want := all("delivered 1")
	want["crm "+other.ID] = "dropped 0"
	eventually(t, func() bool { return len(crm.got()) == 3 })
	eventually(t, func() bool { return outcomes(t, store)["crm "+end.ID] == "delivered 1" })
	require.Equal(t, want, outcomes(t, store))
	require.Equal(t, []string{begin.ID, end.ID}, crm.got()[1:])

	done, err = Redrive(t.Context(), store, Selection{}, time.Now())
	require.NoError(t, err)
	require.Zero(t, done)
	o.stop()
}

// Whatever a process knew of a target that is redriven while it looks, it gives nothing up for a reason that no longer holds.
func TestRedrivenWhileItIsLookedAt(t *testing.T) {
	for name, sweep := range map[string]time.Duration{"at what is new": time.Hour, "at everything": time.Nanosecond} {
		t.Run(name, func(t *testing.T) {
			store := sharedStore(t)
			crm := newInbox(t)
			o := newOfficeThat(t, store, Targets{"crm": crm.target()}, 20*time.Millisecond, sweep, time.Now)
			for i := range 4 {
				crm.status.Store(http.StatusGone)
				n := transition(fmt.Sprintf("al_%d", i), 1, Fired)
				require.NoError(t, tell(t.Context(), store, []string{"crm"}, n))
				o.Notify()
				eventually(t, func() bool { return outcomes(t, store)["crm "+n.ID] == "dead 1" })
				crm.status.Store(http.StatusOK)
				done, err := Redrive(t.Context(), store, Selection{Target: "crm"}, time.Now())
				require.NoError(t, err)
				require.Equal(t, Redriven{Redriven: 1}, done)
				eventually(t, func() bool { return !isPending(outcomes(t, store)["crm "+n.ID]) })
				require.Equal(t, "delivered 1", outcomes(t, store)["crm "+n.ID])
			}
		})
	}
}

// Of two changes of a target the later one holds, though the clock of whoever makes it is behind.
func TestTheLaterChangeOfATargetHolds(t *testing.T) {
	s := &store{sharedStore(t), "crm"}
	now := time.Now()
	require.NoError(t, s.disable(t.Context(), "there", "410 Gone", now))
	require.NoError(t, s.enable(t.Context(), now.Add(-time.Hour)))
	reason, err := s.gone(t.Context(), "there")
	require.NoError(t, err)
	require.Empty(t, reason)
	require.NoError(t, s.disable(t.Context(), "there", "410 Gone", now))
	reason, err = s.gone(t.Context(), "there")
	require.NoError(t, err)
	require.Equal(t, "410 Gone", reason)
}

// Of two processes that deliver at once, one finds the other's rows and lets it be.
func TestADeposedProcessYields(t *testing.T) {
	store := sharedStore(t)
	crm := newInbox(t)
	n := transition("al_1", 1, Fired)
	require.NoError(t, tell(t.Context(), store, []string{"crm"}, n))
	out, err := New(Options{
		Store: store, Targets: Targets{"crm": crm.target()}, Metrics: prometheus.NewRegistry(), Log: zap.NewNop(),
		Interval: time.Hour, Sweep: time.Hour, // it looks when the test says so
	})
	require.NoError(t, err)
	defer out.Close()
	w := out.workers[0]
	require.NoError(t, w.look(t.Context())) // and falls asleep
	newOffice(t, store, Targets{"crm": crm.target()})
	eventually(t, func() bool { return outcomes(t, store)["crm "+n.ID] == "delivered 1" })
	w.looked, w.swept = time.Now(), time.Now() // it wakes, and thinks that it has just looked
	_, err = w.turn(t.Context())
	require.ErrorIs(t, err, errConflict)
	require.Equal(t, []string{n.ID}, crm.got())
}

// A target that is down is tried again by the schedule, and what it takes at last was sent under one id.
func TestRetries(t *testing.T) {
	store := sharedStore(t)
	crm := newInbox(t)
	crm.status.Store(http.StatusInternalServerError)
	begun := time.Now() // its clock stands but for the skew: how long the test takes brings no attempt nearer
	o := newOfficeThat(t, store, Targets{"crm": crm.target()}, 20*time.Millisecond, 100*time.Millisecond, func() time.Time { return begun })
	n := transition("al_1", 1, Fired)
	require.NoError(t, tell(t.Context(), store, []string{"crm"}, n))
	o.Notify()
	for i, pause := range schedule[1:] {
		eventually(t, func() bool { return outcomes(t, store)["crm "+n.ID] == fmt.Sprintf("pending %d", i+1) })
		require.Len(t, crm.got(), i+1)
		o.skew.Add(int64(pause * 8 / 10))
		require.Never(t, func() bool { return len(crm.got()) > i+1 }, 30*time.Millisecond, 10*time.Millisecond)
		o.skew.Add(int64(pause * 4 / 10))
	}
	eventually(t, func() bool { return outcomes(t, store)["crm "+n.ID] == "dead 10" })
	crm.status.Store(http.StatusNoContent)
	done, err := Redrive(t.Context(), store, Selection{ID: n.AlertID}, o.Now())
	require.NoError(t, err)
	require.Equal(t, Redriven{Redriven: 1}, done)
	o.skew.Add(int64(breakerLongest))
	eventually(t, func() bool { return outcomes(t, store)["crm "+n.ID] == "delivered 1" })
	require.Equal(t, slices.Repeat([]string{n.ID}, 11), crm.got())
}

// What is known at the same time goes out at the same time, for two inserts and two selects; an account that was forgotten is not told of,
// in a message of its own, in a batch, or in a digest.
func TestABatchIsKeptAtOnce(t *testing.T) {
	store := sharedStore(t)
	inbox := newInbox(t)
	target := inbox.target()
	target.Rate = &Rate{}
	var all []Notification
	for i := range 40 {
		n := transition(fmt.Sprintf("al_%d", i), 1, Fired)
		n.Account = fmt.Sprintf("account-%d", i%8)
		all = append(all, n)
	}
	require.NoError(t, tell(t.Context(), store, []string{"crm"}, all...))
	o, err := New(Options{
		Store: store, Targets: Targets{"crm": target}, Metrics: prometheus.NewRegistry(), Log: zap.NewNop(),
		Forgotten: func(account string) bool { return account == "account-3" },
	})
	require.NoError(t, err)
	defer o.Close()
	w := o.workers[0]
	require.NoError(t, w.look(t.Context()))
	_, err = w.turn(t.Context())
	require.NoError(t, err)
	require.Len(t, inbox.got(), 35, "in one turn")
	require.Len(t, outcomes(t, store), 35, "nothing is kept of an account that was forgotten")
	for _, outcome := range outcomes(t, store) {
		require.Equal(t, "delivered 1", outcome)
	}

	q := newQueue("crm", Rate{PerMinute: 1, Burst: 1}, webhookDigest)
	var items []item
	for _, n := range all {
		items = append(items, item{Notification: n})
	}
	q.load(items, nil)
	out, _ := q.next(time.Now())
	require.Len(t, out.entries, 40)
	q.claim(out, time.Now())
	q.leaveOut(func(account string) bool { return account != "account-3" })
	require.Len(t, out.entries, 5)
	q.leaveOut(func(account string) bool { return account == "account-3" })
	require.Empty(t, q.sent)
	require.Empty(t, q.lines)
}
