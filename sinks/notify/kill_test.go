package notify

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"testing"
	"time"

	conn "github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/prometheus/client_golang/prometheus"
	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"

	"tidemark/internal/child"
	"tidemark/internal/devclickhouse"
	"tidemark/internal/devclickhouse/chtest"
	"tidemark/schemas/secret"
	"tidemark/sinks/clickhouse"
)

// childArg makes the test binary a process that delivers, told by a childConfig.
const childArg = "notify-outbox"

type childConfig struct {
	DSN, URL, Secret string
	Base             time.Time
	Timeout          time.Duration
}

// clockSpeed lets the hours between attempts pass in seconds.
const clockSpeed = 2000

// clock is fast, and the same in every process that has its base.
func clock(base time.Time) func() time.Time {
	return func() time.Time { return base.Add(time.Since(base) * clockSpeed) }
}

func runChild(config string) error {
	var c childConfig
	if err := json.Unmarshal([]byte(config), &c); err != nil {
		return err
	}
	store, err := openStore(c.DSN)
	if err != nil {
		return err
	}
	defer store.Close() //nolint:errcheck // the process ends
	outbox, err := New(Options{
		Store: store, Metrics: prometheus.NewRegistry(), Log: zap.NewNop(), Now: clock(c.Base), Interval: 20 * time.Millisecond, Sweep: 10 * time.Minute,
		Targets: Targets{"crm": {
			Webhook: &Webhook{URL: secret.New(c.URL), Secrets: []secret.Secret{secret.New(c.Secret)}, HTTP: HTTP{AllowHTTP: true}},
			Rate:    &Rate{PerMinute: 1, Burst: 3}, Timeout: c.Timeout, Allow: []string{"127.0.0.0/8"},
		}},
	})
	if err != nil {
		return err
	}
	return outbox.Run(context.Background())
}

// receiver takes webhooks as a customer's service might: it verifies them with the official library, and fails in every way
// there is until it is told to be well.
type receiver struct {
	t        *testing.T
	verify   *standardwebhooks.Webhook
	mu       sync.Mutex
	well     bool
	ids      map[string]map[string]bool // webhook-ids by transition
	bodies   map[string]string          // by webhook-id
	order    []string                   // transitions as they first came in
	requests int
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	body, err := io.ReadAll(request.Body)
	if err != nil {
		return // the sender was killed
	}
	if err := r.verify.VerifyIgnoringTimestamp(body, request.Header); err != nil { // its clock is fast
		r.t.Error(err)
		return
	}
	r.mu.Lock()
	r.requests++
	fate := rand.IntN(10)
	if r.well {
		fate = 9
	}
	if fate >= 4 {
		r.take(request.Header.Get("webhook-id"), body)
	}
	r.mu.Unlock()
	switch fate {
	case 0:
		http.Error(w, "no", http.StatusInternalServerError)
	case 1:
		http.Error(w, "slower", http.StatusTooManyRequests)
	case 2, 4:
		<-request.Context().Done() // hangs; with what it was sent, or without
	case 3, 5:
		panic(http.ErrAbortHandler) // drops the connection
	}
}

// seen is how many requests came, and how many of them were none that was taken for the first time.
func (r *receiver) seen() (requests, repeats int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.requests, r.requests - len(r.bodies)
}

func (r *receiver) take(id string, body []byte) {
	if before, ok := r.bodies[id]; ok && before != string(body) {
		r.t.Errorf("%s came with another body: %s, then %s", id, before, body)
	}
	r.bodies[id] = string(body)
	var message struct {
		Type string
		Data digest
	}
	if err := json.Unmarshal(body, &message); err != nil {
		r.t.Error(err)
	}
	transitions := []string{id}
	if message.Type == "alert.digest" {
		transitions = nil
		for _, a := range message.Data.Alerts {
			transitions = append(transitions, a.ID)
		}
	}
	for _, tr := range transitions {
		if r.ids[tr] == nil {
			r.ids[tr] = map[string]bool{}
			r.order = append(r.order, tr)
		}
		r.ids[tr][id] = true
	}
}

// serve listens at the address until it is stopped, connections and all.
func (r *receiver) serve(t *testing.T, address string) (at string, stop func()) {
	t.Helper()
	var listener net.Listener
	require.Eventually(t, func() (ok bool) {
		var err error
		listener, err = (&net.ListenConfig{}).Listen(t.Context(), "tcp", address)
		return err == nil
	}, 5*time.Minute, 10*time.Millisecond)
	server := &http.Server{Handler: r, ReadHeaderTimeout: time.Minute}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = server.Serve(listener)
	}()
	return listener.Addr().String(), func() {
		require.NoError(t, server.Close())
		<-done
	}
}

// The process that delivers is killed again and again, at any moment, and so is ClickHouse; the receiver fails, hangs, takes what it
// does not confirm, and dies. Every transition arrives, under one webhook-id and with one body however often, and no alert's
// end comes before its begin.
func TestKillsLoseNothingAndRepeatUnderTheSameID(t *testing.T) {
	const kills, alertsPerKill = 16, 3
	engine := devclickhouse.Options{Dir: t.TempDir()}
	server := chtest.StartWith(t, engine)
	dsn := server.DSN(devclickhouse.Writer)
	createTables(t, chtest.Open(t, server.DSN(devclickhouse.Migrator)))
	store, err := openStore(dsn)
	require.NoError(t, err)
	defer func() { require.NoError(t, store.Close()) }()

	key := newSecret(7, 32)
	wh, err := standardwebhooks.NewWebhook(key)
	require.NoError(t, err)
	r := &receiver{t: t, verify: wh, ids: map[string]map[string]bool{}, bodies: map[string]string{}}
	address, stop := r.serve(t, "127.0.0.1:0")
	config := childConfig{DSN: dsn, URL: "http://" + address + "/hook", Secret: key, Base: time.Now(), Timeout: 150 * time.Millisecond}
	now := clock(config.Base)

	var all []Notification
	raise := func(round int) {
		for i := range alertsPerKill {
			begin := single(fmt.Sprintf("tr_%d_%d_fired", round, i)).Notifications[0]
			begin.AlertID, begin.KnownAt, begin.At = fmt.Sprintf("al_%d_%d", round, i), now(), now()
			end := begin
			end.ID, end.Seq, end.Kind = fmt.Sprintf("tr_%d_%d_resolved", round, i), 2, Resolved
			require.NoError(t, tell(t.Context(), store, []string{"crm"}, begin))
			require.NoError(t, tell(t.Context(), store, []string{"crm"}, end))
			all = append(all, begin, end)
		}
	}
	repeated := func() bool { _, n := r.seen(); return n > 0 }
	for kill := 0; kill < kills || !repeated(); kill++ { // what a process sends before it is killed is up to the machine
		require.Less(t, kill, 10*kills, "nothing was repeated, so nothing was tested")
		before, _ := r.seen()
		process := startChild(t, config)
		raise(kill)
		if kill%2 == 0 { // on a busy machine all kills would come before anything was sent
			require.Eventually(t, func() bool { n, _ := r.seen(); return n > before }, 5*time.Minute, time.Millisecond)
		}
		pause := time.NewTimer(time.Duration(rand.IntN(500)) * time.Millisecond) // any moment
		<-pause.C
		if kill%4 == 1 {
			stop()
			address, stop = r.serve(t, address)
		}
		if kill == kills/2 {
			ports := restart(t, server, engine)
			server, dsn = ports, ports.DSN(devclickhouse.Writer)
			require.NoError(t, store.Close())
			store, err = openStore(dsn)
			require.NoError(t, err)
			config.DSN = dsn
		}
		process.kill(t)
	}
	r.mu.Lock()
	r.well = true
	r.mu.Unlock()
	raise(-1) // while nobody delivers: more than go out one by one, which makes a digest
	config.Timeout = time.Minute
	process := startChild(t, config)
	defer stop()
	defer process.kill(t)
	defer func() {
		if t.Failed() {
			logDeliveries(t, store)
		}
	}()
	require.Eventually(t, func() bool {
		var arrived, given uint64
		err := store.Conn().QueryRow(t.Context(), "SELECT countIf(outcome = 'delivered'), countIf(outcome = 'dead') FROM deliveries FINAL").Scan(&arrived, &given)
		if err == nil && given > 0 { // the slower the machine, the more of its attempts a message has while the receiver fails
			_, err = Redrive(t.Context(), store, Selection{}, now())
		}
		return err == nil && arrived == uint64(len(all))
	}, 5*time.Minute, 20*time.Millisecond)

	r.mu.Lock()
	defer r.mu.Unlock()
	place := map[string]int{}
	for i, id := range r.order {
		place[id] = i
	}
	t.Logf("%d transitions in %d messages, %d requests", len(all), len(r.bodies), r.requests)
	require.Less(t, len(r.bodies), len(all), "there was no digest")
	for i := 0; i < len(all); i += 2 {
		require.Len(t, r.ids[all[i].ID], 1, all[i].ID)
		require.Len(t, r.ids[all[i+1].ID], 1, all[i+1].ID)
		require.Less(t, place[all[i].ID], place[all[i+1].ID], "the end came first")
	}
	require.Len(t, r.ids, len(all))
}

func logDeliveries(t *testing.T, store *clickhouse.Client) {
	t.Helper()
	const query = `SELECT t.id, toString(d.outcome), d.attempt, d.message_id, d.detail, toString(d.next_at), toString(t.known_at)
FROM alert_transitions t FINAL LEFT JOIN (SELECT * FROM deliveries FINAL) AS d ON d.id = t.id WHERE d.outcome != 'delivered' ORDER BY t.known_at`
	err := clickhouse.Each(context.Background(), store.Conn(), query, func(rows conn.Rows) error {
		var id, outcome, message, detail, next, known string
		var attempt uint16
		err := rows.Scan(&id, &outcome, &attempt, &message, &detail, &next, &known)
		t.Log(id, outcome, attempt, message, detail, next, known)
		return err
	})
	if err != nil {
		t.Log(err)
	}
}

// restart kills the engine and starts it again with its data, on the same ports.
func restart(t *testing.T, server *devclickhouse.Server, opts devclickhouse.Options) *devclickhouse.Server {
	t.Helper()
	server.Kill()
	<-server.Done()
	return chtest.StartWith(t, opts)
}

type deliverer struct {
	process *os.Process
	ended   chan error
}

func startChild(t *testing.T, config childConfig) deliverer {
	t.Helper()
	text, err := json.Marshal(config)
	require.NoError(t, err)
	self, err := os.Executable()
	require.NoError(t, err)
	cmd := exec.Command(self, childArg, string(text))
	cmd.Stderr = os.Stderr
	d := deliverer{ended: make(chan error, 1)}
	require.NoError(t, child.Start(cmd, syscall.SIGKILL, func(err error) { d.ended <- err }))
	d.process = cmd.Process
	return d
}

func (d deliverer) kill(t *testing.T) {
	t.Helper()
	require.NoError(t, d.process.Kill())
	require.ErrorContains(t, <-d.ended, "killed")
}
