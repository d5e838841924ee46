package preflight

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestOlder(t *testing.T) {
	t.Parallel()
	for version, want := range map[string]bool{
		"25.8.3.66": false, "25.8": false, "25.9.1": false, "26.1.1.1": false, "25.7.9.9": true, "24.12.1": true, "dev": true,
	} {
		require.Equal(t, want, older(version, "25.8"), version)
	}
}

func TestJudgeClock(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		ahead, took time.Duration
		want        string
	}{
		{0, 0, "ok clock: ClickHouse's agrees with this machine's"},
		{900 * time.Millisecond, 10 * time.Millisecond, "ok clock: ClickHouse's agrees with this machine's"},
		// The answer may have been made at the end of a slow question.
		{3 * time.Second, 3 * time.Second, "ok clock: ClickHouse's agrees with this machine's"},
		{3 * time.Second, time.Second, "warning clock: ClickHouse's is 2s ahead of this machine's"},
		{-3 * time.Second, time.Second, "warning clock: ClickHouse's is 3s behind this machine's"},
		{time.Hour, time.Second, "error clock: ClickHouse's is 59m59s ahead of this machine's"},
		{-time.Hour, time.Second, "error clock: ClickHouse's is 1h0m0s behind this machine's"},
	} {
		var f findings
		judgeClock(&f, c.ahead, c.took)
		require.Len(t, f, 1)
		require.Equal(t, c.want, f[0].Level.String()+" "+f[0].Subject+": "+f[0].Text)
		require.Equal(t, f[0].Level > OK, f[0].Fix != "")
	}
}
