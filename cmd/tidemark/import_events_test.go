package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kfake"

	"tidemark/internal/devclickhouse"
)

// importState makes TestImportEventsChild import until it is killed.
const importState = "IMPORT_EVENTS_STATE"

// TestImportEventsChild is the process that TestImportEvents kills; it does nothing by itself.
func TestImportEventsChild(t *testing.T) {
	state, dir, found := strings.Cut(os.Getenv(importState), "|")
	if !found {
		return
	}
	var env []string
	for _, v := range os.Environ() {
		if strings.HasPrefix(v, "TIDEMARK_") {
			env = append(env, v)
		}
	}
	got := tidemark(t, env, "import", "events", "--state", state, "--rate", "1", dir)
	require.Fail(t, "it was not killed", "%s%s", got.stdout, got.stderr)
}

// TestImportEvents kills an import in the middle, between Kafka and its state file, and has another go on: the views show every event
// once, in its own hour.
func TestImportEvents(t *testing.T) {
	t.Parallel()
	const perHour = 700
	b := startBackends(t)
	b.migrate(t)
	env := b.with("TIDEMARK_CANARY_ENABLED=false")
	day := time.Now().UTC().Add(-72 * time.Hour).Truncate(24 * time.Hour)
	dir, want := t.TempDir(), map[string]uint64{}
	for hour := 8; hour < 11; hour++ {
		at := day.Add(time.Duration(hour) * time.Hour)
		var packed bytes.Buffer
		w := gzip.NewWriter(&packed)
		for n := range perHour {
			fmt.Fprintf(w, `{"type":"track","event":"A","userId":"u%d","messageId":"%d-%d","context":{"groupId":"acme"},"timestamp":%q}`+"\n",
				n%50, hour, n, at.Add(time.Duration(n)*time.Second).Format(time.RFC3339))
		}
		require.NoError(t, w.Close())
		path := filepath.Join(dir, at.Format("2006-01-02/15"), "part.jsonl.gz")
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, packed.Bytes(), 0o600))
		want[at.Format("15")] = perHour
	}
	state := filepath.Join(t.TempDir(), "state")
	dry := tidemark(t, env, "import", "events", "--dry-run", "--state", state, dir)
	require.Equal(t, exitOK, dry.code, dry.stderr)
	require.Equal(t, fmt.Sprintf("2100 events of 3 files would be sent, from %s to %s\n  track 2100\n", day.Add(8*time.Hour).Format(time.RFC3339),
		day.Add(10*time.Hour+(perHour-1)*time.Second).Format(time.RFC3339)), dry.stdout)

	killImport(t, append(env, importState+"="+state+"|"+dir), state)
	pipeline := launch(t, env, "run")
	defer pipeline.end()
	done := tidemark(t, env, "import", "events", "--state", state, dir)
	require.Equal(t, exitOK, done.code, done.stderr)
	require.Regexp(t, `(?m)^1800 events of 3 files sent, .*\n  track 1800\n  300 events were sent or refused by a run before$`, done.stdout)
	conn := b.store.Open(t, devclickhouse.Reader)
	counted := func() map[string]uint64 {
		got := map[string]uint64{}
		rows, err := conn.Query(t.Context(), "SELECT formatDateTime(window_start, '%H'), events FROM usage_hour WHERE account_id = 'acme' AND events > 0 AND toDate(window_start) = ?", day)
		require.NoError(t, err)
		for rows.Next() {
			var hour string
			var events uint64
			require.NoError(t, rows.Scan(&hour, &events))
			got[hour] = events
		}
		require.NoError(t, rows.Err())
		return got
	}
	duplicates := func() (n uint64) {
		require.NoError(t, conn.QueryRow(t.Context(), "SELECT sum(duplicate) FROM reconciliation WHERE topic = 'telemetry'").Scan(&n))
		return n
	}
	require.Eventually(t, func() bool { return duplicates() == 200 }, 5*time.Minute, 100*time.Millisecond, "%s", &pipeline.stderr)
	require.Eventually(t, func() bool { return fmt.Sprint(counted()) == fmt.Sprint(want) }, 5*time.Minute, 100*time.Millisecond, "%s", &pipeline.stderr)

	known := tidemark(t, env, "import", "events", "--state", state, dir)
	require.Equal(t, exitOK, known.code, known.stderr)
	require.Equal(t, "0 events of 3 files sent\n  3 files were imported before: --again imports them again\n", known.stdout)
	again := tidemark(t, env, "import", "events", "--state", state, "--again", dir)
	require.Equal(t, exitOK, again.code, again.stderr)
	require.Eventually(t, func() bool { return duplicates() == 2300 }, 5*time.Minute, 100*time.Millisecond, "%s", &pipeline.stderr)
	require.Equal(t, want, counted())
	require.Equal(t, exitOK, pipeline.end(), "%s", &pipeline.stderr)
}

// killImport kills an import while it waits for its second batch, and has the state file lag behind Kafka, as after a kill between the two.
func killImport(t *testing.T, env []string, state string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute) // the second batch comes after 500 s
	defer cancel()
	child := exec.CommandContext(ctx, os.Args[0], "-test.run", "^TestImportEventsChild$")
	child.Env = append(os.Environ(), env...)
	var out bytes.Buffer
	child.Stdout, child.Stderr = &out, &out
	require.NoError(t, child.Start())
	var text []byte
	for !bytes.HasSuffix(text, []byte("\n")) && ctx.Err() == nil {
		text, _ = os.ReadFile(state) // it is not there at first
		time.Sleep(10 * time.Millisecond)
	}
	require.NoError(t, child.Process.Signal(syscall.SIGKILL))
	require.ErrorContains(t, child.Wait(), "killed", "%s", &out)
	require.Contains(t, string(text), `"events":500,`)
	require.NoError(t, os.WriteFile(state, bytes.ReplaceAll(text, []byte(`"events":500,`), []byte(`"events":300,`)), 0o600))
}

func TestImportEventsRefuses(t *testing.T) {
	t.Parallel()
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(1, "telemetry", "users", "accounts", "signals", "tickets", "parked"))
	require.NoError(t, err)
	defer cluster.Close()
	b := []string{"TIDEMARK_KAFKA_BROKERS=" + strings.Join(cluster.ListenAddrs(), ",")}
	file := filepath.Join(t.TempDir(), "events.jsonl")
	require.NoError(t, os.WriteFile(file, []byte(`{"type":"track","event":"A","userId":"u","context":{"groupId":"acme"},"timestamp":"`+time.Now().UTC().Format(time.RFC3339)+"\"}\n{\n"), 0o600))
	state := filepath.Join(t.TempDir(), "state")
	got := tidemark(t, b, "import", "events", "--state", state, "--dry-run", file)
	require.Equal(t, exitOK, got.code)
	require.Contains(t, got.stderr, "events.jsonl:2: malformed: ")
	got = tidemark(t, b, "import", "events", "--state", state, file)
	require.Equal(t, exitFailure, got.code)
	require.Contains(t, got.stdout, "1 events of 1 files sent")
	require.Contains(t, got.stdout, "  refused: malformed 1\n")
	require.Contains(t, got.stderr, "some events were refused")
	require.Contains(t, tidemark(t, b, "import", "events", "--rate=-1", file).stderr, "--rate is -1")
	require.Contains(t, tidemark(t, b, "import", "events", filepath.Dir(state)+"/none").stderr, "no such file")
}
