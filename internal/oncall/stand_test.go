//go:build prometheus

package oncall

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/goleak"

	"tidemark/internal/devclickhouse/chtest"
	"tidemark/internal/devkafka"
	"tidemark/internal/e2e"
	"tidemark/internal/faults"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(e2e.Main(chtest.WithShared(m))) }

// stand is what somebody on call has: processes of tidemark under steady traffic, and Prometheus.
type stand struct {
	*e2e.Stage
	T          *testing.T
	broker     *devkafka.Broker
	prometheus *prometheus
	client     *kgo.Client   // for what no collector would write
	kafka      *faults.Proxy // between the collector and Kafka
	store      *faults.Proxy // between the pipeline and ClickHouse
	collector  *e2e.Process
	pipeline   *e2e.Process
	second     *e2e.Process // another pipeline
	triggers   *e2e.Process
	normaliser *e2e.Process
	url        string // of the collector
	reader     string // file with the password of ClickHouse's reader
}

// newStand starts a collector and a pipeline.
func newStand(t *testing.T) *stand {
	t.Helper()
	broker, err := devkafka.Start(t.Context(), devkafka.Options{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, broker.Close()) })
	s := &stand{Stage: e2e.NewStage(t, broker.Addrs(), chtest.Shared(t)), T: t, broker: broker}
	s.reader = filepath.Join(t.TempDir(), "reader")
	require.NoError(t, os.WriteFile(s.reader, []byte(s.env("TIDEMARK_CLICKHOUSE_READER_PASSWORD")), 0o600))
	s.Env = append(s.Env, "TIDEMARK_CLICKHOUSE_READER_PASSWORD=", "TIDEMARK_CLICKHOUSE_READER_PASSWORD_FILE="+s.reader,
		"TIDEMARK_CANARY_ENABLED=true", "TIDEMARK_PIPELINE_FLUSH_INTERVAL=500ms", "TIDEMARK_PIPELINE_MAX_FEATURES=50")
	s.Migrate()
	s.client, err = kgo.NewClient(kgo.SeedBrokers(s.Brokers...), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	require.NoError(t, err)
	t.Cleanup(s.client.Close)
	s.kafka, err = faults.Kafka(s.Brokers[0])
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.kafka.Close()) })
	s.store, err = faults.ClickHouse(s.DB.Server.NativeAddr())
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.store.Close()) })
	s.url = "http://" + s.collect("127.0.0.1:0")
	s.start()
	return s
}

// desk is a raw topic.
const desk = "desk: {format: json, events: [{when: {$.kind: ticket}, ticket: {ticket_id: $.id, kind: created, occurred_at: $.at, account_id: $.account}}]}"

// configure gives every process that is started from now on, and every command, a file of configuration.
func (s *stand) configure(text string) {
	s.T.Helper()
	config := filepath.Join(s.T.TempDir(), "tidemark.yml")
	require.NoError(s.T, os.WriteFile(config, []byte(text), 0o600))
	s.Env = append(s.Env, "TIDEMARK_CONFIG="+config)
}

// others starts triggers, with these targets, and a normaliser.
func (s *stand) others(targets string) {
	s.T.Helper()
	s.configure(fmt.Sprintf("triggers: {targets: %s}\nnormalise: {topics: {%s}}\n", targets, desk))
	s.triggers = e2e.Start(s.T, e2e.Binary(s.T, ""), "triggers", s.Env, "triggers", "run")
	s.triggers.Says(s.T, "triggers started")
	s.topics("desk")
	s.normalise()
	s.produce("desk", 0, fmt.Sprintf(`{"kind":"ticket","id":7,"at":%q,"account":"account-7"}`, time.Now().UTC().Format(time.RFC3339)))
}

// topics makes topics of one partition.
func (s *stand) topics(names ...string) {
	s.T.Helper()
	created, err := s.Admin.CreateTopics(s.T.Context(), 1, 1, nil, names...)
	require.NoError(s.T, err)
	require.NoError(s.T, created.Error())
}

// normalise starts a normaliser, and has Prometheus, if it runs, scrape it.
func (s *stand) normalise(env ...string) {
	s.T.Helper()
	s.normaliser = e2e.Start(s.T, e2e.Binary(s.T, ""), "normaliser", slices.Concat(s.Env, []string{"TIDEMARK_KAFKA_INSTANCE_ID=n"}, env), "normalise")
	s.normaliser.Says(s.T, "normalising started")
	s.scrape()
}

// collect starts the collector, and returns where it listens.
func (s *stand) collect(listen string) string {
	s.T.Helper()
	s.collector = e2e.Start(s.T, e2e.Binary(s.T, ""), "collector", slices.Concat(s.Env, []string{
		"TIDEMARK_COLLECTOR_LISTEN=" + listen, "TIDEMARK_KAFKA_BROKERS=" + s.kafka.Addr(),
	}), "collect")
	s.collector.Says(s.T, "collector ready")
	return s.collector.Says(s.T, `collector started.*"listen": ?"([^"]+)"`)
}

// start starts the pipeline, and has Prometheus, if it runs, scrape it.
func (s *stand) start() {
	s.T.Helper()
	s.pipeline = s.Pipeline(e2e.Binary(s.T, ""), "a", "TIDEMARK_CLICKHOUSE_ADDR="+s.store.Addr(), "TIDEMARK_CLICKHOUSE_READ_TIMEOUT=30s")
	s.pipeline.Says(s.T, `"msg":"folding"`) // after all have said where they listen
	s.scrape()
}

// watch starts Prometheus.
func (s *stand) watch() {
	s.T.Helper()
	s.prometheus = startPrometheus(s.T)
	s.scrape()
}

// watched is a stand with customers that Prometheus watches, once nothing is wrong any more.
func watched(t *testing.T) *stand {
	t.Helper()
	s := newStand(t)
	s.customers()
	s.watch()
	s.prometheus.calm()
	return s
}

func (s *stand) scrape() {
	if s.prometheus != nil {
		var addresses []string
		for _, p := range []*e2e.Process{s.collector, s.pipeline, s.second, s.triggers, s.normaliser} {
			if p != nil {
				addresses = append(addresses, s.admin(p))
			}
		}
		s.prometheus.scrape(addresses...)
	}
}

// admin is the address of a process's metrics and health, which may have ended.
func (s *stand) admin(p *e2e.Process) string {
	s.T.Helper()
	said := regexp.MustCompile(`"admin":"([^"]+)"`).FindStringSubmatch(p.Log(s.T))
	require.NotEmpty(s.T, said, "%s has not said where it listens", p.Name)
	return said[1]
}

// customers send good events to the collector until the returned function is called. What it refuses is sent again. After each batch of
// twenty events, something else is done as well.
func (s *stand) customers(also ...func()) (stop func()) {
	done := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		for n := 0; ; {
			if err := s.post("/v1/batch", s.batch(n)); err == nil {
				n++
				for _, do := range also {
					do()
				}
			}
			select {
			case <-done:
				return
			case <-time.After(250 * time.Millisecond):
			}
		}
	})
	stop = sync.OnceFunc(func() { close(done); wg.Wait() })
	s.T.Cleanup(stop)
	return stop
}

// batch is a call with events of twenty accounts, which go to all partitions.
func (s *stand) batch(n int) any {
	var events []any
	for account := range 20 {
		events = append(events, map[string]any{
			"type": "track", "event": "Report Viewed", "messageId": fmt.Sprintf("m-%d-%d", n, account), "userId": fmt.Sprintf("u%d", account),
			"context": map[string]any{"groupId": fmt.Sprintf("account-%d", account)}, "timestamp": time.Now().UTC().Format(time.RFC3339Nano),
			"properties": map[string]any{"feature": fmt.Sprintf("f%d", n%10)},
		})
	}
	return map[string]any{"batch": events}
}

func (s *stand) post(path string, body any) error {
	text, err := json.Marshal(body)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url+path, bytes.NewReader(text))
	if err != nil {
		return err
	}
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close() //nolint:errcheck // only its status matters
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s", resp.Status)
	}
	return nil
}

// produce writes a record to a partition, as any producer can.
func (s *stand) produce(topic string, partition int32, value string) {
	s.T.Helper()
	require.NoError(s.T, s.client.ProduceSync(s.T.Context(), &kgo.Record{Topic: topic, Partition: partition, Value: []byte(value)}).FirstErr())
}

// env is the value of a variable that leads tidemark to its backends.
func (s *stand) env(name string) string {
	s.T.Helper()
	i := slices.IndexFunc(s.Env, func(e string) bool { return strings.HasPrefix(e, name+"=") })
	require.GreaterOrEqual(s.T, i, 0, name)
	return strings.TrimPrefix(s.Env[i], name+"=")
}
