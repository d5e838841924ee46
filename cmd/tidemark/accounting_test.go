package main

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tidemark/internal/devclickhouse"
)

// TestACheckpointThatDoesNotAddUpIsAMetric has a pipeline run beside a checkpoint that somebody wrote by hand.
//
//tidemark:proves "a checkpoint does not add up": 5
func TestACheckpointThatDoesNotAddUpIsAMetric(t *testing.T) {
	t.Parallel()
	b := startBackends(t)
	b.migrate(t)
	for _, bad := range []bool{false, true} {
		if bad {
			conn := b.store.Open(t, devclickhouse.Writer)
			require.NoError(t, conn.Exec(t.Context(), `INSERT INTO checkpoints_all (source, offset, received, applied, log_time)
				VALUES ('telemetry/0@handmadehandmadehandma', 10, 10, 9, now())`))
		}
		pipeline := launch(t, b.with("TIDEMARK_CANARY_ENABLED=false"), "run")
		want := map[bool]string{false: "\ntidemark_accounting_violations 0\n", true: "\ntidemark_accounting_violations 1\n"}[bad]
		require.Eventually(t, func() bool {
			m := regexp.MustCompile(`"admin": "([^"]+)"`).FindStringSubmatch(pipeline.stderr.String())
			if len(m) == 0 {
				return false
			}
			ops := "http://" + m[1]
			return get(t, ops+"/readyz") == "ok\n" && strings.Contains(get(t, ops+"/metrics"), want) &&
				strings.Contains(pipeline.stderr.String(), "do not add up") == bad
		}, 5*time.Minute, 100*time.Millisecond, "%s", &pipeline.stderr)
		require.Equal(t, exitOK, pipeline.end(), "%s", &pipeline.stderr)
	}
}
