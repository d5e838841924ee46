package faults_test

import (
	"context"
	"net/url"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tidemark/internal/devclickhouse/chtest"
	"tidemark/internal/e2e"
	"tidemark/internal/faults"
)

// stage is where a scenario plays: Kafka, ClickHouse, traffic, and what has been survived so far.
type stage struct {
	*e2e.Stage
	t       *testing.T
	ctx     context.Context //nolint:containedctx // the scenario's
	binary  string
	traffic *e2e.Traffic
	kafka   *faults.Proxy // pipelines reach the servers through these
	store   *faults.Proxy
	figures figures
}

// patience bounds one step of a scenario.
const patience = 5 * time.Minute

// newStage starts nothing but proxies and traffic; the tables and topics are made.
func newStage(t *testing.T, brokers []string, db *chtest.Database, seed uint64) *stage {
	t.Helper()
	s := &stage{
		Stage: e2e.NewStage(t, brokers, db), t: t, ctx: t.Context(), binary: e2e.Binary(t, "crashpoints"),
		traffic: e2e.NewTraffic(brokers, seed), kafka: kafkaProxy(t, brokers[0]), store: clickhouseProxy(t, db.Server.NativeAddr()),
	}
	t.Cleanup(func() { require.NoError(t, s.traffic.Close()) })
	s.Migrate()
	return s
}

// pipeline starts an instance of the pipeline that reaches Kafka and ClickHouse through the stage's proxies.
func (s *stage) pipeline(name string, env ...string) *e2e.Process {
	s.t.Helper()
	return s.Pipeline(s.binary, name, append([]string{
		"TIDEMARK_KAFKA_BROKERS=" + s.kafka.Addr(), "TIDEMARK_CLICKHOUSE_ADDR=" + s.store.Addr(),
		"TIDEMARK_CLICKHOUSE_READ_TIMEOUT=5s",
	}, env...)...)
}

func (s *stage) send(n int) {
	s.t.Helper()
	require.NoError(s.t, s.traffic.Send(s.ctx, n))
}

// recounted waits until everything is committed, and requires that every row is what an independent recount says.
func (s *stage) recounted(alive ...*e2e.Process) {
	s.t.Helper()
	s.Settle(s.ctx, alive...)
	want := s.Verify(s.ctx)
	s.figures.records, s.figures.rows = 0, want.Rows()
	for _, v := range want.Sources {
		s.figures.records += v.Received
	}
}

// end recounts for the last time, ends the instances in order, and prints the figures.
func (s *stage) end(alive ...*e2e.Process) {
	s.t.Helper()
	s.recounted(alive...)
	for _, p := range alive {
		p.Terminate(s.t)
	}
	s.figures.addToTotal()
	s.t.Log(s.figures)
}

// through leads a DSN through a proxy.
func through(t *testing.T, dsn string, proxy *faults.Proxy) string {
	t.Helper()
	u, err := url.Parse(dsn)
	require.NoError(t, err)
	u.Host = proxy.Addr()
	return u.String()
}

func itoa(n int32) string { return strconv.Itoa(int(n)) }
