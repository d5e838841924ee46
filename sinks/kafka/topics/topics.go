// Package topics declares Kafka topics: it creates the missing ones and reports how the existing ones differ.
//
// An existing topic is never changed. More partitions move keys to other partitions, and a shorter retention deletes
// records, so both stay an operator's decision.
package topics

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sort"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Topic is the declaration of one topic.
type Topic struct {
	Name string
	// Partitions is the partition count, at least 1.
	Partitions int32
	// ReplicationFactor is the number of replicas; 0 takes the broker's default and is not compared.
	ReplicationFactor int16
	// Configs are the topic configs that matter to the caller; others are not compared.
	Configs map[string]string
}

// Difference is one setting in which an existing topic differs from its declaration.
type Difference struct {
	Topic string
	// Setting is "partitions", "replication.factor" or a topic config's name.
	Setting  string
	Declared string
	// Actual is what the cluster has; empty if it has no such config.
	Actual string
}

func (d Difference) String() string {
	return fmt.Sprintf("topic %s: %s is %s, declared %s", d.Topic, d.Setting, d.Actual, d.Declared)
}

// Report is what Check or Ensure found, ordered by topic and setting.
type Report struct {
	// Missing are declared topics that did not exist; Ensure has created them.
	Missing     []string
	Differences []Difference
}

// Check compares the declared topics with the cluster's and changes nothing.
func Check(ctx context.Context, cl *kgo.Client, declared []Topic) (Report, error) {
	if err := validate(declared); err != nil {
		return Report{}, err
	}
	names := make([]string, 0, len(declared))
	for _, t := range declared {
		names = append(names, t.Name)
	}
	actual, err := describe(ctx, cl, names)
	if err != nil {
		return Report{}, err
	}
	var report Report
	var existing []Topic
	for _, t := range declared {
		got, ok := actual[t.Name]
		if !ok {
			report.Missing = append(report.Missing, t.Name)
			continue
		}
		existing = append(existing, t)
		report.Differences = append(report.Differences, compareLayout(t, got)...)
	}
	configs, err := compareConfigs(ctx, kadm.NewClient(cl), existing)
	if err != nil {
		return Report{}, err
	}
	report.Differences = append(report.Differences, configs...)
	report.sort()
	return report, nil
}

// Ensure creates the declared topics that are missing, waits until each of their partitions has a leader that every broker
// knows, and reports what it created and how the others differ. It is idempotent, also when several processes run it at once.
func Ensure(ctx context.Context, cl *kgo.Client, declared []Topic) (Report, error) {
	report, err := Check(ctx, cl, declared)
	if err != nil || len(report.Missing) == 0 {
		return report, err
	}
	missing := make(map[string]bool, len(report.Missing))
	for _, name := range report.Missing {
		missing[name] = true
	}
	adm := kadm.NewClient(cl)
	for _, t := range declared {
		if !missing[t.Name] {
			continue
		}
		if err := create(ctx, adm, t); err != nil {
			return Report{}, err
		}
	}
	if err := waitForLeaders(ctx, cl, report.Missing); err != nil {
		return Report{}, err
	}
	return report, nil
}

func create(ctx context.Context, adm *kadm.Client, t Topic) error {
	configs := make(map[string]*string, len(t.Configs))
	for k, v := range t.Configs {
		configs[k] = &v
	}
	replicas := t.ReplicationFactor
	if replicas == 0 {
		replicas = -1
	}
	resp, err := adm.CreateTopic(ctx, t.Partitions, replicas, configs, t.Name)
	if err == nil || errors.Is(err, kerr.TopicAlreadyExists) { // another process may have been first
		return nil
	}
	what := fmt.Sprintf("create topic %s with %d partitions", t.Name, t.Partitions)
	if t.ReplicationFactor != 0 {
		what += fmt.Sprintf(" and replication factor %d", t.ReplicationFactor)
	}
	if resp.ErrMessage != "" {
		return fmt.Errorf("%s: %w: %s", what, err, resp.ErrMessage)
	}
	return fmt.Errorf("%s: %w", what, err)
}

// waitForLeaders polls because a cluster answers CreateTopics before every broker knows the new partitions: a client that then
// asked a broker that does not would be told that there is no such topic.
func waitForLeaders(ctx context.Context, cl *kgo.Client, names []string) error {
	const pollEvery = 50 * time.Millisecond
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for {
		known, err := knownEverywhere(ctx, cl, names)
		if err == nil && known {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait for the leaders of new topics %v: %w", names, errors.Join(ctx.Err(), err))
		case <-tick.C:
		}
	}
}

// knownEverywhere asks every broker that answers.
func knownEverywhere(ctx context.Context, cl *kgo.Client, names []string) (bool, error) {
	brokers, err := kadm.NewClient(cl).ListBrokers(ctx)
	if err != nil {
		return false, fmt.Errorf("list the brokers: %w", err)
	}
	answered := false
	for _, b := range brokers {
		resp, err := request(names).RequestWith(ctx, cl.Broker(int(b.NodeID)))
		if err != nil {
			continue // nobody else hears from it either
		}
		answered = true
		topics, err := found(resp)
		if err != nil || !haveLeaders(topics, names) {
			return false, err
		}
	}
	return answered, nil
}

func haveLeaders(topics map[string]kmsg.MetadataResponseTopic, names []string) bool {
	for _, name := range names {
		t, ok := topics[name]
		if !ok || len(t.Partitions) == 0 {
			return false
		}
		for _, p := range t.Partitions {
			if p.ErrorCode != 0 || p.Leader < 0 {
				return false
			}
		}
	}
	return true
}

// describe asks the cluster for those of the topics that exist. It sends the request itself because kadm would answer from the
// client's cache, which may be seconds old.
func describe(ctx context.Context, cl *kgo.Client, names []string) (map[string]kmsg.MetadataResponseTopic, error) {
	resp, err := request(names).RequestWith(ctx, cl)
	if err != nil {
		return nil, fmt.Errorf("describe topics: %w", err)
	}
	return found(resp)
}

func request(names []string) *kmsg.MetadataRequest {
	req := kmsg.NewPtrMetadataRequest()
	req.Topics = []kmsg.MetadataRequestTopic{} // not nil, which would ask for all topics
	for _, name := range names {
		t := kmsg.NewMetadataRequestTopic()
		t.Topic = kmsg.StringPtr(name)
		req.Topics = append(req.Topics, t)
	}
	return req
}

// found returns those of the topics asked for that exist, by name.
func found(resp *kmsg.MetadataResponse) (map[string]kmsg.MetadataResponseTopic, error) {
	out := make(map[string]kmsg.MetadataResponseTopic, len(resp.Topics))
	for _, t := range resp.Topics {
		err := kerr.ErrorForCode(t.ErrorCode)
		switch {
		case errors.Is(err, kerr.UnknownTopicOrPartition):
		case errors.Is(err, kerr.LeaderNotAvailable): // exists, and is being set up
			out[*t.Topic] = t
		case err != nil:
			return nil, fmt.Errorf("describe topic %s: %w", *t.Topic, err)
		default:
			out[*t.Topic] = t
		}
	}
	return out, nil
}

func compareLayout(t Topic, actual kmsg.MetadataResponseTopic) []Difference {
	var out []Difference
	if got := len(actual.Partitions); got != int(t.Partitions) {
		out = append(out, Difference{t.Name, "partitions", strconv.Itoa(int(t.Partitions)), strconv.Itoa(got)})
	}
	replicas := math.MaxInt
	for _, p := range actual.Partitions {
		replicas = min(replicas, len(p.Replicas))
	}
	if t.ReplicationFactor > 0 && replicas != int(t.ReplicationFactor) {
		out = append(out, Difference{t.Name, "replication.factor", strconv.Itoa(int(t.ReplicationFactor)), strconv.Itoa(replicas)})
	}
	return out
}

func compareConfigs(ctx context.Context, adm *kadm.Client, existing []Topic) ([]Difference, error) {
	var names []string
	for _, t := range existing {
		if len(t.Configs) > 0 {
			names = append(names, t.Name)
		}
	}
	if len(names) == 0 {
		return nil, nil
	}
	described, err := adm.DescribeTopicConfigs(ctx, names...)
	if err != nil {
		return nil, fmt.Errorf("describe topic configs: %w", err)
	}
	actual := make(map[string]map[string]string, len(described))
	for _, rc := range described {
		if rc.Err != nil {
			return nil, fmt.Errorf("describe configs of topic %s: %w", rc.Name, rc.Err)
		}
		actual[rc.Name] = make(map[string]string, len(rc.Configs))
		for _, c := range rc.Configs {
			actual[rc.Name][c.Key] = c.MaybeValue()
		}
	}
	var out []Difference
	for _, t := range existing {
		for key, want := range t.Configs {
			if got := actual[t.Name][key]; got != want {
				out = append(out, Difference{t.Name, key, want, got})
			}
		}
	}
	return out, nil
}

func validate(declared []Topic) error {
	seen := make(map[string]bool, len(declared))
	for _, t := range declared {
		switch {
		case t.Name == "":
			return errors.New("a declared topic has no name")
		case seen[t.Name]:
			return fmt.Errorf("topic %s is declared twice", t.Name)
		case t.Partitions < 1:
			return fmt.Errorf("topic %s is declared with %d partitions, want at least 1", t.Name, t.Partitions)
		}
		seen[t.Name] = true
	}
	return nil
}

func (r *Report) sort() {
	sort.Strings(r.Missing)
	sort.Slice(r.Differences, func(i, j int) bool {
		a, b := r.Differences[i], r.Differences[j]
		if a.Topic != b.Topic {
			return a.Topic < b.Topic
		}
		return a.Setting < b.Setting
	})
}
