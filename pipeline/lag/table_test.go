package lag_test

import (
	"bytes"
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tidemark/pipeline/lag"
)

func ptr[T any](v T) *T { return &v }

// report has one source of every kind.
func report() *lag.Report {
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	return &lag.Report{
		MeasuredAt: at,
		Group:      lag.Group{Name: "tidemark", State: "Stable", Members: 2},
		Sources: []lag.Source{
			{
				Topic: "telemetry", Partition: 0, TopicID: "AAAAAAAAAAAAAAAAAAAAAA", Committed: ptr(int64(812)), End: 830, LagRecords: 18, LagSeconds: ptr(0.44),
				Watermark: ptr(at.Add(-301 * time.Second)), WatermarkAge: ptr(301.2), Owner: "host/127.0.0.1:9090", State: lag.OK,
			},
			{Topic: "telemetry", Partition: 1, End: 7, HeldBack: 3, LagRecords: 7, LagSeconds: ptr(3725.0), State: lag.Unassigned},
			{
				Topic: "tickets", Partition: 0, Committed: ptr(int64(4)), Start: 10, End: 12, LagRecords: 2, Owner: "a",
				State: lag.OutOfRange, Problem: "the log holds 10 to 12",
			},
		},
		MissingTopics: []string{"accounts"},
		Total:         lag.Total{LagRecords: 27},
		Records:       []lag.Records{{Topic: "telemetry", Received: 100, Applied: 90, Duplicate: 4, Filtered: 3, DeadLettered: 3}},
		DeadLetters:   []lag.DeadLetters{{Topic: "telemetry", Reason: "malformed", Count: 2}, {Topic: "telemetry", Reason: "no_account", Count: 1}},
	}
}

func TestTable(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	require.NoError(t, report().WriteTable(&out))
	require.Equal(t, `group tidemark: Stable, members: 2

TOPIC      PARTITION  COMMITTED  END  LAG  WAITING  WATERMARK             AGE   OWNER                STATE
telemetry  0          812        830  18   400ms    2026-03-01T11:54:59Z  5m1s  host/127.0.0.1:9090  ok
telemetry  1          -          7    7    1h2m5s   -                     -     -                    unassigned
tickets    0          4          12   2    ?        -                     -     a                    out of range
total                                 27   ?

topic accounts does not exist: create it with tidemark migrate

telemetry/1: a transaction that is still open holds back 3 records

tickets/0: the log holds 10 to 12

RECORDS    RECEIVED  APPLIED  DUPLICATE  FILTERED  DEAD-LETTERED
telemetry  100       90       4          3         3

DEAD LETTERS  REASON      COUNT
telemetry     malformed   2
telemetry     no_account  1
`, out.String())

	r := report()
	r.Records, r.DeadLetters, r.ClickHouseError = nil, nil, "read the checkpoints: connection refused"
	out.Reset()
	require.NoError(t, r.WriteTable(&out))
	require.Contains(t, out.String(), "\n\nClickHouse was not read: read the checkpoints: connection refused\n")
	require.NotContains(t, out.String(), "RECEIVED")

	r = report()
	r.Normaliser = &lag.Report{
		Group: lag.Group{Name: "tidemark-normalise", State: "Stable", Members: 1}, MissingTopics: []string{"crm"}, Total: lag.Total{LagSeconds: ptr(0.0)},
		Sources: []lag.Source{{Topic: "desk", Committed: ptr(int64(7)), End: 7, LagSeconds: ptr(0.0), Owner: "a/desk", State: lag.OK}},
	}
	out.Reset()
	require.NoError(t, r.WriteTable(&out))
	require.Contains(t, out.String(), `tickets/0: the log holds 10 to 12

group tidemark-normalise: Stable, members: 1

TOPIC  PARTITION  COMMITTED  END  LAG  WAITING  WATERMARK  AGE  OWNER   STATE
desk   0          7          7    0    0s       -          -    a/desk  ok
total                             0    0s

topic crm does not exist: create it, or correct normalise.topics

RECORDS `)
}

func TestJSON(t *testing.T) {
	t.Parallel()
	r := report()
	r.Sources, r.MissingTopics, r.DeadLetters = r.Sources[:2], nil, nil
	text, err := json.Marshal(r)
	require.NoError(t, err)
	require.JSONEq(t, `{
	"measured_at": "2026-03-01T12:00:00Z",
	"group": {"name": "tidemark", "state": "Stable", "members": 2},
	"sources": [
		{"topic": "telemetry", "partition": 0, "topic_id": "AAAAAAAAAAAAAAAAAAAAAA", "committed_offset": 812, "start_offset": 0, "end_offset": 830,
		 "held_back": 0, "lag_records": 18, "lag_seconds": 0.44, "watermark": "2026-03-01T11:54:59Z", "watermark_age": 301.2,
		 "owner": "host/127.0.0.1:9090", "state": "ok"},
		{"topic": "telemetry", "partition": 1, "topic_id": "", "committed_offset": null, "start_offset": 0, "end_offset": 7,
		 "held_back": 3, "lag_records": 7, "lag_seconds": 3725, "watermark": null, "watermark_age": null, "owner": "", "state": "unassigned"}],
	"total": {"lag_records": 27, "lag_seconds": null},
	"records": [{"topic": "telemetry", "received": 100, "applied": 90, "duplicate": 4, "filtered": 3, "dead_lettered": 3}],
	"dead_letters": null}`, string(text))
}
