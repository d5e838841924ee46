//go:build prometheus

package oncall

import (
	"os"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"tidemark/internal/e2e"
)

// TestCommitsRefused has the broker refuse offset commits, and nothing else, for good.
func TestCommitsRefused(t *testing.T) {
	t.Parallel()
	s := watched(t)
	heal := s.broker.RefuseCommits(kerr.GroupAuthorizationFailed)
	s.prometheus.raises("TidemarkCommitsFail")
	s.walk("commits.md", map[string]string{})
	require.Regexp(t, "commit failed.*GROUP_AUTHORIZATION_FAILED", s.pipeline.Log(t))
	heal()
	s.prometheus.ends("TidemarkCommitsFail")
}

// TestReaderLockedOut changes the password of the login that dashboards and canaries read with, and forgets two pipelines: rows are written and
// every counter of theirs is well.
func TestReaderLockedOut(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	s.second = s.Pipeline(e2e.Binary(t, ""), "b", "TIDEMARK_CLICKHOUSE_ADDR="+s.store.Addr())
	s.second.Says(t, `"msg":"folding"`)
	s.customers()
	s.watch()
	s.prometheus.calm()
	right, err := os.ReadFile(s.reader)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(s.reader, []byte("wrong\n"), 0o600))
	s.store.Cut() // what is connected stays so
	s.prometheus.raises("TidemarkCanariesLost")
	said := s.walk("canary.md", map[string]string{})
	require.Contains(t, said, "ClickHouse refuses the login")
	require.NotContains(t, said, "1970-01-01", "the canaries' rows are there")
	require.Regexp(t, "a canary is lost.*Authentication failed", s.pipeline.Log(t))
	require.NoError(t, os.WriteFile(s.reader, right, 0o600))
	s.prometheus.ends("TidemarkCanariesLost")
	s.pipeline.Says(t, "canaries arrive again")
}

// TestOneInTwentyIsLate has records come ten seconds after they were made, one a second at most, as long as fewer than one sample in twenty is
// late: at that the month's budget would be gone in days.
func TestOneInTwentyIsLate(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	var begun atomic.Bool
	var last time.Time
	s.customers(func() {
		if !begun.Load() || time.Since(last) < time.Second {
			return
		}
		last = time.Now()
		share, err := s.prometheus.query("tidemark:freshness_slow:ratio_rate1h")
		if err == nil && len(share) == 1 && share[0].Value < 0.045 {
			s.client.Produce(t.Context(), &kgo.Record{Topic: "telemetry", Timestamp: time.Now().Add(-10 * time.Second), Value: []byte(
				`{"type":"track","event":"Synced","userId":"u1","context":{"groupId":"account-1"},"messageId":"` + time.Now().String() + `"}`)}, nil)
		}
	})
	s.watch()
	s.prometheus.calm()
	begun.Store(true)
	s.prometheus.raises("TidemarkFreshnessBurnsSlowly")
	s.walk("freshness.md", map[string]string{"system.query_log": "-"})
	begun.Store(false)
	s.prometheus.ends("TidemarkFreshnessBurnsSlowly")
}
