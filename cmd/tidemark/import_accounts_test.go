package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kfake"
)

// TestImportAccounts: a dry run shows the diff and writes nothing, the import writes it once, and a wrong row stops all of it.
func TestImportAccounts(t *testing.T) {
	t.Parallel()
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(1, "accounts"))
	require.NoError(t, err)
	defer cluster.Close()
	env := []string{"TIDEMARK_KAFKA_BROKERS=" + strings.Join(cluster.ListenAddrs(), ",")}
	file := filepath.Join(t.TempDir(), "crm.csv")
	require.NoError(t, os.WriteFile(file, []byte("account_id,plan,seats\nacme,pro,25\nglobex,free,3\n"), 0o600))

	dry := tidemark(t, env, "import", "accounts", "--dry-run", file)
	require.Equal(t, exitOK, dry.code, dry.stderr)
	require.Equal(t, "+ acme\n    plan: \"\" -> \"pro\"\n    seats: \"\" -> \"25\"\n+ globex\n    plan: \"\" -> \"free\"\n    seats: \"\" -> \"3\"\n"+
		"2 rows: 2 accounts would be imported, 2 of them new\n", dry.stdout)
	first := tidemark(t, env, "import", "accounts", file)
	require.Equal(t, exitOK, first.code, first.stderr)
	require.Equal(t, "2 rows: 2 accounts imported, 2 of them new\n", first.stdout)
	require.Contains(t, first.stderr, "2 of 2 written")
	again := tidemark(t, env, "import", "accounts", file)
	require.Equal(t, "2 rows: 0 accounts imported, 0 of them new\n", again.stdout)

	require.NoError(t, os.WriteFile(file, []byte("account_id,seats\nacme,26\nglobex,some\n"), 0o600))
	wrong := tidemark(t, env, "import", "accounts", file)
	require.Equal(t, exitFailure, wrong.code)
	require.Contains(t, wrong.stderr, `crm.csv:3: seats "some" is not a whole number`)
	require.Contains(t, wrong.stderr, "nothing was imported")
	require.Contains(t, tidemark(t, env, "import", "accounts", "--dry-run", file).stderr, "crm.csv:3")
}
