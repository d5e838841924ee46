package eventimport

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/goleak"
	"go.uber.org/zap"

	"tidemark/internal/devkafka"
	"tidemark/pipeline/collect"
	"tidemark/pipeline/decode"
	"tidemark/schemas"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

type world struct {
	brokers []string
	state   string
	refused []string
}

func newWorld(t *testing.T) *world {
	t.Helper()
	broker, err := devkafka.Start(t.Context(), devkafka.Options{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, broker.Close()) })
	client, err := kgo.NewClient(kgo.SeedBrokers(broker.Addrs()...))
	require.NoError(t, err)
	defer client.Close()
	created, err := kadm.NewClient(client).CreateTopics(t.Context(), 1, 1, nil, "telemetry", "users", "accounts", "signals", "tickets", "parked")
	require.NoError(t, err)
	require.NoError(t, created.Error())
	return &world{brokers: broker.Addrs(), state: filepath.Join(t.TempDir(), "state")}
}

func (w *world) run(t *testing.T, change func(*Options), paths ...string) (Summary, error) {
	t.Helper()
	files, _, err := Files(paths)
	require.NoError(t, err)
	desk, err := collect.NewDesk(collect.Config{Brokers: w.brokers}, zap.NewNop())
	require.NoError(t, err)
	w.refused = nil
	o := Options{
		Kafka: []kgo.Opt{kgo.SeedBrokers(w.brokers...)}, Desk: desk, State: w.state, Limits: decode.Limits{MaxFuture: time.Minute, MaxAge: 400 * 24 * time.Hour},
		Refused: func(r Refusal) {
			w.refused = append(w.refused, fmt.Sprintf("%s:%d %s", filepath.Base(r.File), r.Line, r.Reason))
		},
	}
	if change != nil {
		change(&o)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if progress := o.Progress; progress != nil {
		o.Progress = func(s Summary) { progress(s); cancel() } // ends in the middle
	}
	return Run(ctx, files, o)
}

// event is what is kept of a record of telemetry.
type event struct {
	Type      string `json:"type"`
	Event     string `json:"event"`
	MessageID string `json:"messageId"`
	Timestamp string `json:"timestamp"`
	SentAt    string `json:"sentAt"`
	key       string
}

func (w *world) events(t *testing.T, topic string) []event {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(w.brokers...), kgo.ConsumeTopics(topic))
	require.NoError(t, err)
	defer client.Close()
	ends, err := kadm.NewClient(client).ListEndOffsets(t.Context(), topic)
	require.NoError(t, err)
	end, _ := ends.Lookup(topic, 0)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var all []event
	for int64(len(all)) < end.Offset {
		fetches := client.PollFetches(ctx)
		require.NoError(t, fetches.Err())
		fetches.EachRecord(func(r *kgo.Record) {
			e := event{key: string(r.Key)}
			require.NoError(t, json.Unmarshal(r.Value, &e))
			all = append(all, e)
		})
	}
	return all
}

// day is a day of the recent past, so that nothing is too old.
var day = time.Now().UTC().Add(-72 * time.Hour).Truncate(24 * time.Hour)

func at(hour int) string { return day.Add(time.Duration(hour) * time.Hour).Format(wireTime) }

func TestForms(t *testing.T) {
	w := newWorld(t)
	dir := t.TempDir()
	write(t, filepath.Join(dir, "1-segment.jsonl"), fmt.Sprintf(`{"type":"group","userId":"ada","groupId":"acme","messageId":"g","timestamp":%[1]q}
{"type":"track","event":"Sent","userId":"ada","messageId":"s","originalTimestamp":%[3]q,"sentAt":%[4]q,"receivedAt":%[2]q,"timestamp":%[1]q}
{"action":"page","userId":"ada","timestamp":%[1]q}
not JSON
{"type":"track","userId":"ada","timestamp":%[1]q}
{"type":"track","event":"A","userId":"ada"}
{"type":"track","event":"A","userId":"ada","timestamp":"1999-01-01T00:00:00Z"}
{"type":"track","event":"A","userId":"ada","timestamp":"2199-01-01T00:00:00Z"}
{"type":"track","event":"A","userId":"ada","timestamp":"yesterday"}
{"hello":"world"}
{"type":"track","event":"Waits","userId":"nobody","timestamp":%[1]q}
`, at(9), at(10), at(11), at(12)))
	write(t, filepath.Join(dir, "2-posthog.json"), fmt.Sprintf(`[{"uuid":"u1","event":"Captured","distinct_id":"ada","timestamp":"%[1]s 09:30:00.5 UTC","sent_at":%[2]q,"properties":"{\"$groups\":{\"company\":\"acme\"}}"},
{"uuid":"u2","event":"$pageview","distinct_id":"ada","timestamp":"%[1]sT09:31:00+00:00","properties":{}}]`, day.Format(time.DateOnly), at(12)))
	write(t, filepath.Join(dir, "3-cloud.ndjson"), fmt.Sprintf(`{"specversion":"1.0","id":"1","source":"/b","type":"paid","subject":"acme","time":%q,"data":{"user_id":"ada"}}`, at(13)))

	dry, err := w.run(t, func(o *Options) { o.DryRun = true }, dir)
	require.NoError(t, err)
	require.Empty(t, w.events(t, "telemetry"))
	require.NoFileExists(t, w.state)
	refused := w.refused
	require.Equal(t, []string{"1-segment.jsonl:4 malformed", "1-segment.jsonl:5 malformed", "1-segment.jsonl:6 bad_time", "1-segment.jsonl:7 too_old",
		"1-segment.jsonl:8 future", "1-segment.jsonl:9 bad_time", "1-segment.jsonl:10 missing_type"}, refused)

	sum, err := w.run(t, nil, dir)
	require.NoError(t, err)
	require.Equal(t, dry, sum, "a dry run says what happens")
	require.Equal(t, refused, w.refused)
	require.Equal(t, map[string]int{"group": 1, "track": 4, "page": 2}, sum.ByKind)
	require.Equal(t, map[schemas.Reason]int{"malformed": 2, "bad_time": 2, "too_old": 1, "future": 1, "missing_type": 1}, sum.ByReason)
	require.Equal(t, 7, sum.Refusals())
	require.Equal(t, [4]int{3, 7, 1, 0}, [4]int{sum.Files, sum.Events, sum.Parked, sum.FilesKnown})
	require.Equal(t, at(8), sum.First.Add(-time.Hour).Format(wireTime))
	require.Equal(t, at(13), sum.Last.Format(wireTime))
	require.Len(t, w.events(t, "parked"), 1)
	telemetry := w.events(t, "telemetry")
	require.Len(t, telemetry, 6)
	var times []string
	for _, e := range telemetry {
		require.Equal(t, "acme", e.key)
		require.Empty(t, e.SentAt, "no clock is corrected twice")
		require.NotEmpty(t, e.MessageID)
		times = append(times, e.Timestamp)
	}
	half := day.Add(9*time.Hour + 30*time.Minute)
	require.Equal(t, []string{at(9), at(9), at(9), half.Add(500 * time.Millisecond).Format(wireTime), half.Add(time.Minute).Format(wireTime), at(13)}, times)

	again, err := w.run(t, func(o *Options) { o.Again = true }, dir)
	require.NoError(t, err)
	require.Equal(t, 7, again.Events)
	repeated := w.events(t, "telemetry")[6:]
	for i := range repeated {
		require.Equal(t, telemetry[i].MessageID, repeated[i].MessageID, "an event has the same id whenever it is imported")
	}
	known, err := w.run(t, nil, dir)
	require.NoError(t, err)
	require.Equal(t, [2]int{0, 3}, [2]int{known.Events, known.FilesKnown})
}

// TestResume goes on behind what the state file counts.
func TestResume(t *testing.T) {
	w := newWorld(t)
	text := ""
	for n := range 1200 {
		text += fmt.Sprintf(`{"type":"track","event":"E%d","userId":"ada","context":{"groupId":"acme"},"timestamp":%q}`+"\n", n, at(9))
	}
	path := write(t, filepath.Join(t.TempDir(), "a.jsonl"), text)
	batches := 0
	_, err := w.run(t, func(o *Options) {
		o.Rate = 1 // the next batch is minutes away
		o.Progress = func(Summary) { batches++ }
	}, path)
	require.ErrorIs(t, err, context.Canceled)
	require.Equal(t, 1, batches)
	require.Len(t, w.events(t, "telemetry"), batchEvents)
	sum, err := w.run(t, nil, path)
	require.NoError(t, err)
	require.Equal(t, [2]int{batchEvents, 1200 - batchEvents}, [2]int{sum.Resumed, sum.Events})
	all := w.events(t, "telemetry")
	require.Len(t, all, 1200)
	for n, e := range all {
		require.Equal(t, fmt.Sprint("E", n), e.Event)
	}
}
