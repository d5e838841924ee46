package e2e

import (
	"cmp"
	"context"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"tidemark/internal/devclickhouse"
	"tidemark/internal/devclickhouse/chtest"
	"tidemark/internal/recount"
	"tidemark/pipeline/source"
)

// maxFeatures is fewer than the traffic has, so that some uses count for the feature that stands for the rest.
const maxFeatures = 2

// sources are the topics that the pipeline reads.
var sources = []string{"telemetry", "tickets", "accounts", "signals"}

// Stage is a Kafka and a ClickHouse with everything that tidemark needs in them.
type Stage struct {
	Brokers  []string
	DB       *chtest.Database
	Env      []string // leads tidemark to them; of two settings of the same variable the later one counts
	Admin    *kadm.Client
	Group    string         // of the pipelines
	Rules    *recount.Rules // of the catalogue; nil: the built-in one
	Patience time.Duration  // how long Settle waits; 0: 5 minutes
	t        *testing.T
}

// NewStage sets up the way to a Kafka and to a database of ClickHouse; Migrate makes the topics and tables.
func NewStage(t *testing.T, brokers []string, db *chtest.Database) *Stage {
	t.Helper()
	s := &Stage{t: t, Brokers: brokers, DB: db, Group: "tidemark"}
	s.Env = []string{
		"TIDEMARK_KAFKA_BROKERS=" + brokers[0], "TIDEMARK_KAFKA_PARTITIONS=4", "TIDEMARK_KAFKA_SESSION_TIMEOUT=6s",
		"TIDEMARK_CLICKHOUSE_ADDR=" + s.DB.Server.NativeAddr(), "TIDEMARK_CLICKHOUSE_DATABASE=" + s.DB.Name,
		"TIDEMARK_ADMIN_LISTEN=127.0.0.1:0", "TIDEMARK_LOG_FORMAT=json", "TIDEMARK_PIPELINE_FLUSH_INTERVAL=200ms",
		fmt.Sprintf("TIDEMARK_PIPELINE_MAX_FEATURES=%d", maxFeatures),
		"TIDEMARK_CLICKHOUSE_REFRESH=24h",
		"TIDEMARK_CANARY_ENABLED=false", // so that the log has an end
	}
	for _, role := range []devclickhouse.Role{devclickhouse.Migrator, devclickhouse.Writer, devclickhouse.Reader} {
		dsn, err := url.Parse(s.DB.DSN(role))
		require.NoError(t, err)
		password, _ := dsn.User.Password()
		s.Env = append(s.Env, fmt.Sprintf("TIDEMARK_CLICKHOUSE_%s_PASSWORD=%s", strings.ToUpper(string(role)), password))
	}
	client, err := kgo.NewClient(kgo.SeedBrokers(brokers...))
	require.NoError(t, err)
	t.Cleanup(client.Close)
	s.Admin = kadm.NewClient(client)
	return s
}

// Migrate makes the topics and the tables.
func (s *Stage) Migrate() {
	s.t.Helper()
	migrate := Start(s.t, Binary(s.t, ""), "migrate", s.Env, "migrate")
	<-migrate.Done
	require.NoError(s.t, migrate.Err)
}

// Pipeline starts an instance of the pipeline under a name of its own in the group.
func (s *Stage) Pipeline(binary, name string, env ...string) *Process {
	s.t.Helper()
	return Start(s.t, binary, name, slices.Concat(s.Env, []string{"TIDEMARK_KAFKA_INSTANCE_ID=" + name}, env), "run")
}

// Shared waits until so many members of a group share all of the topics' partitions. It comes before a kill on the embedded Kafka:
// kfake never forgets a member that dies while it joins, and the others wait for it in vain. A real Kafka does forget it, and
// package faults kills at any time there.
func (s *Stage) Shared(ctx context.Context, group string, members int, topics ...string) {
	s.t.Helper()
	state := ""
	defer func() { s.t.Logf("group %s: %s", group, state) }()
	require.Eventually(s.t, func() bool {
		described, err := s.Admin.DescribeGroups(ctx, group)
		if err == nil {
			err = described.Error()
		}
		if err != nil {
			state = err.Error()
			return false
		}
		details, err := s.Admin.ListTopics(ctx, topics...)
		if err != nil {
			state = err.Error()
			return false
		}
		all := 0
		for _, topic := range details {
			all += len(topic.Partitions)
		}
		of, assigned := described[group], 0
		for _, partitions := range of.AssignedPartitions() {
			assigned += len(partitions)
		}
		state = fmt.Sprintf("%s, %d members with %d of %d partitions", of.State, len(of.Members), assigned, all)
		return of.State == "Stable" && len(of.Members) == members && assigned == all
	}, cmp.Or(s.Patience, 5*time.Minute), 20*time.Millisecond, "group %s does not settle", group)
}

// Settle waits until the group has committed to the end of every topic.
func (s *Stage) Settle(ctx context.Context, alive ...*Process) {
	s.t.Helper()
	var left string
	defer func() {
		if left != "" {
			s.t.Log("not at the end of the log: ", left)
		}
	}()
	require.Eventually(s.t, func() bool {
		for _, p := range alive {
			p.Running(s.t)
		}
		ends, err := s.Admin.ListCommittedOffsets(ctx, sources...)
		if err != nil {
			left = err.Error()
			return false
		}
		commits, err := s.Admin.FetchOffsetsForTopics(ctx, s.Group, sources...)
		if err != nil { // nobody has joined yet, or the group is moving to another broker
			left = err.Error()
			return false
		}
		left = ""
		ends.Each(func(end kadm.ListedOffset) {
			if c, ok := commits.Lookup(end.Topic, end.Partition); end.Offset > 0 && (!ok || c.At < end.Offset) {
				left += fmt.Sprintf("%s/%d at %d of %d; ", end.Topic, end.Partition, c.At, end.Offset)
			}
		})
		return left == ""
	}, cmp.Or(s.Patience, 5*time.Minute), 100*time.Millisecond, "the pipeline does not come to the end of the log")
}

// Verify requires that ClickHouse says what an independent recount of the log says.
func (s *Stage) Verify(ctx context.Context) *recount.Result {
	s.t.Helper()
	want, err := recount.Count(ctx, s.Log())
	require.NoError(s.t, err)
	diffs, err := recount.Compare(ctx, s.DB.Open(s.t, devclickhouse.Reader), want)
	require.NoError(s.t, err)
	for _, d := range diffs[:min(len(diffs), 20)] {
		s.t.Log(d)
	}
	require.Empty(s.t, diffs, "rows that differ from the recount")
	return want
}

// Source returns a partition's name in ClickHouse.
func (s *Stage) Source(ctx context.Context, topic string, partition int) string {
	topics, err := s.Admin.ListTopics(ctx, topic)
	require.NoError(s.t, err)
	return source.ID{Topic: topic, Partition: int32(partition), TopicID: topics[topic].ID}.String()
}

// Log is what a recount reads, and by which limits.
func (s *Stage) Log() recount.Options {
	return recount.Options{
		Brokers: s.Brokers, Telemetry: "telemetry", Tickets: "tickets", Accounts: "accounts", Signals: "signals", Limits: recount.Limits{Features: maxFeatures}, Rules: s.Rules,
	}
}
