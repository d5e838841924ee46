package preflight_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/sasl/plain"

	"tidemark/internal/preflight"
	"tidemark/pipeline/lag"
)

func acl(resource kmsg.ACLResourceType, name string, operation kmsg.ACLOperation) kfake.ACL {
	return kfake.ACL{Resource: resource, Name: name, Pattern: kmsg.ACLResourcePatternTypeLiteral, Operation: operation, Allow: true}
}

func TestKafkaWithAccessControl(t *testing.T) {
	t.Parallel()
	const topic, group = kmsg.ACLResourceTypeTopic, kmsg.ACLResourceTypeGroup
	kafka, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.EnableSASL(), kfake.EnableACLs(), kfake.Superuser("PLAIN", "admin", "admin"),
		kfake.User("PLAIN", "tidemark", "pw",
			acl(topic, "telemetry", kmsg.ACLOperationRead), // which implies DESCRIBE
			acl(topic, "telemetry", kmsg.ACLOperationDescribeConfigs),
			acl(topic, "accounts", kmsg.ACLOperationRead), acl(topic, "accounts", kmsg.ACLOperationWrite),
			acl(group, "tidemark", kmsg.ACLOperationRead),
		))
	require.NoError(t, err)
	t.Cleanup(kafka.Close)
	login := func(user, password string) (*kgo.Client, []kgo.Opt) {
		opts := []kgo.Opt{
			kgo.SeedBrokers(kafka.ListenAddrs()...), kgo.SASL(plain.Auth{User: user, Pass: password}.AsMechanism()), kgo.MetadataMinAge(10 * time.Millisecond),
		}
		client, err := kgo.NewClient(opts...)
		require.NoError(t, err)
		t.Cleanup(client.Close)
		return client, opts
	}
	admin, _ := login("admin", "admin")
	(&cluster{t, nil, admin, kadm.NewClient(admin)}).ensure(declared(0))

	check := func(user, password string) []string {
		client, opts := login(user, password)
		k := preflight.Kafka{
			Brokers: []string{"BROKERS"}, Meter: &lag.Meter{Client: client, Kafka: opts, Group: "tidemark", Topics: []string{"telemetry"}},
			Topics: declared(0), LongestWindow: 24 * time.Hour, MaxRecordBytes: 32 << 10,
		}
		return lines(k.Check(t.Context()))
	}
	require.Equal(t, []string{
		"ok kafka: reached 1 broker through BROKERS",
		"warning topic telemetry: this login lacks the right WRITE | see what each process needs: tidemark migrate --print-acls",
		"warning topic accounts: its configuration may not be read, so it was not checked | grant DESCRIBE_CONFIGS on it to Tidemark's user",
		"ok group tidemark: Dead, 0 members, 0 of 2 sources have a commit",
	}, check("tidemark", "pw"))

	got := check("tidemark", "wrong")
	require.Len(t, got, 1)
	require.Regexp(t, `^error kafka: BROKERS does not answer: .* \| start Kafka .*, or set kafka.brokers, tls and sasl$`, got[0])
}
