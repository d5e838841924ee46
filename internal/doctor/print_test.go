package doctor

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestText(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	require.NoError(t, Examine(healthy(t)).WriteText(&out))
	const complete = "telemetry is complete up to 2026-03-01T11:55:00Z: the newest event of telemetry/0 is of 2026-03-01T12:00:00Z, and pipeline.disorder is 5m0s\n"
	require.Equal(t, complete+"Looked at 2 partitions of the group g, 1 server of ClickHouse and 1 process of Tidemark. Nothing has to be done.\n", out.String())

	f := healthy(t)
	late(f, 90)
	out.Reset()
	require.NoError(t, Examine(f).WriteText(&out))
	require.Equal(t, `1. page    1 partition of 2 behind, the worst is telemetry/1: the oldest for 1m30s
   since    2026-03-01T11:58:30Z (1m30s ago)
   affects  3 accounts of telemetry/1, by the last 7 days
   seen     telemetry/1: 712 records, the oldest for 1m30s, at w
            http://w: 0 records a second, with 0 % of one core
   do       see whether one account is most of the traffic: SELECT account_id, sum(events) FROM usage_minute WHERE window_start > now() - INTERVAL 10 MINUTE GROUP BY 1 ORDER BY 2 DESC LIMIT 10
   runbook  docs/runbooks/partition-behind.md

`+complete+"Looked at 2 partitions of the group g, 1 server of ClickHouse and 1 process of Tidemark. Begin with 1.\n", out.String())
}
