package client

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/goleak"
	"go.uber.org/zap"

	"tidemark/internal/devkafka"
	"tidemark/pipeline/collect"
	"tidemark/schemas/secret"
)

// childURL makes the test binary a process that sends to a collector, to be killed by a test.
const (
	childURL = "CLIENT_TEST_URL"
	childDir = "CLIENT_TEST_DIR"
)

func TestMain(m *testing.M) {
	if url := os.Getenv(childURL); url != "" {
		os.Exit(runChild(url, os.Getenv(childDir)))
	}
	goleak.VerifyTestMain(m)
}

// runChild sends events for as long as it lives, and prints the id of each that was accepted.
func runChild(url, dir string) int {
	e, err := Open(Options{Transport: HTTP(url, "key"), Dir: dir, Linger: time.Millisecond, BatchEvents: 20, MaxWait: patience})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	failed := make(chan error)
	for sender := range 4 {
		go func() {
			for n := 0; ; n++ {
				id := fmt.Sprintf("%d-%d-%d", os.Getpid(), sender, n)
				who := Who{UserID: fmt.Sprint("u", sender), AccountID: fmt.Sprint("account", n%7), MessageID: id}
				if err := e.Send(context.Background(), Track{Who: who, Event: "A"}); err != nil {
					failed <- err
					return
				}
				fmt.Fprintln(os.Stdout, id)
			}
		}()
	}
	fmt.Fprintln(os.Stderr, <-failed)
	return 1
}

// startKafka returns the brokers of an embedded Kafka with Tidemark's topics.
func startKafka(t *testing.T) []string {
	t.Helper()
	broker, err := devkafka.Start(t.Context(), devkafka.Options{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, broker.Close()) })
	client, err := kgo.NewClient(kgo.SeedBrokers(broker.Addrs()...))
	require.NoError(t, err)
	defer client.Close()
	created, err := kadm.NewClient(client).CreateTopics(t.Context(), 4, 1, nil, "telemetry", "users", "accounts", "signals", "tickets", "parked")
	require.NoError(t, err)
	require.NoError(t, created.Error())
	return broker.Addrs()
}

// startCollector returns the URL of a collector that accepts events.
func startCollector(t *testing.T, brokers []string) string {
	t.Helper()
	c, err := collect.New(collect.Config{Listen: "127.0.0.1:0", Brokers: brokers, WriteKeys: []secret.Secret{secret.New("key")}, WriteTimeout: patience, DrainTimeout: patience}, zap.NewNop(), prometheus.NewRegistry())
	require.NoError(t, err)
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- c.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		require.NoError(t, <-ended)
	})
	require.Eventually(t, func() bool { return c.Ready(ctx) == nil }, patience, 10*time.Millisecond)
	return "http://" + c.Addr()
}

// readTopic returns all that a topic holds.
func readTopic(t *testing.T, brokers []string, topic string) []*kgo.Record {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(brokers...), kgo.ConsumeTopics(topic), kgo.FetchIsolationLevel(kgo.ReadCommitted()))
	require.NoError(t, err)
	defer client.Close()
	ends, err := kadm.NewClient(client).ListEndOffsets(t.Context(), topic)
	require.NoError(t, err)
	left := map[int32]int64{}
	ends.Each(func(o kadm.ListedOffset) {
		if o.Offset > 0 {
			left[o.Partition] = o.Offset
		}
	})
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var records []*kgo.Record
	for len(left) > 0 {
		fetches := client.PollFetches(ctx)
		require.NoError(t, fetches.Err())
		fetches.EachRecord(func(r *kgo.Record) {
			records = append(records, r)
			if r.Offset+1 >= left[r.Partition] {
				delete(left, r.Partition)
			}
		})
	}
	return records
}
