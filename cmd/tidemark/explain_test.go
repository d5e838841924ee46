package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"tidemark/internal/explain"
)

// explained runs tidemark explain --json.
func (b *backends) explained(t *testing.T, args ...string) explain.Explanation {
	t.Helper()
	got := tidemark(t, b.env, append([]string{"explain", "--json"}, args...)...)
	require.Equal(t, exitOK, got.code, got.stderr)
	var e explain.Explanation
	require.NoError(t, json.Unmarshal([]byte(got.stdout), &e), got.stdout)
	return e
}

// write writes records to a topic, all to the partition of one key.
func (b *backends) write(t *testing.T, topic string, values ...string) {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(b.kafka))
	require.NoError(t, err)
	defer client.Close()
	for _, value := range values {
		require.NoError(t, client.ProduceSync(t.Context(), &kgo.Record{Topic: topic, Key: []byte("acme"), Value: []byte(value)}).FirstErr())
	}
}

// yesterday is a day whose windows everything is in: the same for as long as the tests run, though midnight may pass.
var yesterday = sync.OnceValue(func() time.Time { return time.Now().UTC().Truncate(24*time.Hour).AddDate(0, 0, -1) })

// oneMorning writes what two accounts did yesterday. The expected figures of the tests are worked out by hand.
func (b *backends) oneMorning(t *testing.T) {
	day := yesterday().Format(time.DateOnly)
	event := func(kind, name, id, user, account, at, received string) string {
		return fmt.Sprintf(`{"type":%q,"event":%q,"messageId":%q,"userId":%q,"context":{"groupId":%q},"timestamp":"%[6]sT%[7]sZ","receivedAt":"%[6]sT%[8]sZ"`,
			kind, name, id, user, account, day, at, received)
	}
	const reports = `,"properties":{"feature":"reports","duration_ms":1500}}`
	b.write(t, "telemetry",
		event("track", "Report Started", "m0", "u1", "acme", "09:59:00", "09:59:00")+reports,
		event("page", "", "m1", "u1", "acme", "10:00:00", "10:00:00")+"}",
		event("track", "Exported", "m2", "u1", "acme", "10:10:00", "10:10:00")+reports,
		event("track", "Exported", "m2", "u1", "acme", "10:10:00", "10:12:00")+reports, // offset 3: again
		event("track", "Signed In", "m3", "u2", "acme", "10:20:00", "10:20:00")+"}",
		event("track", "Exported", "m4", "u9", "beta", "10:30:00", "10:30:00")+"}",
		event("page", "", "m5", "u1", "acme", "11:30:00", "11:30:00")+"}",              // the watermark passes 11:00
		event("track", "Exported", "m6", "u3", "acme", "10:59:59.999", "11:31:00")+"}", // offset 7: late
		event("page", "", "m7", "u1", "acme", "11:40:00", "11:40:00")+"}")
	b.write(t, "accounts",
		`{"account_id":"acme","at":"2026-01-01T00:00:00Z","plan":"team","seats":20}`,
		`{"account_id":"acme","at":"`+day+`T10:30:00Z","seats":25}`,
		`{"account_id":"acme","at":"`+day+`T11:00:01Z","seats":30}`,
		`{"account_id":"beta","at":"2026-01-01T00:00:00Z","seats":1}`)
	ticket := func(id, kind, at string) string {
		return fmt.Sprintf(`{"ticket_id":"T1","source":"desk","account_id":"acme","kind":%q,"source_event_id":%q,"occurred_at":"%sT%sZ"}`, kind, id, day, at)
	}
	b.write(t, "tickets", ticket("e1", "created", "10:05:00"), ticket("e2", "replied_agent", "10:35:00"), ticket("e1", "created", "10:05:00"))
}

// morning is a pipeline that has counted oneMorning.
func morning(t *testing.T) (*backends, *command) {
	t.Helper()
	b := startBackends(t)
	b.env = b.with("TIDEMARK_CANARY_ENABLED=false", "TIDEMARK_PIPELINE_FLUSH_INTERVAL=50ms")
	b.migrate(t)
	b.oneMorning(t)
	pipeline := launch(t, b.env, "run")
	t.Cleanup(func() { pipeline.end() })
	b.settle(t, pipeline)
	return b, pipeline
}

func TestExplain(t *testing.T) {
	t.Parallel()
	b, pipeline := morning(t)
	require.Equal(t, exitOK, pipeline.end())
	day := yesterday().Format(time.DateOnly)

	e := b.explained(t, "acme", "events", "hour "+day+"T10:00")
	require.Equal(t, []string{" 4"}, values(e))
	require.Equal(t, "usage_hour", e.View)
	require.Equal(t, "number of events where type is track|page|screen", e.Formula)
	require.Len(t, e.Inputs, 1)
	require.Len(t, e.Inputs[0].Rows, 1)
	row := e.Inputs[0].Rows[0]
	require.Equal(t, []any{uint64(4), int64(7)}, []any{row.Value, *row.AppliedOffset})
	s := e.Sources[0]
	require.Equal(t, []any{row.Source, int64(7), int64(9), int64(0), int64(9), true}, []any{s.Source, s.AppliedOffset, s.Checkpoint, s.From, s.To, s.Whole})
	require.Equal(t, []any{uint64(4), uint64(1), uint64(1)}, []any{s.Events, s.Late, s.Duplicates})
	require.Equal(t, []string{"1 m1 page", "2 m2 Exported", "4 m3 Signed In", "7 m6 Exported"}, brief(s.Samples))
	require.Equal(t, []string{"7 m6 Exported"}, brief(s.LateSamples))
	require.Equal(t, []string{"3 m2 Exported"}, brief(s.DroppedSamples))
	require.Equal(t, yesterday().Add(11*time.Hour-time.Millisecond), s.LateSamples[0].At)
	require.Len(t, e.Dimension, 2)
	plan, seats := e.Dimension[0], e.Dimension[1]
	require.Equal(t, []any{"plan", "team", time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), uint64(0)}, []any{plan.Name, plan.Value, plan.ValidFrom, plan.Offset})
	require.Equal(t, []any{"seats", "25", yesterday().Add(10*time.Hour + 30*time.Minute), uint64(1)}, []any{seats.Name, seats.Value, seats.ValidFrom, seats.Offset})

	e = b.explained(t, "acme", "active_users", day)
	require.Equal(t, []string{" 2"}, values(e), "u1 and u3; u2 only signed in")
	require.Equal(t, []uint64{2, 3}, []uint64{e.Inputs[0].Rows[0].Value, e.Sources[0].Events}, "m0, m2 and m6")
	require.Zero(t, e.Sources[0].Late, "the watermark has not passed the day")

	e = b.explained(t, "acme", "session_seconds_avg", day+"T09")
	require.Equal(t, "660", e.Values[0].Value, "09:59 to 10:10")
	require.Equal(t, []string{"sessions", "session_seconds"}, []string{e.Inputs[0].Metric, e.Inputs[1].Metric})
	require.Equal(t, []string{"0 m0 Report Started"}, brief(e.Sources[0].Samples))

	e = b.explained(t, "acme", "feature_uses", "day "+day, "--by", "reports")
	require.Equal(t, []string{"reports 2"}, values(e))
	require.Equal(t, []string{"0 m0 Report Started", "2 m2 Exported"}, brief(e.Sources[0].Samples))
	require.Equal(t, "1500", b.explained(t, "acme", "feature_duration_ms_avg", "day "+day).Values[0].Value)
	require.Equal(t, "1", b.explained(t, "acme", "features_used", "28d "+day).Values[0].Value)
	require.Equal(t, "1", b.explained(t, "acme", "active_days", "7d "+day).Values[0].Value)
	e = b.explained(t, "acme", "workflow_started", "hour "+day+"T09:30", "--by", "report_published")
	require.Equal(t, "1", e.Values[0].Value)
	require.Equal(t, []string{"0 m0 Report Started"}, brief(e.Sources[0].Samples))

	e = b.explained(t, "acme", "first_reply_seconds_avg", "hour "+day+"T10:00")
	require.Equal(t, "1800", e.Values[0].Value)
	require.Equal(t, []string{"0 desk|e1 created", "1 desk|e2 replied_agent"}, brief(e.Sources[0].Samples))
	require.Equal(t, []string{"2 desk|e1 created"}, brief(e.Sources[0].DroppedSamples))

	e = b.explained(t, "nobody", "events", "hour "+day+"T10:00")
	require.Empty(t, e.Values)
	require.Empty(t, e.Sources)
	e = b.explained(t, "acme", "events", "hour "+day+"T10:00", "--scan", "3")
	require.False(t, e.Sources[0].Whole)
	require.Equal(t, []any{uint64(2), int64(3)}, []any{e.Sources[0].Events, e.Sources[0].To})

	got := tidemark(t, b.env, "explain", "acme", "events", day+"T10:00", "--tier", "hour", "--scan", "8")
	require.Equal(t, exitOK, got.code, got.stderr)
	require.Contains(t, got.stdout, "events of acme, hour "+day+"T10:00Z\n")
	require.Contains(t, got.stdout, "not all was read: events of the window may lie up to offset 9; allow more with --scan\n")
	require.Regexp(t, `(?m)^duplicate +telemetry/\d +3 +m2 +Exported +`+day+`T10:10:00.000Z`, got.stdout)
	require.Regexp(t, `(?m)^late +telemetry/\d +7 +m6 +Exported +`+day+`T10:59:59.999Z`, got.stdout)
}

// values are without complete, which the view takes from what a pipeline notes now and then.
func values(e explain.Explanation) []string {
	var all []string
	for _, v := range e.Values {
		all = append(all, v.By+" "+v.Value)
	}
	return all
}

func brief(events []explain.Event) []string {
	var all []string
	for _, e := range events {
		all = append(all, strings.TrimSpace(fmt.Sprintf("%d %s %s", e.Offset, e.ID, e.Name)))
	}
	return all
}

func TestExplainSaysWhatWasMeant(t *testing.T) {
	t.Parallel()
	for text, args := range map[string][]string{
		"there is no metric active_user; did you mean active_users?":                        {"acme", "active_user", "2026-11-25"},
		"there is no metric uses; did you mean feature_uses?":                               {"acme", "uses", "2026-11-25"},
		"workflow_started is measured by hour, day, 7d, 28d, not by minute":                 {"acme", "workflow_started", "2026-11-25T10:00"},
		"active_days is measured by 7d, 28d, not by day":                                    {"acme", "active_days", "2026-11-25"},
		`events is of the account as a whole, not of "reports"`:                             {"acme", "events", "2026-11-25", "--by", "reports"},
		`the window "yesterday" is none: write 'day 2026-11-25', 'hour 2026-11-25T10:00', `: {"acme", "events", "yesterday"},
		`the length "week" of the window is none of minute, hour, day, 7d, 28d`:             {"acme", "events", "week 2026-11-25"},
	} {
		got := tidemark(t, nil, append([]string{"explain"}, args...)...)
		require.Equal(t, exitFailure, got.code)
		require.Contains(t, got.stderr, "tidemark: "+text)
	}
}
