//go:build prometheus

package oncall

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"tidemark/internal/devclickhouse"
)

// TestNoFaultRaisesNoAlert starts everything under Prometheus's eyes and lets it run.
func TestNoFaultRaisesNoAlert(t *testing.T) {
	t.Parallel()
	s := watched(t)
	pass(45 * time.Second) // seven minutes and a half for the rules
	require.Empty(t, s.prometheus.alerts(true))
}

// TestPipelineStopped ends the only pipeline, follows the runbook, and starts it again.
func TestPipelineStopped(t *testing.T) {
	t.Parallel()
	s := watched(t)
	s.pipeline.Terminate(t)
	s.prometheus.raises("TidemarkPipelineGone")
	said := s.walk("pipeline-gone.md", map[string]string{})
	require.Contains(t, said, "unassigned")
	s.start()
	s.prometheus.ends("TidemarkPipelineGone")
}

// TestPipelineHangs stops the pipeline's process as a machine does that swaps.
func TestPipelineHangs(t *testing.T) {
	t.Parallel()
	s := watched(t)
	s.pipeline.Signal(t, syscall.SIGSTOP)
	s.prometheus.raises("TidemarkPipelineGone")
	s.pipeline.Signal(t, syscall.SIGCONT)
	s.prometheus.ends("TidemarkPipelineGone")
}

// TestPartitionStopped deletes records that were not read yet, and does what the runbook says.
func TestPartitionStopped(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	stop := s.customers()
	pass(3 * time.Second)
	s.pipeline.Terminate(t)
	pass(3 * time.Second)
	stop()
	ends, err := s.Admin.ListEndOffsets(t.Context(), "telemetry")
	require.NoError(t, err)
	end, _ := ends.Lookup("telemetry", 0)
	offsets := kadm.Offsets{}
	offsets.AddOffset("telemetry", 0, end.Offset-1, -1)
	deleted, err := s.Admin.DeleteRecords(t.Context(), offsets)
	require.NoError(t, err)
	require.NoError(t, deleted.Error())
	s.start()
	s.pipeline.Says(t, "the source has stopped and needs a person")
	pass(3 * time.Second)
	s.customers()
	s.watch()
	s.prometheus.raises("TidemarkPartitionStopped telemetry/0")
	said := s.walk("partition-stopped.md", map[string]string{"TOPIC": "-"})
	require.Contains(t, said, "out of range")
	require.Contains(t, s.run("curl -s "+s.admin(s.pipeline)+"/readyz"), "stopped: ")

	s.pipeline.Terminate(t) // "accept the loss", as the table says
	require.Eventually(t, func() bool { return s.Admin.CommitAllOffsets(t.Context(), s.Group, offsets) == nil }, patience, 100*time.Millisecond)
	s.start()
	s.prometheus.ends("TidemarkPartitionStopped telemetry/0")
	require.Contains(t, s.run("tidemark verify --topic telemetry --partition 0"), " 0 differences")
}

// TestPartitionStuck leaves a producer's transaction open, beyond which nobody may read.
func TestPartitionStuck(t *testing.T) {
	t.Parallel()
	s := watched(t)
	client, err := kgo.NewClient(kgo.SeedBrokers(s.Brokers...), kgo.TransactionalID("hangs"), kgo.TransactionTimeout(15*time.Minute),
		kgo.RecordPartitioner(kgo.ManualPartitioner()))
	require.NoError(t, err)
	defer client.Close()
	require.NoError(t, client.BeginTransaction())
	require.NoError(t, client.ProduceSync(t.Context(), &kgo.Record{Topic: "telemetry", Partition: 1, Value: []byte("{}")}).FirstErr())
	s.prometheus.raises("TidemarkPartitionBehind telemetry/1")
	said := s.walk("partition-behind.md", map[string]string{})
	require.Contains(t, said, "a transaction that is still open holds back")
	require.NoError(t, client.EndTransaction(t.Context(), kgo.TryAbort))
	s.prometheus.ends("TidemarkPartitionBehind telemetry/1")
}

// TestClickHouseSlow holds back everything that the pipeline and ClickHouse say to each other.
func TestClickHouseSlow(t *testing.T) {
	t.Parallel()
	s := watched(t)
	s.store.Delay(time.Second)
	s.prometheus.raises("TidemarkFreshnessBurnsFast")
	s.walk("freshness.md", map[string]string{"system.query_log": "-"}) // which the embedded engine does not keep
	s.store.Heal()
	s.prometheus.ends("TidemarkFreshnessBurnsFast")
}

// TestClickHouseRefuses has ClickHouse take no connections.
func TestClickHouseRefuses(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	stop := s.customers()
	s.watch()
	s.prometheus.calm()
	s.store.Refuse()
	s.prometheus.raises("TidemarkClickHouseRefuses")
	s.walk("clickhouse.md", map[string]string{"system.processes": "-"})
	require.Contains(t, s.pipeline.Log(t), "flush failed; trying again until it succeeds")
	s.store.Heal()
	s.prometheus.ends("TidemarkClickHouseRefuses")
	stop()
	require.Contains(t, s.run("tidemark verify"), " 0 differences")
}

// TestBadProducer has a producer send another format than it did, and looks at every panel of the dashboards.
func TestBadProducer(t *testing.T) {
	t.Parallel()
	s := watched(t)
	done := make(chan struct{})
	defer close(done)
	go func() {
		for {
			select {
			case <-done:
				return
			case <-time.After(50 * time.Millisecond):
				s.client.Produce(t.Context(), &kgo.Record{Topic: "telemetry", Value: []byte(
					`{"type":"track","event":"Used","messageId":"x","userId":42,"context":{"groupId":"acme","library":{"name":"shop","version":"7"}}}`)}, nil)
			}
		}
	}()
	s.prometheus.raises("TidemarkDeadLetters telemetry/")
	said := s.walk("dead-letters.md", map[string]string{"SOURCE:OFFSET": "-"})
	require.Contains(t, said, "shop")
	s.showsEveryPanel()
}

// TestCollectorFails cuts the collector off from Kafka.
func TestCollectorFails(t *testing.T) {
	t.Parallel()
	s := watched(t)
	s.kafka.Refuse()
	s.prometheus.raises("TidemarkCollectorFails")
	said := s.walk("collector.md", map[string]string{"tidemark collect": "-"})
	require.Contains(t, said, "kafka does not answer")
	require.Contains(t, said, `code="503"`)
	s.kafka.Heal()
	s.prometheus.ends("TidemarkCollectorFails")
}

// TestCollectorStopped ends the only collector, and starts it again.
func TestCollectorStopped(t *testing.T) {
	t.Parallel()
	s := watched(t)
	s.collector.Terminate(t)
	s.prometheus.raises("TidemarkCollectorGone")
	s.walk("collector.md", map[string]string{"tidemark collect": "-"})
	s.collect(strings.TrimPrefix(s.url, "http://"))
	s.scrape()
	s.prometheus.ends("TidemarkCollectorGone")
}

// TestWhatWaitsForTheMorning has an app put ids into feature names, events that wait for an account since yesterday, and a checkpoint written
// by hand.
func TestWhatWaitsForTheMorning(t *testing.T) {
	t.Parallel()
	s := watched(t)
	yesterday := time.Now().Add(-30 * time.Hour).UTC().Format(time.RFC3339)
	require.NoError(t, s.client.ProduceSync(t.Context(), &kgo.Record{Topic: "parked", Key: []byte("visitor|m"), Value: fmt.Appendf(nil,
		`{"type":"track","event":"Seen","messageId":"m","userId":"visitor","timestamp":%[1]q,"receivedAt":%[1]q}`, yesterday)}).FirstErr())
	for n := range 20 {
		var events []any
		for i := range 20 {
			events = append(events, map[string]any{
				"type": "track", "event": "Export Made", "messageId": fmt.Sprintf("x-%d-%d", n, i), "userId": "u",
				"context": map[string]any{"groupId": "ids"}, "properties": map[string]any{"feature": fmt.Sprintf("export %d", 20*n+i)},
			})
		}
		require.NoError(t, s.post("/v1/batch", map[string]any{"batch": events}))
		pass(200 * time.Millisecond)
	}
	require.NoError(t, s.DB.Open(t, devclickhouse.Migrator).Exec(t.Context(), `INSERT INTO checkpoints_all SELECT * REPLACE (received + 5 AS received)
FROM checkpoints_all WHERE source LIKE 'telemetry/%' ORDER BY log_time DESC, source LIMIT 1`))
	s.prometheus.raises("TidemarkEventsParked", "TidemarkFeaturesOverLimit", "TidemarkRecordsUnaccounted")
	require.Contains(t, s.walk("accounting.md", map[string]string{}), "received is not the sum")
	require.Contains(t, s.walk("features.md", map[string]string{}), "ids")
	require.Contains(t, s.walk("parked.md", map[string]string{"WRITE_KEY:": "any:"}), "visitor")
	require.NoError(t, s.post("/v1/group", map[string]any{"userId": "visitor", "groupId": "acme"}))
	s.prometheus.ends("TidemarkEventsParked")
}

// TestTargetIsGone has the receiver of customers' alerts say that it is gone, and come back. All processes run that export metrics.
func TestTargetIsGone(t *testing.T) {
	t.Parallel()
	var back atomic.Bool
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if !back.Load() {
			w.WriteHeader(http.StatusGone)
		}
	}))
	t.Cleanup(receiver.Close)
	s := newStand(t)
	s.customers()
	s.others(fmt.Sprintf("{crm: {allow: [127.0.0.0/8], webhook: {allow_http: true, url: %q, secrets: [whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=]}}}", receiver.URL))
	s.watch()
	s.prometheus.raises("TidemarkAlertsUndelivered crm")
	require.Contains(t, s.walk("deliveries.md", map[string]string{"TARGET": "crm"}), "410")
	s.produce("telemetry", 0, "{") // counters of reasons begin with the first
	s.produce("desk", 0, "{")
	s.exportsEveryMetric()
	back.Store(true)
	s.T.Log(s.run("tidemark triggers deliveries redrive --target crm"))
	s.prometheus.ends("TidemarkAlertsUndelivered crm")
}
