package main

import (
	"bytes"
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
)

// TestNormalise runs the command on its configuration alone: a record of a raw topic becomes one of Tidemark's own.
func TestNormalise(t *testing.T) {
	t.Parallel()
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(1, "desk", "telemetry", "users", "accounts", "signals", "tickets", "parked", "dead-letters"))
	require.NoError(t, err)
	defer cluster.Close()
	path := configFile(t, fmt.Sprintf(`
kafka: {brokers: [%q]}
admin: {listen: "127.0.0.1:0"}
normalise:
  topics:
    desk: {format: json, events: [{ticket: {ticket_id: $.id, kind: created, occurred_at: $.at, account_id: $.account}}]}
`, cluster.ListenAddrs()[0]))
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	running, stop := context.WithCancel(ctx)
	var stdout, stderr bytes.Buffer
	done := make(chan int, 1)
	go func() { done <- run(running, []string{"normalise", "-c", path}, nil, &stdout, &stderr) }()
	client, err := kgo.NewClient(kgo.SeedBrokers(cluster.ListenAddrs()...), kgo.ConsumeTopics("tickets"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()))
	require.NoError(t, err)
	defer client.Close()
	raw := fmt.Appendf(nil, `{"id":7,"at":%q,"account":"acme"}`, time.Now().UTC().Format(time.RFC3339))
	require.NoError(t, client.ProduceSync(ctx, &kgo.Record{Topic: "desk", Value: raw}).FirstErr())
	fetches := client.PollRecords(ctx, 1)
	require.NoError(t, fetches.Err())
	require.Equal(t, "acme", string(fetches.Records()[0].Key))
	stop()
	require.Equal(t, exitOK, <-done, stderr.String())
}

func TestNormaliseWithoutTopics(t *testing.T) {
	t.Parallel()
	got := tidemark(t, nil, "normalise")
	require.Equal(t, exitFailure, got.code)
	require.Contains(t, got.stderr, "normalise.topics is empty: declare a topic to read, as docs/sources.md shows")
}
