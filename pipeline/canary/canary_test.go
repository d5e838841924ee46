package canary_test

import (
	"context"
	"strings"
	"testing"
	"time"

	driver "github.com/ClickHouse/clickhouse-go/v2"
	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/goleak"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"tidemark/internal/devclickhouse"
	"tidemark/internal/devclickhouse/chtest"
	"tidemark/internal/devkafka"
	"tidemark/pipeline"
	"tidemark/pipeline/canary"
	"tidemark/pipeline/decode"
	"tidemark/pipeline/metrics"
	"tidemark/pipeline/worker"
	"tidemark/schemas"
	"tidemark/sinks/clickhouse"
	"tidemark/sinks/clickhouse/migrate"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(chtest.WithShared(m)) }

const account = "_canary"

// air is what a canary flies through: a Kafka and a ClickHouse, with nobody in between yet.
type air struct {
	t        *testing.T
	kafka    []kgo.Opt
	store    *clickhouse.Client
	registry *prometheus.Registry
	metrics  *metrics.Pipeline
	logs     *observer.ObservedLogs
	log      *zap.Logger
}

func newAir(t *testing.T) *air {
	t.Helper()
	broker, err := devkafka.Start(t.Context(), devkafka.Options{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, broker.Close()) })
	a := &air{t: t, kafka: []kgo.Opt{kgo.SeedBrokers(broker.Addrs()...)}, registry: prometheus.NewRegistry()}
	admin := kadm.NewClient(a.client())
	created, err := admin.CreateTopics(t.Context(), 4, 1, nil, "telemetry", "dead-letters")
	require.NoError(t, err)
	require.NoError(t, created.Error())

	db := chtest.Shared(t)
	options, err := driver.ParseDSN(db.DSN(devclickhouse.Migrator))
	require.NoError(t, err)
	migrator := driver.OpenDB(options)
	defer migrator.Close() //nolint:errcheck // the migration tells
	require.NoError(t, migrate.Up(t.Context(), migrator, migrate.DefaultOptions()))
	options, err = driver.ParseDSN(db.DSN(devclickhouse.Writer))
	require.NoError(t, err)
	a.store, err = clickhouse.Open(clickhouse.Config{
		Addr: options.Addr, Database: options.Auth.Database, User: options.Auth.Username, Password: options.Auth.Password,
		DialTimeout: time.Minute, ReadTimeout: 5 * time.Minute,
	})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, a.store.Close()) })

	a.metrics = metrics.New(a.registry)
	core, logs := observer.New(zapcore.InfoLevel)
	a.log, a.logs = zap.New(core), logs
	return a
}

func (a *air) client() *kgo.Client {
	a.t.Helper()
	client, err := kgo.NewClient(a.kafka...)
	require.NoError(a.t, err)
	a.t.Cleanup(client.Close)
	return client
}

// run runs something until the test's end.
func (a *air) run(what func(ctx context.Context)) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(a.t.Context()))
	done := make(chan struct{})
	go func() { defer close(done); what(ctx) }()
	a.t.Cleanup(func() { cancel(); <-done })
}

// release starts canaries in quick succession.
func (a *air) release(patience time.Duration) {
	a.t.Helper()
	c := canary.New(canary.Config{
		Topic: "telemetry", Account: account, Instance: "test", Interval: 20 * time.Millisecond, Patience: patience,
		Client: a.client(), Store: a.store.Conn(), Freshness: a.metrics.Canary, Log: a.log,
	}, a.registry)
	a.run(c.Run)
}

func (a *air) startPipeline() {
	a.t.Helper()
	catalogue, err := schemas.Load("")
	require.NoError(a.t, err)
	program, err := schemas.Compile(catalogue)
	require.NoError(a.t, err)
	retention := migrate.DefaultRetention()
	p, err := pipeline.New(pipeline.Config{
		Kafka: a.kafka, Group: "g", SessionTimeout: 6 * time.Second, DeadLetters: "dead-letters", Program: program,
		Topics:    []pipeline.Topic{{Name: "telemetry", Content: worker.Telemetry, Disorder: time.Minute}},
		Limits:    decode.Limits{MaxFuture: time.Minute, MaxAge: retention.Day},
		Retention: [3]time.Duration{retention.Minute, retention.Hour, retention.Day}, DedupRecords: 1000,
		FlushInterval: 50 * time.Millisecond, FlushRows: 1000, QueueBytes: 64 << 20, MaxFeatures: 1000, MaxWindows: 1 << 20,
		Store: a.store, Log: zap.NewNop(), Metrics: a.metrics,
	})
	require.NoError(a.t, err)
	a.run(func(ctx context.Context) {
		if err := p.Run(ctx); err != nil {
			a.t.Error(err)
		}
	})
}

// metric returns the metric of a name that has no labels.
func (a *air) metric(name string) *dto.Metric {
	a.t.Helper()
	families, err := a.registry.Gather()
	require.NoError(a.t, err)
	for _, f := range families {
		if f.GetName() == name {
			return f.GetMetric()[0]
		}
	}
	require.Fail(a.t, "no metric "+name)
	return nil
}

func (a *air) arrived() uint64 {
	return a.metric("tidemark_canary_freshness_seconds").GetHistogram().GetSampleCount()
}
func (a *air) lost() float64 { return a.metric("tidemark_canaries_lost_total").GetCounter().GetValue() }
func (a *air) freshness() float64 {
	return a.metric("tidemark_canary_last_freshness_seconds").GetGauge().GetValue()
}

func TestCanariesArrive(t *testing.T) {
	t.Parallel()
	a := newAir(t)
	a.startPipeline()
	began := time.Now()
	a.release(5 * time.Minute)
	const enough = 12
	require.Eventually(t, func() bool { return a.arrived() >= enough }, 5*time.Minute, 50*time.Millisecond)
	require.Zero(t, a.lost())
	require.Empty(t, a.logs.All())
	// A canary is first looked for after a pause, so none can have taken no time.
	all := a.metric("tidemark_canary_freshness_seconds").GetHistogram() // of one moment: they go on arriving
	require.Greater(t, all.GetSampleSum()/float64(all.GetSampleCount()), 0.02)
	require.Positive(t, a.freshness())

	var users, minutes, partitions uint64
	require.NoError(t, a.store.Conn().QueryRow(t.Context(),
		"SELECT uniqExact(user), uniqExact(minute), uniqExact(source) FROM user_minutes WHERE account_id = ?", account).Scan(&users, &minutes, &partitions))
	require.Equal(t, uint64(1), users, "more would be kept for years")
	require.LessOrEqual(t, minutes, uint64(time.Now().Unix()/60-began.Unix()/60+1), "one row for each minute in which any was sent")
	require.Greater(t, partitions, uint64(1), "keys rotate")
	var applied, other uint64
	require.Eventually(t, func() bool { // checkpoints are written after the rows
		require.NoError(t, a.store.Conn().QueryRow(t.Context(),
			"SELECT sum(last.1), sum(last.2) FROM (SELECT argMax((applied, duplicate + filtered + dead_lettered), offset) AS last FROM checkpoints GROUP BY source)").
			Scan(&applied, &other))
		return applied >= enough
	}, 5*time.Minute, 50*time.Millisecond)
	require.Zero(t, other, "every canary is an event like others")
}

// firstLost releases canaries through an air that prepare leaves, and returns what is logged when the first of them gets lost. A machine
// that stalls may take all of its time before it is even sent: then another air's have more of it, until one gets as far as why says.
func firstLost(t *testing.T, patience time.Duration, prepare func(*air), why func(time.Duration) string) (*air, observer.LoggedEntry) {
	t.Helper()
	for ; ; patience *= 2 {
		a := newAir(t)
		prepare(a)
		a.release(patience)
		require.Eventually(t, func() bool { return a.lost() >= 2 }, 5*time.Minute, 50*time.Millisecond) // by when the first is logged
		first := a.logs.All()[0]
		if text := first.ContextMap()["error"]; patience > 20*time.Second || strings.Contains(text.(string), why(patience)) {
			require.Contains(t, text, why(patience))
			return a, first
		}
	}
}

func TestCanariesGetLostAndArriveAgain(t *testing.T) {
	t.Parallel()
	a, first := firstLost(t, 1500*time.Millisecond, func(*air) {}, func(patience time.Duration) string {
		return "not seen within " + patience.String() + ": context deadline exceeded"
	})
	// They go on getting lost, so that it is told of some, however the machine stalls.
	require.Eventually(t, func() bool { return a.freshness() >= 1.0 }, 5*time.Minute, 50*time.Millisecond, "it tells how long the one on its way has taken")
	require.Zero(t, a.arrived())
	require.Len(t, a.logs.All(), 1, "said once, not with every canary")
	require.Equal(t, zapcore.ErrorLevel, first.Level)

	a.startPipeline()
	require.Eventually(t, func() bool { return len(a.logs.All()) >= 2 }, 5*time.Minute, 50*time.Millisecond) // which comes after the metric
	require.Equal(t, "canaries arrive again", a.logs.All()[1].Message)
	require.Positive(t, a.arrived())
}

func TestCanariesAreLostWhenKafkaIsGone(t *testing.T) {
	t.Parallel()
	a := newAir(t)
	nobody := []kgo.Opt{kgo.SeedBrokers("127.0.0.1:1")}
	a.kafka = nobody
	a.release(200 * time.Millisecond)
	require.Eventually(t, func() bool { return a.lost() >= 2 }, 5*time.Minute, 50*time.Millisecond)
	require.True(t, strings.HasPrefix(a.logs.All()[0].ContextMap()["error"].(string), "send a canary: "))
}

func TestCanariesAreLostWhenClickHouseFails(t *testing.T) {
	t.Parallel()
	firstLost(t, 300*time.Millisecond, func(a *air) {
		require.NoError(t, a.store.Close())
		a.store = unreachable(t)
	}, func(time.Duration) string { return "look for a canary: " })
}

func unreachable(t *testing.T) *clickhouse.Client {
	t.Helper()
	store, err := clickhouse.Open(clickhouse.Config{Addr: []string{"127.0.0.1:1"}, Database: "d", User: "u", DialTimeout: time.Second})
	require.NoError(t, err)
	return store
}
