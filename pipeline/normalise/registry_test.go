package normalise_test

import (
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/avro"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sr"
	"github.com/twmb/franz-go/pkg/sr/srfake"
	"google.golang.org/protobuf/encoding/protowire"
)

// registryOf runs a registry and returns its client and a switch that takes it down.
func registryOf(t *testing.T) (*srfake.Registry, *sr.Client, *atomic.Bool) {
	t.Helper()
	fake := srfake.New()
	t.Cleanup(fake.Close)
	down := &atomic.Bool{}
	fake.Intercept(func(w http.ResponseWriter, _ *http.Request) bool {
		if down.Load() {
			http.Error(w, "down", http.StatusServiceUnavailable)
		}
		return down.Load()
	})
	client, err := sr.NewClient(sr.URLs(fake.URL()), sr.HTTPClient(&http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: patience}))
	require.NoError(t, err)
	return fake, client, down
}

func register(t *testing.T, r *srfake.Registry, subject string, kind sr.SchemaType, text string, refs ...sr.SchemaReference) int {
	t.Helper()
	id, _, err := r.RegisterSchema(subject, sr.Schema{Schema: text, Type: kind, References: refs})
	require.NoError(t, err)
	return id
}

func wire(t *testing.T, id int, index []int, payload []byte) []byte {
	t.Helper()
	b, err := new(sr.ConfluentHeader).AppendEncode(nil, id, index)
	require.NoError(t, err)
	return append(b, payload...)
}

func formatFile(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile("../../schemas/formats/" + name)
	require.NoError(t, err)
	return string(text)
}

func encodeAvro(t *testing.T, schema string, value any) []byte {
	t.Helper()
	b, err := avro.MustParse(schema).Encode(value)
	require.NoError(t, err)
	return b
}

// TestAvroEvolution: a compatible schema is read as its writer meant it, beside the older one; with one that is not compatible the records are
// dead letters that name the field and the schema, and those around them go on.
func TestAvroEvolution(t *testing.T) {
	t.Parallel()
	fake, client, _ := registryOf(t)
	w := newWorld(t, `
tickets.avro: {format: avro, to: tickets}
usage.avro:
  format: avro
  events: [{event: {name: $.action, user_id: $.user.id, account_id: $.tenant, message_id: $.id, occurred_at: $.at, properties.duration_ms: $.ms, properties.cost: $.cost}}]
`, "tickets.avro", "usage.avro")
	w.join("a", client)
	ticket := formatFile(t, "ticket.avsc")
	id := register(t, fake, "tickets.avro-value", sr.TypeAvro, ticket)
	w.produce(&kgo.Record{Topic: "tickets.avro", Timestamp: noon, Value: wire(t, id, nil, encodeAvro(t, ticket, map[string]any{
		"ticket_id": "7", "source": "desk", "account_id": "acme", "occurred_at": noon, "kind": "created", "priority": "p1", "tags": []any{"vip"},
	}))})

	user := `{"type":"record","name":"User","namespace":"acme","fields":[{"name":"id","type":"string"}]}`
	register(t, fake, "user", sr.TypeAvro, user)
	ref := sr.SchemaReference{Name: "acme.User", Subject: "user", Version: 1}
	usage := func(fields string) string {
		return `{"type":"record","name":"Usage","namespace":"acme","fields":[{"name":"id","type":"string"},{"name":"user","type":"acme.User"},{"name":"tenant","type":"string"},
			{"name":"at","type":{"type":"long","logicalType":"timestamp-micros"}}` + fields + `]}`
	}
	encode := func(text string, value map[string]any) []byte {
		var cache avro.SchemaCache
		_, err := cache.Parse(user)
		require.NoError(t, err)
		schema, err := cache.Parse(text)
		require.NoError(t, err)
		for name, v := range map[string]any{"user": map[string]any{"id": "ada"}, "tenant": "acme", "at": noon} {
			value[name] = v
		}
		b, err := schema.Encode(value)
		require.NoError(t, err)
		return b
	}
	v1 := usage(`,{"name":"action","type":"string"}`)
	v2 := usage(`,{"name":"action","type":"string"},{"name":"ms","type":["null","long"],"default":null},{"name":"cost","type":{"type":"bytes","logicalType":"decimal","precision":9,"scale":2}}`)
	v3 := usage(`,{"name":"verb","type":"string"}`) // what the mapping needs is called otherwise
	id1, id2, id3 := register(t, fake, "usage", sr.TypeAvro, v1, ref), register(t, fake, "usage", sr.TypeAvro, v2, ref), register(t, fake, "usage", sr.TypeAvro, v3, ref)
	w.produce(
		&kgo.Record{Topic: "usage.avro", Value: wire(t, id1, nil, encode(v1, map[string]any{"id": "1", "action": "Report"}))},
		&kgo.Record{Topic: "usage.avro", Value: wire(t, id3, nil, encode(v3, map[string]any{"id": "3", "verb": "Report"})), Headers: headers("n", "renamed")},
		&kgo.Record{Topic: "usage.avro", Value: wire(t, id2, nil, encode(v2, map[string]any{"id": "2", "action": "Report", "ms": int64(1200), "cost": "1.50"}))},
		&kgo.Record{Topic: "usage.avro", Value: wire(t, id1, nil, []byte{200, 1}), Headers: headers("n", "torn")},
		&kgo.Record{Topic: "usage.avro", Value: wire(t, 99, nil, nil), Headers: headers("n", "unknown")},
		&kgo.Record{Topic: "usage.avro", Value: []byte(`{"id":"4"}`), Headers: headers("n", "plain")},
	)
	w.settle()
	require.Equal(t, map[string]string{"renamed": "missing_field name", "torn": "malformed ", "unknown": "malformed schema", "plain": "malformed "}, letters(w))
	for _, r := range w.read("dead-letters") {
		if header(r, "n") == "unknown" {
			require.Contains(t, header(r, "tidemark-detail"), "the schema registry has no schema 99: register it, then redrive")
			require.Equal(t, wire(t, 99, nil, nil), r.Value, "nothing is lost")
		}
	}
	tickets := w.read("tickets")
	require.Len(t, tickets, 1)
	require.Equal(t, "2026-11-20T12:00:00Z", object(t, tickets[0].Value)["occurred_at"])
	require.Equal(t, "acme", string(tickets[0].Key))
	got := map[string]map[string]any{}
	for _, r := range w.read("telemetry") {
		o := object(t, r.Value)
		require.Equal(t, "2026-11-20T12:00:00.000Z", o["timestamp"])
		got[o["messageId"].(string)] = o["properties"].(map[string]any)
	}
	require.Equal(t, map[string]map[string]any{"1": {}, "2": {"duration_ms": 1200.0, "cost": 1.5}}, got)
}

// TestProtobufEvolution is the same for Protobuf: unknown fields are skipped, a message that the schema lacks and a field whose type has changed
// are dead letters.
func TestProtobufEvolution(t *testing.T) {
	t.Parallel()
	fake, client, _ := registryOf(t)
	w := newWorld(t, `
surveys: {format: protobuf, to: signals}
accounts.proto: {format: protobuf, to: accounts}
`, "surveys", "accounts.proto")
	w.join("a", client)
	text := formatFile(t, "tidemark.proto")
	id := register(t, fake, "surveys", sr.TypeProtobuf, text)
	text2 := strings.Replace(text, "string comment = 10;", "string comment = 10;\n  string channel = 12;", 1)
	id2 := register(t, fake, "surveys", sr.TypeProtobuf, text2)
	changed := register(t, fake, "surveys", sr.TypeProtobuf, strings.Replace(text, "double score = 7;", "string score = 7;", 1))
	text1 := func(b []byte, n protowire.Number, s string) []byte {
		return protowire.AppendString(protowire.AppendTag(b, n, protowire.BytesType), s)
	}
	stamp := func(b []byte, n protowire.Number) []byte {
		seconds := protowire.AppendVarint(protowire.AppendTag(nil, 1, protowire.VarintType), uint64(noon.Unix()))
		return protowire.AppendBytes(protowire.AppendTag(b, n, protowire.BytesType), seconds)
	}
	answer := func(response string) []byte {
		b := text1(text1(text1(text1(text1(nil, 1, "survey.responded"), 2, "q1"), 3, response), 4, "acme"), 6, "nps")
		return stamp(b, 11) // the score, 0, is not on the wire: proto3 leaves it out
	}
	account := protowire.AppendVarint(protowire.AppendTag(stamp(text1(nil, 1, "acme"), 2), 8, protowire.VarintType), 9007199254740993)
	external := text1(text1(nil, 1, "zendesk"), 2, "7")
	account = protowire.AppendBytes(protowire.AppendTag(account, 12, protowire.BytesType), external)
	w.produce(
		&kgo.Record{Topic: "surveys", Timestamp: noon, Value: wire(t, id, []int{1}, answer("a"))},
		&kgo.Record{Topic: "surveys", Timestamp: noon, Value: wire(t, id2, []int{1}, text1(answer("b"), 12, "mail"))},
		&kgo.Record{Topic: "surveys", Timestamp: noon, Value: wire(t, id, []int{1}, text1(answer("c"), 12, "mail"))},
		&kgo.Record{Topic: "surveys", Timestamp: noon, Value: wire(t, changed, []int{1}, text1(answer("d"), 7, "zero")), Headers: headers("n", "type")},
		&kgo.Record{Topic: "surveys", Timestamp: noon, Value: wire(t, id, []int{3}, answer("e")), Headers: headers("n", "message")},
		&kgo.Record{Topic: "surveys", Timestamp: noon, Value: wire(t, id, []int{1}, []byte{0xff}), Headers: headers("n", "torn")},
		&kgo.Record{Topic: "accounts.proto", Timestamp: noon, Value: wire(t, id, []int{2}, account)},
	)
	w.settle()
	require.Equal(t, map[string]string{"type": "malformed score", "message": "malformed ", "torn": "malformed "}, letters(w))
	var responses []string
	for _, r := range w.read("signals") {
		o := object(t, r.Value)
		require.EqualValues(t, 0, o["score"])
		responses = append(responses, o["response_id"].(string))
	}
	require.ElementsMatch(t, []string{"a", "b", "c"}, responses)
	require.Equal(t, map[string]string{"seats": "9007199254740993", "external_ids.zendesk": "7"}, knownOf(t, w.read("accounts"), "acme", noon))
}

// TestJSONSchema: a record that does not hold to its own schema is a dead letter that names the field, also after the schema has become
// stricter.
func TestJSONSchema(t *testing.T) {
	t.Parallel()
	fake, client, _ := registryOf(t)
	w := newWorld(t, "tickets.json: {format: json_schema, to: tickets}", "tickets.json")
	w.join("a", client)
	text := formatFile(t, "ticket.schema.json")
	id := register(t, fake, "t", sr.TypeJSON, text)
	strict := register(t, fake, "t", sr.TypeJSON, strings.Replace(text, `"kind"],`, `"kind", "source"],`, 1))
	const ticket = `{"ticket_id":"7","account_id":"acme","occurred_at":"2026-11-20T11:00:00Z","kind":"created","priority":"p1"}`
	w.produce(
		&kgo.Record{Topic: "tickets.json", Timestamp: noon, Value: wire(t, id, nil, []byte(ticket))},
		&kgo.Record{Topic: "tickets.json", Timestamp: noon, Value: wire(t, strict, nil, []byte(ticket)), Headers: headers("n", "strict")},
		&kgo.Record{Topic: "tickets.json", Timestamp: noon, Value: wire(t, id, nil, []byte(strings.Replace(ticket, "p1", "p9", 1))), Headers: headers("n", "value")},
	)
	w.settle()
	require.Equal(t, map[string]string{"strict": "malformed ", "value": "malformed priority"}, letters(w))
	require.Len(t, w.read("tickets"), 1)
}

// TestRegistryAway: while the registry does not answer its topics wait, ready says so, other topics go on, and nothing is lost.
func TestRegistryAway(t *testing.T) {
	t.Parallel()
	fake, client, down := registryOf(t)
	w := newWorld(t, "tickets.json: {format: json_schema, to: tickets}\nplain: {format: json, to: tickets}", "tickets.json", "plain")
	id := register(t, fake, "t", sr.TypeJSON, formatFile(t, "ticket.schema.json"))
	down.Store(true)
	m := w.join("a", client)
	const ticket = `{"ticket_id":"7","account_id":"acme","occurred_at":"2026-11-20T11:00:00Z","kind":"created"}`
	for range 5 {
		w.produce(&kgo.Record{Topic: "tickets.json", Timestamp: noon, Value: wire(t, id, nil, []byte(ticket))}, &kgo.Record{Topic: "plain", Timestamp: noon, Value: []byte(ticket)})
	}
	eventually(t, func() bool {
		why := m.stage.Ready() // while the group comes together it may say something else
		return why != nil && strings.Contains(why.Error(), "tickets.json: ask the schema registry for schema 1")
	})
	eventually(t, func() bool { return len(w.read("tickets")) == 5 })
	require.Error(t, m.stage.Ready())
	require.Empty(t, w.read("dead-letters"))
	down.Store(false)
	w.settle()
	require.Len(t, w.read("tickets"), 10)
	require.Empty(t, w.read("dead-letters"))
	eventually(t, func() bool { return m.stage.Ready() == nil })
}
