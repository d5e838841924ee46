package collect

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tidemark/schemas/secret"
)

func TestSignals(t *testing.T) {
	t.Parallel()
	cluster := startKafka(t)
	now := time.Date(2026, 9, 21, 13, 33, 20, 123_456_789, time.UTC)
	c := start(t, testConfig(cluster, func(c *Config) {
		c.WriteKeys = []secret.Secret{secret.New("key")}
		c.Now = func() time.Time { return now }
	}))
	const meter, release = `{"type":"meter.reported","meter":"storage_gb","account_id":"acme","value":80.50,"limit":100,"at":"2026-09-21T13:00:00Z","x":1}`,
		`{"type":"release.deployed","version":"4.2.0","at":"2026-09-21T13:00:00Z"}`
	c.accept("/v1/signals", meter[:len(meter)-1]+`,"writeKey":"key"}`)
	c.accept("/v1/signals", `{"batch":[`+release+`,`+meter+`],"writeKey":"key"}`)
	c.accept("/v1/signals", `{"batch":[],"writeKey":"key"}`)
	got := map[string]int{}
	partition := map[string]int32{}
	for _, r := range readTopic(t, cluster.ListenAddrs(), "signals") {
		got[string(r.Key)+" "+string(r.Value)]++
		if was, ok := partition[string(r.Key)]; ok {
			require.Equal(t, was, r.Partition)
		}
		partition[string(r.Key)] = r.Partition
	}
	const stamp = `,"receivedAt":"2026-09-21T13:33:20.123Z"}`
	require.Equal(t, map[string]int{"acme " + meter[:len(meter)-1] + stamp: 2, "4.2.0 " + release[:len(release)-1] + stamp: 1}, got)
	require.EqualValues(t, 3, c.metric("events_total", "result", resultAccepted))

	kpi := func(value, period, at string) string {
		return fmt.Sprintf(`{"type":"kpi.reported","kpi":"otif","account_id":"acme","value":%s,"period":%q,"reported_at":"2026-09-21T%sZ"}`, value, period, at)
	}
	for _, tc := range []struct{ body, field, message string }{
		{kpi(`"1"`, "2026-08", "13:00:00"), "value", "not a signal: broken JSON or a field of the wrong type"},
		{kpi(`1`, "2026-8", "13:00:00"), "period", `period "2026-8" is no year, quarter, month, ISO week or day`},
		{kpi(`1`, "2026-08", "13:43:21"), "reported_at", "is more than 10m0s after it was received"},
		{`{"type":"meter.reported","meter":"m","account_id":"acme","at":"2026-09-21T13:00:00Z"}`, "value", "meter.reported needs value"},
		{`{"type":"meter"}`, "type", "is none of survey.responded"},
		{`[]`, "", "must be a JSON object"},
		{`{"batch":{}}`, "batch", "batch is not an array"},
		{`{"type":"x","type":"y"}`, "type", `"type" appears twice`},
	} {
		answer := c.do(http.MethodPost, "/v1/signals", []byte(tc.body), func(r *http.Request) { r.SetBasicAuth("key", "") })
		require.Equal(t, http.StatusBadRequest, answer.code, tc.body)
		require.Equal(t, tc.field, answer.refusal(t).Field, "%s", answer.body)
		require.Contains(t, answer.refusal(t).Message, tc.message)
	}
	bad := c.do(http.MethodPost, "/v1/signals", []byte(`{"batch":[`+meter+`,`+kpi("1e999", "2026-08", "13:00:00")+`]}`), func(r *http.Request) { r.SetBasicAuth("key", "") })
	require.JSONEq(t, `{"error":"invalid","field":"value","index":1,"message":"value 1e999 is too large a number"}`, string(bad.body))
	require.Equal(t, http.StatusUnauthorized, c.post("/v1/signals", meter).code)
	require.Len(t, readTopic(t, cluster.ListenAddrs(), "signals"), 3, "nothing of a request that is refused is taken")
}
