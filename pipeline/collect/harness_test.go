package collect

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"runtime/pprof"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/goleak"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest"
)

func TestMain(m *testing.M) {
	if brokers := os.Getenv(childBrokers); brokers != "" {
		os.Exit(runChild(brokers))
	}
	goleak.VerifyTestMain(m)
}

// patience bounds how long a test waits for what must happen; a machine under
// load needs it, a healthy run does not.
const patience = 2 * time.Minute

const partitions = 4

// eventually polls condition, in the test's own goroutine so that condition may
// end the test.
func eventually(t testing.TB, condition func() bool, within, every time.Duration, message ...any) {
	t.Helper()
	deadline := time.After(within)
	for !condition() {
		select {
		case <-deadline:
			require.FailNow(t, "condition never satisfied", message...)
		case <-time.After(every):
		}
	}
}

func startKafka(t testing.TB, opts ...kfake.Opt) *kfake.Cluster {
	t.Helper()
	opts = append([]kfake.Opt{kfake.NumBrokers(1), kfake.SeedTopics(partitions, "telemetry", "users", "accounts", "signals", "tickets", "parked")}, opts...)
	cluster, err := kfake.NewCluster(opts...)
	require.NoError(t, err)
	t.Cleanup(cluster.Close)
	return cluster
}

// running is a collector under test.
type running struct {
	*Collector
	t        testing.TB
	registry *prometheus.Registry
	stop     func() // ends Run and waits for it
	err      chan error
	addr     string // of a collector in another process
	kill     func() // ends that process
}

func (r *running) host() string {
	if r.addr != "" {
		return r.addr
	}
	return r.Addr()
}

func testConfig(cluster *kfake.Cluster, change ...func(*Config)) Config {
	c := Config{Listen: "127.0.0.1:0", Brokers: cluster.ListenAddrs(), DrainTimeout: patience, WriteTimeout: patience}
	for _, f := range change {
		f(&c)
	}
	return c
}

// start runs a collector and waits until it accepts events.
func start(t testing.TB, c Config) *running {
	t.Helper()
	return startLogging(t, c, zaptest.NewLogger(t, zaptest.Level(zap.ErrorLevel)))
}

func startLogging(t testing.TB, c Config, log *zap.Logger) *running {
	t.Helper()
	registry := newRegistry()
	col, err := New(c, log, registry)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	r := &running{Collector: col, t: t, registry: registry, err: make(chan error, 1)}
	go func() { r.err <- col.Run(ctx) }()
	stopped := false
	r.stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		select {
		case err := <-r.err:
			require.NoError(t, err)
		case <-time.After(patience):
			require.NoError(t, pprof.Lookup("goroutine").WriteTo(os.Stderr, 1))
			require.FailNow(t, "the collector did not stop")
		}
	}
	t.Cleanup(r.stop)
	eventually(t, func() bool {
		response := r.get("/readyz")
		return response.code == http.StatusOK
	}, patience, 10*time.Millisecond)
	return r
}

// clock is a time that moves when a test says so; the collector's goroutines
// look at it at any moment.
type clock struct{ passed atomic.Int64 }

func (c *clock) now() time.Time { return noon.Add(time.Duration(c.passed.Load())) }

func (c *clock) forward(d time.Duration) { c.passed.Add(int64(d)) }

func newRegistry() *prometheus.Registry { return prometheus.NewRegistry() }

// response is an HTTP answer, read to its end.
type response struct {
	code   int
	header http.Header
	body   []byte
}

func (r response) refusal(t testing.TB) refusal {
	t.Helper()
	var out refusal
	require.NoError(t, json.Unmarshal(r.body, &out), "%s", r.body)
	return out
}

// client has no keep-alive, so that no connection outlives a test. It sends a
// request in one write: a collector that hangs up on it cannot do so meanwhile.
var client = &http.Client{Transport: &http.Transport{DisableKeepAlives: true, WriteBufferSize: 1 << 20}, Timeout: patience}

func (r *running) get(path string) response {
	r.t.Helper()
	return r.do(http.MethodGet, path, nil, nil)
}

func (r *running) post(path, body string) response {
	r.t.Helper()
	return r.do(http.MethodPost, path, []byte(body), nil)
}

func (r *running) accept(path, body string) {
	r.t.Helper()
	response := r.post(path, body)
	require.Equal(r.t, http.StatusOK, response.code, "%s", response.body)
	require.JSONEq(r.t, `{"success": true}`, string(response.body))
}

func (r *running) do(method, path string, body []byte, change func(*http.Request)) response {
	r.t.Helper()
	request, err := http.NewRequest(method, "http://"+r.host()+path, bytes.NewReader(body))
	require.NoError(r.t, err)
	if change != nil {
		change(request)
	}
	answer, err := client.Do(request)
	require.NoError(r.t, err)
	defer func() { require.NoError(r.t, answer.Body.Close()) }()
	content, err := io.ReadAll(answer.Body)
	require.NoError(r.t, err)
	return response{answer.StatusCode, answer.Header, content}
}

// metric returns the value of a counter or gauge, summed over its labels
// matching the given pairs.
func (r *running) metric(name string, labels ...string) float64 {
	r.t.Helper()
	families, err := r.registry.Gather()
	require.NoError(r.t, err)
	sum := 0.0
	for _, family := range families {
		if family.GetName() != "tidemark_collector_"+name {
			continue
		}
		for _, m := range family.GetMetric() {
			if hasLabels(m, labels) {
				sum += m.GetCounter().GetValue() + m.GetGauge().GetValue() + float64(m.GetHistogram().GetSampleCount())
			}
		}
	}
	return sum
}

func hasLabels(m *dto.Metric, pairs []string) bool {
	for i := 0; i < len(pairs); i += 2 {
		found := false
		for _, l := range m.GetLabel() {
			found = found || l.GetName() == pairs[i] && l.GetValue() == pairs[i+1]
		}
		if !found {
			return false
		}
	}
	return true
}

// readTopic returns all committed records of a topic.
func readTopic(t testing.TB, brokers []string, topic string) []*kgo.Record {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	reader, err := kgo.NewClient(kgo.SeedBrokers(brokers...), kgo.ConsumeTopics(topic),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.KeepControlRecords())
	require.NoError(t, err)
	defer reader.Close()
	ends := endOffsets(ctx, t, reader, topic)
	var records []*kgo.Record
	for len(ends) > 0 {
		fetches := reader.PollFetches(ctx)
		require.NoError(t, fetches.Err())
		fetches.EachRecord(func(r *kgo.Record) {
			if !r.Attrs.IsControl() {
				records = append(records, r)
			}
			if r.Offset+1 >= ends[r.Partition] {
				delete(ends, r.Partition)
			}
		})
	}
	return records
}

// events returns the telemetry events, decoded, by message id. It fails when an
// id appears twice.
func events(t testing.TB, brokers []string) map[string]map[string]any {
	t.Helper()
	byID := map[string]map[string]any{}
	for _, r := range readTopic(t, brokers, "telemetry") {
		event := decodeJSON(t, r.Value)
		id := event["messageId"].(string)
		require.Nil(t, byID[id], "the event is in telemetry twice")
		require.Equal(t, event["context"].(map[string]any)["groupId"], string(r.Key))
		byID[id] = event
	}
	return byID
}

func decodeJSON(t testing.TB, value []byte) map[string]any {
	t.Helper()
	var event map[string]any
	require.NoError(t, json.Unmarshal(value, &event), "%s", value)
	return event
}

func track(id, user string) string {
	return fmt.Sprintf(`{"type":"track","event":"Report Started","messageId":%q,"userId":%q}`, id, user)
}
