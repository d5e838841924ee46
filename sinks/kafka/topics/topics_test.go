package topics_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"go.uber.org/goleak"

	"tidemark/internal/devkafka"
	"tidemark/sinks/kafka/topics"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func connect(t *testing.T, brokers int) (context.Context, *kgo.Client) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	t.Cleanup(cancel)
	broker, err := devkafka.Start(ctx, devkafka.Options{Brokers: brokers})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, broker.Close()) })
	cl, err := kgo.NewClient(kgo.SeedBrokers(broker.Addrs()...))
	require.NoError(t, err)
	t.Cleanup(cl.Close)
	return ctx, cl
}

func TestEnsureCreatesWhatIsMissingOnce(t *testing.T) {
	t.Parallel()
	ctx, cl := connect(t, 3)
	declared := []topics.Topic{
		{Name: "tickets", Partitions: 2},
		{Name: "accounts", Partitions: 4, ReplicationFactor: 3, Configs: map[string]string{"cleanup.policy": "compact"}},
	}
	report, err := topics.Check(ctx, cl, declared)
	require.NoError(t, err)
	require.Equal(t, topics.Report{Missing: []string{"accounts", "tickets"}}, report)
	report, err = topics.Ensure(ctx, cl, declared)
	require.NoError(t, err)
	require.Equal(t, topics.Report{Missing: []string{"accounts", "tickets"}}, report)
	for range 2 {
		report, err = topics.Ensure(ctx, cl, declared)
		require.NoError(t, err)
		require.Empty(t, report)
	}
}

// A cluster answers CreateTopics before every broker knows of the topic, and a client that asks one that does not is refused.
func TestEnsureWaitsUntilEveryBrokerKnows(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	cluster, err := kfake.NewCluster(kfake.NumBrokers(3))
	require.NoError(t, err)
	defer cluster.Close()
	var refused atomic.Int32
	cluster.ControlKey(int16(kmsg.Metadata), func(r kmsg.Request) (kmsg.Response, error, bool) {
		cluster.KeepControl()
		req := r.(*kmsg.MetadataRequest) //nolint:forcetypeassert // of that key
		if cluster.CurrentNode() != 2 || len(req.Topics) == 0 || refused.Load() == 4 {
			return nil, nil, false
		}
		refused.Add(1)
		resp := req.ResponseKind().(*kmsg.MetadataResponse) //nolint:forcetypeassert // as above
		for _, asked := range req.Topics {
			topic := kmsg.NewMetadataResponseTopic()
			topic.Topic, topic.ErrorCode = asked.Topic, kerr.UnknownTopicOrPartition.Code
			resp.Topics = append(resp.Topics, topic)
		}
		return resp, nil, true
	})
	cl, err := kgo.NewClient(kgo.SeedBrokers(cluster.ListenAddrs()...))
	require.NoError(t, err)
	defer cl.Close()
	_, err = topics.Ensure(ctx, cl, []topics.Topic{{Name: "late", Partitions: 3}})
	require.NoError(t, err)
	require.EqualValues(t, 4, refused.Load())
}

func TestEnsureReportsDifferencesAndChangesNothing(t *testing.T) {
	t.Parallel()
	ctx, cl := connect(t, 3)
	_, err := topics.Ensure(ctx, cl, []topics.Topic{{
		Name: "telemetry", Partitions: 6, ReplicationFactor: 2, Configs: map[string]string{"retention.ms": "1000"},
	}})
	require.NoError(t, err)
	declared := []topics.Topic{{
		Name: "telemetry", Partitions: 3, ReplicationFactor: 3,
		Configs: map[string]string{"retention.ms": "2000", "no.such.config": "x"},
	}}
	want := topics.Report{Differences: []topics.Difference{
		{Topic: "telemetry", Setting: "no.such.config", Declared: "x"},
		{Topic: "telemetry", Setting: "partitions", Declared: "3", Actual: "6"},
		{Topic: "telemetry", Setting: "replication.factor", Declared: "3", Actual: "2"},
		{Topic: "telemetry", Setting: "retention.ms", Declared: "2000", Actual: "1000"},
	}}
	for range 2 {
		report, err := topics.Ensure(ctx, cl, declared)
		require.NoError(t, err)
		require.Equal(t, want, report)
	}
	require.Equal(t, "topic telemetry: partitions is 6, declared 3", want.Differences[1].String())
}

func TestEnsureByManyAtOnce(t *testing.T) {
	t.Parallel()
	ctx, cl := connect(t, 1)
	var all sync.WaitGroup
	errs := make([]error, 8)
	for i := range errs {
		all.Go(func() {
			_, errs[i] = topics.Ensure(ctx, cl, []topics.Topic{{Name: "alerts", Partitions: 2}})
		})
	}
	all.Wait()
	for _, err := range errs {
		require.NoError(t, err)
	}
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	ctx, cl := connect(t, 1)
	for want, declared := range map[string][]topics.Topic{
		"has no name":                {{Partitions: 1}},
		"topic a is declared twice":  {{Name: "a", Partitions: 1}, {Name: "a", Partitions: 1}},
		"declared with 0 partitions": {{Name: "a"}},
		"create topic b with 1 partitions and replication factor 3: INVALID_REPLICATION_FACTOR": {
			{Name: "b", Partitions: 1, ReplicationFactor: 3},
		},
	} {
		_, err := topics.Ensure(ctx, cl, declared)
		require.ErrorContains(t, err, want)
	}
	details, err := kadm.NewClient(cl).ListTopics(ctx)
	require.NoError(t, err)
	require.Empty(t, details.Names())
}

func TestCancelledContextSaysWhatWasGoingOn(t *testing.T) {
	t.Parallel()
	_, cl := connect(t, 1)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := topics.Ensure(ctx, cl, []topics.Topic{{Name: "a", Partitions: 1}})
	require.ErrorIs(t, err, context.Canceled)
	require.ErrorContains(t, err, "describe topics")
}
