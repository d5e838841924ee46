package doctor

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestFrame(t *testing.T) {
	t.Parallel()
	f := healthy(t)
	s := late(f, 90)
	s.Watermark = ptr(noon.Add(-7 * time.Minute))
	f.Store.Sources[1].Watermark, f.Store.Complete[0].To = noon.Add(-12*time.Minute), noon.Add(-12*time.Minute)
	f.Store.Hot = []HotAccount{{"acme", 900}, {"beta", 12}}
	flushes := func(sum, count, rows string) []string {
		return []string{
			"# TYPE tidemark_flush_duration_seconds histogram", `tidemark_flush_duration_seconds_bucket{le="+Inf"} ` + count,
			"tidemark_flush_duration_seconds_sum " + sum, "tidemark_flush_duration_seconds_count " + count,
			"# TYPE tidemark_flush_rows histogram", `tidemark_flush_rows_bucket{le="+Inf"} ` + count, "tidemark_flush_rows_sum " + rows, "tidemark_flush_rows_count " + count,
		}
	}
	record := `tidemark_records_total{topic="telemetry",partition="1",result="applied"} `
	f.Processes[0].Before = metrics(t, append(flushes("10", "100", "4000"), record+"1000", "process_cpu_seconds_total 3")...)
	f.Processes[0].After = metrics(t, append(flushes("11", "110", "4500"), record+"6000", "process_cpu_seconds_total 7", `tidemark_source_windows{topic="telemetry",partition="1"} 320`,
		"process_resident_memory_bytes 1572864")...)
	f.Processes = append(f.Processes, Process{URL: "http://x:9090", Error: "connection refused"})
	require.Equal(t, `2026-03-01T12:00:00Z  group g: Stable, 1 member

PROCESS  READY            RECORDS/S  ROWS/S  FLUSH  WINDOWS  CORES  MEMORY
w        yes              1000       100     100ms  320      0.80   1.5 MB
x:9090   does not answer

TOPIC      COMPLETE TO           AGE    BECAUSE
telemetry  2026-03-01T11:48:00Z  12m0s  telemetry/1 is behind: 712 records, the oldest for 1m30s

clickhouse ch:9000: at most 9 parts a partition (counters_all), 0 merges, 0 delayed, default 50 % free
events of the last 10 minutes: acme 900, beta 12

page: 1 partition of 2 behind, the worst is telemetry/1: the oldest for 1m30s

PARTITION    RECORDS/S  LAG  WAITING  WATERMARK  OWNER  STATE
telemetry/1  1000       712  1m30s    11:53:00   w      ok
telemetry/0  -          0    0s       -          w      ok
`, Frame(f, 0, 0))

	small := Frame(f, 40, 5)
	for line := range strings.Lines(small) {
		require.LessOrEqual(t, len([]rune(line)), 41)
	}
	require.Contains(t, small, "…\n")
	for range 9 {
		f.Lag.Sources = append(f.Lag.Sources, f.Lag.Sources[0])
	}
	require.Contains(t, Frame(f, 0, 5), "and 8 more, which are less behind\n")
	f.Lag, f.KafkaError = nil, "refused"
	require.Contains(t, Frame(f, 0, 0), "group g: Kafka does not answer, 0 members\n")
}
