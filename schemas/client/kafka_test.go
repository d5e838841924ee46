package client

import (
	"bufio"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tidemark/internal/recount"
	"tidemark/pipeline/decode"
	"tidemark/schemas"
)

// TestKilled kills the process that sends, again and again: every event that Send accepted is in Kafka, and counts once.
func TestKilled(t *testing.T) {
	brokers := startKafka(t)
	url := startCollector(t, brokers)
	dir := t.TempDir()
	var accepted []string
	for round := range 4 {
		child := exec.CommandContext(t.Context(), os.Args[0])
		child.Env = append(os.Environ(), childURL+"="+url, childDir+"="+dir)
		child.Stderr = os.Stderr
		out, err := child.StdoutPipe()
		require.NoError(t, err)
		require.NoError(t, child.Start())
		lines := bufio.NewScanner(out)
		for n := 0; lines.Scan(); n++ { // what was printed before the kill is read to its end
			accepted = append(accepted, lines.Text())
			if n == 150*(round+1) {
				require.NoError(t, child.Process.Signal(syscall.SIGKILL))
			}
		}
		require.ErrorContains(t, child.Wait(), "killed")
	}
	require.Greater(t, len(accepted), 1500)
	e, err := Open(Options{Transport: HTTP(url, "key"), Dir: dir})
	require.NoError(t, err)
	t.Logf("%d accepted, %d left in the spool", len(accepted), e.Stats().Left)
	closed(t, e)

	distinct := map[string]bool{}
	for _, r := range readTopic(t, brokers, "telemetry") {
		var event struct {
			MessageID string `json:"messageId"`
		}
		require.NoError(t, json.Unmarshal(r.Value, &event))
		distinct[event.MessageID] = true
	}
	for _, id := range accepted {
		require.True(t, distinct[id], "%s was accepted, and is lost", id)
	}
	result, err := recount.Count(t.Context(), recount.Options{Brokers: brokers, Telemetry: "telemetry"})
	require.NoError(t, err)
	var total recount.Verdicts
	for _, v := range result.Sources {
		total.Applied += v.Applied
		total.Received += v.Received
		total.Duplicate += v.Duplicate
	}
	require.EqualValues(t, len(distinct), total.Applied)
	require.Equal(t, total.Received, total.Applied+total.Duplicate)
}

// TestKafka writes without a collector what the pipeline reads, to the partitions that the collector writes to.
func TestKafka(t *testing.T) {
	brokers := startKafka(t)
	url := startCollector(t, brokers)
	accounts := []string{"acme", "globex", "initech", "umbrella", "hooli"}
	begun := time.Now()
	at := begun.Add(-time.Hour)
	limits := decode.Limits{MaxFuture: time.Minute, MaxAge: 24 * time.Hour}
	for _, transport := range []Transport{HTTP(url, "key"), Kafka(KafkaOptions{Brokers: brokers})} {
		e, err := Open(Options{Transport: transport, Dir: t.TempDir(), MaxWait: patience})
		require.NoError(t, err)
		for _, account := range accounts {
			who := Who{UserID: "ada", AccountID: account, Time: at}
			require.NoError(t, e.Send(t.Context(), Track{Who: who, Event: "Report Published", Properties: map[string]any{"feature": "reports"}}))
		}
		require.NoError(t, e.Send(t.Context(), Signal{Type: "kpi.reported", AccountID: "acme", Fields: map[string]any{
			"kpi": "on_time_share", "value": 0.93, "period": "2026-02", "reported_at": at.UTC().Format(time.RFC3339)}}))
		closed(t, e)
		require.Equal(t, Stats{Accepted: 6, Refused: 1, Delivered: 6}, e.Stats())
	}
	// The collector takes the time that a request is on its way for an error of the clock.
	longest := time.Since(begun).Milliseconds() + 1
	records := readTopic(t, brokers, "telemetry")
	require.Len(t, records, 2*len(accounts))
	catalogue, err := schemas.Builtin()
	require.NoError(t, err)
	program, err := schemas.Compile(catalogue)
	require.NoError(t, err)
	decoder := decode.NewTelemetry(program, limits)
	partitions := map[string]int32{}
	for _, r := range records {
		if first, ok := partitions[string(r.Key)]; ok {
			require.Equal(t, first, r.Partition, "%s", r.Key)
		}
		partitions[string(r.Key)] = r.Partition
		var event decode.Event
		require.Nil(t, decoder.Decode(r.Value, r.Timestamp.UnixMilli(), &event))
		require.Equal(t, string(r.Key), string(event.Account))
		require.InDelta(t, at.UnixMilli(), event.Time, float64(longest))
	}
	signals := readTopic(t, brokers, "signals")
	require.Len(t, signals, 2)
	require.Equal(t, signals[0].Partition, signals[1].Partition)
	for _, r := range signals {
		_, rejection := decode.DecodeSignal(r.Value, r.Timestamp.UnixMilli(), limits)
		require.Nil(t, rejection)
		require.Equal(t, "acme", string(r.Key))
	}
}

// TestKafkaDown: what Kafka does not take waits, and an event without an account is refused by Send.
func TestKafkaDown(t *testing.T) {
	e, err := Open(Options{Transport: Kafka(KafkaOptions{Brokers: []string{"127.0.0.1:1"}}), Dir: t.TempDir(), MaxWait: patience, MinBackoff: time.Millisecond})
	require.NoError(t, err)
	err = e.Send(t.Context(), Track{Who: Who{UserID: "ada"}, Event: "A"})
	require.ErrorIs(t, err, ErrInvalid)
	require.ErrorContains(t, err, "set AccountID")
	require.NoError(t, e.Send(t.Context(), Track{Who: Who{UserID: "ada", AccountID: "acme"}, Event: "A"}))
	require.Eventually(t, func() bool { return e.Stats().Retries > 0 }, patience, time.Millisecond)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	left, err := e.Close(ctx)
	require.Error(t, err)
	require.Equal(t, 1, left)
}
