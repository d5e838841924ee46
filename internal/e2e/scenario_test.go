package e2e

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/goleak"

	"tidemark/internal/devclickhouse"
	"tidemark/internal/devclickhouse/chtest"
	"tidemark/internal/devkafka"
	"tidemark/internal/realkafka/kafkatest"
	"tidemark/internal/recount"
	"tidemark/internal/sdktest"
	"tidemark/internal/simulate"
	"tidemark/pipeline/source"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(cleaned{chtest.WithShared(m)})
}

// cleaned removes the built binary after the tests.
type cleaned struct{ m interface{ Run() int } }

func (c cleaned) Run() int {
	code := c.m.Run()
	if err := removeBinary(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return max(code, 1)
	}
	return code
}

// stage is a Kafka and a ClickHouse with everything that tidemark needs in them.
type stage struct {
	t       *testing.T
	brokers []string
	db      *chtest.Database
	env     []string
	admin   *kadm.Client
}

func newStage(t *testing.T, brokers []string) *stage {
	t.Helper()
	s := &stage{t: t, brokers: brokers, db: chtest.Shared(t)}
	s.env = []string{
		"TIDEMARK_KAFKA_BROKERS=" + brokers[0], "TIDEMARK_KAFKA_PARTITIONS=4", "TIDEMARK_KAFKA_SESSION_TIMEOUT=6s",
		"TIDEMARK_CLICKHOUSE_ADDR=" + s.db.Server.NativeAddr(), "TIDEMARK_CLICKHOUSE_DATABASE=" + s.db.Name,
		"TIDEMARK_ADMIN_LISTEN=127.0.0.1:0", "TIDEMARK_LOG_FORMAT=json", "TIDEMARK_PIPELINE_FLUSH_INTERVAL=200ms",
		"TIDEMARK_CANARY_ENABLED=false", // so that the log has an end
	}
	for _, role := range []devclickhouse.Role{devclickhouse.Migrator, devclickhouse.Writer, devclickhouse.Reader} {
		dsn, err := url.Parse(s.db.DSN(role))
		require.NoError(t, err)
		password, _ := dsn.User.Password()
		s.env = append(s.env, fmt.Sprintf("TIDEMARK_CLICKHOUSE_%s_PASSWORD=%s", strings.ToUpper(string(role)), password))
	}
	migrate := start(t, "migrate", s.env, "migrate")
	<-migrate.done
	require.NoError(t, migrate.err)
	client, err := kgo.NewClient(kgo.SeedBrokers(brokers...))
	require.NoError(t, err)
	t.Cleanup(client.Close)
	s.admin = kadm.NewClient(client)
	return s
}

func (s *stage) pipeline(name string) *process {
	return start(s.t, name, append(s.env, "TIDEMARK_KAFKA_INSTANCE_ID="+name), "run")
}

// settle waits until the group has committed to the end of every topic.
func (s *stage) settle(ctx context.Context, alive ...*process) {
	s.t.Helper()
	topics := []string{"telemetry", "tickets", "accounts"}
	var left string
	defer func() {
		if left != "" {
			s.t.Log("not at the end of the log: ", left)
		}
	}()
	require.Eventually(s.t, func() bool {
		for _, p := range alive {
			p.running(s.t)
		}
		ends, err := s.admin.ListCommittedOffsets(ctx, topics...)
		require.NoError(s.t, err)
		commits, err := s.admin.FetchOffsetsForTopics(ctx, "tidemark", topics...)
		if errors.Is(err, kerr.GroupIDNotFound) { // nobody has joined yet
			return false
		}
		require.NoError(s.t, err)
		left = ""
		ends.Each(func(end kadm.ListedOffset) {
			if c, ok := commits.Lookup(end.Topic, end.Partition); end.Offset > 0 && (!ok || c.At < end.Offset) {
				left += fmt.Sprintf("%s/%d at %d of %d; ", end.Topic, end.Partition, c.At, end.Offset)
			}
		})
		return left == ""
	}, 2*time.Minute, 100*time.Millisecond, "the pipeline does not come to the end of the log")
}

// verify requires that ClickHouse says what an independent recount of the log says.
func (s *stage) verify(ctx context.Context) *recount.Result {
	s.t.Helper()
	want, err := recount.Count(ctx, recount.Options{Brokers: s.brokers, Telemetry: "telemetry", Tickets: "tickets", Accounts: "accounts"})
	require.NoError(s.t, err)
	diffs, err := recount.Compare(ctx, s.db.Open(s.t, devclickhouse.Reader), want)
	require.NoError(s.t, err)
	for _, d := range diffs[:min(len(diffs), 20)] {
		s.t.Log(d)
	}
	require.Empty(s.t, diffs, "rows that differ from the recount")
	return want
}

// collector starts a collector and returns it with its address.
func (s *stage) collector() (*process, string) {
	p := start(s.t, "collector", append(s.env, "TIDEMARK_COLLECTOR_LISTEN=127.0.0.1:0"), "collect")
	return p, "http://" + p.says(s.t, `collector started.*"listen": ?"([^"]+)"`)
}

// mayhem is the scenario: two pipelines share the group while traffic flows, one is killed in mid-flow again and again, a
// partition is added, events come hours late and twice; during is run meanwhile.
func (s *stage) mayhem(ctx context.Context, during func(collector string)) {
	t := s.t
	collector, address := s.collector()
	a, b := s.pipeline("a"), s.pipeline("b")
	g := newTraffic(s.brokers, 1)
	t.Cleanup(func() { require.NoError(t, g.close()) })
	require.NoError(t, g.send(ctx, 3000))
	s.settle(ctx, a, b)
	for range 3 {
		require.NoError(t, g.send(ctx, 2000))
		a.kill()
		require.NoError(t, g.send(ctx, 2000))
		a = s.pipeline("a")
	}
	during(address)
	const added = 4
	grown, err := s.admin.UpdatePartitions(ctx, added+1, "telemetry")
	require.NoError(t, err)
	require.NoError(t, grown.Error())
	for { // until the producer has seen it, too
		require.NoError(t, g.send(ctx, 1000))
		ends, err := s.admin.ListEndOffsets(ctx, "telemetry")
		require.NoError(t, err)
		if end, ok := ends.Lookup("telemetry", added); ok && end.Offset > 0 {
			break
		}
	}
	b.kill() // its partitions go to the other once its session has run out
	require.NoError(t, g.send(ctx, 2000))
	s.settle(ctx, a)

	want := s.verify(ctx)
	verdicts := recount.Verdicts{}
	for source, v := range want.Sources {
		require.Equal(t, v.Received, v.Applied+v.Duplicate+v.Filtered+v.DeadLettered, source)
		verdicts.Applied += v.Applied
		verdicts.Duplicate += v.Duplicate
		verdicts.Filtered += v.Filtered
		verdicts.DeadLettered += v.DeadLettered
	}
	require.Greater(t, verdicts.Applied, uint64(10_000))
	require.Greater(t, verdicts.Duplicate, uint64(500))
	require.Greater(t, verdicts.Filtered, uint64(300))
	require.Greater(t, verdicts.DeadLettered, uint64(800))
	require.NotZero(t, want.Sources[s.source(ctx, "telemetry", added)].Applied, "the added partition is read")
	a.terminate(t)
	collector.terminate(t)
}

func (s *stage) source(ctx context.Context, topic string, partition int) string {
	topics, err := s.admin.ListTopics(ctx, topic)
	require.NoError(s.t, err)
	return source.ID{Topic: topic, Partition: int32(partition), TopicID: topics[topic].ID}.String() //nolint:gosec // small
}

func TestEmbeddedKafka(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 8*time.Minute)
	defer cancel()
	broker, err := devkafka.Start(ctx, devkafka.Options{DataDir: t.TempDir(), NoSync: true})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, broker.Close()) })
	s := newStage(t, broker.Addrs())
	s.mayhem(ctx, func(string) {})

	want, err := recount.Count(ctx, recount.Options{Brokers: s.brokers, Telemetry: "telemetry", Tickets: "tickets", Accounts: "accounts"})
	require.NoError(t, err)
	reader := s.db.Open(t, devclickhouse.Reader)
	diffs, err := recount.CompareViews(ctx, reader, want)
	require.NoError(t, err)
	require.Empty(t, diffs, "views that differ from the recount")
	var complete, open uint64
	require.NoError(t, reader.QueryRow(ctx, "SELECT countIf(complete), countIf(NOT complete) FROM usage_hour").Scan(&complete, &open))
	require.NotZero(t, complete, "hours that the watermark has passed")
	require.NotZero(t, open, "the hour that it has not")
}

// TestRealKafka is the same on Apache Kafka, with the SDKs that people use and the simulator sending through the collector.
func TestRealKafka(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 8*time.Minute)
	defer cancel()
	s := newStage(t, kafkatest.Start(t).Brokers())
	s.mayhem(ctx, func(collector string) {
		plan := calls(time.Now())
		require.Empty(t, sdktest.SendNode(t, collector, "key", plan).Failed)
		plan = calls(time.Now())
		plan.Gzip = true
		require.Empty(t, sdktest.SendPython(t, collector, "key", plan).Failed)
		truth, err := simulate.Run(ctx, simulate.Options{
			CollectorURL: collector, WriteKey: "key", Brokers: s.brokers,
			Topics: simulate.Topics{Telemetry: "telemetry", Tickets: "tickets", Accounts: "accounts"},
			Seed:   3, Accounts: 8, Rate: 300, History: 48 * time.Hour, Duration: 5 * time.Second, StateDir: t.TempDir(),
		})
		require.NoError(t, err)
		require.Greater(t, truth.Applied, uint64(1000))
	})
}

// calls is what a product might send of two users, one of whom is mapped by a group call and names no account later.
func calls(now time.Time) sdktest.Plan {
	plan := sdktest.Plan{FlushAt: 10, Calls: []sdktest.Call{
		{Type: "identify", UserID: "sdk-ann", Traits: map[string]any{"email": "ann@example.com"}},
		{Type: "track", UserID: "sdk-early", Event: "Report Started"}, // parked until the group call
		{Type: "group", UserID: "sdk-early", GroupID: "sdk-account", Traits: map[string]any{"plan": "pro", "employees": 12}},
	}}
	for i := range 40 {
		at := now.Add(-time.Duration(i) * time.Minute)
		plan.Calls = append(plan.Calls,
			sdktest.Call{Type: "track", UserID: "sdk-early", Event: "Report Published", Timestamp: &at, Properties: map[string]any{"feature": "reports"}},
			sdktest.Call{Type: "page", UserID: "sdk-ann", Name: "Home", Timestamp: &at, Context: map[string]any{"groupId": "sdk-account"}})
	}
	return plan
}
