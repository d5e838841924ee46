package preflight

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"

	"tidemark/sinks/kafka/topics"
)

// topicCheck compares one topic with its declaration.
type topicCheck struct {
	kafka   *Kafka
	f       *findings
	subject string
	want    topics.Topic
	is      kadm.TopicDetail
	configs map[string]string // as they are in effect; empty if they may not be read
	brokers int
}

func (t topicCheck) run() {
	before := len(*t.f)
	t.partitions()
	t.replication()
	t.operations()
	if len(t.configs) == 0 {
		t.f.warning(t.subject, "grant DESCRIBE_CONFIGS on it to Tidemark's user", "its configuration may not be read, so it was not checked")
		return
	}
	if t.want.Configs["cleanup.policy"] == "compact" {
		t.compacted()
	} else {
		t.kept()
	}
	t.size()
	if t.configs["unclean.leader.election.enable"] == "true" {
		t.f.error(t.subject, t.alter("unclean.leader.election.enable=false"),
			"unclean.leader.election.enable is true: after a crash its log may lose records that were counted and reuse their offsets")
	}
	if len(*t.f) == before {
		t.f.ok(t.subject, "%s, %s", Count(len(t.is.Partitions), "partition"), t.keeps())
	}
}

func (t topicCheck) partitions() {
	if n := len(t.is.Partitions); n != int(t.want.Partitions) {
		t.f.warning(t.subject, "set kafka.partitions to "+strconv.Itoa(n)+", or add partitions at a quiet time: accounts then move to other partitions",
			"it has %s, declared are %d", Count(n, "partition"), t.want.Partitions)
	}
}

// replication looks at what the loss of a broker would do.
func (t topicCheck) replication() {
	replicas := t.is.Partitions.NumReplicas()
	inSync, err := strconv.Atoi(t.configs["min.insync.replicas"])
	switch {
	case t.brokers == 1: // nothing else is possible
	case replicas == 1:
		t.f.warning(t.subject, "raise it to 3 (kafka-reassign-partitions.sh)", "its replication factor is 1: the loss of one of %d brokers loses records", t.brokers)
	case err != nil:
	case inSync < 2:
		t.f.warning(t.subject, t.alter("min.insync.replicas=2"), "min.insync.replicas is %d: an acknowledged record may be on one broker only", inSync)
	case inSync >= replicas:
		t.f.warning(t.subject, "have a replica more than min.insync.replicas", "min.insync.replicas is %d of %d replicas: nothing can be written while one is down", inSync, replicas)
	}
	for _, p := range t.is.Partitions.Sorted() {
		if p.Err != nil || p.Leader < 0 {
			t.f.error(t.subject, "bring the broker back", "partition %d has no leader: %v", p.Partition, p.Err)
		}
	}
}

// operations looks at Kafka's access control lists. A broker without any allows everything. No process needs both rights on every
// topic, so that lacking one is worth a word only; each process looks at its own at its start.
func (t topicCheck) operations() {
	allowed := t.is.AuthorizedOperations
	if len(allowed) == 0 || slices.Contains(allowed, kadm.OpAll) {
		return
	}
	var lacks []string
	for _, op := range []kadm.ACLOperation{kadm.OpRead, kadm.OpWrite} {
		if !slices.Contains(allowed, op) {
			lacks = append(lacks, op.String())
		}
	}
	const fix = "see what each process needs: tidemark migrate --print-acls"
	switch len(lacks) {
	case 1:
		t.f.warning(t.subject, fix, "this login lacks the right %s", lacks[0])
	case 2:
		t.f.error(t.subject, fix, "this login lacks the rights %s", strings.Join(lacks, " and "))
	}
}

// compacted checks a topic whose last record a key is state that must stay.
func (t topicCheck) compacted() {
	switch policy := t.configs["cleanup.policy"]; {
	case !strings.Contains(policy, "compact"):
		t.f.error(t.subject, t.alter("cleanup.policy=compact"), "cleanup.policy is %s: what it keeps for the collector would be forgotten", policy)
	case policy != "compact":
		t.f.error(t.subject, t.alter("cleanup.policy=compact"), "cleanup.policy is %s: what has not changed for %s would be forgotten", policy, t.retention())
	}
}

// kept checks a topic that rollups are a function of.
func (t topicCheck) kept() {
	if policy := t.configs["cleanup.policy"]; policy != "delete" {
		t.f.error(t.subject, t.alter("cleanup.policy=delete"), "cleanup.policy is %s: compaction removes records that rollups are counted from", policy)
		return
	}
	need := t.kafka.LongestWindow + t.kafka.LongestWait
	fix := t.alter("retention.ms=" + t.want.Configs["retention.ms"])
	switch kept := t.retention(); {
	case kept < need:
		t.f.error(t.subject, fix, "it keeps records for %s only, less than the longest window and disorder, %s: records may be gone before they are read",
			kept, need)
	case kept < t.kafka.LongestWait+outage:
		t.f.warning(t.subject, fix, "it keeps records for %s: an outage over a long weekend would lose some", kept)
	case kept < comfortable:
		t.f.warning(t.subject, fix, "it keeps records for %s: a week or more lets rollups be rebuilt after a mistake", kept)
	}
	if bytes := t.configs["retention.bytes"]; bytes != "-1" && bytes != "" {
		t.f.warning(t.subject, t.alter("retention.bytes=-1"), "retention.bytes is %s: a busy partition keeps less than retention.ms says", bytes)
	}
}

func (t topicCheck) size() {
	need := t.kafka.MaxRecordBytes + recordOverhead
	if limit, err := strconv.Atoi(t.configs["max.message.bytes"]); err == nil && limit < need {
		t.f.error(t.subject, t.alter("max.message.bytes="+strconv.Itoa(max(need, 1<<20))),
			"max.message.bytes is %d, but an event may have %d with what is added to it", limit, need)
	}
}

// forever is how long a topic without a limit keeps records.
const forever = time.Duration(1<<63 - 1)

func (t topicCheck) retention() time.Duration {
	ms, err := strconv.ParseInt(t.configs["retention.ms"], 10, 64)
	if err != nil || ms < 0 || ms > forever.Milliseconds() {
		return forever
	}
	return time.Duration(ms) * time.Millisecond
}

func (t topicCheck) keeps() string {
	switch kept := t.retention(); {
	case t.configs["cleanup.policy"] == "compact":
		return "compacted"
	case kept == forever:
		return "kept for ever"
	default:
		return fmt.Sprintf("kept for %g days", kept.Hours()/24)
	}
}

// alter is the command that changes one config of the topic.
func (t topicCheck) alter(config string) string {
	return "run kafka-configs.sh --alter --entity-type topics --entity-name " + t.want.Name + " --add-config " + config
}
