package notify

import (
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"pgregory.net/rapid"

	"tidemark/schemas/secret"
)

// newSecret is a signing secret of n bytes.
func newSecret(seed byte, n int) string {
	key := make([]byte, n)
	for i := range key {
		key[i] = seed + byte(i)
	}
	return "whsec_" + base64.StdEncoding.EncodeToString(key)
}

func single(id string) *Message {
	at := time.Date(2026, 3, 10, 12, 0, 0, 0, time.UTC)
	return &Message{ID: id, Notifications: []Notification{{
		ID: id, AlertID: "al_1", Seq: 1, Kind: Fired, Rule: "escalations", Account: "acme", Severity: "warning", At: at, KnownAt: at.Add(time.Second),
		Payload: json.RawMessage(`{"description":"Three escalations in a month","value":3,"threshold":3,"playbook":"win-back","owner":"cs","link":"https://example.com/a"}`),
	}}}
}

func openSender(t *testing.T, target *Target) sender {
	t.Helper()
	target.Allow = []string{"127.0.0.0/8", "::1/128"}
	require.NoError(t, Targets{"x": target}.Validate())
	s, _, _, err := target.open(surroundings{log: zap.NewNop(), now: time.Now})
	require.NoError(t, err)
	t.Cleanup(s.close)
	return s
}

// Any secret and body, with several secrets: the official library accepts the signature with each of them, and with no other.
func TestSignatureIsThatOfTheOfficialLibrary(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var secrets []string
		for i := range rapid.IntRange(1, 3).Draw(t, "secrets") {
			secrets = append(secrets, newSecret(byte(i*80), rapid.IntRange(24, 64).Draw(t, "length")))
		}
		id := rapid.StringMatching(`[A-Za-z0-9_-]{1,40}`).Draw(t, "id")
		body := rapid.SliceOf(rapid.Byte()).Draw(t, "body")
		now := time.Now()
		signed, err := signature(secrets, id, now, body)
		require.NoError(t, err)
		header := http.Header{}
		header.Set("webhook-id", id)
		header.Set("webhook-signature", signed)
		header.Set("webhook-timestamp", timestamp(now))
		for _, s := range secrets {
			wh, err := standardwebhooks.NewWebhook(s)
			require.NoError(t, err)
			require.NoError(t, wh.Verify(body, header))
		}
		other, err := standardwebhooks.NewWebhook(newSecret(200, 32))
		require.NoError(t, err)
		require.Error(t, other.Verify(body, header))
		wh, err := standardwebhooks.NewWebhook(secrets[0])
		require.NoError(t, err)
		require.Error(t, wh.Verify(append(body, ' '), header))
	})
}

// A receiver that verifies with the official library takes what is sent, with the old and the new secret of a rotation; the
// file is read again for each message.
func TestWebhookRotatesSecrets(t *testing.T) {
	before, after := newSecret(1, 32), newSecret(2, 32)
	accepts := before
	var got []string
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		wh, err := standardwebhooks.NewWebhook(accepts)
		if err != nil {
			t.Error(err)
		}
		if err := wh.Verify(body, r.Header); err != nil {
			http.Error(w, err.Error(), http.StatusUnauthorized)
			return
		}
		got = append(got, r.Header.Get("webhook-id"))
	}))
	defer server.Close()
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
		return path
	}
	ca := write("ca.pem", pemOf(server.Certificate()))
	file := write("secrets", before+"\n")
	s := openSender(t, &Target{Webhook: &Webhook{URL: secret.New(server.URL), SecretsFile: file, HTTP: HTTP{CAFile: ca}}})
	require.Equal(t, Result{Status: 200}, s.send(t.Context(), single("a")))
	write("secrets", before+"\n"+after+"\n")
	require.Equal(t, Delivered, s.send(t.Context(), single("b")).Outcome, "the receiver knows the old one")
	accepts = after
	require.Equal(t, Delivered, s.send(t.Context(), single("c")).Outcome, "the receiver knows the new one")
	write("secrets", before)
	r := s.send(t.Context(), single("d"))
	require.Equal(t, Failed, r.Outcome)
	require.Contains(t, r.Detail, "HTTP 401")
	require.NoError(t, os.Remove(file))
	require.Equal(t, Unable, s.send(t.Context(), single("e")).Outcome)
	require.Equal(t, []string{"a", "b", "c"}, got)
}

func TestAnswers(t *testing.T) {
	var status int
	header := http.Header{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		for name := range header {
			w.Header().Set(name, header.Get(name))
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, "because\x1b[31m\nof that")
	}))
	defer server.Close()
	s := openSender(t, &Target{Webhook: &Webhook{URL: secret.New(server.URL), Secrets: []secret.Secret{secret.New(newSecret(1, 24))}, HTTP: HTTP{AllowHTTP: true}}})
	for _, c := range []struct {
		status  int
		after   string
		outcome Outcome
		pause   time.Duration
	}{
		{200, "", Delivered, 0}, {202, "", Delivered, 0}, {299, "", Delivered, 0},
		{301, "", Failed, 0}, {400, "", Failed, 0}, {404, "", Failed, 0}, {410, "", Gone, 0}, {500, "", Failed, 0}, {503, "120", Failed, 2 * time.Minute},
		{429, "", Throttled, 0}, {429, "30", Throttled, 30 * time.Second}, {429, "-5", Throttled, 0}, {429, "999999999", Throttled, maxRetryAfter},
		{502, "", Throttled, 0}, {504, "x", Throttled, 0}, {503, "Wed, 21 Oct 2026 07:30:00 GMT", Failed, 90 * time.Second},
	} {
		status = c.status
		header = http.Header{"Date": {"Wed, 21 Oct 2026 07:28:30 GMT"}}
		if c.after != "" {
			header.Set("Retry-After", c.after)
		}
		r := s.send(t.Context(), single("a"))
		require.Equal(t, c.outcome, r.Outcome, c)
		require.Equal(t, c.pause, r.RetryAfter, c)
		require.Equal(t, c.status, r.Status)
		if c.outcome != Delivered && c.status/100 != 3 {
			require.Contains(t, r.Detail, "because [31m of that")
		}
	}
}

// A receiver that never answers holds up nothing for longer than the timeout.
func TestHangingReceiver(t *testing.T) {
	release := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-release }))
	defer server.Close()
	defer close(release)
	s := openSender(t, &Target{Timeout: 50 * time.Millisecond, Webhook: &Webhook{
		URL: secret.New(server.URL), Secrets: []secret.Secret{secret.New(newSecret(1, 24))}, HTTP: HTTP{AllowHTTP: true},
	}})
	r := s.send(t.Context(), single("a"))
	require.Equal(t, Failed, r.Outcome)
	require.Equal(t, "no answer in time", r.Detail)
}
