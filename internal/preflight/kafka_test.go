package preflight_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"tidemark/internal/devkafka"
	"tidemark/internal/preflight"
	"tidemark/internal/realkafka"
	"tidemark/internal/realkafka/kafkatest"
	"tidemark/pipeline/lag"
	"tidemark/sinks/kafka/topics"
)

const group = "tidemark"

// cluster is a Kafka to check.
type cluster struct {
	t       *testing.T
	brokers []string
	client  *kgo.Client
	admin   *kadm.Client
}

func newCluster(t *testing.T, brokers []string) *cluster {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(brokers...), kgo.MetadataMinAge(10*time.Millisecond), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	require.NoError(t, err)
	t.Cleanup(client.Close)
	return &cluster{t, brokers, client, kadm.NewClient(client)}
}

// declared are two of Tidemark's topics.
func declared(replicas int16) []topics.Topic {
	return []topics.Topic{
		{Name: "telemetry", Partitions: 2, ReplicationFactor: replicas, Configs: map[string]string{"retention.ms": "2678400000"}},
		{Name: "accounts", Partitions: 1, ReplicationFactor: replicas, Configs: map[string]string{"cleanup.policy": "compact"}},
	}
}

func (c *cluster) ensure(declared []topics.Topic) {
	c.t.Helper()
	_, err := topics.Ensure(c.t.Context(), c.client, declared)
	require.NoError(c.t, err)
}

// alter sets a topic's property, and waits until every broker goes by it: a cluster answers before that.
func (c *cluster) alter(topic, key, value string) {
	c.t.Helper()
	_, err := c.admin.AlterTopicConfigs(c.t.Context(), []kadm.AlterConfig{{Name: key, Value: &value}}, topic)
	require.NoError(c.t, err)
	brokers, err := c.admin.ListBrokers(c.t.Context())
	require.NoError(c.t, err)
	for _, b := range brokers {
		req := kmsg.NewPtrDescribeConfigsRequest()
		resource := kmsg.NewDescribeConfigsRequestResource()
		resource.ResourceType, resource.ResourceName, resource.ConfigNames = kmsg.ConfigResourceTypeTopic, topic, []string{key}
		req.Resources = append(req.Resources, resource)
		require.Eventually(c.t, func() bool {
			resp, err := req.RequestWith(c.t.Context(), c.client.Broker(int(b.NodeID)))
			return err == nil && len(resp.Resources) == 1 && len(resp.Resources[0].Configs) == 1 &&
				resp.Resources[0].Configs[0].Value != nil && *resp.Resources[0].Configs[0].Value == value
		}, 5*time.Minute, 20*time.Millisecond, "broker %d does not learn of %s=%s", b.NodeID, key, value)
	}
}

func (c *cluster) check(declared []topics.Topic) []string {
	c.t.Helper()
	k := preflight.Kafka{
		Brokers: []string{"BROKERS"},
		Meter: &lag.Meter{
			Client: c.client, Kafka: []kgo.Opt{kgo.SeedBrokers(c.brokers...)}, Group: group, Topics: []string{"telemetry", "accounts"},
		},
		Topics: declared, LongestWindow: 24 * time.Hour, LongestWait: time.Hour, MaxRecordBytes: 32 << 10,
	}
	return lines(k.Check(c.t.Context()))
}

func TestKafkaAsItShouldBe(t *testing.T) {
	t.Parallel()
	want := []string{
		"ok kafka: reached 1 broker through BROKERS",
		"ok topic telemetry: 2 partitions, kept for 31 days",
		"ok topic accounts: 1 partition, compacted",
	}
	t.Run("embedded", func(t *testing.T) {
		t.Parallel()
		broker, err := devkafka.Start(t.Context(), devkafka.Options{})
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, broker.Close()) })
		c := newCluster(t, broker.Addrs())
		c.ensure(declared(1))
		require.Equal(t, append(want, "ok group tidemark: Dead, 0 members, 0 of 3 sources have a commit"), c.check(declared(1)))
		c.group()
		c.topics()
	})
	t.Run("real", func(t *testing.T) {
		t.Parallel()
		c := newCluster(t, kafkatest.Start(t).Brokers())
		c.ensure(declared(1))
		require.Equal(t, append(want, "ok group tidemark: Dead, 0 members, 0 of 3 sources have a commit"), c.check(declared(1)))
		c.group()
		c.topics()
		c.alter("telemetry", "unclean.leader.election.enable", "true")
		require.Contains(t, c.check(declared(1)), "error topic telemetry: unclean.leader.election.enable is true: after a crash its log may lose records that were counted "+
			"and reuse their offsets | run kafka-configs.sh --alter --entity-type topics --entity-name telemetry --add-config unclean.leader.election.enable=false")
	})
}

// group commits what Tidemark would not have.
func (c *cluster) group() {
	c.t.Helper()
	offsets := kadm.Offsets{}
	offsets.Add(kadm.Offset{Topic: "telemetry", Partition: 1, At: 0, LeaderEpoch: -1, Metadata: "mine"})
	offsets.Add(kadm.Offset{Topic: "accounts", Partition: 0, At: 5, LeaderEpoch: -1, Metadata: `{"topic":"another"}`})
	require.NoError(c.t, c.admin.CommitAllOffsets(c.t.Context(), group, offsets))
	got := grave(c.check(declared(1)))
	require.Equal(c.t, []string{
		`error group tidemark: telemetry/1: commit metadata "mine" was not written by Tidemark: does another consumer use its group? | give Tidemark a kafka.group of its own`,
		"warning group tidemark: accounts/0: the topic was created anew; its log will be read from the start | nothing, if that was meant: rows of the earlier log stay and count",
	}, got)
	_, err := c.admin.DeleteGroups(c.t.Context(), group)
	require.NoError(c.t, err)
	require.Empty(c.t, grave(c.check(declared(1))))
}

// topics spoils the topics, one setting at a time.
func (c *cluster) topics() {
	c.t.Helper()
	const alter = "run kafka-configs.sh --alter --entity-type topics --entity-name "
	for _, s := range []struct{ topic, key, bad, good, want string }{
		{
			"telemetry", "retention.ms", "3600000", "2678400000",
			"error topic telemetry: it keeps records for 1h0m0s only, less than the longest window and disorder, 25h0m0s: records may be gone before they are read | " +
				alter + "telemetry --add-config retention.ms=2678400000",
		},
		{
			"telemetry", "retention.ms", "172800000", "2678400000",
			"warning topic telemetry: it keeps records for 48h0m0s: an outage over a long weekend would lose some | " + alter + "telemetry --add-config retention.ms=2678400000",
		},
		{
			"telemetry", "retention.ms", "432000000", "-1",
			"warning topic telemetry: it keeps records for 120h0m0s: a week or more lets rollups be rebuilt after a mistake | " +
				alter + "telemetry --add-config retention.ms=2678400000",
		},
		{
			"telemetry", "retention.bytes", "1000000", "-1",
			"warning topic telemetry: retention.bytes is 1000000: a busy partition keeps less than retention.ms says | " + alter + "telemetry --add-config retention.bytes=-1",
		},
		{
			"telemetry", "cleanup.policy", "compact", "delete",
			"error topic telemetry: cleanup.policy is compact: compaction removes records that rollups are counted from | " + alter + "telemetry --add-config cleanup.policy=delete",
		},
		{
			"telemetry", "max.message.bytes", "10000", "1048588",
			"error topic telemetry: max.message.bytes is 10000, but an event may have 36864 with what is added to it | " + alter + "telemetry --add-config max.message.bytes=1048576",
		},
		{
			"accounts", "cleanup.policy", "delete", "compact",
			"error topic accounts: cleanup.policy is delete: what it keeps for the collector would be forgotten | " + alter + "accounts --add-config cleanup.policy=compact",
		},
		{
			"accounts", "cleanup.policy", "compact,delete", "compact",
			"error topic accounts: cleanup.policy is compact,delete: what has not changed for 168h0m0s would be forgotten | " + alter + "accounts --add-config cleanup.policy=compact",
		},
	} {
		c.alter(s.topic, s.key, s.bad)
		require.Equal(c.t, []string{s.want}, grave(c.check(declared(1))))
		c.alter(s.topic, s.key, s.good)
		require.Empty(c.t, grave(c.check(declared(1))), "%s=%s", s.key, s.good)
	}
	require.Contains(c.t, c.check(declared(1)), "ok topic telemetry: 2 partitions, kept for ever")
	more := declared(1)
	more[0].Partitions = 3
	more = append(more, topics.Topic{Name: "parked", Partitions: 1})
	require.Equal(c.t, []string{
		"warning topic telemetry: it has 2 partitions, declared are 3 | set kafka.partitions to 2, or add partitions at a quiet time: accounts then move to other partitions",
		"error topic parked: it does not exist | run tidemark migrate",
	}, grave(c.check(more)))
}

func TestKafkaOutOfReach(t *testing.T) {
	t.Parallel()
	c := newCluster(t, []string{"127.0.0.1:1"})
	got := c.check(declared(1))
	require.Len(t, got, 1)
	require.Regexp(t, `^error kafka: BROKERS does not answer: .*connection refused \| start Kafka \(tidemark dev kafka is one for development\), or set kafka.brokers, tls and sasl$`, got[0])
}

func TestKafkaOfThreeBrokers(t *testing.T) {
	t.Parallel()
	c := newCluster(t, kafkatest.StartWith(t, realkafka.Options{
		Nodes: 3, HeapMB: 256, Properties: map[string]string{"offsets.retention.minutes": "60", "min.insync.replicas": "1"},
	}).Brokers())
	c.ensure(declared(1))
	got := grave(c.check(declared(1)))
	require.Len(t, got, 3+2)
	for _, line := range got[:3] {
		require.Regexp(t, `^warning kafka: broker \d forgets a group's offsets 1h0m0s after its last member left: .* \| set offsets.retention.minutes to 10080 or more on the brokers$`, line)
	}
	require.Equal(t, "warning topic telemetry: its replication factor is 1: the loss of one of 3 brokers loses records | raise it to 3 (kafka-reassign-partitions.sh)", got[3])

	_, err := c.admin.DeleteTopics(t.Context(), "telemetry", "accounts")
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		report, err := topics.Check(t.Context(), c.client, declared(3))
		return err == nil && len(report.Missing) == 2
	}, 5*time.Minute, 100*time.Millisecond)
	c.ensure(declared(3))
	require.Equal(t, "warning topic telemetry: min.insync.replicas is 1: an acknowledged record may be on one broker only | "+
		"run kafka-configs.sh --alter --entity-type topics --entity-name telemetry --add-config min.insync.replicas=2", grave(c.check(declared(3)))[3])
	c.alter("telemetry", "min.insync.replicas", "3")
	c.alter("accounts", "min.insync.replicas", "2")
	require.Equal(t, []string{"warning topic telemetry: min.insync.replicas is 3 of 3 replicas: nothing can be written while one is down | have a replica more than min.insync.replicas"},
		grave(c.check(declared(3)))[3:])
}
