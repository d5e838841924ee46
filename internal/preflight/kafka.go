package preflight

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"

	"tidemark/pipeline/lag"
	"tidemark/sinks/kafka/topics"
)

// Kafka is what Tidemark needs of Kafka.
type Kafka struct {
	Brokers        []string // for messages
	Meter          *lag.Meter
	Topics         []topics.Topic // as tidemark migrate declares them
	LongestWindow  time.Duration  // that is folded from the log
	LongestWait    time.Duration  // the longest disorder of a topic
	MaxRecordBytes int            // that the collector writes
}

const (
	// outage is how long the pipeline may stand still, over a long weekend, before the log must still hold what it has not read.
	outage = 4 * 24 * time.Hour
	// comfortable is how much log lets rollups be rebuilt after a mistake that is found within a week.
	comfortable = 7 * 24 * time.Hour
	// recordOverhead is what Kafka and the stamps of the collector add to an event at most.
	recordOverhead = 4 << 10
)

// Check looks at the brokers, the topics and the group.
func (k *Kafka) Check(ctx context.Context) []Finding {
	var f findings
	const subject = "kafka"
	admin := kadm.NewClient(k.Meter.Client)
	meta, err := k.brokers(ctx, admin)
	if err != nil {
		f.error(subject, "start Kafka (tidemark dev kafka is one for development), or set kafka.brokers, tls and sasl",
			"%s does not answer: %v", strings.Join(k.Brokers, ", "), err)
		return f
	}
	f.ok(subject, "reached %s through %s", Count(len(meta.Brokers), "broker"), strings.Join(k.Brokers, ", "))
	k.offsetsRetention(ctx, &f, admin, meta)
	if err := k.topics(ctx, &f, admin, len(meta.Brokers)); err != nil {
		f.error("topics", "", "%v", err)
		return f
	}
	k.group(ctx, &f)
	return f
}

func (k *Kafka) brokers(ctx context.Context, admin *kadm.Client) (kadm.Metadata, error) {
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	if err := k.Meter.Client.Ping(ctx); err != nil { // which tells why, where a request tries until ctx ends
		return kadm.Metadata{}, err
	}
	return admin.BrokerMetadata(ctx)
}

// offsetsRetention checks that the group's offsets outlive an outage: without them sources stop and need a person.
func (k *Kafka) offsetsRetention(ctx context.Context, f *findings, admin *kadm.Client, meta kadm.Metadata) {
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	configs, err := admin.DescribeBrokerConfigs(ctx, meta.Brokers.NodeIDs()...)
	if err != nil {
		return // the right to read brokers' configurations is not one that Tidemark needs
	}
	for _, broker := range configs {
		for _, c := range broker.Configs {
			minutes, err := strconv.ParseInt(c.MaybeValue(), 10, 64)
			if c.Key != "offsets.retention.minutes" || err != nil || time.Duration(minutes)*time.Minute >= outage {
				continue
			}
			f.warning("kafka", "set offsets.retention.minutes to 10080 or more on the brokers",
				"broker %s forgets a group's offsets %s after its last member left: after a longer outage every source would stop and need a person",
				broker.Name, time.Duration(minutes)*time.Minute)
		}
	}
}

// group checks that the commits are Tidemark's own and inside the logs.
func (k *Kafka) group(ctx context.Context, f *findings) {
	subject := "group " + k.Meter.Group
	ctx, cancel := context.WithTimeout(ctx, 3*probeTimeout)
	defer cancel()
	report, err := k.Meter.Measure(ctx)
	if err != nil {
		f.error(subject, "", "%v", err)
		return
	}
	before := len(*f)
	commits := 0
	for i := range report.Sources {
		s := &report.Sources[i]
		where := fmt.Sprintf("%s/%d", s.Topic, s.Partition)
		if s.Committed != nil {
			commits++
		}
		switch s.State {
		case lag.Foreign:
			f.error(subject, "give Tidemark a kafka.group of its own", "%s: %s", where, s.Problem)
		case lag.OutOfRange:
			f.error(subject, "", "%s: the committed offset is %d: %s", where, *s.Committed, s.Problem)
		case lag.NewLog:
			f.warning(subject, "nothing, if that was meant: rows of the earlier log stay and count", "%s: %s", where, s.Problem)
		case lag.OK, lag.Unassigned, lag.Uncommitted: // lag tells how far it is
		}
		if s.HeldBack > 0 {
			f.warning(subject, "end the producer's transaction, or abort it (kafka-transactions.sh)",
				"%s: a transaction that is still open holds back %d records", where, s.HeldBack)
		}
	}
	if len(*f) == before {
		f.ok(subject, "%s, %s, %d of %d sources have a commit", report.Group.State, Count(report.Group.Members, "member"), commits, len(report.Sources))
	}
}

// topics checks every topic; an error means that they could not be described.
func (k *Kafka) topics(ctx context.Context, f *findings, admin *kadm.Client, brokers int) error {
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	names := make([]string, len(k.Topics))
	for i, t := range k.Topics {
		names[i] = t.Name
	}
	details, err := admin.ListTopics(kadm.WithAuthorizedOps(ctx), names...)
	if err != nil {
		return fmt.Errorf("describe topics: %w", err)
	}
	for _, t := range k.Topics {
		subject := "topic " + t.Name
		d := details[t.Name]
		switch {
		case errors.Is(d.Err, kerr.UnknownTopicOrPartition):
			f.error(subject, "run tidemark migrate", "it does not exist")
		case d.Err != nil:
			f.error(subject, "grant DESCRIBE, READ and WRITE on it to Tidemark's user", "it can't be described: %v", d.Err)
		default:
			configs, err := topicConfigs(ctx, admin, t.Name)
			if err != nil {
				return err
			}
			topicCheck{k, f, subject, t, d, configs, brokers}.run()
		}
	}
	return nil
}

// topicConfigs returns the configuration in effect for a topic; none if Tidemark's user may not read it.
func topicConfigs(ctx context.Context, admin *kadm.Client, topic string) (map[string]string, error) {
	described, err := admin.DescribeTopicConfigs(ctx, topic)
	if errors.Is(err, kerr.TopicAuthorizationFailed) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("describe the configuration of topic %s: %w", topic, err)
	}
	configs := map[string]string{}
	for _, r := range described {
		for _, c := range r.Configs {
			configs[c.Key] = c.MaybeValue()
		}
	}
	return configs, nil
}
