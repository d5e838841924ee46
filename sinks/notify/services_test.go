package notify

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tidemark/schemas/secret"
)

// service answers with a status and keeps what it was sent.
func service(t *testing.T, status *int, into func([]byte)) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil || r.Header.Get("Content-Type") != "application/json" {
			t.Error(err, r.Header)
		}
		into(body)
		w.WriteHeader(*status)
	}))
	t.Cleanup(server.Close)
	return server.URL
}

func TestSlack(t *testing.T) {
	status, got := http.StatusOK, slackPayload{}
	url := service(t, &status, func(body []byte) {
		got = slackPayload{}
		require.NoError(t, json.Unmarshal(body, &got))
	})
	s := openSender(t, &Target{Slack: &Slack{URL: secret.New(url), HTTP: HTTP{AllowHTTP: true}}})
	m := single("tr_1")
	m.Notifications[0].Account = "<!channel> & co"
	require.Equal(t, Delivered, s.send(t.Context(), m).Outcome)
	require.Equal(t, "fired: escalations for &lt;!channel&gt; &amp; co", got.Text)
	require.Len(t, got.Blocks, 2)
	require.Equal(t, "At 2026-03-10T12:00:00Z\nThree escalations in a month\nValue: 3 (threshold 3)\nSeverity: warning\nOwner: cs\nPlaybook: win-back\nhttps://example.com/a",
		got.Blocks[1].Text.Text)
	many := &Message{ID: "digest_1"}
	for range 500 {
		many.Notifications = append(many.Notifications, m.Notifications[0])
	}
	require.Equal(t, Delivered, s.send(t.Context(), many).Outcome)
	require.Equal(t, "500 changes of alerts: escalations fired 500", got.Text)
	for _, b := range got.Blocks {
		require.LessOrEqual(t, len(b.Text.Text), 3000)
	}
	status = http.StatusBadRequest
	require.Equal(t, Rejected, s.send(t.Context(), m).Outcome)
	status = http.StatusInternalServerError
	require.Equal(t, Failed, s.send(t.Context(), m).Outcome)
}

// What PagerDuty is sent has the fields of its Events API v2, and the same key from the begin of an alert to its end.
func TestPagerDuty(t *testing.T) {
	status, got := http.StatusAccepted, map[string]any{}
	url := service(t, &status, func(body []byte) {
		got = map[string]any{}
		require.NoError(t, json.Unmarshal(body, &got))
	})
	s := openSender(t, &Target{PagerDuty: &PagerDuty{URL: secret.New(url), RoutingKey: secret.New("r0ut1ng"), HTTP: HTTP{AllowHTTP: true}}})
	for _, c := range []struct{ kind, action string }{
		{Fired, "trigger"}, {"level", "trigger"}, {"amended", "trigger"}, {Acknowledged, "acknowledge"}, {Resolved, "resolve"}, {Retracted, "resolve"},
	} {
		m := single("tr_1")
		m.Notifications[0].Kind = c.kind
		require.Equal(t, Delivered, s.send(t.Context(), m).Outcome)
		require.Equal(t, c.action, got["event_action"])
		require.Equal(t, "al_1", got["dedup_key"])
		require.Equal(t, "r0ut1ng", got["routing_key"])
		if c.action != "trigger" {
			require.NotContains(t, got, "payload")
			continue
		}
		p, ok := got["payload"].(map[string]any)
		require.True(t, ok)
		require.Equal(t, "acme", p["source"])
		require.Equal(t, "warning", p["severity"])
		require.Equal(t, "2026-03-10T12:00:00Z", p["timestamp"])
		require.Equal(t, c.kind+": escalations for acme: Three escalations in a month", p["summary"])
		require.Equal(t, map[string]any{
			"description": "Three escalations in a month", "value": 3., "threshold": 3., "playbook": "win-back", "owner": "cs", "link": "https://example.com/a",
		}, p["custom_details"])
	}
	long := single("tr_1")
	long.Notifications[0].Rule = strings.Repeat("é", 3000)
	require.Equal(t, Delivered, s.send(t.Context(), long).Outcome)
	p, ok := got["payload"].(map[string]any)
	require.True(t, ok)
	require.LessOrEqual(t, len(p["summary"].(string)), pagerDutySummary)
	status = http.StatusBadRequest
	require.Equal(t, Rejected, s.send(t.Context(), long).Outcome)
	status = http.StatusTooManyRequests
	require.Equal(t, Throttled, s.send(t.Context(), long).Outcome)
	require.Equal(t, "critical", pagerDutySeverity("page"))
	require.Equal(t, "error", pagerDutySeverity("other"))
}

// A digest depends on what is in it alone, and so does its id.
func TestDigest(t *testing.T) {
	m := single("tr_1")
	other := m.Notifications[0]
	other.ID, other.AlertID, other.Kind, other.KnownAt = "tr_2", "al_2", Resolved, other.KnownAt.Add(time.Minute)
	m.Notifications = append(m.Notifications, other)
	m.ID = digestID("crm", []string{"tr_1", "tr_2"})
	body, err := m.Body()
	require.NoError(t, err)
	require.JSONEq(t, `{"type": "alert.digest", "timestamp": "2026-03-10T12:01:01Z", "data": {"count": 2, "rules": {"escalations": {"fired": 1, "resolved": 1}}, "alerts": [
		{"id": "tr_1", "alert_id": "al_1", "kind": "fired", "rule": "escalations", "account": "acme", "severity": "warning", "at": "2026-03-10T12:00:00Z"},
		{"id": "tr_2", "alert_id": "al_2", "kind": "resolved", "rule": "escalations", "account": "acme", "severity": "warning", "at": "2026-03-10T12:00:00Z"}]}}`, string(body))
	require.Equal(t, "digest_c8369651b250d5f32b354a3fade09055", m.ID)
	require.NotEqual(t, m.ID, digestID("chat", []string{"tr_1", "tr_2"}))
	require.Equal(t, "2 changes of alerts: escalations fired 1, escalations resolved 1", m.Subject())
	m.Notifications = m.Notifications[:1]
	body, err = m.Body()
	require.NoError(t, err)
	require.JSONEq(t, `{"type": "alert.fired", "timestamp": "2026-03-10T12:00:01Z", "data": `+string(m.Notifications[0].Payload)+`}`, string(body))
}
