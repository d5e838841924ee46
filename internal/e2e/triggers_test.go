package e2e

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"tidemark/internal/devclickhouse"
	"tidemark/internal/devkafka"
	"tidemark/internal/realkafka/kafkatest"
)

const escalations = `
pack: none
rules:
  - name: escalations
    description: Three escalations in 30 days.
    playbook: win-back
    owner: cs
    when: support_30d.escalated >= 3
`

// webhookSecret signs the webhooks.
const webhookSecret = "whsec_c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0"

// receiver is a webhook endpoint that verifies what it gets with the official library, and counts it by id. Of every other account it dies
// with the first message in its hands, so that the sender cannot know whether it arrived.
type receiver struct {
	t      *testing.T
	verify *standardwebhooks.Webhook
	mu     sync.Mutex
	died   int
	times  map[string]time.Time // first arrival, by account
	ids    map[string][]string  // distinct ids, by account
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	body, err := io.ReadAll(req.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	if err := r.verify.Verify(body, req.Header); err != nil {
		r.t.Errorf("a webhook that the official library refuses: %v", err)
	}
	_, account, _ := strings.Cut(string(body), `"account":"`)
	account, _, _ = strings.Cut(account, `"`)
	id := req.Header.Get("webhook-id")
	r.mu.Lock()
	defer r.mu.Unlock()
	if !slices.Contains(r.ids[account], id) {
		r.ids[account] = append(r.ids[account], id)
	}
	if r.times[account].IsZero() {
		r.times[account] = time.Now()
		if !strings.HasPrefix(account, "quick") && len(r.times)%2 == 0 {
			r.died++
			panic(http.ErrAbortHandler)
		}
	}
	w.WriteHeader(http.StatusNoContent)
}

func (r *receiver) arrived(account string) time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.times[account]
}

// triggersStage is a stage with a pipeline and a receiver of alerts.
type triggersStage struct {
	*Stage
	receiver *receiver
	client   *kgo.Client
	config   string
	sent     map[string]time.Time // when an account's third escalation was in Kafka
}

func newTriggersStage(t *testing.T, s *Stage) *triggersStage {
	t.Helper()
	verify, err := standardwebhooks.NewWebhook(webhookSecret)
	require.NoError(t, err)
	ts := &triggersStage{Stage: s, receiver: &receiver{t: t, verify: verify, times: map[string]time.Time{}, ids: map[string][]string{}}, sent: map[string]time.Time{}}
	server := httptest.NewServer(ts.receiver)
	t.Cleanup(server.Close)
	dir := t.TempDir()
	rules := filepath.Join(dir, "rules.yaml")
	require.NoError(t, os.WriteFile(rules, []byte(escalations), 0o600))
	ts.config = filepath.Join(dir, "config.yaml")
	require.NoError(t, os.WriteFile(ts.config, fmt.Appendf(nil, `
triggers:
  rules: [%q]
  tick: 250ms
  targets:
    crm:
      allow: ["127.0.0.0/8"]
      rate: {per_minute: 0}
      webhook:
        url: %s
        allow_http: true
        secrets: [%s]
`, rules, server.URL+"/hook", webhookSecret), 0o600))
	ts.client, err = kgo.NewClient(kgo.SeedBrokers(s.Brokers...), kgo.ProducerLinger(0))
	require.NoError(t, err)
	t.Cleanup(ts.client.Close)
	return ts
}

func (s *triggersStage) triggers(name string) *Process {
	s.t.Helper()
	return Start(s.t, Binary(s.t, ""), name, s.Env, "--config", s.config, "triggers", "run")
}

// escalate sends three escalations of an account, each of another ticket.
func (s *triggersStage) escalate(ctx context.Context, account string) {
	s.t.Helper()
	for i := range 3 {
		r := &kgo.Record{Topic: "tickets", Key: []byte(account), Value: fmt.Appendf(nil,
			`{"ticket_id":"%[1]s-%[2]d","source":"desk","account_id":%[1]q,"occurred_at":%[3]q,"kind":"priority","from":"p3","to":"p1","tags":["escalated"],"source_event_id":"%[1]s-%[2]d"}`,
			account, i, time.Now().UTC().Format(time.RFC3339Nano))}
		require.NoError(s.t, s.client.ProduceSync(ctx, r).FirstErr())
	}
	s.sent[account] = time.Now()
}

// delivered waits until the receiver has heard of every account that was escalated.
func (s *triggersStage) delivered(within time.Duration) {
	s.t.Helper()
	missing := func() (all []string) {
		for account := range s.sent {
			if s.receiver.arrived(account).IsZero() {
				all = append(all, account)
			}
		}
		return all
	}
	defer func() {
		if all := missing(); len(all) > 0 {
			s.t.Log("nothing of ", all)
		}
	}()
	require.Eventually(s.t, func() bool { return len(missing()) == 0 }, within, 20*time.Millisecond, "alerts that do not arrive")
}

// end ends or stops one of two processes, once both have joined.
func (s *triggersStage) end(ctx context.Context, p *Process, how os.Signal) {
	s.t.Helper()
	s.Shared(ctx, s.Group+"-triggers", 2, "accounts")
	p.Signal(s.t, how)
	if how == syscall.SIGKILL {
		<-p.Done
	}
}

// once requires that each account was told of once, and that the history says the same.
func (s *triggersStage) once(ctx context.Context) {
	s.t.Helper()
	s.receiver.mu.Lock()
	for account := range s.sent {
		require.Len(s.t, s.receiver.ids[account], 1, "distinct ids of %s", account)
	}
	require.Positive(s.t, s.receiver.died)
	s.receiver.mu.Unlock()
	var fired, accounts, episodes uint64
	require.NoError(s.t, s.DB.Open(s.t, devclickhouse.Reader).QueryRow(ctx,
		"SELECT countIf(kind = 'fired'), uniqExact(account_id), max(episode) FROM alert_history").Scan(&fired, &accounts, &episodes))
	require.Equal(s.t, []uint64{uint64(len(s.sent)), uint64(len(s.sent)), 1}, []uint64{fired, accounts, episodes})
}

// decided says how long after an escalation was in Kafka the alert was stored.
func (s *triggersStage) decided(ctx context.Context) {
	s.t.Helper()
	rows, err := s.DB.Open(s.t, devclickhouse.Reader).Query(ctx, "SELECT account_id, known_at FROM alert_history WHERE kind = 'fired' AND startsWith(account_id, 'quick')")
	require.NoError(s.t, err)
	defer rows.Close() //nolint:errcheck // read to its end
	var took []time.Duration
	for rows.Next() {
		var account string
		var known time.Time
		require.NoError(s.t, rows.Scan(&account, &known))
		took = append(took, known.Sub(s.sent[account]))
	}
	require.NoError(s.t, rows.Err())
	slices.Sort(took)
	s.t.Logf("from an escalation in Kafka to the start of the tick that fires: median %s, p99 %s", took[len(took)/2], took[len(took)*99/100])
}

// leads is what the process says that evaluates the rules.
const leads = `(this process evaluates the rules)`

// TestTriggersOnEmbeddedKafka: one process of two evaluates the rules; it is killed, and stopped and continued, again and again,
// and every account that crosses the threshold is told of once.
func TestTriggersOnEmbeddedKafka(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 15*time.Minute)
	defer cancel()
	broker, err := devkafka.Start(ctx, devkafka.Options{DataDir: t.TempDir(), NoSync: true})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, broker.Close()) })
	s := newTriggersStage(t, newStage(t, broker.Addrs()).Stage)
	s.Pipeline(Binary(t, ""), "a")
	leader := s.triggers("first")
	leader.Says(t, leads)
	standby := s.triggers("second")

	s.escalate(ctx, "first") // by when the pipeline has its partitions
	s.delivered(5 * time.Minute)
	var took []time.Duration
	every := time.NewTicker(200 * time.Millisecond)
	defer every.Stop()
	for i := range 30 {
		s.escalate(ctx, fmt.Sprintf("quick-%d", i))
		<-every.C
	}
	s.delivered(5 * time.Minute)
	for account, sent := range s.sent {
		if account != "first" {
			took = append(took, s.receiver.arrived(account).Sub(sent))
		}
	}
	slices.Sort(took)
	s.decided(ctx)
	t.Logf("from an escalation in Kafka to the webhook: median %s, p99 %s", took[len(took)/2], took[len(took)*99/100])
	require.Less(t, took[len(took)/2], time.Minute, "of a machine that is busy with other tests")

	for round, how := range []string{"kill", "stop", "kill"} {
		for i := range 10 {
			s.escalate(ctx, fmt.Sprintf("%s-%d-%d", how, round, i))
		}
		s.end(ctx, leader, map[string]os.Signal{"kill": syscall.SIGKILL, "stop": syscall.SIGSTOP}[how])
		s.escalate(ctx, fmt.Sprintf("%s-%d-after", how, round))
		standby.Says(t, leads)
		s.delivered(5 * time.Minute)
		if how == "stop" {
			leader.Signal(t, syscall.SIGCONT)
			s.escalate(ctx, fmt.Sprintf("%s-%d-continued", how, round))
			s.delivered(5 * time.Minute)
			s.end(ctx, leader, syscall.SIGKILL)
		}
		leader, standby = standby, s.triggers(fmt.Sprintf("next-%d", round))
	}
	s.once(ctx)
	leader.Terminate(t)
	standby.Says(t, "(triggers started)") // from then on it ends in order
	standby.Terminate(t)
}

// TestTriggersOnRealKafka is the same on Apache Kafka, with one takeover.
func TestTriggersOnRealKafka(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 15*time.Minute)
	defer cancel()
	s := newTriggersStage(t, newStage(t, kafkatest.Start(t).Brokers()).Stage)
	s.Pipeline(Binary(t, ""), "a")
	leader := s.triggers("first")
	leader.Says(t, leads)
	standby := s.triggers("second")
	s.escalate(ctx, "before")
	s.delivered(5 * time.Minute)
	leader.Kill()
	s.escalate(ctx, "after")
	standby.Says(t, leads)
	s.delivered(5 * time.Minute)
	s.once(ctx)
	standby.Terminate(t)
}
