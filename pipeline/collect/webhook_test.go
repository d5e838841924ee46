package collect

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/http"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.yaml.in/yaml/v3"

	"tidemark/pipeline/decode"
	"tidemark/schemas"
	"tidemark/schemas/mapping"
	"tidemark/schemas/secret"
)

// testSources are the sources that the mapping's own tests declare.
func testSources(t testing.TB) mapping.Sources {
	t.Helper()
	text, err := os.ReadFile("../../schemas/mapping/testdata/sources.yaml")
	require.NoError(t, err)
	var doc yaml.Node
	require.NoError(t, yaml.Unmarshal(text, &doc))
	var s mapping.Sources
	require.NoError(t, s.DecodeYAML("sources.yaml", doc.Content[0]))
	return s
}

// webhookTime is after the events of those webhooks.
var webhookTime = time.Date(2026, 11, 20, 14, 30, 0, 0, time.UTC)

// zendeskLines are webhooks in the form of Zendesk's pages.
func zendeskLines(t testing.TB) [][]byte {
	t.Helper()
	content, err := os.ReadFile("../../schemas/mapping/testdata/zendesk.jsonl")
	require.NoError(t, err)
	return bytes.Split(bytes.TrimSpace(content), []byte("\n"))
}

func (r *running) postZendesk(body []byte, secret string) response {
	const at = "2026-11-20T14:29:00Z"
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write(append([]byte(at), body...))
	return r.do(http.MethodPost, "/v1/webhooks/zendesk", body, func(q *http.Request) {
		q.Header.Set("X-Zendesk-Webhook-Signature", base64.StdEncoding.EncodeToString(mac.Sum(nil)))
		q.Header.Set("X-Zendesk-Webhook-Signature-Timestamp", at)
	})
}

// writeAccounts writes records of the account dimension, as a CRM does.
func writeAccounts(t testing.TB, brokers []string, records map[string]string) {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(brokers...))
	require.NoError(t, err)
	defer client.Close()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for key, value := range records {
		record := &kgo.Record{Topic: "accounts", Key: []byte(key)}
		if value != "" {
			record.Value = []byte(value)
		}
		require.NoError(t, client.ProduceSync(ctx, record).FirstErr())
	}
}

// tickets returns the ticket events, decoded by the pipeline, by their id, and how often each is there.
func tickets(t testing.TB, brokers []string) (byID map[uint64]*decode.Ticket, copies int) {
	t.Helper()
	byID = map[uint64]*decode.Ticket{}
	for _, r := range readTopic(t, brokers, "tickets") {
		ticket, rejection := decode.DecodeTicket(r.Value, r.Timestamp.UnixMilli(), decode.Limits{MaxFuture: 1 << 62, MaxAge: 1 << 62})
		require.Nil(t, rejection, "%s", r.Value)
		require.Equal(t, ticket.AccountID, string(r.Key))
		if was, ok := byID[ticket.ID]; ok {
			require.Equal(t, was, ticket)
		}
		byID[ticket.ID] = ticket
		copies++
	}
	return byID, copies
}

// TestUnmappedOrganisation: events of an organisation that no account names wait, are visible, and leave by themselves when the
// mapping appears, with the times that they had; repeats and another order change nothing.
func TestUnmappedOrganisation(t *testing.T) {
	t.Parallel()
	cluster := startKafka(t)
	c := start(t, testConfig(cluster, func(c *Config) {
		c.Sources = testSources(t)
		c.Now = func() time.Time { return webhookTime }
	}))
	lines := zendeskLines(t)
	events := 0
	for i := range lines {
		body := lines[len(lines)-1-i]
		for range 2 {
			answer := c.postZendesk(body, "s3cret")
			require.Equal(t, http.StatusOK, answer.code, "%s", answer.body)
			events += int(decodeJSON(t, answer.body)["events"].(float64))
		}
	}
	require.Equal(t, 26, events)
	require.EqualValues(t, 6, c.metric("events_total", "result", resultIgnored))
	require.Len(t, outstanding(t, cluster.ListenAddrs()), 13, "a repeat takes the place of what waits")
	eventually(t, func() bool { return c.metric("parked") == 13 }, patience, 5*time.Millisecond)
	require.Contains(t, string(c.get("/v1/parked").body), `"user":"o:zendesk|8447346622462"`)

	writeAccounts(t, cluster.ListenAddrs(), map[string]string{"acme": `{"account_id":"acme","name":"Acme","external_ids":{"zendesk":["1",8447346622462]}}`})
	var byID map[uint64]*decode.Ticket
	eventually(t, func() bool {
		byID, _ = tickets(t, cluster.ListenAddrs())
		return len(byID) == 12
	}, patience, 50*time.Millisecond)
	require.Len(t, outstanding(t, cluster.ListenAddrs()), 1, "a ticket without an organisation waits for its requester")
	writeAccounts(t, cluster.ListenAddrs(), map[string]string{"globex": `{"external_ids":{"zendesk":"requester:8447388090494"}}`})
	eventually(t, func() bool {
		byID, _ = tickets(t, cluster.ListenAddrs())
		return len(byID) == 13
	}, patience, 50*time.Millisecond)

	require.Equal(t, http.StatusOK, c.postZendesk(lines[1], "s3cret").code)
	byID, copies := tickets(t, cluster.ListenAddrs())
	require.Len(t, byID, 13, "a replay has the same id")
	require.Equal(t, 14, copies)
	catalogue, err := schemas.Builtin()
	require.NoError(t, err)
	escalations := map[string]string{}
	for _, ticket := range byID {
		require.Equal(t, "zendesk", ticket.Source)
		require.Equal(t, "2026-11-20T14", time.UnixMilli(ticket.Time).UTC().Format("2006-01-02T15"), "the time that it happened")
		if why := ticket.Escalation(catalogue.Tickets.EscalatedWhen); why != "" {
			escalations[ticket.Kind] = why
		}
	}
	require.Equal(t, map[string]string{"priority": "priority", "assignment": "assignment", "tag": "tag"}, escalations)
}

// TestWebhookRefusals: what is not signed, or does not fit its mapping, is refused, and nothing of it is taken.
func TestWebhookRefusals(t *testing.T) {
	t.Parallel()
	cluster := startKafka(t)
	c := start(t, testConfig(cluster, func(c *Config) {
		c.Sources = testSources(t)
		c.WriteKeys = []secret.Secret{secret.New("key")}
		c.Now = func() time.Time { return webhookTime }
	}))
	line := zendeskLines(t)[0]
	answer := c.postZendesk(line, "guess")
	require.Equal(t, http.StatusUnauthorized, answer.code)
	require.Contains(t, answer.refusal(t).Message, "use the same secret on both sides")
	require.Equal(t, http.StatusUnauthorized, c.do(http.MethodPost, "/v1/webhooks/zendesk", line, nil).code)
	bad := c.postZendesk(bytes.Replace(line, []byte("2026-11-20T14:00:05.717Z"), []byte("yesterday"), 1), "s3cret")
	require.Equal(t, http.StatusBadRequest, bad.code)
	require.Contains(t, bad.refusal(t).Message, `occurred_at: "yesterday" is no time`)
	require.Equal(t, http.StatusNotFound, c.post("/v1/webhooks/other", "{}").code)

	// A source without a secret needs a write key.
	const survey = `{"event_type":"response_completed","object_id":"%d","event_datetime":"2026-11-20T10:20:03+00:00","resources":{"survey_id":"77"},"response":{"custom_variables":{"account_id":"acme"},"answers":{"ces":%s}}}`
	post := func(score, key string) response {
		return c.do(http.MethodPost, "/v1/webhooks/surveymonkey", fmt.Appendf(nil, survey, 1, score), func(r *http.Request) { r.SetBasicAuth(key, "") })
	}
	require.Equal(t, http.StatusUnauthorized, post("6", "other").code)
	refused := post("9", "key")
	require.Equal(t, http.StatusBadRequest, refused.code)
	require.Contains(t, refused.refusal(t).Message, "correct the mapping or the sender")
	require.Equal(t, http.StatusOK, post("6", "key").code)
	signals := readTopic(t, cluster.ListenAddrs(), "signals")
	require.Len(t, signals, 1)
	signal, rejection := decode.DecodeSignal(signals[0].Value, webhookTime.UnixMilli(), decode.Limits{MaxFuture: 1 << 62, MaxAge: 1 << 62})
	require.Nil(t, rejection)
	require.Equal(t, "acme", signal.AccountID)
	byID, _ := tickets(t, cluster.ListenAddrs())
	require.Empty(t, byID)
}

// TestExternalIDs: an account's ids in a system are those of its last record that names the system.
func TestExternalIDs(t *testing.T) {
	table := newAccountsTable("accounts")
	var learned []string
	table.learned = func(org string) { learned = append(learned, org) }
	apply := func(key, value string) {
		record := &kgo.Record{Key: []byte(key)}
		if value != "" {
			record.Value = []byte(value)
		}
		require.NoError(t, table.apply(record))
	}
	is := func(id, want string) {
		got, _ := table.account(orgKey("zendesk", id))
		require.Equal(t, want, got, id)
	}
	apply("acme", `{"external_ids":{"zendesk":"7","jira":["a","b"]}}`)
	require.ElementsMatch(t, []string{"o:zendesk|7", "o:jira|a", "o:jira|b"}, learned)
	apply("acme|plan", `{"account_id":"acme","plan":"pro"}`)
	is("7", "acme")
	apply("acme", `{"external_ids":{"zendesk":[8, "9"]}}`)
	is("7", "")
	is("8", "acme")
	apply("globex", `{"account_id":"globex","external_ids":{"zendesk":"9"}}`)
	is("9", "globex")
	apply("acme|plan", "")
	is("8", "acme")
	apply("acme", "")
	is("8", "")
	is("9", "globex")
	apply("globex", `{"external_ids":{"zendesk":null}}`)
	is("9", "")
	require.Empty(t, table.orgs)
}

// TestGivenUpTicket: a ticket that waited in vain goes on without an account, and the pipeline says what it lacks.
func TestGivenUpTicket(t *testing.T) {
	c := idle(t, func(c *Config) { c.Sources = testSources(t) })
	w, refused := c.readWebhook("zendesk", c.config.Sources["zendesk"], zendeskLines(t)[1], webhookTime)
	require.Nil(t, refused)
	parked, err := readParked(&kgo.Record{Key: w.records[0].Key, Value: w.records[0].Value})
	require.NoError(t, err)
	require.Equal(t, webhookTime, parked.received)
	record, err := departure{parked, ""}.record(c.config.Topics)
	require.NoError(t, err)
	require.Equal(t, "tickets", record.Topic)
	_, rejection := decode.DecodeTicket(record.Value, webhookTime.UnixMilli(), c.config.Limits)
	require.Equal(t, schemas.MissingField, rejection.Reason)
}

// TestWebhooksOfProductAndAccounts: a webhook may make product events and say what is known of accounts, as a raw topic does.
func TestWebhooksOfProductAndAccounts(t *testing.T) {
	t.Parallel()
	var doc yaml.Node
	require.NoError(t, yaml.Unmarshal([]byte(`
crm:
  kind: mapping
  events:
    - when: {$.type: company}
      account: {account_id: $.id, plan: $.plan, created_at: $.since, external_ids.crm: $.crm_ids, attributes: $.more}
    - when: {$.type: call}
      event: {name: "Call {$.direction}", organization: $.company, user_id: $.by, occurred_at: $.at, message_id: $.call_id, properties: $.about, properties.minutes: $.minutes}
`), &doc))
	var sources mapping.Sources
	require.NoError(t, sources.DecodeYAML("s.yaml", doc.Content[0]))
	cluster := startKafka(t)
	c := start(t, testConfig(cluster, func(c *Config) { c.Sources = sources }))
	post := func(body string) response { return c.post("/v1/webhooks/crm", body) }
	call := `{"type":"call","direction":"in","company":"c-9","by":"ada","at":1763640000000,"call_id":"77","minutes":12,"about":{"topic":"renewal","minutes":1}}`
	require.JSONEq(t, `{"success":true,"events":1}`, string(post(call).body))
	require.Empty(t, events(t, cluster.ListenAddrs()), "it waits for its company")
	require.Equal(t, http.StatusBadRequest, post(`{"type":"company","id":"acme","since":"soon"}`).code)
	require.JSONEq(t, `{"success":true,"events":1}`, string(post(`{"type":"company","id":"acme","plan":"pro","since":20500,"crm_ids":["c-8","c-9"],"more":{"owner":"dana"}}`).body))
	eventually(t, func() bool { return len(events(t, cluster.ListenAddrs())) == 1 }, patience, 50*time.Millisecond)
	require.JSONEq(t, `{"success":true,"events":1}`, string(post(call).body), "delivered again")
	got := readTopic(t, cluster.ListenAddrs(), "telemetry")
	require.Len(t, got, 2, "with one id, by which readers find the duplicate")
	for _, r := range got {
		e := decodeJSON(t, r.Value)
		require.Equal(t, []any{"77", "Call in", "ada", "2025-11-20T12:00:00.000Z"}, []any{e["messageId"], e["event"], e["userId"], e["timestamp"]})
		require.Equal(t, map[string]any{"topic": "renewal", "minutes": 12.0}, e["properties"])
	}
	known := map[string]string{}
	for _, r := range readTopic(t, cluster.ListenAddrs(), "accounts") {
		a, rejection := decode.DecodeAccount(r.Key, r.Value, 0)
		require.Nil(t, rejection)
		require.Equal(t, "acme", a.ID)
		for name, v := range a.Attributes {
			known[name] = v
		}
	}
	require.Equal(t, map[string]string{"plan": "pro", "owner": "dana", "created_at": "2026-02-16T00:00:00Z", "external_ids.crm": `["c-8","c-9"]`}, known)
}
