package rollup

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tidemark/pipeline/decode"
	"tidemark/schemas"
	"tidemark/sinks/clickhouse"
)

var retention = [3]time.Duration{336 * time.Hour, 9600 * time.Hour, 43800 * time.Hour}

const (
	noon = 1_790_078_400_000 // Unix ms, an hour's start
	all  = 1 << 30           // no bound on windows
)

func newState(t *testing.T) *State {
	t.Helper()
	c, err := schemas.Builtin()
	require.NoError(t, err)
	p, err := schemas.Compile(c)
	require.NoError(t, err)
	s := New("telemetry/0@id", p, retention, 1000)
	return s
}

// use is an event of the user at a time.
func use(s *State, user uint64, at int64) *decode.Event {
	return &decode.Event{
		Type: decode.Track, Name: []byte("Use"), User: user, Time: at, Received: at, Properties: make([]decode.Value, len(s.program.Properties)),
	}
}

// passTime flushes until idle windows before the watermark are evicted.
func passTime(s *State, position uint64, watermark int64) {
	for range idleTakes + 2*evictEvery {
		s.Take(position)
		s.Evict(watermark, all)
	}
}

func TestOnlyWindowsThatMayExistAreLoaded(t *testing.T) {
	s := newState(t)
	require.True(t, s.Fold(use(s, 1, noon), []byte("acme"), 0))
	passTime(s, 1, noon+10*minute)
	require.Equal(t, 2, s.Windows(), "the minute is evicted")

	again := use(s, 1, noon+1)
	require.False(t, s.Fold(again, []byte("acme"), 1))
	keys := s.Missing(again, []byte("acme"), nil)
	require.Equal(t, []clickhouse.WindowKey{{AccountID: "acme", Tier: clickhouse.Minute, Start: noon / 1000}}, keys)
	s.Install(keys, &clickhouse.Counters{
		Tier: []int8{1}, AccountID: clickhouse.WordsOf("acme"), WindowStart: []int64{noon / 1000}, Feature: clickhouse.WordsOf(""),
		Metric: clickhouse.WordsOf("events"), Source: clickhouse.WordsOf("telemetry/0@id"), Value: []uint64{1}, AppliedOffset: []uint64{0},
	})
	require.True(t, s.Fold(again, []byte("acme"), 1))

	for _, account := range []string{"acme", "zeta"} {
		late := use(s, 1, noon-minute)
		require.Empty(t, s.Missing(late, []byte(account), nil), "%s never had this minute", account)
		require.True(t, s.Fold(late, []byte(account), 2))
	}
}

func TestResumedStateLoadsWhatIsOlderThanItsWatermark(t *testing.T) {
	s := newState(t)
	s.Resume(7, noon+minute, &clickhouse.Counters{})
	late := use(s, 1, noon)
	require.False(t, s.Fold(late, []byte("acme"), 7))
	require.Equal(t, []clickhouse.WindowKey{{AccountID: "acme", Tier: clickhouse.Minute, Start: noon / 1000}}, s.Missing(late, []byte("acme"), nil),
		"the hour and the day are open: their rows were given")
	require.True(t, s.Fold(use(s, 1, noon+minute), []byte("acme"), 8))
}

func TestTheOldestEvictedWindowsAreForgotten(t *testing.T) {
	var e evicted
	for i := range int64(maxEvicted + 1) {
		e.add("acme", i)
	}
	require.LessOrEqual(t, len(e.windows), maxEvicted/2+1)
	require.True(t, e.mayExist("acme", 0))
	require.True(t, e.mayExist("zeta", 0), "nothing is known so far back")
	require.True(t, e.mayExist("acme", maxEvicted))
	require.False(t, e.mayExist("zeta", maxEvicted))
}

// TestUsersAreInEveryTierOnce holds for sets that grow, whichever tier a user is new to.
func TestUsersAreInEveryTierOnce(t *testing.T) {
	s := newState(t)
	want := map[string]int{}
	for i := range 1000 {
		user, at := uint64(i%70+1), noon+int64(i%200)*minute
		require.True(t, s.Fold(use(s, user, at), []byte("acme"), uint64(i)))
		for _, tier := range clickhouse.Tiers {
			want[fmt.Sprint(tier, tier.Start(at), user)] = 1
		}
	}
	got := map[string]int{}
	m := s.Take(1000).Members
	for i := range m.Tier {
		for _, user := range m.Members.At(i) {
			if m.Metric.At(i) == "users" {
				got[fmt.Sprint(m.Tier[i], m.WindowStart[i], user)]++
			}
		}
	}
	require.Equal(t, want, got)
}

// TestFeaturesBeyondTheMostCountTogether holds day by day, for features that have been evicted and loaded as well.
func TestFeaturesBeyondTheMostCountTogether(t *testing.T) {
	s := newState(t)
	s.most = 2
	feature := func(name string, at int64, offset uint64) {
		ev := use(s, 1, at)
		ev.Type, ev.Name = decode.Track, []byte("Use")
		ev.Properties[s.program.FeatureProperty] = decode.Value{Kind: decode.String, Text: []byte(name)}
		require.True(t, s.Fold(ev, []byte("acme"), offset))
	}
	for i, name := range []string{"a", "b", "c", "a", Other, "d"} {
		feature(name, noon, uint64(i))
	}
	feature("c", noon+dayMS, 6)
	feature(strings.Repeat("x", maxName+1), noon+dayMS, 7)
	got := map[string]uint64{}
	c := s.Take(8).Counters
	for i := range c.Value {
		if c.Tier[i] == int8(clickhouse.Day) && c.Metric.At(i) == "feature_uses" {
			got[fmt.Sprintf("%d %s", c.WindowStart[i]-noon/86_400_000*86_400, c.Feature.At(i))] = c.Value[i]
		}
	}
	require.Equal(t, map[string]uint64{"0 a": 2, "0 b": 1, "0 " + Other: 3, "86400 c": 1, "86400 " + Other: 1}, got)
	require.EqualValues(t, 3, s.Over())

	// A state that resumes knows the day's features from their rows.
	resumed := newState(t)
	resumed.most = 2
	resumed.Resume(8, noon, &c)
	s = resumed
	feature("d", noon, 8)
	feature("b", noon, 9)
	got = map[string]uint64{}
	c = s.Take(10).Counters
	for i := range c.Value {
		if c.Tier[i] == int8(clickhouse.Day) && c.Metric.At(i) == "feature_uses" {
			got[c.Feature.At(i)] = c.Value[i]
		}
	}
	require.Equal(t, map[string]uint64{"b": 2, Other: 4}, got)
}
