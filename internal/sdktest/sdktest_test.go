package sdktest_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	kafka "github.com/segmentio/kafka-go"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest"

	"tidemark/internal/sdktest"
	"tidemark/pipeline/collect"
	"tidemark/schemas/secret"
)

const (
	writeKey = "sdk-key"
	patience = 5 * time.Minute
)

var sdks = map[string]func(testing.TB, string, string, sdktest.Plan) sdktest.Result{
	"node":   sdktest.SendNode,
	"python": sdktest.SendPython,
}

// TestEveryCall sends one call of each type and checks each event in Kafka.
func TestEveryCall(t *testing.T) {
	for name, send := range sdks {
		t.Run(name, func(t *testing.T) {
			brokers, endpoint := startCollector(t)
			at := time.Now().Add(-90 * time.Minute).UTC().Truncate(time.Millisecond)
			plan := sdktest.Plan{Gzip: true, Calls: []sdktest.Call{
				{Type: "track", MessageID: "waits", UserID: "ada", Event: "Report Started", Timestamp: &at, Properties: map[string]any{"feature": "reports", "duration_ms": 1250}},
				{Type: "group", MessageID: "group", UserID: "ada", GroupID: "acme", Traits: map[string]any{"name": "Acme Ltd", "plan": "pro", "seats": 25}},
				{Type: "track", MessageID: "track", UserID: "ada", Event: "Report Published", Properties: map[string]any{"title": "Q3 – naïve ☃", "nested": map[string]any{"a": []any{1, "b", nil}}}},
				{Type: "identify", MessageID: "identify", UserID: "bob", Traits: map[string]any{"email": "bob@example.com", "company": map[string]any{"id": "globex", "plan": "free"}}},
				{Type: "page", MessageID: "page", UserID: "bob", Name: "Pricing", Properties: map[string]any{"path": "/pricing"}},
				{Type: "screen", MessageID: "screen", AnonymousID: "anon-1", Name: "Home", Context: map[string]any{"groupId": "initech"}},
				{Type: "alias", MessageID: "alias", UserID: "carol", PreviousID: "ada"},
				{Type: "track", MessageID: "after-alias", UserID: "carol", Event: "Signed In"},
			}}
			result := send(t, endpoint, writeKey, plan)
			require.Equal(t, sdktest.Result{Sent: len(plan.Calls), Failed: []string{}}, result)

			got := telemetry(t, brokers, len(plan.Calls))
			accounts := map[string]string{}
			for id, e := range got {
				accounts[id] = e.Context.GroupID
				require.Equal(t, e.Context.GroupID, e.key, id)
				require.WithinDuration(t, time.Now(), e.ReceivedAt, patience, id)
				require.WithinDuration(t, e.ReceivedAt, e.SentAt, patience, id)
				require.Contains(t, e.Context.Library.Name, "analytics-"+name, id)
			}
			require.Equal(t, map[string]string{
				"waits": "acme", "group": "acme", "track": "acme", "identify": "globex", "page": "globex",
				"screen": "initech", "alias": "acme", "after-alias": "acme",
			}, accounts)
			require.Equal(t, "Report Started", got["waits"].Event)
			require.True(t, got["waits"].OriginalTimestamp.Equal(at))
			require.WithinDuration(t, at, got["waits"].Timestamp, patience)
			require.JSONEq(t, `{"feature":"reports","duration_ms":1250}`, string(got["waits"].Properties))
			require.JSONEq(t, `{"title":"Q3 – naïve ☃","nested":{"a":[1,"b",null]}}`, string(got["track"].Properties))
			require.Equal(t, "Pricing", got["page"].Name)
			require.Equal(t, "anon-1", got["screen"].AnonymousID)
			require.Equal(t, "ada", got["alias"].PreviousID)

			acme := attributes(t, brokers, "acme")
			require.Equal(t, "Acme Ltd", acme["name"])
			require.EqualValues(t, 25, acme["seats"])
		})
	}
}

// TestManyCalls sends more calls than fit into one request, of users whose
// account the collector learns only at the end.
func TestManyCalls(t *testing.T) {
	const users, each = 20, 60
	for name, send := range sdks {
		t.Run(name, func(t *testing.T) {
			brokers, endpoint := startCollector(t)
			var plan sdktest.Plan
			want := map[string]string{}
			for i := range users * each {
				id := fmt.Sprintf("m%d", i)
				user := i % users
				want[id] = fmt.Sprintf("account-%d", user%7)
				plan.Calls = append(plan.Calls, sdktest.Call{Type: "track", MessageID: id, UserID: fmt.Sprintf("user-%d", user), Event: "Report Started"})
			}
			for user := range users {
				id := fmt.Sprintf("g%d", user)
				want[id] = fmt.Sprintf("account-%d", user%7)
				plan.Calls = append(plan.Calls, sdktest.Call{Type: "group", MessageID: id, UserID: fmt.Sprintf("user-%d", user), GroupID: want[id]})
			}
			result := send(t, endpoint, writeKey, plan)
			require.Equal(t, sdktest.Result{Sent: len(plan.Calls), Failed: []string{}}, result)
			got := map[string]string{}
			for id, e := range telemetry(t, brokers, len(plan.Calls)) {
				got[id] = e.Context.GroupID
			}
			require.Equal(t, want, got)
		})
	}
}

// TestNumericIDs: the Python SDK passes a numeric groupId on as a number.
func TestNumericIDs(t *testing.T) {
	brokers, endpoint := startCollector(t)
	plan := sdktest.Plan{Calls: []sdktest.Call{
		{Type: "group", MessageID: "group", UserID: 7, GroupID: 42},
		{Type: "track", MessageID: "track", UserID: 7, Event: "Signed In"},
	}}
	result := sdktest.SendPython(t, endpoint, writeKey, plan)
	require.Empty(t, result.Failed)
	got := telemetry(t, brokers, 2)
	require.Equal(t, "42", got["group"].GroupID)
	require.Equal(t, "42", got["track"].Context.GroupID)
}

// TestRefusedCalls: both SDKs give a refused call up at once and say why.
func TestRefusedCalls(t *testing.T) {
	for name, send := range sdks {
		t.Run(name, func(t *testing.T) {
			brokers, endpoint := startCollector(t)
			track := sdktest.Call{Type: "track", MessageID: "m1", UserID: "ada", Event: "Signed In", Context: map[string]any{"groupId": "acme"}}
			tooLong := track
			tooLong.MessageID = fmt.Sprintf("%0101d", 0)

			result := send(t, endpoint, writeKey, sdktest.Plan{Calls: []sdktest.Call{tooLong}})
			require.Len(t, result.Failed, 1)
			require.Contains(t, result.Failed[0], "400")
			result = send(t, endpoint, "another-key", sdktest.Plan{Calls: []sdktest.Call{track}})
			require.Len(t, result.Failed, 1)
			require.Contains(t, result.Failed[0], "401")
			result = send(t, endpoint, writeKey, sdktest.Plan{Calls: []sdktest.Call{track}})
			require.Empty(t, result.Failed)
			require.Len(t, telemetry(t, brokers, 1), 1)
		})
	}
}

// TestOutage: while Kafka is away the SDKs are told to come back, and do.
func TestOutage(t *testing.T) {
	for name, send := range sdks {
		t.Run(name, func(t *testing.T) {
			cluster := startKafka(t)
			registry := prometheus.NewRegistry()
			endpoint := startCollectorOn(t, cluster, registry, time.Second)
			cluster.ControlKey(int16(kmsg.Produce), func(kmsg.Request) (kmsg.Response, error, bool) {
				if n, err := requests(registry, "503"); err != nil || n > 0 { // the SDK has been sent away: Kafka is back
					return nil, nil, false
				}
				cluster.KeepControl()
				return nil, errors.New("Kafka is away"), true
			})
			var plan sdktest.Plan
			for i := range 40 {
				plan.Calls = append(plan.Calls, sdktest.Call{
					Type: "track", MessageID: fmt.Sprintf("m%d", i), UserID: "ada", Event: "Signed In", Context: map[string]any{"groupId": "acme"},
				})
			}
			result := send(t, endpoint, writeKey, plan)
			require.Equal(t, sdktest.Result{Sent: len(plan.Calls), Failed: []string{}}, result)
			for _, code := range []string{"503", "200"} {
				n, err := requests(registry, code)
				require.NoError(t, err)
				require.Positive(t, n, code)
			}
			ids := map[string]bool{}
			for _, r := range readAll(t, cluster.ListenAddrs(), "telemetry") {
				var e event
				require.NoError(t, json.Unmarshal(r.Value, &e))
				ids[e.MessageID] = true // a repeat is the pipeline's to find, by this id
			}
			require.Len(t, ids, len(plan.Calls))
		})
	}
}

// requests returns how many requests the collector answered with code.
func requests(registry *prometheus.Registry, code string) (float64, error) {
	families, err := registry.Gather()
	if err != nil {
		return 0, err
	}
	sum := 0.0
	for _, family := range families {
		if family.GetName() != "tidemark_collector_requests_total" {
			continue
		}
		for _, m := range family.GetMetric() {
			for _, l := range m.GetLabel() {
				if l.GetName() == "code" && l.GetValue() == code {
					sum += m.GetCounter().GetValue()
				}
			}
		}
	}
	return sum, nil
}

func startCollector(t *testing.T) (brokers []string, endpoint string) {
	t.Helper()
	cluster := startKafka(t)
	return cluster.ListenAddrs(), startCollectorOn(t, cluster, prometheus.NewRegistry(), patience)
}

func startKafka(t *testing.T) *kfake.Cluster {
	t.Helper()
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(3, "telemetry", "users", "accounts", "signals", "tickets", "parked"))
	require.NoError(t, err)
	t.Cleanup(cluster.Close)
	return cluster
}

func startCollectorOn(t *testing.T, cluster *kfake.Cluster, registry *prometheus.Registry, writeTimeout time.Duration) (endpoint string) {
	t.Helper()
	c, err := collect.New(collect.Config{
		Listen: "127.0.0.1:0", Brokers: cluster.ListenAddrs(), WriteKeys: []secret.Secret{secret.New(writeKey)}, WriteTimeout: writeTimeout,
	}, zaptest.NewLogger(t, zaptest.Level(zap.ErrorLevel)), registry)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- c.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		require.NoError(t, <-ended)
	})
	endpoint = "http://" + c.Addr()
	require.Eventually(t, func() bool {
		response, err := http.Get(endpoint + "/readyz")
		return err == nil && response.Body.Close() == nil && response.StatusCode == http.StatusOK
	}, patience, 10*time.Millisecond)
	return endpoint
}

// event is what a test looks at of an event in Kafka.
type event struct {
	key               string
	MessageID         string
	Type              string
	UserID            string
	AnonymousID       string
	PreviousID        string
	GroupID           string
	Event             string
	Name              string
	OriginalTimestamp time.Time
	SentAt            time.Time
	ReceivedAt        time.Time
	Timestamp         time.Time
	Properties        json.RawMessage
	Context           struct {
		GroupID string
		Library struct{ Name string }
	}
}

// telemetry waits for n events and returns them by message id.
func telemetry(t *testing.T, brokers []string, n int) map[string]event {
	t.Helper()
	var events map[string]event
	require.Eventually(t, func() bool {
		records := readAll(t, brokers, "telemetry")
		events = map[string]event{}
		for _, r := range records {
			e := event{key: string(r.Key)}
			require.NoError(t, json.Unmarshal(r.Value, &e), "%s", r.Value)
			require.NotContains(t, events, e.MessageID, "the event is in Kafka twice")
			require.NotContains(t, string(r.Value), writeKey)
			events[e.MessageID] = e
		}
		return len(events) >= n
	}, patience, 100*time.Millisecond)
	require.Len(t, events, n)
	return events
}

// attributes returns what the accounts topic says of an account.
func attributes(t *testing.T, brokers []string, account string) map[string]any {
	t.Helper()
	attributes := map[string]any{}
	for _, r := range readAll(t, brokers, "accounts") {
		var record map[string]any
		require.NoError(t, json.Unmarshal(r.Value, &record))
		if record["account_id"] == account {
			maps.Copy(attributes, record)
		}
	}
	return attributes
}

// readAll reads the committed records of a topic with kafka-go.
func readAll(t *testing.T, brokers []string, topic string) []kafka.Message {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	client := &kafka.Client{Addr: kafka.TCP(brokers...), Transport: &kafka.Transport{}}
	meta, err := client.Metadata(ctx, &kafka.MetadataRequest{Topics: []string{topic}})
	require.NoError(t, err)
	var records []kafka.Message
	for _, p := range meta.Topics[0].Partitions {
		records = append(records, readPartition(ctx, t, client, topic, p.ID)...)
	}
	client.Transport.(*kafka.Transport).CloseIdleConnections()
	return records
}

func readPartition(ctx context.Context, t *testing.T, client *kafka.Client, topic string, partition int) []kafka.Message {
	t.Helper()
	var records []kafka.Message
	for offset := int64(0); ; {
		fetched, err := client.Fetch(ctx, &kafka.FetchRequest{
			Topic: topic, Partition: partition, Offset: offset, MinBytes: 1, MaxBytes: 10 << 20,
			MaxWait: 10 * time.Millisecond, IsolationLevel: kafka.ReadCommitted,
		})
		require.NoError(t, err)
		require.NoError(t, fetched.Error)
		n := 0
		for {
			r, err := fetched.Records.ReadRecord()
			if errors.Is(err, io.EOF) {
				break
			}
			require.NoError(t, err)
			n++
			offset = r.Offset + 1
			key, err := kafka.ReadAll(r.Key)
			require.NoError(t, err)
			value, err := kafka.ReadAll(r.Value)
			require.NoError(t, err)
			records = append(records, kafka.Message{Topic: topic, Partition: partition, Offset: r.Offset, Key: key, Value: value})
		}
		if offset >= fetched.LastStableOffset {
			return records
		}
		if n == 0 {
			offset++ // a transaction's marker
		}
	}
}
