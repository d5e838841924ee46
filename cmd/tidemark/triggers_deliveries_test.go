package main

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
	"github.com/stretchr/testify/require"

	"tidemark/internal/devclickhouse"
	"tidemark/sinks/notify"
)

// What is dead is seen, sent again and taken out from the command line.
func TestDeliveries(t *testing.T) {
	t.Parallel()
	b := startBackends(t)
	b.migrate(t)
	writer := b.store.Open(t, devclickhouse.Writer)
	require.NoError(t, writer.Exec(t.Context(), `INSERT INTO alert_transitions (id, alert_id, seq, kind, rule, account_id, at, known_at, targets) VALUES
		('tr_1', 'al_1', 1, 'fired', 'escalations', 'acme', now64(), now64(), ['crm']), ('tr_2', 'al_2', 1, 'fired', 'escalations', 'beta', now64(), now64(), ['crm', 'chat'])`))
	require.NoError(t, writer.Exec(t.Context(), `INSERT INTO deliveries (target, alert_id, id, message_id, outcome, attempt, at, status, detail, version) VALUES
		('crm', 'al_1', 'tr_1', 'tr_1', 'dead', 10, now64(), 500, 'HTTP 500 no', 12), ('crm', 'al_2', 'tr_2', 'tr_2', 'delivered', 1, now64(), 200, '', 2)`))
	env := b.with()
	ls := func(args ...string) (got struct {
		Targets    []notify.Fare
		Deliveries []notify.Delivery
	}) {
		out := tidemark(t, env, append([]string{"triggers", "deliveries", "ls", "--json"}, args...)...)
		require.Equal(t, exitOK, out.code, out.stderr)
		require.NoError(t, json.Unmarshal([]byte(out.stdout), &got))
		return got
	}
	require.Len(t, ls().Deliveries, 3)
	require.Equal(t, uint64(1), ls().Targets[1].Dead)
	dead := ls("--outcome", "dead").Deliveries
	require.Len(t, dead, 1)
	require.Equal(t, "HTTP 500 no", dead[0].Detail)
	table := tidemark(t, env, "triggers", "deliveries", "ls", "--account", "acme")
	require.Regexp(t, `(?m)^crm +1 +0 +- +1 +enabled$`, table.stdout)
	require.Regexp(t, `crm +tr_1 +fired +escalations +acme +dead +10 +- +HTTP 500 no`, table.stdout)
	require.NotContains(t, table.stdout, "beta")

	require.Equal(t, exitFailure, tidemark(t, env, "triggers", "deliveries", "redrive").code, "what, it has to be told")
	out := tidemark(t, env, "triggers", "deliveries", "redrive", "--all")
	require.Equal(t, "1 redriven: tidemark triggers run sends them within a minute\n", out.stdout, out.stderr)
	require.Len(t, ls("tr_1", "--outcome", "pending").Deliveries, 1)
	out = tidemark(t, env, "triggers", "deliveries", "drop", "al_1", "--by", "ann")
	require.Equal(t, "1 dropped\n", out.stdout, out.stderr)
	dropped := ls("al_1", "--outcome", "dropped").Deliveries
	require.Len(t, dropped, 1)
	require.Equal(t, "dropped by ann", dropped[0].Detail)
	require.Equal(t, "0 dropped\n", tidemark(t, env, "triggers", "deliveries", "drop", "--target", "crm").stdout)
}

func TestSendTest(t *testing.T) {
	t.Parallel()
	const secret = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="
	status := http.StatusOK
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		wh, err := standardwebhooks.NewWebhook(secret)
		if err != nil {
			t.Error(err)
		}
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		if err := wh.Verify(body, r.Header); err != nil {
			t.Error(err)
		}
		w.WriteHeader(status)
	}))
	defer server.Close()
	config := "--config=" + configFile(t, `
triggers:
  targets:
    crm: {webhook: {url: "`+server.URL+`", allow_http: true, secrets: [`+secret+`]}, allow: [127.0.0.0/8]}
    inside: {webhook: {url: "`+server.URL+`", allow_http: true, secrets: [`+secret+`]}}
`)
	out := tidemark(t, nil, config, "triggers", "send-test", "crm")
	require.Regexp(t, `^crm has taken the message test_\w+\n$`, out.stdout, out.stderr)
	status = http.StatusForbidden
	require.Equal(t, "tidemark: crm: failed: HTTP 403\n", tidemark(t, nil, config, "triggers", "send-test", "crm").stderr)
	require.Contains(t, tidemark(t, nil, config, "triggers", "send-test", "inside").stderr, "127.0.0.1 is not a public address")
	require.Equal(t, "tidemark: triggers.targets has no crn; did you mean crm?\n", tidemark(t, nil, config, "triggers", "send-test", "crn").stderr)
}
