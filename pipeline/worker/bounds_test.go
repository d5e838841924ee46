package worker

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tidemark/pipeline/rollup"
	"tidemark/sinks/clickhouse"
)

// burst folds events and flushes them as a worker does, and returns by how much the heap has grown, in bytes. ClickHouse
// has no rows for what it is asked: only memory is looked at.
func burst(t *testing.T, s Spec, windows, n int, event func(i int) string) (grown int64, rows map[string]uint64) {
	t.Helper()
	heap := func() int64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	before := heap()
	c := NewCore(s, 0)
	most := int64(0)
	rows = map[string]uint64{}
	for i := range n {
		r := Record{Offset: uint64(i), Time: base.UnixMilli(), Value: []byte(event(i))}
		v, rej := c.Step(&r)
		for ; v == Blocked; v, rej = c.Step(&r) {
			var needs Needs
			c.Look(&r, &needs)
			c.Install(&needs, &clickhouse.Counters{}, nil)
		}
		require.Equal(t, Applied, v, rej)
		if i%25_000 == 24_999 || i == n-1 {
			f := c.Take()
			for j := range f.Rows.Counters.Value {
				if k := f.Rows.Counters; k.Metric.At(j) == "feature_uses" && k.Tier[j] == int8(clickhouse.Day) {
					rows[k.Feature.At(j)] = k.Value[j]
				}
			}
			c.Written(f, windows)
			if i%100_000 == 99_999 || i == n-1 {
				most = max(most, heap()-before)
			}
		}
	}
	runtime.KeepAlive(c)
	return most, rows
}

// TestMemoryIsBoundedWhateverComes feeds one source with what would fill the memory of a pipeline that keeps everything. The memory of
// the rows of one flush, of 25 000 events, is kept for the next.
//
//tidemark:proves "more windows, users or features come than memory may hold": 1
func TestMemoryIsBoundedWhateverComes(t *testing.T) {
	s := spec(t, Telemetry)
	s.MaxFeatures, s.DedupRecords = 1000, 1000
	event := func(user, account int, feature string, at time.Time) string {
		return fmt.Sprintf(`{"type":"track","event":"Use","userId":"u%d","context":{"groupId":"a%d"},"properties":{"feature":%q},"timestamp":%q,"receivedAt":%q}`,
			user, account, feature, at.Format(time.RFC3339), base.Format(time.RFC3339))
	}
	for name, test := range map[string]struct {
		events, megabytes int
		event             func(i int) string
	}{
		"a burst of new accounts": {200_000, 110, func(i int) string { return event(i, i, "f", base) }},
		"half a million users of one account": {500_000, 40, func(i int) string {
			return event(i, 0, "f", base.Add(time.Duration(-i)*time.Millisecond/10))
		}},
		"a hundred thousand features": {200_000, 20, func(i int) string { return event(i%50, 0, fmt.Sprintf("f%d", i%100_000), base) }},
		"a hundred new features on each of two years' days": {73_000, 45, func(i int) string {
			return event(i%50, 0, fmt.Sprintf("f%d", i), base.Add(-time.Duration(i/100)*24*time.Hour))
		}},
		"long names":            {2000, 10, func(i int) string { return event(i%50, 0, fmt.Sprintf("%d%s", i, strings.Repeat("x", 100_000)), base) }},
		"events over two years": {300_000, 70, func(i int) string { return event(i, i%100, "f", base.Add(-time.Duration(i%1_051_200)*time.Minute)) }},
	} {
		t.Run(name, func(t *testing.T) {
			grown, features := burst(t, s, 30_000, test.events, test.event)
			t.Logf("%d events: the heap grew by %d MB at most", test.events, grown>>20)
			require.Less(t, grown>>20, int64(test.megabytes))
			switch name {
			case "a hundred thousand features":
				require.Len(t, features, s.MaxFeatures+1)
				require.EqualValues(t, test.events-2*s.MaxFeatures, features[rollup.Other], "the rest is counted, under one name")
			case "long names":
				require.Equal(t, map[string]uint64{rollup.Other: uint64(test.events)}, features)
			}
		})
	}
}
