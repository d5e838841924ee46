package collect

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/zap"

	"tidemark/internal/realkafka/kafkatest"
)

// park sends n events of each user, none of which has an account.
func park(c *running, users []string, n int) (ids []string) {
	for _, user := range users {
		var batch []string
		for i := range n {
			id := fmt.Sprintf("%s-%d", user, i)
			ids = append(ids, id)
			batch = append(batch, track(id, user))
		}
		c.accept("/v1/batch", `{"batch":[`+strings.Join(batch, ",")+`]}`)
	}
	return ids
}

func userNames(prefix string, n int) []string {
	var names []string
	for i := range n {
		names = append(names, fmt.Sprintf("%s%d", prefix, i))
	}
	return names
}

func group(user, account string) string {
	return fmt.Sprintf(`{"userId":%q,"groupId":%q,"messageId":"group-%s"}`, user, account, user)
}

// requireReleased waits until every id is in telemetry, once, with the account
// of its user, and none waits any longer.
func requireReleased(t testing.TB, brokers, ids []string, account func(user string) string) {
	t.Helper()
	var got map[string]map[string]any
	missing := ids
	eventually(t, func() bool {
		got = events(t, brokers)
		missing = slices.DeleteFunc(slices.Clone(ids), func(id string) bool { return got[id] != nil })
		return len(missing) == 0
	}, 2*patience, 300*time.Millisecond, "%v are not released", lazily(func() any { return missing }))
	for _, id := range ids {
		user, _ := got[id]["userId"].(string)
		require.Equal(t, account(user), got[id]["context"].(map[string]any)["groupId"], id)
	}
	require.Empty(t, outstanding(t, brokers))
}

// lazily is printed as what it returns at that time.
type lazily func() any

func (l lazily) String() string { return fmt.Sprint(l()) }

// outstanding returns the keys that the parked topic has no tombstone for.
func outstanding(t testing.TB, brokers []string) map[string]string {
	t.Helper()
	waiting := map[string]string{}
	for _, r := range readTopic(t, brokers, "parked") {
		waiting[string(r.Key)] = string(r.Value)
		if r.Value == nil {
			delete(waiting, string(r.Key))
		}
	}
	return waiting
}

func TestParkedAreVisible(t *testing.T) {
	t.Parallel()
	cluster := startKafka(t)
	c := start(t, testConfig(cluster, func(c *Config) { c.Now = func() time.Time { return noon } }))
	ids := park(c, []string{"ada", "bob"}, 3)
	c.accept("/v1/page", `{"anonymousId":"x","userId":"ada","messageId":"page"}`)
	require.EqualValues(t, 7, c.metric("events_total", "result", resultParked))
	eventually(t, func() bool { return c.metric("parked") == 7 }, patience, 5*time.Millisecond)
	require.EqualValues(t, partitions, c.metric("parked_partitions"))
	require.JSONEq(t, `{"partitions":[0,1,2,3],"count":7,"oldest":"2026-03-01T12:00:00Z","user_count":2,"users":[
		{"user":"u:ada","events":4,"types":{"track":3,"page":1},"oldest":"2026-03-01T12:00:00Z"},
		{"user":"u:bob","events":3,"types":{"track":3},"oldest":"2026-03-01T12:00:00Z"}]}`, string(c.get("/v1/parked").body))
	require.Len(t, outstanding(t, cluster.ListenAddrs()), 7)

	c.accept("/v1/group", `{"anonymousId":"x","groupId":"acme","messageId":"g"}`)
	eventually(t, func() bool { return c.metric("parked") == 6 }, patience, 5*time.Millisecond, "the anonymous id of the page is known")
	c.accept("/v1/identify", `{"userId":"ada","traits":{"company":{"id":"acme"}},"messageId":"i"}`)
	c.accept("/v1/alias", `{"userId":"bob","previousId":"ada","messageId":"al"}`)
	requireReleased(t, cluster.ListenAddrs(), append(ids, "page", "g", "i", "al"), func(string) string { return "acme" })
	eventually(t, func() bool { return c.metric("events_total", "result", resultReleased) == 7 }, patience, 5*time.Millisecond)
	require.JSONEq(t, `{"partitions":[0,1,2,3],"count":0,"user_count":0,"users":[]}`, string(c.get("/v1/parked").body))
}

// TestReleaseAfterRestart: an event waits in Kafka, not in the process.
func TestReleaseAfterRestart(t *testing.T) {
	t.Parallel()
	cluster := startKafka(t)
	c := start(t, testConfig(cluster))
	ids := park(c, userNames("user", 5), 10)
	c.stop()
	c = start(t, testConfig(cluster))
	for _, user := range userNames("user", 4) {
		c.accept("/v1/group", group(user, "acme"))
	}
	requireReleasedOf(t, cluster.ListenAddrs(), ids, 40)
	c.stop()
	c = start(t, testConfig(cluster))
	c.accept("/v1/group", group("user4", "acme"))
	requireReleased(t, cluster.ListenAddrs(), ids, func(string) string { return "acme" })
}

func requireReleasedOf(t testing.TB, brokers, ids []string, n int) {
	t.Helper()
	eventually(t, func() bool {
		got, released := events(t, brokers), 0
		for _, id := range ids {
			if got[id] != nil {
				released++
			}
		}
		return released == n
	}, patience, 50*time.Millisecond)
}

// TestReleaseAmongCollectors: the account may become known at any collector,
// and collectors may come and go.
func TestReleaseAmongCollectors(t *testing.T) {
	t.Parallel()
	cluster := startKafka(t)
	a, b := start(t, testConfig(cluster)), start(t, testConfig(cluster))
	eventually(t, func() bool { // both have partitions
		return a.metric("parked_partitions") == partitions/2 && b.metric("parked_partitions") == partitions/2
	}, patience, 20*time.Millisecond)
	ids := park(a, userNames("user", 20), 20)
	for i, user := range userNames("user", 20) {
		if i == 10 {
			a.stop()
		}
		b.accept("/v1/group", group(user, "acme-"+user))
	}
	requireReleased(t, cluster.ListenAddrs(), ids, func(user string) string { return "acme-" + user })
}

// TestGiveUp: an event does not wait forever, and goes on for the pipeline to
// report.
func TestGiveUp(t *testing.T) {
	t.Parallel()
	cluster := startKafka(t)
	c := start(t, testConfig(cluster, func(c *Config) { c.ParkFor = time.Millisecond }))
	park(c, []string{"ada"}, 3)
	eventually(t, func() bool { return c.metric("events_total", "result", resultExpired) == 3 }, patience, 50*time.Millisecond)
	records := readTopic(t, cluster.ListenAddrs(), "telemetry")
	require.Len(t, records, 3)
	for _, r := range records {
		require.Equal(t, "u:ada", string(r.Key))
		require.NotContains(t, decodeJSON(t, r.Value), "context")
	}
	require.Empty(t, outstanding(t, cluster.ListenAddrs()))
}

// TestReleaseByRivals runs two owners of every partition, as when one has lost
// it without knowing: they fence each other off, and every event still comes
// out once.
func TestReleaseByRivals(t *testing.T) {
	t.Parallel()
	testRivals(t, startKafka(t).ListenAddrs())
}

// TestReleaseOnRealKafka is the two hardest tests on the real thing, whose
// transactions differ from the embedded broker's.
func TestReleaseOnRealKafka(t *testing.T) {
	t.Parallel()
	brokers := startRealKafka(t)
	t.Run("rivals", func(t *testing.T) { testRivals(t, brokers) })
	t.Run("kills", func(t *testing.T) { testKills(t, brokers, "6s", "") })
}

func testRivals(t *testing.T, brokers []string) {
	c := start(t, Config{Listen: "127.0.0.1:0", Brokers: brokers, DrainTimeout: patience, WriteTimeout: patience})
	var mu sync.Mutex
	var parked []string // users whose account becomes known
	var rivals sync.WaitGroup
	ctx, cancel := context.WithCancel(context.Background())
	defer rivals.Wait()
	defer cancel()
	r := newReleaser(c.config, c.accountOf, c.metrics, zap.NewNop())
	r.start(ctx, []int32{0, 1, 2, 3})
	defer func() { r.stop(r.partitions()) }()
	rivals.Go(func() {
		for ctx.Err() == nil { // what the follower does for the collector's own
			mu.Lock()
			users := parked
			mu.Unlock()
			for _, user := range users {
				if _, ok := c.accountOf(userKey(user)); ok {
					r.learned(userKey(user))
				}
			}
			select {
			case <-ctx.Done():
			case <-time.After(20 * time.Millisecond):
			}
		}
	})
	// One owner may find everything released by the other; in the next round
	// it may not.
	deadline := time.Now().Add(2 * patience)
	for round := 0; c.metric("release_transactions_total", "result", "failed") == 0; round++ {
		require.True(t, time.Now().Before(deadline), "the rivals did not meet in %d rounds", round)
		names := userNames(fmt.Sprintf("rival%d-", round), 40)
		mu.Lock()
		parked = names
		mu.Unlock()
		ids := park(c, names, 10)
		for _, user := range names {
			c.accept("/v1/group", group(user, "acme"))
		}
		requireReleased(t, brokers, ids, func(string) string { return "acme" })
	}
}

// TestReleaseSurvivesKills kills collectors with SIGKILL while they release.
func TestReleaseSurvivesKills(t *testing.T) {
	t.Parallel()
	cluster := startKafka(t, kfake.GroupMinSessionTimeout(time.Second))
	// Static membership: kfake keeps a member for ever that dies while it waits
	// for the answer to its join, and whose place nobody takes.
	testKills(t, cluster.ListenAddrs(), "1s", "collector-0")
}

func testKills(t *testing.T, brokers []string, sessionTimeout, instance string) {
	first := startChild(t, brokers, sessionTimeout, instance)
	names := userNames("killed", 60)
	ids := park(first, names, 20)
	require.Len(t, outstanding(t, brokers), len(ids))
	for i, user := range names {
		if i%20 == 10 {
			first.kill()
			first = startChild(t, brokers, sessionTimeout, instance)
		}
		first.accept("/v1/group", group(user, "acme-"+user))
	}
	requireReleased(t, brokers, ids, func(user string) string { return "acme-" + user })
}

// startChild runs a collector in a process of its own.
func startChild(t *testing.T, brokers []string, sessionTimeout, instance string) *running {
	t.Helper()
	command := exec.Command(os.Args[0])
	command.Env = append(os.Environ(), childBrokers+"="+strings.Join(brokers, ","), childSession+"="+sessionTimeout, childInstance+"="+instance)
	command.Stderr = os.Stderr
	out, err := command.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, command.Start())
	kill := sync.OnceFunc(func() {
		require.NoError(t, command.Process.Kill())
		_ = command.Wait() // says that it was killed
	})
	t.Cleanup(kill)
	addr, err := bufio.NewReader(out).ReadString('\n')
	require.NoError(t, err)
	r := &running{t: t, addr: strings.TrimSpace(addr), kill: kill}
	eventually(t, func() bool { return r.get("/readyz").code == http.StatusOK }, patience, 10*time.Millisecond)
	return r
}

// startRealKafka runs Apache Kafka with the topics of the collector.
func startRealKafka(t *testing.T) []string {
	t.Helper()
	brokers := kafkatest.Start(t).Brokers()
	client, err := kgo.NewClient(kgo.SeedBrokers(brokers...))
	require.NoError(t, err)
	defer client.Close()
	compact := "compact"
	admin := kadm.NewClient(client)
	for topic, config := range map[string]map[string]*string{
		"telemetry": nil, "signals": nil, "tickets": nil, "users": {"cleanup.policy": &compact}, "accounts": {"cleanup.policy": &compact}, "parked": {"cleanup.policy": &compact},
	} {
		created, err := admin.CreateTopics(t.Context(), partitions, 1, config, topic)
		require.NoError(t, err)
		require.NoError(t, created.Error())
	}
	// A read just after the creation may still miss a topic.
	eventually(t, func() bool {
		listed, err := admin.ListEndOffsets(t.Context(), "telemetry", "users", "accounts", "signals", "tickets", "parked")
		return err == nil && listed.Error() == nil
	}, patience, 50*time.Millisecond)
	return brokers
}
