package main

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"tidemark/internal/devclickhouse"
)

func TestRebuildCommands(t *testing.T) {
	t.Parallel()
	b := startBackends(t)
	b.migrate(t)
	env := b.with("TIDEMARK_CANARY_ENABLED=false", "TIDEMARK_KAFKA_SESSION_TIMEOUT=6s", "TIDEMARK_KAFKA_INSTANCE_ID=me")
	says := func(code int, want string, args ...string) {
		t.Helper()
		got := tidemark(t, env, append([]string{"rebuild"}, args...)...)
		require.Equal(t, code, got.code, "%s%s", got.stdout, got.stderr)
		require.Contains(t, got.stdout+got.stderr, want)
	}
	events := func() (n uint64) {
		require.NoError(t, b.store.Open(t, devclickhouse.Reader).QueryRow(t.Context(), "SELECT sum(events) FROM usage_day").Scan(&n))
		return n
	}
	says(exitFailure, "no generation is being built; tidemark rebuild begins one", "switch")
	says(exitFailure, "generation 0 is live, and no other was that is still kept", "back")
	says(exitFailure, "there is no generation 7", "drop", "7")
	b.send(t, `{"type":"track","event":"A","userId":"u","messageId":"1","context":{"groupId":"acme"}}`,
		`{"type":"track","event":"A","userId":"u","messageId":"2","context":{"groupId":"acme"}}`, `{`)
	pipeline := launch(t, env, "run")
	defer pipeline.end()
	require.Eventually(t, func() bool { return events() == 2 }, 5*time.Minute, 100*time.Millisecond, "%s", &pipeline.stderr)
	require.Eventually(t, func() bool { // what is not committed is sent again
		return committed(t, b.kafka, "tidemark", "telemetry") == 3
	}, 5*time.Minute, 100*time.Millisecond)
	require.EqualValues(t, 1, letters(t, b.kafka))

	says(exitOK, "Generation 1 has caught up, and nothing has changed for readers.", "--no-switch")
	says(exitOK, "\n1           building ", "list")
	says(exitFailure, "generation 0 is live: readers would see nothing", "drop", "0")
	b.send(t, `{"type":"track","event":"A","userId":"u","messageId":"3","context":{"groupId":"acme"}}`)
	says(exitOK, "Generation 1 is live; generation 0 is kept.", "switch")
	require.EqualValues(t, 3, events())
	require.EqualValues(t, 1, letters(t, b.kafka), "the topic has the dead letter once")
	require.Eventually(t, func() bool { // the pipeline goes over to it within some seconds
		return strings.Contains(tidemark(t, env, "lag").stdout, "group tidemark-g1: Stable, members: 1\n")
	}, 5*time.Minute, 200*time.Millisecond)
	says(exitOK, "\n0           retired  the beginning ", "list")

	says(exitOK, "Generation 0 is live again, as it was left; generation 1 is kept.", "back")
	require.Eventually(t, func() bool { // once the pipeline has been forgotten by the group
		return tidemark(t, env, "rebuild", "drop", "1").code == exitOK
	}, 5*time.Minute, time.Second)
	says(exitOK, "\n1           dropped ", "list")
	var left uint64
	conn := b.store.Open(t, devclickhouse.Reader)
	require.NoError(t, conn.QueryRow(t.Context(), "SELECT count() FROM counters_all WHERE generation = 1").Scan(&left))
	require.Zero(t, left)
	// It was left with what had come in by the switch, and then catches up.
	require.Eventually(t, func() bool { return events() == 3 }, 5*time.Minute, 100*time.Millisecond, "%s", &pipeline.stderr)
	require.Equal(t, exitOK, pipeline.end(), "%s", &pipeline.stderr)

	client, err := kgo.NewClient(kgo.SeedBrokers(b.kafka))
	require.NoError(t, err)
	defer client.Close()
	admin := kadm.NewClient(client)
	ends, err := admin.ListEndOffsets(t.Context(), "telemetry")
	require.NoError(t, err)
	deleted, err := admin.DeleteRecords(t.Context(), ends.Offsets())
	require.NoError(t, err)
	require.NoError(t, deleted.Error())
	b.send(t, `{"type":"track","event":"A","userId":"u","messageId":"4","context":{"groupId":"acme"}}`)
	says(exitFailure, "the logs no longer hold everything that the rollups were computed from: telemetry/")
	says(exitFailure, "The new generation would have everything that came from 20")
	says(exitOK, "Building generation 2 ", "--from-what-is-left", "--no-switch")
}

// letters counts what is in the dead-letter topic.
func letters(t *testing.T, broker string) (n int64) {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(broker))
	require.NoError(t, err)
	defer client.Close()
	ends, err := kadm.NewClient(client).ListEndOffsets(t.Context(), "dead-letters")
	require.NoError(t, err)
	ends.Each(func(o kadm.ListedOffset) { n += o.Offset })
	return n
}

// committed counts the records of a topic that a group has committed.
func committed(t *testing.T, broker, group, topic string) (n int64) {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(broker))
	require.NoError(t, err)
	defer client.Close()
	offsets, err := kadm.NewClient(client).FetchOffsetsForTopics(t.Context(), group, topic)
	require.NoError(t, err)
	offsets.Each(func(o kadm.OffsetResponse) { n += max(o.At, 0) })
	return n
}

// TestTheWrongCatalogueIsNotCounted has a pipeline run that was forgotten when another catalogue's rebuild went live.
func TestTheWrongCatalogueIsNotCounted(t *testing.T) {
	t.Parallel()
	b := startBackends(t)
	b.migrate(t)
	env := b.with("TIDEMARK_CANARY_ENABLED=false")
	b.send(t, `{"type":"track","event":"A","userId":"u","messageId":"1","context":{"groupId":"acme"}}`)
	pipeline := launch(t, env, "run")
	conn := b.store.Open(t, devclickhouse.Writer)
	var n uint64
	require.Eventually(t, func() bool {
		require.NoError(t, conn.QueryRow(t.Context(), "SELECT count() FROM checkpoints").Scan(&n))
		return n > 0
	}, 5*time.Minute, 100*time.Millisecond, "%s", &pipeline.stderr)
	require.Equal(t, exitOK, pipeline.end())
	require.NoError(t, conn.Exec(t.Context(), "INSERT INTO generations SELECT 1, 'live', 'another', now64(3)"))
	pipeline = launch(t, env, "run")
	require.Eventually(t, func() bool {
		return strings.Contains(pipeline.stderr.String(), "generation 1 is live, and pipeline.catalogue is still that of generation 0")
	}, 5*time.Minute, 100*time.Millisecond)
	require.Equal(t, exitOK, pipeline.end())
	require.NoError(t, conn.QueryRow(t.Context(), "SELECT count() FROM checkpoints").Scan(&n))
	require.Zero(t, n)
}
