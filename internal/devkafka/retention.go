package devkafka

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"go.uber.org/zap"
)

// retentionEvery bounds how far a log outgrows its limits: by what producers write in this time, plus one segment.
const retentionEvery = 30 * time.Second

// retention deletes old segments as Apache Kafka does: whole ones, oldest first, never the one being written, and only of topics
// whose cleanup.policy has "delete". It takes the place of kfake's own cleaner, which ignores the policy, can empty a log
// (whose offsets then start at 0 again after a restart), and is not crash-safe when it compacts.
type retention struct {
	dataDir string
	adm     *kadm.Client
	log     *zap.Logger
	cancel  context.CancelFunc
	done    chan struct{}
}

// startRetention works on its own until stop; ctx lends it no more than values.
func startRetention(
	ctx context.Context, dataDir string, addrs []string, every time.Duration, log *zap.Logger,
) (*retention, error) {
	cl, err := kgo.NewClient(kgo.SeedBrokers(addrs...))
	if err != nil {
		return nil, fmt.Errorf("client for embedded kafka's retention: %w", err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	r := &retention{dataDir: dataDir, adm: kadm.NewClient(cl), log: log, cancel: cancel, done: make(chan struct{})}
	go r.run(ctx, every)
	return r, nil
}

func (r *retention) run(ctx context.Context, every time.Duration) {
	defer close(r.done)
	defer r.adm.Close()
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-tick.C:
			if err := r.apply(ctx, now); err != nil && ctx.Err() == nil {
				r.log.Warn("embedded kafka could not apply retention", zap.Error(err))
			}
		}
	}
}

func (r *retention) stop() {
	r.cancel()
	<-r.done
}

// apply deletes what now lies beyond the limits of every topic.
func (r *retention) apply(ctx context.Context, now time.Time) error {
	topics, err := r.adm.ListTopics(ctx)
	if err != nil {
		return fmt.Errorf("list topics: %w", err)
	}
	described, err := r.adm.DescribeTopicConfigs(ctx, topics.Names()...)
	if err != nil {
		return fmt.Errorf("describe topic configs: %w", err)
	}
	starts := make(kadm.Offsets)
	var failures []error // one topic's bad setting must not keep the others growing
	for _, rc := range described {
		failures = append(failures, r.findStarts(rc, topics[rc.Name].Partitions, now, starts))
	}
	if len(starts) > 0 {
		deleted, err := r.adm.DeleteRecords(ctx, starts)
		if err == nil {
			err = deleted.Error()
		}
		if err != nil {
			failures = append(failures, fmt.Errorf("delete records: %w", err))
		}
	}
	return errors.Join(failures...)
}

// findStarts adds the offset to delete up to for every partition of the topic that has something to delete.
func (r *retention) findStarts(rc kadm.ResourceConfig, partitions kadm.PartitionDetails, now time.Time, starts kadm.Offsets) error {
	limits, err := limitsOf(rc)
	if err != nil {
		return err
	}
	for partition := range partitions {
		segments, err := readSegments(r.dataDir, rc.Name, partition)
		if err != nil {
			return err
		}
		if start, ok := limits.newStart(segments, now); ok {
			starts.AddOffset(rc.Name, partition, start, -1)
		}
	}
	return nil
}

// limits are a topic's retention settings; a negative age or size means none.
type limits struct {
	deletes bool
	age     time.Duration
	bytes   int64
}

func limitsOf(rc kadm.ResourceConfig) (limits, error) {
	if rc.Err != nil {
		return limits{}, fmt.Errorf("describe configs of topic %s: %w", rc.Name, rc.Err)
	}
	values := make(map[string]string, len(rc.Configs))
	for _, c := range rc.Configs {
		values[c.Key] = c.MaybeValue()
		// kfake describes its own default here, not the broker's setting.
		if c.Key == "retention.bytes" && c.Source == kmsg.ConfigSourceDefaultConfig {
			values[c.Key] = strconv.Itoa(defaultRetentionBytes)
		}
	}
	ms, err := strconv.ParseInt(values["retention.ms"], 10, 64)
	if err != nil {
		return limits{}, fmt.Errorf("topic %s: retention.ms: %w", rc.Name, err)
	}
	bytes, err := strconv.ParseInt(values["retention.bytes"], 10, 64)
	if err != nil {
		return limits{}, fmt.Errorf("topic %s: retention.bytes: %w", rc.Name, err)
	}
	const maxMillis = int64(1<<63-1) / int64(time.Millisecond)
	age := time.Duration(min(ms, maxMillis)) * time.Millisecond
	return limits{deletes: strings.Contains(values["cleanup.policy"], "delete"), age: age, bytes: bytes}, nil
}

// segment is one file of a partition's log.
type segment struct {
	path    string
	base    int64 // offset of the first record
	bytes   int64
	written time.Time // of the last append
}

// newStart is the base of the first segment to keep. ok is false if all stay.
func (l limits) newStart(segments []segment, now time.Time) (start int64, ok bool) {
	if !l.deletes {
		return 0, false
	}
	var total int64
	for _, s := range segments {
		total += s.bytes
	}
	for i := 0; i+1 < len(segments); i++ {
		tooOld := l.age >= 0 && now.Sub(segments[i].written) > l.age
		// As in Kafka, a segment goes only if what is left still holds retention.bytes.
		tooMuch := l.bytes >= 0 && total-segments[i].bytes >= l.bytes
		if !tooOld && !tooMuch {
			break
		}
		total -= segments[i].bytes
		start, ok = segments[i+1].base, true
	}
	return start, ok
}

// readSegments lists a partition's segment files, oldest first. A partition that was never written to has none.
func readSegments(dataDir, topic string, partition int32) ([]segment, error) {
	dir := partitionDir(dataDir, topic, partition)
	entries, err := os.ReadDir(dir)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list the segments of %s/%d: %w", topic, partition, err)
	}
	var out []segment
	for _, e := range entries {
		name, isSegment := strings.CutSuffix(e.Name(), ".dat")
		base, err := strconv.ParseInt(name, 10, 64)
		if !isSegment || err != nil {
			continue
		}
		info, err := e.Info()
		if errors.Is(err, os.ErrNotExist) {
			continue // deleted since the directory was read
		}
		if err != nil {
			return nil, fmt.Errorf("size of a segment of %s/%d: %w", topic, partition, err)
		}
		out = append(out, segment{path: filepath.Join(dir, e.Name()), base: base, bytes: info.Size(), written: info.ModTime()})
	}
	slices.SortFunc(out, func(a, b segment) int { return cmp.Compare(a.base, b.base) })
	return out, nil
}
