package collect

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tidemark/schemas/access"
)

// TestPrivacy: of a source with an allow-list nothing else reaches a topic, what is hashed reaches none in the clear, and accounts are still found;
// addresses are dropped for all sources that do not say otherwise.
func TestPrivacy(t *testing.T) {
	t.Parallel()
	cluster := startKafka(t)
	sources := testSources(t)
	c := start(t, testConfig(cluster, func(c *Config) {
		c.Sources, c.HashKey = sources, []byte("0123456789abcdef")
		c.Now = func() time.Time { return webhookTime }
		c.Privacy = access.Policies{
			"segment":       {Allow: []string{"properties.plan", "properties.deep.kept", "traits.email"}, Hash: []string{"userId", "traits.email"}},
			"posthog":       {KeepIP: true},
			"opentelemetry": {Hash: []string{"userId"}},
			"signals":       {Hash: []string{"user_id"}},
		}
	}))
	p := c.privacy["segment"]
	ada := p.pseudonym("ada")
	post := func(path, body string) {
		t.Helper()
		answer := c.do(http.MethodPost, path, []byte(body), nil)
		require.Less(t, answer.code, 300, "%s: %s", path, answer.body)
	}
	// The user's account comes after the event: both know her by the hash.
	post("/v1/track", `{"messageId":"1","userId":"ada","event":"e","request_ip":"10.9.8.7","extra":"secret1","properties":{"plan":"pro","note":"secret2","deep":{"kept":1,"not":"secret3"}},"context":{"ip":"10.9.8.7","locale":"secret4"}}`)
	post("/v1/identify", `{"messageId":"2","userId":"ada","traits":{"email":"ada@example.com","company":{"id":"acme","name":"secret5"}}}`)
	post("/v1/alias", `{"messageId":"3","userId":"lovelace","previousId":"ada"}`)
	post("/v1/track", `{"messageId":"4","userId":"lovelace","event":"e","properties":{"ip":"10.9.8.7"}}`)
	post("/v1/logs", `{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"eventName":"feature_flag.evaluation","timeUnixNano":"1790000000000000000","attributes":[
		{"key":"feature_flag.key","value":{"stringValue":"f"}},{"key":"feature_flag.context.id","value":{"stringValue":"ada"}}]}]}]}]}`)
	post("/v1/signals", `{"type":"survey.responded","survey_id":"s","kind":"nps","score":9,"account_id":"acme","user_id":"ada","responded_at":"2026-11-20T10:00:00Z"}`)
	post("/v1/cloudevents", `{"specversion":"1.0","id":"1","source":"s","type":"t","subject":"acme","data":{"ip":"10.9.8.7","kept":"yes"}}`)
	post("/capture", `{"event":"e","distinct_id":"grace","properties":{"ip":"192.0.2.1","$groups":{"company":"acme"}}}`)

	eventually(t, func() bool { return len(readTopic(t, cluster.ListenAddrs(), "telemetry")) >= 7 }, patience, 100*time.Millisecond)
	all := ""
	for _, topic := range []string{"telemetry", "users", "parked", "signals", "accounts"} {
		for _, r := range readTopic(t, cluster.ListenAddrs(), topic) {
			all += string(r.Key) + " " + string(r.Value) + "\n"
		}
	}
	for _, gone := range []string{"secret", "ada@example.com", `"ada"`, "u:ada", "lovelace", "10.9.8.7"} {
		require.NotContains(t, all, gone)
	}
	found := events(t, cluster.ListenAddrs())
	require.Equal(t, ada, found["1"]["userId"])
	require.Equal(t, "acme", found["1"]["context"].(map[string]any)["groupId"])
	require.Equal(t, map[string]any{"plan": "pro", "deep": map[string]any{"kept": 1.0}}, found["1"]["properties"])
	require.Equal(t, p.pseudonym("ada@example.com"), found["2"]["traits"].(map[string]any)["email"])
	require.Equal(t, "acme", found["4"]["context"].(map[string]any)["groupId"], "an alias joins hashes")
	for _, kept := range []string{`"192.0.2.1"`, `"kept":"yes"`, `"context_id":"` + ada + `"`, `"user_id":"` + ada + `"`} {
		require.Contains(t, all, kept)
	}
	require.NotEqual(t, ada, (&privacy{key: []byte("another")}).pseudonym("ada"), "who has no key cannot tell whose hash it is")
	require.Len(t, strings.TrimPrefix(ada, "h_"), 32)
}
