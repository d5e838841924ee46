package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"tidemark/bench/figures"
	"tidemark/bench/peers"
)

// peerNames are those of all peers, in the order in which they run.
var peerNames = []string{"kafkastreams", "flink", "clickhouse"}

// peer does a part of the pipeline's job with something else: events and distinct users of an account, by minute only.
type peer struct {
	what     string
	goal     *figures.Goal
	settings map[string]string // and why
	run      func(ctx context.Context, topic *written, run string) (peerRun, error)
}

// peerRun is what a peer took from its first commits on: starting, joining and the first fifth of the records, in which the
// JVM compiles, are left out.
type peerRun struct {
	Events  int     `json:"events"`
	Seconds float64 `json:"seconds"`
	CPU     float64 `json:"cpu_seconds"` // its own; ClickHouse's for its Kafka engine
	Kafka   float64 `json:"kafka_cpu_seconds"`
}

func (r peerRun) rate() float64 { return float64(r.Events) / r.Seconds }

func (b *bench) peers() map[string]peer {
	return map[string]peer{
		"kafkastreams": {"Kafka Streams, exactly-once-v2", figures.AtLeast(10), peers.KafkaStreams.Settings, b.kafkaStreams},
		"flink":        {"Flink DataStream", figures.AtLeast(3), peers.Flink.Settings, b.flink},
		"clickhouse":   {"ClickHouse Kafka engine and materialized view", figures.AtLeast(6), kafkaEngineSettings, b.kafkaEngine},
	}
}

// measurePeers is measureThroughput with every peer's run after the pipeline's.
func (b *bench) measurePeers(ctx context.Context) error {
	all, chosen := b.peers(), slices.Clone(b.Peers)
	runs := map[string][]peerRun{}
	pairs, err := b.throughput(ctx, func(ctx context.Context, topic *written, i int) error {
		for _, name := range slices.Clone(chosen) {
			r, err := all[name].run(ctx, topic, fmt.Sprintf("%s_%d", name, i))
			var missing *peers.MissingToolError
			if errors.As(err, &missing) {
				fmt.Printf("NOTE: %s is left out: %v\n", all[name].what, missing)
				chosen = slices.DeleteFunc(chosen, func(n string) bool { return n == name })
				continue
			}
			if err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
			runs[name] = append(runs[name], r)
			fmt.Printf("run %d: %s %.0f events/s, %.2f CPU µs an event\n", i+1, all[name].what, r.rate(), r.CPU/float64(r.Events)*1e6)
		}
		return nil
	})
	if err != nil || len(runs) == 0 {
		return err
	}
	s := b.section("The pipeline with its full job beside others with a part of it: events and distinct users of an account by minute, nothing else; " +
		"no clock correction, duplicate filter, mapping, hours, days or features. Same topic, same records, in turns; each peer's result is compared with the records' truth.")
	s.Settings, s.Runs = map[string]string{}, runs
	for _, name := range slices.Sorted(maps.Keys(runs)) {
		p := all[name]
		var rate, ratio, cpu, cpuRatio []float64
		for i, r := range runs[name] {
			ours := pairs[i].Pipeline
			rate = append(rate, r.rate())
			ratio = append(ratio, float64(b.Events)/ours.Seconds/r.rate())
			cpu = append(cpu, r.CPU/float64(r.Events)*1e6)
			all := (ours.ClientCPU + ours.ClickHouseCPU + ours.KafkaCPU) / float64(b.Events)
			cpuRatio = append(cpuRatio, (r.CPU+r.Kafka)/float64(r.Events)/all)
		}
		s.Add(name+"_ratio", "full pipeline : "+p.what+", events a second", "", p.goal, ratio...)
		s.Add(name+"_cpu_ratio", "the same, events a CPU second of all processes, ClickHouse and Kafka included", "", nil, cpuRatio...)
		s.Add(name+"_rate", p.what, "events/s", nil, rate...)
		s.Add(name+"_cpu", "CPU: "+p.what, "µs/event", nil, cpu...)
		for setting, why := range p.settings {
			s.Settings[p.what+": "+setting] = why
		}
	}
	b.keep("peers", s)
	return nil
}

// clocked follows a peer by what its group has committed, and measures from the first fifth of the topic to its end. finished, if not
// nil, ends it in place of the last commit.
func (b *bench) clocked(ctx context.Context, topic *written, group string, pid int, finished <-chan struct{}) (r peerRun, err error) {
	client, err := kgo.NewClient(kgo.SeedBrokers(b.services.brokers...))
	if err != nil {
		return r, err
	}
	defer client.Close()
	admin := kadm.NewClient(client)
	var began time.Time
	var cpu, kafka float64
	first := 0
	done := func() (peerRun, error) {
		if began.IsZero() || first > topic.Events*4/5 {
			return r, fmt.Errorf("%d events are too few to measure: its first commit came after %d; use more --events", topic.Events, first)
		}
		return peerRun{
			Events: topic.Events - first, Seconds: time.Since(began).Seconds(),
			CPU: processTime(pid) - cpu, Kafka: processTime(b.services.kafkaID) - kafka,
		}, nil
	}
	ticker := time.NewTicker(pollCommits)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return r, fmt.Errorf("wait for %s: %w", group, ctx.Err())
		case <-finished:
			return done()
		case <-ticker.C:
		}
		n, err := committed(ctx, admin, group, topic.Topic)
		if err != nil {
			continue // the group is not there yet
		}
		if began.IsZero() && n >= topic.Events/5 {
			began, first, cpu, kafka = time.Now(), n, processTime(pid), processTime(b.services.kafkaID)
		}
		if n == topic.Events && finished == nil {
			return done()
		}
	}
}

// committed returns the sum of a group's offsets.
func committed(ctx context.Context, admin *kadm.Client, group, topic string) (int, error) {
	commits, err := admin.FetchOffsetsForTopics(ctx, group, topic)
	if err != nil {
		return 0, fmt.Errorf("fetch the commits of %s: %w", group, err)
	}
	n := 0
	commits.Each(func(o kadm.OffsetResponse) {
		if o.Topic == topic && o.At > 0 {
			n += int(o.At)
		}
	})
	return n, nil
}
