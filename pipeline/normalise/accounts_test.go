package normalise_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/zap"

	"tidemark/pipeline/collect"
)

// TestWhoseItIs: an event whose account nobody knows is parked, and a collector releases it when a CRM names the organisation; what a group call in
// a raw topic says counts for what follows it, here and at the collectors; and a duplicate of the producer's has the id of the first.
func TestWhoseItIs(t *testing.T) {
	t.Parallel()
	w := newWorld(t, helpdesk+"segment: {format: json, to: telemetry}\n", "helpdesk", "segment")
	c, err := collect.New(collect.Config{Listen: "127.0.0.1:0", Brokers: w.brokers, SessionTimeout: 6 * time.Second, WriteTimeout: patience, DrainTimeout: patience}, zap.NewNop(), prometheus.NewRegistry())
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- c.Run(ctx) }()
	defer func() {
		cancel()
		require.NoError(t, <-done)
	}()
	w.join("a", nil)
	at := time.Now().UTC().Format(time.RFC3339)
	w.produce(
		&kgo.Record{Topic: "helpdesk", Value: fmt.Appendf(nil, `{"type":"opened","id":"7","at":%q,"customer":"org-1"}`, at)},
		&kgo.Record{Topic: "segment", Key: []byte("k"), Value: []byte(`{"type":"track","event":"Early","userId":"eve","messageId":"m0"}`)},
		&kgo.Record{Topic: "segment", Key: []byte("k"), Value: []byte(`{"type":"group","userId":"ada","groupId":"acme","traits":{"plan":"pro"}}`)},
		&kgo.Record{Topic: "segment", Key: []byte("k"), Value: []byte(`{"type":"track","event":"Used","userId":"ada","messageId":"m1"}`)},
		&kgo.Record{Topic: "segment", Key: []byte("k"), Value: []byte(`{"type":"track","event":"Used","userId":"ada"}`)},
	)
	w.settle()
	require.Empty(t, w.read("tickets"))
	require.Equal(t, map[string]string{"plan": "pro"}, knownOf(t, w.read("accounts"), "acme", time.Now().Add(time.Hour)))
	post := func(path, body string) {
		t.Helper()
		client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: patience}
		eventually(t, func() bool { // it may still be starting
			answer, err := client.Post("http://"+c.Addr()+path, "application/json", strings.NewReader(body))
			require.NoError(t, err)
			defer answer.Body.Close() //nolint:errcheck // only its code counts
			return answer.StatusCode == http.StatusOK
		})
	}
	post("/v1/accounts", `{"account_id":"acme","external_ids":{"helpdesk":"org-1"}}`)
	post("/v1/group", `{"userId":"eve","groupId":"acme"}`)
	post("/v1/track", `{"userId":"ada","event":"Direct","messageId":"m2"}`) // whose account only the raw topic told
	ids := map[string]string{}
	eventually(t, func() bool {
		clear(ids)
		for _, r := range w.read("telemetry") {
			o := object(t, r.Value)
			require.Equal(t, "acme", string(r.Key))
			ids[o["messageId"].(string)], _ = o["event"].(string)
		}
		return len(w.read("tickets")) == 1 && len(ids) == 6
	})
	require.Equal(t, []string{"Early", "Used", "Direct"}, []string{ids["m0"], ids["m1"], ids["m2"]})
	ticket := object(t, w.read("tickets")[0].Value)
	require.Equal(t, "acme", ticket["account_id"])
	require.Equal(t, at, strings.Replace(ticket["occurred_at"].(string), ".000Z", "Z", 1), "when it happened, not when it was released")
	require.Regexp(t, `^raw-[0-9a-f]{32}/created$`, ticket["source_event_id"])
}
