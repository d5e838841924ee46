package e2e

import (
	"context"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"tidemark/internal/devclickhouse"
	"tidemark/internal/devclickhouse/chtest"
	"tidemark/internal/devkafka"
	"tidemark/internal/realkafka/kafkatest"
	"tidemark/internal/recount"
	"tidemark/internal/sdktest"
	"tidemark/internal/simulate"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(Main(chtest.WithShared(m)))
}

// stage is a Stage with a database of its own on the shared engine.
type stage struct {
	*Stage
	t *testing.T
}

func newStage(t *testing.T, brokers []string) *stage {
	t.Helper()
	s := &stage{NewStage(t, brokers, chtest.Shared(t)), t}
	s.Migrate()
	return s
}

// collector starts a collector and returns it with its address.
func (s *stage) collector() (*Process, string) {
	p := Start(s.t, Binary(s.t, ""), "collector", slices.Concat(s.Env, []string{"TIDEMARK_COLLECTOR_LISTEN=127.0.0.1:0"}), "collect")
	return p, "http://" + p.Says(s.t, `collector started.*"listen": ?"([^"]+)"`)
}

// mayhem is the scenario: two pipelines share the group while traffic flows, one is killed in mid-flow again and again, a
// partition is added, events come hours late and twice; during is run meanwhile.
func (s *stage) mayhem(ctx context.Context, during func(collector string)) {
	t := s.t
	collector, address := s.collector()
	a, b := s.Pipeline(Binary(t, ""), "a"), s.Pipeline(Binary(t, ""), "b")
	g := NewTraffic(s.Brokers, 1)
	t.Cleanup(func() { require.NoError(t, g.Close()) })
	require.NoError(t, g.Send(ctx, 3000))
	s.Settle(ctx, a, b)
	for range 3 {
		require.NoError(t, g.Send(ctx, 2000))
		s.Shared(ctx, s.Group, 2, sources...)
		a.Kill()
		require.NoError(t, g.Send(ctx, 2000))
		a = s.Pipeline(Binary(t, ""), "a")
	}
	during(address)
	const added = 4
	grown, err := s.Admin.UpdatePartitions(ctx, added+1, "telemetry")
	require.NoError(t, err)
	require.NoError(t, grown.Error())
	for { // until the producer has seen it, too
		require.NoError(t, g.Send(ctx, 1000))
		ends, err := s.Admin.ListEndOffsets(ctx, "telemetry")
		require.NoError(t, err)
		if end, ok := ends.Lookup("telemetry", added); ok && end.Offset > 0 {
			break
		}
	}
	s.Shared(ctx, s.Group, 2, sources...)
	b.Kill() // its partitions go to the other once its session has run out
	require.NoError(t, g.Send(ctx, 2000))
	s.Settle(ctx, a)

	want := s.Verify(ctx)
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
	require.NotZero(t, want.Sources[s.Source(ctx, "telemetry", added)].Applied, "the added partition is read")
	require.True(t, slices.ContainsFunc(slices.Collect(maps.Keys(want.Counters)), func(k recount.CounterKey) bool { return k.Feature == recount.Other }),
		"some features are too many")
	a.Terminate(t)
	collector.Terminate(t)
}

//tidemark:proves "a pipeline is killed in mid-flow": 1 3 4 5
//tidemark:proves "events come hours or weeks late": 1 4 5
//tidemark:proves "events come twice": 1 5
//tidemark:proves "a partition is added": 1 5
func TestEmbeddedKafka(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 8*time.Minute)
	defer cancel()
	broker, err := devkafka.Start(ctx, devkafka.Options{DataDir: t.TempDir(), NoSync: true})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, broker.Close()) })
	s := newStage(t, broker.Addrs())
	s.mayhem(ctx, func(string) {})

	want, err := recount.Count(ctx, s.Log())
	require.NoError(t, err)
	reader := s.DB.Open(t, devclickhouse.Reader)
	diffs, err := recount.CompareViews(ctx, reader, want)
	require.NoError(t, err)
	require.Empty(t, diffs, "views that differ from the recount")
	var complete, open uint64
	require.NoError(t, reader.QueryRow(ctx, "SELECT countIf(complete), countIf(NOT complete) FROM usage_hour").Scan(&complete, &open))
	require.NotZero(t, complete, "hours that the watermark has passed")
	require.NotZero(t, open, "the hour that it has not")
}

// TestRealKafka is the same on Apache Kafka, with the SDKs that people use and the simulator sending through the collector.
//
//tidemark:proves "a pipeline is killed in mid-flow": 1 3 4 5
//tidemark:proves "events come hours or weeks late": 1 4 5
//tidemark:proves "events come twice": 1 5
//tidemark:proves "a partition is added": 1 5
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
			CollectorURL: collector, WriteKey: "key", Brokers: s.Brokers,
			Topics: simulate.Topics{Telemetry: "telemetry", Tickets: "tickets", Accounts: "accounts", Signals: "signals"},
			Seed:   3, Accounts: 8, Rate: 300, History: 7 * 24 * time.Hour, Duration: 5 * time.Second, StateDir: t.TempDir(),
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
