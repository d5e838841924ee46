package simulate

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest"

	"tidemark/internal/devclickhouse"
	"tidemark/internal/devclickhouse/chtest"
	"tidemark/internal/recount"
	"tidemark/pipeline"
	"tidemark/pipeline/collect"
	"tidemark/pipeline/decode"
	"tidemark/pipeline/metrics"
	"tidemark/pipeline/worker"
	"tidemark/schemas"
	"tidemark/schemas/secret"
	sink "tidemark/sinks/clickhouse"
	"tidemark/sinks/clickhouse/migrate"
)

// startTidemark runs the collector and the pipeline until the test ends, and
// returns the collector's URL.
func startTidemark(t *testing.T, c *kfake.Cluster, d *chtest.Database) string {
	t.Helper()
	log := zaptest.NewLogger(t, zaptest.Level(zap.WarnLevel))
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 2)

	collector, err := collect.New(collect.Config{Listen: "127.0.0.1:0", Brokers: c.ListenAddrs(), WriteKeys: []secret.Secret{secret.New("key")}},
		log, prometheus.NewRegistry())
	require.NoError(t, err)
	go func() { done <- collector.Run(ctx) }()

	options, err := clickhouse.ParseDSN(d.DSN(devclickhouse.Writer))
	require.NoError(t, err)
	store, err := sink.Open(sink.Config{Addr: options.Addr, Database: options.Auth.Database,
		User: options.Auth.Username, Password: options.Auth.Password})
	require.NoError(t, err)
	catalogue, err := schemas.Builtin()
	require.NoError(t, err)
	program, err := schemas.Compile(catalogue)
	require.NoError(t, err)
	const hour = time.Hour
	p, err := pipeline.New(pipeline.Config{
		Kafka: []kgo.Opt{kgo.SeedBrokers(c.ListenAddrs()...)}, Group: "tidemark", SessionTimeout: 10 * time.Second,
		Topics: []pipeline.Topic{{Name: topics.Telemetry, Content: worker.Telemetry},
			{Name: topics.Tickets, Content: worker.Tickets}, {Name: topics.Accounts, Content: worker.Accounts}, {Name: topics.Signals, Content: worker.Signals}},
		DeadLetters: "dead-letters", Program: program,
		Limits:       decode.Limits{MaxFuture: 10 * time.Minute, MaxAge: 43800 * hour},
		Retention:    [3]time.Duration{336 * hour, 9600 * hour, 43800 * hour},
		DedupRecords: 131072, MaxFeatures: 1000, MaxWindows: 1 << 20, FlushInterval: 200 * time.Millisecond, FlushRows: 50_000, QueueBytes: 64 << 20,
		Store: store, Log: log, Metrics: metrics.New(prometheus.NewRegistry()),
	})
	require.NoError(t, err)
	go func() { done <- p.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		for range 2 {
			require.NoError(t, <-done)
		}
		require.NoError(t, store.Close())
	})
	return "http://" + collector.Addr()
}

// TestTheTruthReachesClickHouse plays the simulation against the real collector
// and pipeline, and checks ClickHouse against the truth and against a recount.
func TestTheTruthReachesClickHouse(t *testing.T) {
	c, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(4, "telemetry", "tickets", "signals", "parked"),
		kfake.SeedTopics(1, "accounts", "users", "dead-letters"))
	require.NoError(t, err)
	t.Cleanup(c.Close)
	d := chtest.Shared(t)
	migrateUp(t, d)
	opts := Options{WriteKey: "key", Brokers: c.ListenAddrs(), Topics: topics, Seed: 11, Accounts: 10, Rate: 500,
		History: day(2), Duration: 2 * time.Second, StateDir: t.TempDir()}
	opts.CollectorURL = startTidemark(t, c, d)
	ctx := testContext(t)
	truth, err := Run(ctx, opts)
	require.NoError(t, err)

	reader := d.Open(t, devclickhouse.Reader)
	last := ""
	settled := func() bool {
		differences, err := CompareTruth(ctx, reader, truth)
		require.NoError(t, err)
		last = firstOf(differences)
		return last == ""
	}
	for deadline := time.Now().Add(3 * time.Minute); !settled(); { // the pipeline has read all of it
		require.True(t, time.Now().Before(deadline), last)
	}

	result, err := recount.Count(ctx, recount.Options{Brokers: c.ListenAddrs(), Telemetry: topics.Telemetry,
		Tickets: topics.Tickets, Accounts: topics.Accounts, Signals: topics.Signals})
	require.NoError(t, err)
	differences, err := recount.Compare(ctx, reader, result)
	require.NoError(t, err)
	require.Empty(t, differences)

	differences, err = CompareFigures(ctx, reader, truth)
	require.NoError(t, err)
	require.Empty(t, firstOf(differences))
	differences, err = recount.CompareViews(ctx, reader, result)
	require.NoError(t, err)
	require.Empty(t, firstOf(differences))

	// What is wrong is found. The row that is taken may be superseded by one with a higher value.
	writer := d.Open(t, devclickhouse.Writer)
	require.NoError(t, writer.Exec(ctx, "INSERT INTO counters_all (* EXCEPT generation) SELECT * REPLACE (value + 1000000 AS value) FROM counters WHERE tier = 'day' AND metric = 'events' LIMIT 1"))
	require.NoError(t, writer.Exec(ctx, "INSERT INTO dead_letters_all (* EXCEPT generation) SELECT * REPLACE (offset + 1000000 AS offset) FROM dead_letters LIMIT 1"))
	differences, err = CompareTruth(ctx, reader, truth)
	require.NoError(t, err)
	require.Len(t, differences, 2, "%v", differences)
	require.NoError(t, writer.Exec(ctx, "INSERT INTO facts_all (* EXCEPT generation) SELECT * REPLACE ('one too many' AS entity) FROM facts WHERE kind = 'ticket' AND name = 'created' LIMIT 1"))
	differences, err = CompareFigures(ctx, reader, truth)
	require.NoError(t, err)
	require.NotEmpty(t, differences)
}

func migrateUp(t *testing.T, d *chtest.Database) {
	t.Helper()
	options, err := clickhouse.ParseDSN(d.DSN(devclickhouse.Migrator))
	require.NoError(t, err)
	db := clickhouse.OpenDB(options)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	require.NoError(t, migrate.Up(t.Context(), db, migrate.DefaultOptions()))
}

func firstOf(differences []Difference) string {
	var b strings.Builder
	for i, d := range differences {
		if i == 20 {
			b.WriteString("...")
			break
		}
		b.WriteString(d.String() + "\n")
	}
	return b.String()
}
