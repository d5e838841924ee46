package collect

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest"

	"tidemark/internal/devkafka"
	"tidemark/internal/ports/portstest"
	"tidemark/schemas/secret"
	"tidemark/sinks/kafka/login"
)

// restartable is a Kafka that a test can stop and start again with its data.
type restartable struct {
	t      *testing.T
	dir    string
	port   int
	broker *devkafka.Broker
	addrs  []string
}

func startRestartable(t *testing.T) *restartable {
	r := &restartable{t: t, dir: t.TempDir()}
	_, r.port = portstest.Reserve(t)
	r.start()
	r.addrs = r.broker.Addrs()
	client, err := kgo.NewClient(kgo.SeedBrokers(r.addrs...))
	require.NoError(t, err)
	defer client.Close()
	created, err := kadm.NewClient(client).CreateTopics(t.Context(), partitions, 1, nil, "telemetry", "users", "accounts", "signals", "tickets", "parked")
	require.NoError(t, err)
	require.NoError(t, created.Error())
	t.Cleanup(r.stop)
	return r
}

// start listens where Kafka did before.
func (r *restartable) start() {
	var err error
	r.broker, err = devkafka.Start(context.Background(), devkafka.Options{DataDir: r.dir, NoSync: true, Port: r.port})
	require.NoError(r.t, err)
}

func (r *restartable) stop() {
	if r.broker != nil {
		require.NoError(r.t, r.broker.Close())
		r.broker = nil
	}
}

// TestBrokerDown: without Kafka there is no 200, and what got a 200 is there
// when Kafka is back.
func TestBrokerDown(t *testing.T) {
	t.Parallel()
	kafka := startRestartable(t)
	c := start(t, Config{Listen: "127.0.0.1:0", Brokers: kafka.addrs, WriteTimeout: time.Second, DrainTimeout: patience})
	body := func(id string) string {
		return `{"event":"e","userId":"ada","context":{"groupId":"acme"},"messageId":"` + id + `"}`
	}
	// Its write timeout is short for what fails: what should not may need a repeat.
	eventually(t, func() bool { return c.post("/v1/track", body("before")).code == http.StatusOK }, patience, 50*time.Millisecond)
	kafka.stop()
	for _, path := range []string{"/v1/track", "/v1/group"} {
		request := body("during")
		if path == "/v1/group" {
			request = `{"groupId":"acme","userId":"ada"}`
		}
		answer := c.post(path, request)
		require.Equal(t, http.StatusServiceUnavailable, answer.code)
		require.Equal(t, "2", answer.header.Get("Retry-After"))
		require.Contains(t, answer.refusal(t).Message, "send the same request again, with the same messageIds")
	}
	require.Equal(t, http.StatusServiceUnavailable, c.get("/readyz").code)
	require.Equal(t, http.StatusOK, c.get("/livez").code)
	kafka.start()
	eventually(t, func() bool { return c.post("/v1/track", body("after")).code == http.StatusOK }, patience, 50*time.Millisecond)
	eventually(t, func() bool { return c.get("/readyz").code == http.StatusOK }, patience, 50*time.Millisecond)
	eventually(t, func() bool { return c.metric("in_flight") == 0 }, patience, 50*time.Millisecond)
	ids := map[string]bool{}
	for _, r := range readTopic(t, kafka.addrs, "telemetry") {
		ids[decodeJSON(t, r.Value)["messageId"].(string)] = true
	}
	require.True(t, ids["before"])
	require.True(t, ids["after"])
}

// TestNothingIsLost: senders that repeat what was not taken, while Kafka comes
// and goes, find every event in it.
func TestNothingIsLost(t *testing.T) {
	t.Parallel()
	kafka := startRestartable(t)
	c := start(t, Config{Listen: "127.0.0.1:0", Brokers: kafka.addrs, WriteTimeout: time.Second, DrainTimeout: patience})
	const senders, outages, eachOutage = 8, 3, 40
	var acked sync.Map
	var count atomic.Int64
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var group sync.WaitGroup
	for s := range senders {
		group.Go(func() {
			for n := 0; ctx.Err() == nil; n++ {
				id := fmt.Sprintf("%d-%d", s, n)
				body := fmt.Sprintf(`{"event":"e","userId":"u%d","context":{"groupId":"a%d"},"messageId":%q}`, s, s, id)
				for ctx.Err() == nil {
					if code := c.post("/v1/track", body).code; code == http.StatusOK {
						acked.Store(id, true)
						count.Add(1)
						break
					}
				}
			}
		})
	}
	more := func() {
		goal := count.Load() + eachOutage
		eventually(t, func() bool { return count.Load() >= goal }, patience, 10*time.Millisecond)
	}
	for range outages {
		more()
		kafka.stop()
		kafka.start()
	}
	more()
	cancel()
	group.Wait()
	written := map[string]bool{}
	for _, r := range readTopic(t, kafka.addrs, "telemetry") {
		written[decodeJSON(t, r.Value)["messageId"].(string)] = true
	}
	acked.Range(func(id, _ any) bool {
		require.True(t, written[id.(string)], "%s got a 200 and is not in Kafka", id)
		return true
	})
}

// hold makes Kafka keep produce requests waiting until the returned function is
// called.
func hold(cluster *kfake.Cluster) (release func()) {
	free := make(chan struct{})
	cluster.ControlKey(int16(kmsg.Produce), func(kmsg.Request) (kmsg.Response, error, bool) {
		cluster.KeepControl()
		cluster.SleepControl(func() { <-free })
		return nil, nil, false
	})
	return sync.OnceFunc(func() { close(free) })
}

// TestOverload: events that Kafka has not acknowledged are bounded.
func TestOverload(t *testing.T) {
	t.Parallel()
	cluster := startKafka(t)
	c := start(t, testConfig(cluster, func(c *Config) { c.MaxInFlight = 3 }))
	release := hold(cluster)
	defer release()
	batch := func(ids ...string) string {
		var events []string
		for _, id := range ids {
			events = append(events, track(id, "ada"))
		}
		return `{"context":{"groupId":"acme"},"batch":[` + strings.Join(events, ",") + `]}`
	}
	first := make(chan response, 1)
	go func() { first <- c.post("/v1/batch", batch("m1", "m2")) }()
	eventually(t, func() bool { return c.metric("in_flight") == 2 }, patience, 5*time.Millisecond)
	answer := c.post("/v1/batch", batch("m3", "m4"))
	require.Equal(t, http.StatusTooManyRequests, answer.code)
	require.Equal(t, "1", answer.header.Get("Retry-After"))
	require.Contains(t, answer.refusal(t).Message, "too many events at once")
	release()
	require.Equal(t, http.StatusOK, (<-first).code)
	c.accept("/v1/batch", batch("m3", "m4"))
	c.accept("/v1/batch", batch("m5", "m6", "m7", "m8")) // more than the bound: goes alone
	require.Len(t, events(t, cluster.ListenAddrs()), 8)
	require.Zero(t, c.metric("in_flight"))
}

// TestBrokerHangs: a broker that takes a request and does not answer.
func TestBrokerHangs(t *testing.T) {
	t.Parallel()
	cluster := startKafka(t)
	c := start(t, testConfig(cluster, func(c *Config) { c.WriteTimeout = time.Second }))
	release := hold(cluster)
	defer release()
	started := time.Now()
	answer := c.post("/v1/track", `{"event":"e","userId":"ada","context":{"groupId":"acme"}}`)
	require.Equal(t, http.StatusServiceUnavailable, answer.code)
	require.GreaterOrEqual(t, time.Since(started), time.Second)
	require.Equal(t, http.StatusServiceUnavailable, c.post("/v1/group", `{"groupId":"acme","userId":"ada"}`).code)
	require.Zero(t, c.metric("in_flight"))
	release()
	eventually(t, func() bool { return c.post("/v1/group", `{"groupId":"acme","userId":"ada"}`).code == http.StatusOK }, patience, 50*time.Millisecond)
}

func TestTooManyRequests(t *testing.T) {
	t.Parallel()
	cluster := startKafka(t)
	c := start(t, testConfig(cluster, func(c *Config) { c.MaxRequests = 1 }))
	release := hold(cluster)
	defer release()
	first := make(chan response, 1)
	body := `{"event":"e","userId":"ada","context":{"groupId":"acme"}}`
	go func() { first <- c.post("/v1/track", body) }()
	eventually(t, func() bool { return c.metric("in_flight") == 1 }, patience, 5*time.Millisecond)
	answer := c.post("/v1/track", body)
	require.Equal(t, http.StatusTooManyRequests, answer.code)
	require.Contains(t, answer.refusal(t).Message, "too many requests at once")
	release()
	require.Equal(t, http.StatusOK, (<-first).code)
}

// TestDrain: a request in flight when the collector is told to stop is finished.
func TestDrain(t *testing.T) {
	t.Parallel()
	cluster := startKafka(t)
	c := start(t, testConfig(cluster))
	release := hold(cluster)
	defer release()
	first := make(chan response, 1)
	go func() {
		first <- c.post("/v1/track", `{"event":"e","userId":"ada","messageId":"m1","context":{"groupId":"acme"}}`)
	}()
	eventually(t, func() bool { return c.metric("in_flight") == 1 }, patience, 5*time.Millisecond)
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		c.stop()
	}()
	eventually(t, func() bool { // no new connections
		resp, err := client.Get("http://" + c.Addr() + "/livez")
		if err != nil {
			return true
		}
		require.NoError(t, resp.Body.Close())
		return false
	}, patience, 5*time.Millisecond)
	release()
	require.Equal(t, http.StatusOK, (<-first).code)
	<-stopped
	require.Contains(t, events(t, cluster.ListenAddrs()), "m1")
}

// TestSASL: both clients of the collector log in.
func TestSASL(t *testing.T) {
	t.Parallel()
	for _, mechanism := range []string{"PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"} {
		t.Run(mechanism, func(t *testing.T) {
			cluster := startKafka(t, kfake.EnableSASL(), kfake.Superuser(mechanism, "user", "secret"))
			c := start(t, testConfig(cluster, func(c *Config) {
				c.SASL = &login.SASL{Mechanism: mechanism, User: "user", Password: secret.New("secret")}
			}))
			c.accept("/v1/group", `{"groupId":"acme","userId":"ada"}`)
		})
	}
}

// TestPartitions: the collector's own writes and the releaser's put an account
// into the same partition, the one that Java clients choose.
func TestPartitions(t *testing.T) {
	t.Parallel()
	cluster := startKafka(t)
	c := start(t, testConfig(cluster))
	for i := range 30 {
		c.accept("/v1/track", track(fmt.Sprintf("parked-%d", i), fmt.Sprintf("u%d", i)))
		c.accept("/v1/group", fmt.Sprintf(`{"groupId":"account-%d","userId":"u%d"}`, i, i))
	}
	c.accept("/v1/page", `{"userId":"ada","context":{"groupId":"foobar"}}`)
	eventually(t, func() bool { return len(events(t, cluster.ListenAddrs())) == 61 }, patience, 20*time.Millisecond)
	partitionOf := map[string]int32{}
	for _, r := range readTopic(t, cluster.ListenAddrs(), "telemetry") {
		if known, ok := partitionOf[string(r.Key)]; ok {
			require.Equal(t, known, r.Partition, "%s", r.Key)
		}
		partitionOf[string(r.Key)] = r.Partition
	}
	require.Len(t, partitionOf, 31)
	// Apache Kafka's own test says that murmur2("foobar") is -790332482.
	require.EqualValues(t, (-790332482&0x7fffffff)%partitions, partitionOf["foobar"])
}

// TestTraitRecords: each trait is a record of its own, so that neither a second collector nor a CRM that writes account
// records meanwhile is overwritten with what was known before; and what is known is not written again.
func TestTraitRecords(t *testing.T) {
	t.Parallel()
	cluster := startKafka(t)
	a, b := start(t, testConfig(cluster)), start(t, testConfig(cluster))
	const rounds = 10
	for i := range rounds {
		var both sync.WaitGroup
		for name, c := range map[string]*running{"a": a, "b": b} {
			both.Go(func() {
				c.accept("/v1/group", fmt.Sprintf(`{"groupId":"acme","userId":"ada","traits":{"%s%d":"x","plan":"pro"}}`, name, i))
			})
		}
		both.Wait()
	}
	records := readTopic(t, cluster.ListenAddrs(), "accounts")
	keys := map[string]bool{}
	for _, r := range records {
		require.Len(t, decodeJSON(t, r.Value), 3, "account_id, at and one trait: %s", r.Value)
		keys[string(r.Key)] = true
	}
	require.Len(t, keys, 2*rounds+1)
	require.Contains(t, keys, "acme|plan")
	require.Less(t, len(records), 2*rounds+1+3, "plan is written once, or twice where both did not know it yet")

	users := len(readTopic(t, cluster.ListenAddrs(), "users"))
	eventually(t, func() bool { // both have read the last record
		return a.directory.traits.len() == len(keys) && b.directory.traits.len() == len(keys)
	}, patience, 5*time.Millisecond)
	a.accept("/v1/group", `{"groupId":"acme","userId":"ada","traits":{"plan":"pro"}}`)
	b.accept("/v1/group", `{"groupId":"acme","userId":"ada","traits":{"a0":"x"}}`)
	require.Len(t, readTopic(t, cluster.ListenAddrs(), "accounts"), len(records), "what is known is not written again")
	require.Len(t, readTopic(t, cluster.ListenAddrs(), "users"), users)
}

// TestRestartKnowsUsers: the users and accounts topics are all the memory there is.
func TestRestartKnowsUsers(t *testing.T) {
	t.Parallel()
	cluster := startKafka(t)
	c := start(t, testConfig(cluster))
	c.accept("/v1/group", `{"groupId":"acme","userId":"ada","anonymousId":"x","traits":{"plan":"pro"}}`)
	c.accept("/v1/identify", `{"userId":"bob","traits":{"company":{"id":"globex"}}}`)
	c.accept("/v1/alias", `{"userId":"carol","previousId":"bob"}`)
	c.stop()
	c = start(t, testConfig(cluster))
	require.EqualValues(t, 4, c.metric("users"))
	require.EqualValues(t, 1, c.metric("traits"))
	c.accept("/v1/batch", `{"batch":[`+track("m1", "ada")+`,`+track("m2", "carol")+`,{"type":"page","anonymousId":"x","messageId":"m3"}]}`)
	got := events(t, cluster.ListenAddrs())
	require.Equal(t, "acme", got["m1"]["context"].(map[string]any)["groupId"])
	require.Equal(t, "globex", got["m2"]["context"].(map[string]any)["groupId"])
	require.Equal(t, "acme", got["m3"]["context"].(map[string]any)["groupId"])
}

// TestNotReady: until it knows the users, the collector takes no events.
func TestNotReady(t *testing.T) {
	t.Parallel()
	cluster := startKafka(t)
	cluster.ControlKey(int16(kmsg.Fetch), func(kmsg.Request) (kmsg.Response, error, bool) {
		cluster.KeepControl()
		return nil, fmt.Errorf("no fetches yet"), true
	})
	client, err := kgo.NewClient(kgo.SeedBrokers(cluster.ListenAddrs()...))
	require.NoError(t, err)
	defer client.Close()
	require.NoError(t, client.ProduceSync(t.Context(), &kgo.Record{Topic: "users", Key: []byte("u:ada"), Value: []byte(`{"account_id":"acme"}`)}).FirstErr())
	c, err := New(testConfig(cluster), zaptest.NewLogger(t, zaptest.Level(zap.FatalLevel)), newRegistry())
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- c.Run(ctx) }()
	r := &running{Collector: c, t: t}
	require.Equal(t, http.StatusServiceUnavailable, r.post("/v1/track", track("m1", "ada")).code)
	require.Equal(t, http.StatusServiceUnavailable, r.get("/readyz").code)
	cancel()
	require.NoError(t, <-done)
}
