package collect

import (
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"

	"tidemark/schemas/access"
	"tidemark/schemas/secret"
)

func withKey(key string) func(*http.Request) {
	return func(r *http.Request) { r.SetBasicAuth(key, "") }
}

// TestScopedKeys: a key does what it was made for and nothing else; an unknown one is told apart from one that may not.
func TestScopedKeys(t *testing.T) {
	t.Parallel()
	cluster := startKafka(t)
	sources := testSources(t)
	for _, s := range sources {
		s.Secret = secret.Secret{} // which a write key guards then
	}
	key := func(text string, sources, types []string) *access.Key {
		return &access.Key{Secret: secret.New(text), Sources: sources, Types: types}
	}
	c := start(t, testConfig(cluster, func(c *Config) {
		c.WriteKeys, c.Sources = []secret.Secret{secret.New("everything")}, sources
		c.Keys = access.Keys{
			"browser": key("b", []string{"segment", "posthog"}, []string{"track", "page"}),
			"crm":     key("c", []string{"accounts"}, nil),
			"desk":    key("z", []string{"zendesk"}, nil),
			"any":     key("a", nil, nil),
			"support": key("p", []string{"parked"}, nil),
		}
	}))
	const event = `{"event":"e","userId":"ada","context":{"groupId":"acme"}}`
	const group = `{"userId":"ada","groupId":"acme"}`
	for _, tc := range []struct {
		key, path, body string
		code            int
		says            string
	}{
		{"b", "/v1/track", event, 200, ""},
		{"b", "/v1/group", group, 403, "the write key browser may not send group: use another key, or add group to collector.keys.browser.types"},
		{"b", "/v1/batch", `{"batch":[{"type":"track","event":"e","userId":"u"},{"type":"group","userId":"u","groupId":"acme"}]}`, 403, "may not send group"},
		{"b", "/v1/signals", `{"type":"meter.reported","meter":"m","account_id":"a","value":1,"at":"2026-01-01T00:00:00Z"}`, 403,
			"the write key browser may not be used for signals: use another key, or add signals to collector.keys.browser.sources"},
		{"b", "/v1/accounts", `{"account_id":"acme","plan":"pro"}`, 403, "may not be used for accounts"},
		{"b", "/v1/cloudevents", `{"specversion":"1.0","id":"1","source":"s","type":"t","subject":"acme"}`, 403, "may not be used for cloudevents"},
		{"c", "/v1/accounts", `{"account_id":"acme","plan":"pro"}`, 200, ""},
		{"c", "/v1/track", event, 403, "may not be used for segment"},
		{"c", "/v1/webhooks/zendesk", `{}`, 403, "may not be used for zendesk"},
		{"z", "/v1/webhooks/zendesk", `{}`, 200, ""},
		{"a", "/v1/group", group, 200, ""},
		{"everything", "/v1/group", group, 200, ""},
		{"x", "/v1/group", group, 401, "send a configured one"},
		{"", "/v1/group", group, 401, "send a configured one"},
	} {
		answer := c.do(http.MethodPost, tc.path, []byte(tc.body), withKey(tc.key))
		require.Equal(t, tc.code, answer.code, "%s %s: %s", tc.key, tc.path, answer.body)
		if tc.code != 200 {
			require.Contains(t, answer.refusal(t).Message, tc.says)
			require.Equal(t, "writeKey", answer.refusal(t).Field)
		}
	}
	for key, code := range map[string]int{"p": 200, "everything": 200, "a": 403, "b": 403, "x": 401} {
		require.Equal(t, code, c.do(http.MethodGet, "/v1/parked", nil, withKey(key)).code, key)
	}
}

// TestKeysRotate: the old and the new secret are both good while both stand in the file, which is read again by itself; a file that is
// empty or away for a moment locks nobody out.
func TestKeysRotate(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "key")
	now := noon
	write := func(text string) {
		require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
		now = now.Add(reloadEvery)
	}
	write("old\n")
	scoped, err := newKeyring(nil, access.Keys{"app": {SecretFile: file}}, zap.NewNop())
	require.NoError(t, err)
	keys, err := secret.File(file)
	require.NoError(t, err)
	plain, err := newKeyring([]secret.Secret{keys}, nil, zap.NewNop())
	require.NoError(t, err)
	good := func(secrets ...string) {
		t.Helper()
		for _, s := range []string{"old", "new", ""} {
			require.Equal(t, slices.Contains(secrets, s), scoped.find(s, now) != nil, s)
			require.Equal(t, slices.Contains(secrets, s), plain.find(s, now) != nil, "%s of write_keys_file", s)
		}
	}
	good("old")
	write("new\nold\n")
	good("old", "new")
	for _, nothing := range []string{"", " \n \n"} {
		write(nothing)
		good("old", "new")
	}
	require.NoError(t, os.Remove(file))
	now = now.Add(reloadEvery)
	good("old", "new")
	write("new\n")
	good("new")
	_, err = newKeyring([]secret.Secret{secret.New(" ")}, nil, zap.NewNop())
	require.ErrorContains(t, err, "write_keys_file holds no key")
}

// TestRateLimit: what goes beyond a key's rate is refused whole, with the seconds after which it will fit; other keys don't notice; what was
// accepted is there.
func TestRateLimit(t *testing.T) {
	t.Parallel()
	cluster := startKafka(t)
	var clock clock
	c := start(t, testConfig(cluster, func(c *Config) {
		c.Now = clock.now
		c.Keys = access.Keys{
			"slow": {Secret: secret.New("s"), Rate: access.Rate{PerSecond: 2, Burst: 5}},
			"free": {Secret: secret.New("f")},
		}
	}))
	sent := 0
	send := func(key string, events int) response {
		body := `{"context":{"groupId":"acme"},"batch":[`
		for i := range events {
			if i > 0 {
				body += ","
			}
			body += track(strconv.Itoa(sent)+"-"+strconv.Itoa(i), "ada")
		}
		sent++
		return c.do(http.MethodPost, "/v1/batch", []byte(body+"]}"), withKey(key))
	}
	require.Equal(t, 200, send("s", 5).code, "the burst")
	for range 2 { // being refused costs nothing
		answer := send("s", 3)
		require.Equal(t, 429, answer.code)
		require.Equal(t, "2", answer.header.Get("Retry-After"), "3 events at 2 a second take 1.5 s")
		require.Equal(t, "rate_limited", answer.refusal(t).Code)
		require.Contains(t, answer.refusal(t).Message, "the write key slow sends more than its 2 events a second")
	}
	require.Equal(t, 200, send("f", 50).code)
	clock.forward(1500 * time.Millisecond)
	require.Equal(t, 200, send("s", 3).code)
	require.Equal(t, 429, send("s", 1).code)
	clock.forward(time.Hour)
	require.Equal(t, 200, send("s", 20).code, "a request of more than the burst has its turn when the bucket is full")
	require.Len(t, readTopic(t, cluster.ListenAddrs(), "telemetry"), 5+50+3+20)
}
