package normalise_test

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"tidemark/pipeline/decode"
)

var noon = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)

func headers(pairs ...string) (out []kgo.RecordHeader) {
	for i := 0; i < len(pairs); i += 2 {
		out = append(out, kgo.RecordHeader{Key: pairs[i], Value: []byte(pairs[i+1])})
	}
	return out
}

// letters returns reason and field of each dead letter, by the record's header n.
func letters(w *world) map[string]string {
	out := map[string]string{}
	for _, r := range w.read("dead-letters") {
		out[header(r, "n")] = header(r, "tidemark-reason") + " " + header(r, "tidemark-field")
	}
	return out
}

// TestCloudEvents: both modes of the Kafka protocol binding make the same event, with the example of the specification's own text; what is no
// CloudEvent is a dead letter that names the header.
func TestCloudEvents(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "events: {format: cloudevents}", "events")
	w.join("a", nil)
	const data = `{"user_id":"ada","feature":"reports"}`
	// Section 3.2.5 and 3.3.3 of the CloudEvents Kafka protocol binding 1.0.2, with a customer as the subject.
	binary := headers("ce_specversion", "1.0", "ce_type", "com.example.someevent", "ce_source", "/mycontext/subcontext", "ce_id", "1234-1234-1234",
		"ce_time", "2026-11-20T11:00:00Z", "ce_subject", "acme", "content-type", "application/json; charset=utf-8")
	w.produce(
		&kgo.Record{Topic: "events", Key: []byte("mypartitionkey"), Headers: binary, Value: []byte(data), Timestamp: noon},
		&kgo.Record{Topic: "events", Headers: headers("content-type", "Application/CloudEvents+JSON; charset=UTF-8"), Timestamp: noon, Value: []byte(
			`{"specversion":"1.0","type":"com.example.someevent","source":"/mycontext/subcontext","id":"1234-1234-1234","time":"2026-11-20T11:00:00Z","subject":"acme",
			"datacontenttype":"application/json","data":` + data + `}`)},
		// Without data a binary event is a record without a value; and a user whose account nobody knows waits for it.
		&kgo.Record{Topic: "events", Headers: headers("ce_specversion", "1.0", "ce_type", "ping", "ce_source", "/", "ce_id", "2", "ce_userid", "eve"), Timestamp: noon},
		&kgo.Record{Topic: "events", Headers: headers("n", "1"), Value: []byte(data), Timestamp: noon},
		&kgo.Record{Topic: "events", Headers: headers("n", "2", "content-type", "application/cloudevents+avro"), Value: []byte(data), Timestamp: noon},
		&kgo.Record{Topic: "events", Headers: headers("n", "3", "ce_specversion", "1.0", "ce_type", "t", "ce_source", "/"), Value: []byte(data), Timestamp: noon},
		&kgo.Record{Topic: "events", Headers: headers("n", "4", "ce_specversion", "1.0", "ce_type", "t", "ce_source", "/", "ce_id", "3"), Value: []byte(`{}`), Timestamp: noon},
	)
	w.settle()
	require.Equal(t, map[string]string{"1": "malformed ce_specversion", "2": "malformed content-type", "3": "malformed id", "4": "no_account "}, letters(w))
	got := w.read("telemetry")
	require.Len(t, got, 2)
	var ids []string
	for _, r := range got {
		require.Equal(t, "acme", string(r.Key))
		o := object(t, r.Value)
		ids = append(ids, o["messageId"].(string))
		require.Equal(t, "com.example.someevent", o["event"])
		require.Equal(t, "ada", o["userId"])
		require.Equal(t, "2026-11-20T11:00:00.000Z", o["timestamp"])
		require.Equal(t, "2026-11-20T12:00:00.000Z", o["receivedAt"], "when the raw topic got it")
		require.Equal(t, "reports", o["properties"].(map[string]any)["feature"])
	}
	require.Equal(t, ids[0], ids[1], "source and id are what makes an event itself")
	parked := w.read("parked")
	require.Len(t, parked, 1)
	require.Equal(t, "eve", object(t, parked[0].Value)["userId"])
}

// row is a change as Debezium's connector for PostgreSQL writes it.
func row(op, before, after string, ms int64) []byte {
	return fmt.Appendf(nil, `{"before":%s,"after":%s,"source":{"version":"3.3.1.Final","connector":"postgresql","name":"crm","ts_ms":%d,"snapshot":"false","db":"crm",
		"schema":"public","table":"customers","txId":555,"lsn":24023128},"op":%q,"ts_ms":%d,"transaction":null}`, before, after, ms, op, ms+70)
}

// TestDebezium: the rows of a table are what is known of accounts, from when the database had them; a deleted row removes its account, and
// the log says the same once it is compacted.
func TestDebezium(t *testing.T) {
	t.Parallel()
	w := newWorld(t, `
crm.public.customers:
  format: debezium
  events: [{account: {account_id: "c-{$.id}", plan: $.plan, seats: $.seats, renewal_at: $.renewal, external_ids.zendesk: $.org, attributes: $.extra}}]
plain.rows: {format: debezium}
`, "crm.public.customers", "plain.rows")
	w.join("a", nil)
	at := noon.UnixMilli()
	const topic = "crm.public.customers"
	before := `{"id":1,"plan":"free","seats":5,"renewal":20500,"org":7,"extra":{"owner":"dana"}}`
	after := `{"id":1,"plan":"pro","seats":25,"renewal":20500,"org":7,"extra":"__debezium_unavailable_value"}`
	w.produce(
		&kgo.Record{Topic: topic, Key: []byte(`{"id":1}`), Value: row("r", "null", before, at)},
		// With the schema beside it, as the JSON converter writes by default.
		&kgo.Record{Topic: topic, Key: []byte(`{"id":1}`), Value: fmt.Appendf(nil, `{"schema":{"type":"struct"},"payload":%s}`, row("u", before, after, at+1000))},
		&kgo.Record{Topic: topic, Key: []byte(`{"id":2}`), Value: row("c", "null", `{"id":2,"plan":"pro","org":8}`, at)},
		&kgo.Record{Topic: topic, Key: []byte(`{"id":2}`), Value: row("d", `{"id":2,"plan":"pro","org":8}`, "null", at+2000)},
		&kgo.Record{Topic: topic, Key: []byte(`{"id":2}`)}, // the tombstone after it
		&kgo.Record{Topic: topic, Headers: headers("n", "1"), Value: row("d", "null", "null", at)},
		&kgo.Record{Topic: topic, Headers: headers("n", "2"), Value: []byte(before)},
		&kgo.Record{Topic: topic, Headers: headers("n", "3"), Value: row("c", "null", `{"id":3,"seats":"many"}`, at)},
		&kgo.Record{Topic: topic, Headers: headers("n", "4"), Value: row("c", "null", `{"id":null,"seats":3}`, at)},
		&kgo.Record{Topic: "plain.rows", Value: row("c", "null", `{"id":"beta","plan":"pro"}`, at)},
	)
	w.settle()
	require.Equal(t, map[string]string{"1": "malformed before", "2": "malformed op", "3": "bad_value seats", "4": "missing_field account_id"}, letters(w))

	all := w.read("accounts")
	compacted := map[string]*kgo.Record{}
	for _, r := range all {
		compacted[string(r.Key)] = r
	}
	var last []*kgo.Record
	for _, r := range compacted {
		last = append(last, r)
	}
	for name, log := range map[string][]*kgo.Record{"whole": all, "compacted": last} {
		require.Equal(t, "pro", knownOf(t, log, "c-1", noon.Add(time.Second))["plan"], name)
		require.Nil(t, knownOf(t, log, "c-2", noon.Add(2*time.Second)), name)
		require.Equal(t, map[string]string{"plan": "pro"}, knownOf(t, log, "beta", noon), name)
	}
	require.Equal(t, map[string]string{"plan": "pro", "seats": "25", "renewal_at": "2026-02-16T00:00:00Z", "external_ids.zendesk": "7", "owner": "dana"},
		knownOf(t, all, "c-1", noon.Add(time.Hour)), "what did not change is not repeated, and stays")
}

// knownOf folds account records as the views do: by the time from which each holds.
func knownOf(t *testing.T, log []*kgo.Record, account string, at time.Time) (known map[string]string) {
	t.Helper()
	var changes []*decode.Account
	for _, r := range log {
		a, rejection := decode.DecodeAccount(r.Key, r.Value, r.Timestamp.UnixMilli())
		require.Nil(t, rejection)
		changes = append(changes, a)
	}
	slices.SortStableFunc(changes, func(a, b *decode.Account) int { return cmp.Compare(a.ValidFrom, b.ValidFrom) })
	for _, a := range changes {
		switch {
		case a.ID != account || a.ValidFrom > at.UnixMilli():
		case a.Deleted:
			known = nil
		default:
			if known == nil {
				known = map[string]string{}
			}
			maps.Copy(known, a.Attributes)
		}
	}
	return known
}
