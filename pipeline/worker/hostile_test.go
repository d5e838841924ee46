package worker

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestAnyTimestampCanBeStored: a producer may give a record any timestamp; one that ClickHouse would read as another time must
// not come to stand for when the log was read.
func TestAnyTimestampCanBeStored(t *testing.T) {
	for _, content := range []Content{Telemetry, Tickets, Accounts, Signals} {
		core := NewCore(spec(t, content), 0)
		for offset, at := range []int64{math.MinInt64, -1, math.MaxInt64} {
			v, _ := core.Step(&Record{Offset: uint64(offset), Time: at, Value: []byte("x")})
			require.Equal(t, DeadLettered, v)
		}
		flush := core.Take()
		for _, ms := range append(flush.Rows.DeadLetters.LogTime, flush.Checkpoint.LogTime) {
			year := time.UnixMilli(ms).UTC().Year()
			require.GreaterOrEqual(t, year, 1900)
			require.LessOrEqual(t, year, 2261)
		}
	}
}
