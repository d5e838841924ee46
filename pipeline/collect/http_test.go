package collect

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kfake"
	"go.uber.org/zap"

	"tidemark/schemas/secret"
	"tidemark/sinks/kafka/login"
)

func TestEveryPath(t *testing.T) {
	t.Parallel()
	cluster := startKafka(t)
	c := start(t, testConfig(cluster))
	const common = `"userId":"ada","context":{"groupId":"acme"},"messageId":`
	bodies := map[string]string{
		"track": `"event":"Signed In",`, "identify": ``, "group": `"groupId":"acme",`, "page": `"name":"Home",`, "screen": ``, "alias": `"previousId":"x",`,
	}
	want := map[string]string{}
	for path, call := range calls {
		if call == callSignals {
			continue // TestSignals
		}
		if call == callBatch {
			c.accept("/v1/"+path, `{"batch":[`+track(path, "ada")+`],"context":{"groupId":"acme"}}`)
			want[path] = typeTrack
			continue
		}
		c.accept("/v1/"+path, `{`+bodies[call]+common+`"`+path+`"}`)
		want[path] = call
	}
	c.accept("/v1/batch", `{"batch":[]}`)
	got := map[string]string{}
	for id, e := range events(t, cluster.ListenAddrs()) {
		got[id] = e["type"].(string)
	}
	require.Equal(t, want, got)
	require.EqualValues(t, len(want), c.metric("events_total", "result", resultAccepted))
	require.EqualValues(t, 2, c.metric("requests_total", "path", "/v1/batch", "code", "200"))
	require.Zero(t, c.metric("in_flight"))

	require.Equal(t, http.StatusNotFound, c.post("/v1/trakc", `{}`).code)
	require.Equal(t, http.StatusMethodNotAllowed, c.get("/v1/track").code)
	require.Equal(t, http.StatusOK, c.get("/livez").code)
}

// TestRefusedBatch: one bad message keeps the whole batch out, and says which.
func TestRefusedBatch(t *testing.T) {
	t.Parallel()
	cluster := startKafka(t)
	c := start(t, testConfig(cluster))
	answer := c.post("/v1/batch", `{"batch":[`+track("m1", "ada")+`,{"type":"track","userId":"ada"}],"context":{"groupId":"acme"}}`)
	require.Equal(t, http.StatusBadRequest, answer.code)
	require.JSONEq(t, `{"error":"invalid","field":"event","index":1,"message":"event is missing: a track call names what happened, for example \"Report Published\""}`, string(answer.body))
	require.Equal(t, "application/json", answer.header.Get("Content-Type"))
	require.Empty(t, answer.header.Get("Retry-After"))
	require.Empty(t, readTopic(t, cluster.ListenAddrs(), "telemetry"))
	require.EqualValues(t, 2, c.metric("events_total", "result", resultRejected))
	require.EqualValues(t, 1, c.metric("requests_total", "code", "400"))
}

func TestBodies(t *testing.T) {
	t.Parallel()
	cluster := startKafka(t)
	c := start(t, testConfig(cluster))
	zip := func(content []byte) []byte {
		var b bytes.Buffer
		w := gzip.NewWriter(&b)
		_, err := w.Write(content)
		require.NoError(t, err)
		require.NoError(t, w.Close())
		return b.Bytes()
	}
	gzipped := func(r *http.Request) { r.Header.Set("Content-Encoding", "GZIP") }
	chunked := func(r *http.Request) { r.ContentLength = -1 }
	batch := []byte(`{"batch":[` + track("zipped", "ada") + `],"context":{"groupId":"acme"}}`)

	require.Equal(t, 200, c.do("POST", "/v1/batch", zip(batch), gzipped).code)
	require.Contains(t, events(t, cluster.ListenAddrs()), "zipped")

	large := bytes.Repeat([]byte(" "), 500<<10)
	require.Equal(t, 400, c.do("POST", "/v1/batch", large, nil).code, "500 KB are read")
	for name, change := range map[string]func(*http.Request){"announced": nil, "chunked": chunked} {
		answer := c.do("POST", "/v1/batch", append(large, ' '), change)
		require.Equal(t, http.StatusRequestEntityTooLarge, answer.code, name)
		require.Contains(t, answer.refusal(t).Message, "more than 512000 bytes: send fewer messages at once")
	}
	bomb := zip(make([]byte, 16<<20)) // 16 MB in 16 KB
	require.Less(t, len(bomb), 100<<10)
	require.Equal(t, http.StatusRequestEntityTooLarge, c.do("POST", "/v1/batch", bomb, gzipped).code)
	require.Equal(t, http.StatusRequestEntityTooLarge, c.do("POST", "/v1/batch", zip(append(large, ' ')), gzipped).code)

	for name, body := range map[string][]byte{"not gzip": batch, "cut": zip(batch)[:40], "garbage after": append(zip(batch), "x"...)} {
		answer := c.do("POST", "/v1/batch", body, gzipped)
		require.Equal(t, http.StatusBadRequest, answer.code, name)
		require.Contains(t, answer.refusal(t).Message, "the body cannot be read")
	}
	answer := c.do("POST", "/v1/batch", batch, func(r *http.Request) { r.Header.Set("Content-Encoding", "br") })
	require.Equal(t, http.StatusUnsupportedMediaType, answer.code)
	require.Equal(t, "Content-Encoding", answer.refusal(t).Field)
	require.Equal(t, http.StatusRequestHeaderFieldsTooLarge, c.do("POST", "/v1/batch", batch, func(r *http.Request) {
		r.Header.Set("X-Large", strings.Repeat("x", 64<<10))
	}).code)
}

// TestBodyMemory: what a body unzips to is never held beyond the limit.
func TestBodyMemory(t *testing.T) {
	var zipped bytes.Buffer
	w, err := gzip.NewWriterLevel(&zipped, gzip.BestSpeed)
	require.NoError(t, err)
	_, err = io.CopyN(w, endless{}, 16<<20)
	require.NoError(t, err)
	require.NoError(t, w.Close())
	request, err := http.NewRequest(http.MethodPost, "/", bytes.NewReader(zipped.Bytes()))
	require.NoError(t, err)
	request.Header.Set("Content-Encoding", "gzip")
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	body, refused := readBody(request, 500<<10)
	runtime.ReadMemStats(&after)
	require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(4<<20))
	require.Nil(t, body)
	require.Equal(t, http.StatusRequestEntityTooLarge, refused.status)
}

type endless struct{}

func (endless) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

func TestWriteKeys(t *testing.T) {
	t.Parallel()
	cluster := startKafka(t)
	c := start(t, testConfig(cluster, func(c *Config) { c.WriteKeys = []secret.Secret{secret.New("first-key"), secret.New("second-key")} }))
	basic := func(key string) func(*http.Request) {
		return func(r *http.Request) { r.SetBasicAuth(key, "") }
	}
	body := func(key string) string {
		return fmt.Sprintf(`{"event":"e","userId":"ada","context":{"groupId":"acme"},"writeKey":%q}`, key)
	}
	for _, test := range []struct {
		name, body string
		change     func(*http.Request)
		code       int
	}{
		{"basic", body(""), basic("first-key"), 200},
		{"body", body("second-key"), nil, 200},
		{"basic and body", body("wrong"), basic("second-key"), 200},
		{"bearer and body", body("second-key"), func(r *http.Request) { r.Header.Set("Authorization", "Bearer token") }, 200},
		{"none", `{"event":"e","userId":"ada"}`, nil, 401},
		{"wrong basic", body("first-key"), basic("wrong"), 401},
		{"wrong body", body("first"), nil, 401},
		{"a longer one", body("first-keyx"), nil, 401},
		{"wrong key, bad message", `{"userId":"ada","writeKey":"wrong"}`, nil, 401},
		{"no key, no JSON", `{`, nil, 400},
	} {
		answer := c.do(http.MethodPost, "/v1/track", []byte(test.body), test.change)
		require.Equal(t, test.code, answer.code, test.name)
		if test.code == 401 {
			require.Equal(t, "writeKey", answer.refusal(t).Field)
		}
	}
	written := readTopic(t, cluster.ListenAddrs(), "telemetry")
	require.Len(t, written, 4)
	for _, r := range written {
		require.NotContains(t, string(r.Value), "writeKey")
	}
	require.Equal(t, 401, c.get("/v1/parked").code)
	require.Equal(t, 200, c.do(http.MethodGet, "/v1/parked", nil, basic("first-key")).code)
}

func TestConfigErrors(t *testing.T) {
	_, err := New(Config{WriteKeys: []secret.Secret{secret.New("")}, MaxInFlight: -1, SASL: &login.SASL{Mechanism: "GSSAPI"}}, zap.NewNop(), prometheus.NewRegistry())
	require.ErrorContains(t, err, "brokers is empty: name at least one Kafka broker as host:port")
	require.ErrorContains(t, err, "write_keys[0] is empty")
	require.ErrorContains(t, err, "max_in_flight is negative")
	require.ErrorContains(t, err, `sasl mechanism "GSSAPI" is unknown: use PLAIN`)

	taken, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { require.NoError(t, taken.Close()) }()
	_, err = New(Config{Brokers: []string{"127.0.0.1:1"}, Listen: taken.Addr().String()}, zap.NewNop(), prometheus.NewRegistry())
	require.ErrorContains(t, err, "address already in use: choose another address, or end what uses it")
}

func TestMissingTopics(t *testing.T) {
	t.Parallel()
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(1, "telemetry", "users"))
	require.NoError(t, err)
	defer cluster.Close()
	c, err := New(testConfig(cluster), zap.NewNop(), prometheus.NewRegistry())
	require.NoError(t, err)
	err = c.Run(t.Context())
	require.ErrorContains(t, err, `topic "accounts" does not exist: create it`)
	require.ErrorContains(t, err, `topic "parked" does not exist: create it`)
}
