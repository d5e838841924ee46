package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"tidemark/internal/config"
	"tidemark/internal/devclickhouse"
	"tidemark/pipeline/lag"
	"tidemark/schemas/secret"
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
	ctx, cancel := context.WithTimeout(t.Context(), 6*time.Minute)
	defer cancel()
	running, stop := context.WithCancel(ctx)
	var stdout, stderr syncBuffer
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

// TestABadProducerIsNamed: what a producer of a raw topic sends wrong is named by topic, producer and field in metrics, in ClickHouse and by the
// commands, and the lag of the group that reads raw topics is shown.
func TestABadProducerIsNamed(t *testing.T) {
	t.Parallel()
	b := startBackends(t)
	b.migrate(t)
	client, err := kgo.NewClient(kgo.SeedBrokers(b.kafka))
	require.NoError(t, err)
	defer client.Close()
	ctx := t.Context()
	_, err = kadm.NewClient(client).CreateTopic(ctx, 2, 1, nil, "desk")
	require.NoError(t, err)
	config := []string{"-c", configFile(t, `
normalise:
  topics:
    desk: {format: json, events: [{ticket: {ticket_id: $.id, kind: created, occurred_at: $.at, account_id: $.account}}]}
`)}
	normaliser := launch(t, b.with("TIDEMARK_KAFKA_INSTANCE_ID=me", "TIDEMARK_ADMIN_LISTEN=127.0.0.1:0", "TIDEMARK_LOG_FORMAT=json"), append([]string{"normalise"}, config...)...)
	defer normaliser.end()
	for i, at := range []string{time.Now().UTC().Format(time.RFC3339), "soon", "later"} {
		raw := fmt.Appendf(nil, `{"id":%d,"at":%q,"account":"acme","context":{"library":{"name":"helpdesk-export"}}}`, i, at)
		require.NoError(t, client.ProduceSync(ctx, &kgo.Record{Topic: "desk", Key: []byte("acme"), Value: raw}).FirstErr())
	}
	reader := b.store.Open(t, devclickhouse.Reader)
	var named string
	require.Eventually(t, func() bool { // the two may come one after the other
		const query = "SELECT sum(records), arrayStringConcat(groupArray(concat(topic, ' ', reason, ' ', field, ' ', producer, ' ', toString(records_last_minute))), '; ') FROM dead_letters_by_producer"
		var records uint64
		return reader.QueryRow(ctx, query).Scan(&records, &named) == nil && records >= 2
	}, 5*time.Minute, 200*time.Millisecond, "%s", &normaliser.stderr)
	require.Regexp(t, "^desk bad_time occurred_at helpdesk-export [0-2]$", named) // 0 where more than a minute has passed since

	stderr := normaliser.stderr.String()
	admin := regexp.MustCompile(`"admin":"([^"]+)"`).FindStringSubmatch(stderr)
	require.Len(t, admin, 2, stderr)
	require.Eventually(t, func() bool { // once the transaction is over, when others may have read it already
		return strings.Contains(get(t, "http://"+admin[1]+"/metrics"), `tidemark_normalise_dead_letters_total{reason="bad_time",topic="desk"} 2`+"\n")
	}, 5*time.Minute, 100*time.Millisecond, "%s", &normaliser.stderr)
	require.Regexp(t, `desk +bad_time +occurred_at +helpdesk-export +open +2 `, tidemark(t, b.env, "dlq", "ls").stdout)
	var report lag.Report
	require.Eventually(t, func() bool {
		got := tidemark(t, b.env, append([]string{"lag", "--json"}, config...)...)
		require.Equal(t, exitOK, got.code, got.stderr)
		require.NoError(t, json.Unmarshal([]byte(got.stdout), &report))
		return report.Normaliser.Total.LagRecords == 0 && report.Normaliser.Group.State == "Stable"
	}, 5*time.Minute, 200*time.Millisecond, "%s", &normaliser.stderr)
	require.Equal(t, lag.Group{Name: "tidemark-normalise", State: "Stable", Members: 2}, report.Normaliser.Group)
	owners := map[string]string{}
	for _, s := range report.Normaliser.Sources {
		owners[s.Topic] = s.Owner
	}
	require.Equal(t, map[string]string{"desk": "me/desk", "dead-letters": "me/dead-letters"}, owners)
	require.Equal(t, []lag.DeadLetters{{Topic: "desk", Reason: "bad_time", Count: 2}}, report.DeadLetters)
	require.Equal(t, exitOK, normaliser.end(), &normaliser.stderr)
}

// TestTheRegistrysPasswordIsReadAgain: a password that is changed in its file is used by the next request.
func TestTheRegistrysPasswordIsReadAgain(t *testing.T) {
	t.Parallel()
	var last string
	registry := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, last, _ = r.BasicAuth()
		_, _ = w.Write([]byte("[]"))
	}))
	defer registry.Close()
	file := filepath.Join(t.TempDir(), "password")
	require.NoError(t, os.WriteFile(file, []byte("first\n"), 0o600))
	password, err := secret.File(file)
	require.NoError(t, err)
	client, err := registryClient(&config.Registry{URLs: []string{registry.URL}, User: "me", Password: password})
	require.NoError(t, err)
	for _, now := range []string{"first", "second"} {
		require.NoError(t, os.WriteFile(file, []byte(now+"\n"), 0o600))
		_, err = client.Subjects(t.Context())
		require.NoError(t, err)
		require.Equal(t, now, last)
	}
}
