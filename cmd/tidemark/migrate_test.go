package main

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tidemark/internal/devclickhouse"
)

// TestAMetricIsAddedInYAMLAlone is the test of the catalogue's design: a file of one's own, tidemark migrate, and the new
// column counts, without a table or a line of Go.
func TestAMetricIsAddedInYAMLAlone(t *testing.T) {
	t.Parallel()
	b := startBackends(t)
	path := filepath.Join(t.TempDir(), "mine.yaml")
	require.NoError(t, os.WriteFile(path, []byte(`
metrics:
  - name: enterprise_exports
    view: usage
    match: {type: [track], event: [Report Exported], where: [{property: plan, in: [enterprise]}]}
    aggregate: count
    unit: exports
    description: Exports by enterprise users.
    decision: Offer the export API.
    owner: me
`), 0o600))
	env := b.with("TIDEMARK_PIPELINE_CATALOGUE="+path, "TIDEMARK_CANARY_ENABLED=false")
	require.Equal(t, exitOK, tidemark(t, env, "migrate").code)
	running := launch(t, env, "run")
	at := time.Now().UTC().Format(time.RFC3339Nano)
	for i, plan := range []string{"enterprise", "free", "enterprise"} {
		b.send(t, fmt.Sprintf(`{"type":"track","event":"Report Exported","messageId":"m%d","userId":"u","context":{"groupId":"acme"},"timestamp":%q,"properties":{"plan":%q}}`,
			i, at, plan))
	}
	reader := b.store.Open(t, devclickhouse.Reader)
	require.Eventually(t, func() bool {
		var exports, events uint64
		err := reader.QueryRow(t.Context(), "SELECT sum(enterprise_exports), sum(events) FROM usage_day WHERE account_id = 'acme'").Scan(&exports, &events)
		require.NoError(t, err)
		return exports == 2 && events == 3
	}, 5*time.Minute, 100*time.Millisecond)
	require.Equal(t, exitOK, running.end())
	var comment string
	require.NoError(t, reader.QueryRow(t.Context(),
		"SELECT comment FROM system.columns WHERE database = currentDatabase() AND table = 'usage_day' AND name = 'enterprise_exports'").Scan(&comment))
	require.Contains(t, comment, "Exports by enterprise users.")
}

func TestMigratePrintsTheGrants(t *testing.T) {
	t.Parallel()
	got := tidemark(t, []string{"TIDEMARK_CLICKHOUSE_WRITER_USER=pen"}, "migrate", "--print-grants")
	require.Equal(t, exitOK, got.code, got.stderr)
	require.Contains(t, got.stdout, "CREATE USER IF NOT EXISTS pen")
	require.Contains(t, got.stdout, "CREATE DATABASE IF NOT EXISTS tidemark")
}
