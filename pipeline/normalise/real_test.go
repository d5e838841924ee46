package normalise_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"tidemark/internal/realkafka/kafkatest"
)

// childBrokers makes the test binary run a stage, to be killed by a test.
const childBrokers = "NORMALISE_TEST_BROKERS"

// runChild normalises until SIGTERM.
func runChild(brokers string) int {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	stage, err := newStage(strings.Split(brokers, ","), helpdesk)
	if err == nil {
		err = stage.Run(ctx)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// TestKilledInTransactionOnRealKafka kills a process with SIGKILL until it was in a transaction: what that had written is there for nobody who
// reads committed records, and each raw record comes out once.
func TestKilledInTransactionOnRealKafka(t *testing.T) {
	t.Parallel()
	brokers := kafkatest.Start(t).Brokers()
	w := worldOf(t, brokers, helpdesk)
	admin := kadm.NewClient(w.client)
	topics := append([]string{"helpdesk"}, own...)
	created, err := admin.CreateTopics(t.Context(), 1, 1, nil, topics...)
	require.NoError(t, err)
	require.NoError(t, created.Error())
	eventually(t, func() bool { // a read just after the creation may still miss a topic
		listed, err := admin.ListEndOffsets(t.Context(), topics...)
		return err == nil && listed.Error() == nil
	})
	n := 0
	for kills := 0; ; kills++ {
		require.Less(t, kills, 40, "no kill met a transaction")
		var records []*kgo.Record
		for range 3000 {
			records = append(records, &kgo.Record{Topic: "helpdesk", Value: fmt.Appendf(nil, `{"type":"opened","id":"r%d","at":%q,"account":"acme"}`, n, time.Now().UTC().Format(time.RFC3339))})
			n++
		}
		w.produce(records...)
		command := exec.Command(os.Args[0])
		command.Env = append(os.Environ(), childBrokers+"="+strings.Join(brokers, ","))
		command.Stderr = os.Stderr
		require.NoError(t, command.Start())
		// At some moment after it has begun to write.
		eventually(t, func() bool { return end(t, admin, "tickets") > int64(kills)*500 })
		time.Sleep(time.Duration(kills%7) * time.Millisecond)
		require.NoError(t, command.Process.Kill())
		_ = command.Wait() // says that it was killed
		if stable(t, admin, "tickets") < end(t, admin, "tickets") {
			break // a transaction is open that nobody will end but its successor
		}
	}
	stage, err := newStage(brokers, helpdesk)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- stage.Run(ctx) }()
	w.settle()
	cancel()
	require.NoError(t, <-done)
	seen := map[string]int{}
	for _, r := range w.read("tickets") {
		seen[object(t, r.Value)["ticket_id"].(string)]++
	}
	require.Len(t, seen, n)
	for id, times := range seen {
		require.Equal(t, 1, times, id)
	}
	require.Empty(t, w.read("dead-letters"))
	require.Greater(t, end(t, admin, "tickets"), int64(n)+1, "no record of an aborted transaction is in the log")
}

func end(t *testing.T, admin *kadm.Client, topic string) int64 {
	t.Helper()
	listed, err := admin.ListEndOffsets(t.Context(), topic)
	require.NoError(t, err)
	o, _ := listed.Lookup(topic, 0)
	return o.Offset
}

// stable is up to where those read who read committed records.
func stable(t *testing.T, admin *kadm.Client, topic string) int64 {
	t.Helper()
	listed, err := admin.ListCommittedOffsets(t.Context(), topic)
	require.NoError(t, err)
	o, _ := listed.Lookup(topic, 0)
	return o.Offset
}
