//go:build synctests

package pipeline_test

import (
	"context"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"tidemark/pipeline/worker"
	"tidemark/sinks/clickhouse"
)

// defect is a way to break the pipeline, or what it stands on, on purpose.
type defect struct {
	name  string
	calm  bool // the rows are right all the same as long as nothing fails, so that only faults can show it
	build func(w *world) build
}

var defects = []defect{
	{"commit before ack", true, func(*world) build {
		return build{store: func(s worker.Store) worker.Store { return hasty{s} }}
	}},
	{"skip the load", false, func(*world) build { // a late event is enough to show it
		return build{store: func(s worker.Store) worker.Store { return forgetful{s} }}
	}},
	{"delta instead of absolute", true, func(*world) build {
		return build{add: true, store: func(s worker.Store) worker.Store {
			return &deltas{Store: s, base: map[counterKey]uint64{}}
		}}
	}},
	{"dedup kept apart", true, func(w *world) build {
		return build{kafka: []kgo.Opt{kgo.WithHooks(&idStore{w: w, seen: map[string]place{}})}}
	}},
	{"loads from any replica", true, func(*world) build { return build{anyReplica: true} }}, // what internal/preflight refuses
}

// hasty acknowledges rows at once, and then writes them.
type hasty struct{ worker.Store }

func (s hasty) Write(ctx context.Context, b *clickhouse.Batch) error {
	b = clickhouse.Join(&clickhouse.Batch{}, []*clickhouse.Batch{b, {}}) // whose memory is used again
	go func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
		defer cancel()
		_ = s.Store.Write(ctx, b) // too late to do anything about it
	}()
	return nil
}

// forgetful says that no window has rows yet.
type forgetful struct{ worker.Store }

func (forgetful) WindowCounters(context.Context, string, []clickhouse.WindowKey) (*clickhouse.Counters, error) {
	return &clickhouse.Counters{}, nil
}

type counterKey struct {
	tier                             int8
	account, feature, metric, source string
	start                            int64
}

func keyOf(c *clickhouse.Counters, i int) counterKey {
	return counterKey{c.Tier[i], c.AccountID.At(i), c.Feature.At(i), c.Metric.At(i), c.Source.At(i), c.WindowStart[i]}
}

// deltas writes by how much counters have grown since they were loaded or acknowledged.
type deltas struct {
	worker.Store
	mu   sync.Mutex
	base map[counterKey]uint64
}

func (s *deltas) note(c *clickhouse.Counters) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, v := range c.Value {
		s.base[keyOf(c, i)] = v
	}
}

func (s *deltas) Write(ctx context.Context, b *clickhouse.Batch) error {
	changed := *b
	changed.Counters.Value = slices.Clone(b.Counters.Value)
	s.mu.Lock()
	for i := range changed.Counters.Value {
		changed.Counters.Value[i] -= s.base[keyOf(&b.Counters, i)]
	}
	s.mu.Unlock()
	err := s.Store.Write(ctx, &changed)
	if err == nil {
		s.note(&b.Counters)
	}
	return err
}

func (s *deltas) OpenCounters(ctx context.Context, source string, watermark int64) (*clickhouse.Counters, error) {
	c, err := s.Store.OpenCounters(ctx, source, watermark)
	if err == nil {
		s.note(c)
	}
	return c, err
}

func (s *deltas) WindowCounters(ctx context.Context, source string, keys []clickhouse.WindowKey) (*clickhouse.Counters, error) {
	c, err := s.Store.WindowCounters(ctx, source, keys)
	if err == nil {
		s.note(c)
	}
	return c, err
}

// idStore remembers the ids of the messages that came in, beside the rows and for all members, and drops a message whose id
// it knows: also one that comes again because its rows were not written.
type idStore struct {
	w    *world
	mu   sync.Mutex
	seen map[string]place // by id, where it came in first
}

var messageID = regexp.MustCompile(`"messageId":"(m[0-9]+)"`)

// OnFetchRecordBuffered drops a message that it has seen, by making it one of which nothing is kept.
func (s *idStore) OnFetchRecordBuffered(r *kgo.Record) {
	id := messageID.FindSubmatch(r.Value)
	if id == nil || r.Topic != "telemetry" {
		return
	}
	at := place{strconv.Itoa(int(r.Partition)), uint64(r.Offset)}
	s.mu.Lock()
	first, known := s.seen[string(id[1])]
	if !known {
		s.seen[string(id[1])] = at
	}
	s.mu.Unlock()
	if known && first == at && r.Offset >= s.committed(r.Partition) { // what is committed is read again for the filter alone
		r.Value = []byte(`{"type":"alias","userId":"u0","previousId":"u1"}`)
	}
}

func (s *idStore) committed(partition int32) int64 {
	if g := s.w.kafka.GroupInfo("g"); g != nil {
		return g.Commits["telemetry"][partition].Offset
	}
	return 0
}

// calmly is a run in which nothing fails.
func calmly(s *simulation) {
	s.calm = true
	s.model.Add, s.model.AnyReplica = s.build.add, s.build.anyReplica
	s.add()
	s.during(20 * time.Second)
	s.end()
}

// TestBrokenBuildsAreCaught: a simulation that finds nothing proves nothing unless it finds what is there. Each defect is
// found within some seeds, which find nothing in the pipeline as it is.
func TestBrokenBuildsAreCaught(t *testing.T) {
	const enough = 200
	_, err := program()
	require.NoError(t, err)
	for _, d := range defects {
		t.Run(strings.ReplaceAll(d.name, " ", "-"), func(t *testing.T) {
			t.Parallel()
			if d.calm {
				require.Empty(t, play(t, 1, d.build, calmly).wrong, "nothing fails, and all the same the rows are wrong: that any test would find")
			}
			for seed := uint64(1); seed <= enough; seed++ {
				result := play(t, seed, d.build, (*simulation).run)
				if len(result.wrong) == 0 {
					continue
				}
				t.Logf("found by seed %d: %s", seed, summary(result.wrong[0]))
				require.Empty(t, play(t, seed, sound, (*simulation).run).wrong, "the same seed without the defect")
				return
			}
			t.Errorf("%d seeds do not find it", enough)
		})
	}
}

// summary shortens what testify says to its error and message.
func summary(text string) string {
	_, text, _ = strings.Cut(text, "Error:")
	return strings.Join(strings.Fields(text[:min(len(text), 400)]), " ")
}
