package e2e

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/goleak"

	"tidemark/internal/devclickhouse"
	"tidemark/internal/devclickhouse/chtest"
	"tidemark/internal/devkafka"
	"tidemark/internal/recount"
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
		"TIDEMARK_ADMIN_LISTEN=127.0.0.1:0", "TIDEMARK_PIPELINE_FLUSH_INTERVAL=200ms",
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
	require.Eventually(s.t, func() bool {
		for _, p := range alive {
			p.running(s.t)
		}
		ends, err := s.admin.ListCommittedOffsets(ctx, topics...)
		require.NoError(s.t, err)
		commits, err := s.admin.FetchOffsetsForTopics(ctx, "tidemark", topics...)
		require.NoError(s.t, err)
		left = ""
		ends.Each(func(end kadm.ListedOffset) {
			if c, ok := commits.Lookup(end.Topic, end.Partition); end.Offset > 0 && (!ok || c.At < end.Offset) {
				left += fmt.Sprintf("%s/%d at %d of %d; ", end.Topic, end.Partition, c.At, end.Offset)
			}
		})
		return left == ""
	}, 2*time.Minute, 100*time.Millisecond, "the pipeline does not come to the end of the log: %s", &left)
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

func TestEmbeddedKafka(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
	defer cancel()
	broker, err := devkafka.Start(ctx, devkafka.Options{DataDir: t.TempDir(), NoSync: true})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, broker.Close()) })
	s := newStage(t, broker.Addrs())

	a, b := s.pipeline("a"), s.pipeline("b")
	g := newTraffic(s.brokers, 1)
	t.Cleanup(func() { require.NoError(t, g.close()) })
	require.NoError(t, g.send(ctx, 3000))
	s.settle(ctx, a, b)
	for range 3 { // one dies in mid-flow and comes back
		require.NoError(t, g.send(ctx, 2000))
		a.kill()
		require.NoError(t, g.send(ctx, 2000))
		a = s.pipeline("a")
	}
	grown, err := s.admin.UpdatePartitions(ctx, 6, "telemetry")
	require.NoError(t, err)
	require.NoError(t, grown.Error())
	require.NoError(t, g.send(ctx, 5000))
	s.settle(ctx, a, b)
	want := s.verify(ctx)
	for source, v := range want.Sources {
		t.Log(source, v)
	}
	a.terminate(t)
	b.terminate(t)
}
