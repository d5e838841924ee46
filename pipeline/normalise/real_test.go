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
	n, kills := 0, 0
	open := func() bool { return stable(t, admin, "tickets") < end(t, admin, "tickets") }
	kill := func() {
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
		// At some moment of a transaction, unless it was too quick to be seen in one.
		eventually(t, func() bool { return open() || w.left() == 0 })
		time.Sleep(time.Duration(kills%7) * time.Millisecond)
		require.NoError(t, command.Process.Kill())
		_ = command.Wait() // says that it was killed
		kills++
	}
	deadline := time.Now().Add(patience)
	for aborted := 0; aborted == 0; {
		require.True(t, time.Now().Before(deadline), "none of %d kills met a transaction", kills)
		if kill(); !open() {
			continue
		}
		// Nobody ends it but a successor, unless it was being committed.
		stage, err := newStage(brokers, helpdesk)
		require.NoError(t, err)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- stage.Run(ctx) }()
		w.settle()
		cancel()
		require.NoError(t, <-done)
		eventually(t, func() bool { return !open() }) // the offsets may be committed before the records are
		aborted = len(w.read("tickets", kgo.FetchIsolationLevel(kgo.ReadUncommitted()))) - n
	}
	t.Logf("%d kills, %d records", kills, n)
	seen := map[string]int{}
	for _, r := range w.read("tickets") {
		seen[object(t, r.Value)["ticket_id"].(string)]++
	}
	require.Len(t, seen, n)
	for id, times := range seen {
		require.Equal(t, 1, times, id)
	}
	require.Empty(t, w.read("dead-letters"))
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
