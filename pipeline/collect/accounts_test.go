package collect

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tidemark/pipeline/accountimport"
	"tidemark/pipeline/decode"
	"tidemark/schemas/secret"
)

// TestAccountsCall: a CRM's calls set what they name and leave the rest, whatever compaction keeps; what is removed is gone, and what comes again is
// known anew; a ticket that waited for an external id goes on.
func TestAccountsCall(t *testing.T) {
	t.Parallel()
	cluster := startKafka(t)
	var clock clock
	c := start(t, testConfig(cluster, func(c *Config) {
		c.WriteKeys, c.Now = []secret.Secret{secret.New("k")}, clock.now
	}))
	call := func(method, body string) response {
		t.Helper()
		clock.forward(time.Second)
		return c.do(method, accountsPath, []byte(body), func(r *http.Request) { r.SetBasicAuth("k", "") })
	}
	known := func() map[string]map[string]string {
		latest := map[string]*decode.Account{} // by key, as compaction keeps them
		for _, r := range readTopic(t, cluster.ListenAddrs(), "accounts") {
			a, rejection := decode.DecodeAccount(r.Key, r.Value, r.Timestamp.UnixMilli())
			require.Nil(t, rejection)
			latest[string(r.Key)] = a
		}
		gone, out := map[string]int64{}, map[string]map[string]string{}
		for _, a := range latest {
			if a.Deleted {
				gone[a.ID] = a.ValidFrom
			}
		}
		for _, a := range latest {
			for name, v := range a.Attributes {
				if a.ValidFrom > gone[a.ID] && v != "" {
					if out[a.ID] == nil {
						out[a.ID] = map[string]string{}
					}
					out[a.ID][name] = v
				}
			}
		}
		return out
	}
	require.Equal(t, http.StatusOK, call(http.MethodPost, `{"account_id":"acme","plan":"pro","seats":"25","mrr":1200.50,"renewal_at":"2027-01-15","external_ids":{"zendesk":[7,"8"]}}`).code)
	require.JSONEq(t, `{"success":true,"accounts":2}`, string(call(http.MethodPatch, `[{"account_id":"acme","seats":30,"external_ids":{"jira":"SUP"},"mrr":null},{"account_id":7,"plan":"free"}]`).body))
	require.JSONEq(t, `{"success":true,"accounts":2}`, string(call(http.MethodPost, "{\"account_id\":\"beta\",\"plan\":\"pro\"}\n\n{\"account_id\":\"gamma\",\"plan\":\"pro\"}\n").body))
	acme := map[string]string{"plan": "pro", "seats": "30", "renewal_at": "2027-01-15T00:00:00Z", "external_ids.zendesk": `[7,"8"]`, "external_ids.jira": "SUP"}
	require.Equal(t, map[string]map[string]string{"acme": acme, "7": {"plan": "free"}, "beta": {"plan": "pro"}, "gamma": {"plan": "pro"}}, known())
	for org, want := range map[string]string{"zendesk|7": "acme", "zendesk|8": "acme", "jira|SUP": "acme"} {
		account, _ := c.accountOf("o:" + org)
		require.Equal(t, want, account, org)
	}
	written := len(readTopic(t, cluster.ListenAddrs(), "accounts"))
	call(http.MethodPost, `{"account_id":"acme","plan":"pro","seats":30}`)
	require.Len(t, readTopic(t, cluster.ListenAddrs(), "accounts"), written, "what is known is not written again")
	for range 2 {
		call(http.MethodPost, `{"account_id":"beta","deleted":true}`)
		require.NotContains(t, known(), "beta")
		call(http.MethodPost, `{"account_id":"beta","plan":"pro"}`)
		require.Equal(t, map[string]string{"plan": "pro"}, known()["beta"])
	}
}

// TestAccountsRefusals: what an import would refuse is refused, with the record and the field, and nothing of the request is taken.
func TestAccountsRefusals(t *testing.T) {
	t.Parallel()
	cluster := startKafka(t)
	c := start(t, testConfig(cluster, func(c *Config) { c.WriteKeys, c.MaxEventBytes = []secret.Secret{secret.New("k")}, 1000 }))
	const good = `{"account_id":"acme","plan":"pro"}`
	for _, tc := range []struct {
		body, field, message string
		index                int
	}{
		{``, "", "the body is empty", -1},
		{`{"plan":"pro"}`, "account_id", "account_id is empty", 0},
		{`{"account_id":"acme"}`, "", "the account has no attributes", 0},
		{`[` + good + `,{"account_id":"b","seats":"many"}]`, "seats", `seats "many" is not a whole number`, 1},
		{good + "\n" + `{"account_id":"b","renewal_at":"soon"}`, "renewal_at", "neither a date", 1},
		{good + "\n" + `{"account_id":`, "", "not valid JSON", 1},
		{`[` + good + `,` + good + `]`, "account_id", "twice", 1},
		{`[7]`, "", "must be a JSON object", 0},
		{`{"account_id":"acme","at":"soon","plan":"pro"}`, "at", "not an RFC 3339 time", 0},
		{`{"account_id":"acme","plan":"` + strings.Repeat("x", 1000) + `"}`, "", "at most 1000 are accepted", 0},
		{`{"account_id":"acme","deleted":"yes"}`, "deleted", "neither true nor false", 0},
		{`{"account_id":"acme","plan":"a","plan":"b"}`, "plan", "appears twice", 0},
	} {
		answer := c.do(http.MethodPost, accountsPath, []byte(tc.body), func(r *http.Request) { r.SetBasicAuth("k", "") })
		require.Equal(t, http.StatusBadRequest, answer.code, tc.body)
		refused := answer.refusal(t)
		require.Equal(t, tc.field, refused.Field, tc.body)
		require.Contains(t, refused.Message, tc.message, tc.body)
		if tc.index >= 0 {
			require.NotNil(t, refused.Index, tc.body)
			require.Equal(t, tc.index, *refused.Index, tc.body)
		}
	}
	require.Equal(t, http.StatusUnauthorized, c.post(accountsPath, good).code)
	require.Equal(t, http.StatusMethodNotAllowed, c.do(http.MethodPut, accountsPath, []byte(good), nil).code)
	require.Empty(t, readTopic(t, cluster.ListenAddrs(), "accounts"))
	_, err := accountimport.Read("a.jsonl", strings.NewReader(`{"account_id":"b","seats":"many"}`))
	require.ErrorContains(t, err, `seats "many" is not a whole number`, "the same check as an import's")
}
