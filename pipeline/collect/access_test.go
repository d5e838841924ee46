package collect

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"tidemark/schemas/access"
	"tidemark/schemas/secret"
)

// TestNesting: no route takes JSON that is nested deeply, and none takes long or dies of it.
func TestNesting(t *testing.T) {
	t.Parallel()
	cluster := startKafka(t)
	sources := testSources(t)
	for _, s := range sources {
		s.Secret = secret.Secret{}
	}
	c := start(t, testConfig(cluster, func(c *Config) { c.Sources = sources }))
	bomb := strings.Repeat(`{"a":[`, 100_000/6)
	deep := strings.Repeat(`[`, maxNesting) + strings.Repeat(`]`, maxNesting)
	binary := func(r *http.Request) {
		for name, value := range map[string]string{"Ce-Specversion": "1.0", "Ce-Id": "1", "Ce-Source": "s", "Ce-Type": "t", "Ce-Subject": "acme", "Content-Type": "application/json"} {
			r.Header.Set(name, value)
		}
	}
	for path, change := range map[string]func(*http.Request){
		"/v1/batch": nil, "/v1/track": nil, "/v1/signals": nil, "/v1/accounts": nil, "/batch": nil, "/v1/cloudevents": nil, "/v1/logs": nil,
		"/v1/webhooks/zendesk": nil, "/api/v1/events": binary,
	} {
		for _, body := range []string{bomb, `{"properties":` + deep + `}`} {
			answer := c.do(http.MethodPost, path, []byte(body), change)
			require.Equal(t, http.StatusBadRequest, answer.code, path)
			require.Contains(t, answer.refusal(t).Message, "nested more than 64 deep", path)
		}
	}
	flat := `{"event":"e","userId":"ada","context":{"groupId":"acme"},"properties":{"text":"` + strings.Repeat(`[{\"`, 100) + `","deep":` + deep[2:len(deep)-2] + `}}`
	c.accept("/v1/track", flat)
}

// TestCORS: pages of configured origins may send to what browser SDKs use and read the answers; no others are told that they may, and nobody
// may with credentials. What sendBeacon posts is taken without a preflight.
func TestCORS(t *testing.T) {
	t.Parallel()
	cluster := startKafka(t)
	c := start(t, testConfig(cluster, func(c *Config) {
		c.Origins, c.WriteKeys = []string{"https://app.example.com"}, []secret.Secret{secret.New("k")}
	}))
	from := func(origin string, more ...string) func(*http.Request) {
		return func(r *http.Request) {
			r.Header.Set("Origin", origin)
			for i := 0; i < len(more); i += 2 {
				r.Header.Set(more[i], more[i+1])
			}
		}
	}
	const app, allow = "https://app.example.com", "Access-Control-Allow-Origin"
	ask := []string{"Access-Control-Request-Method", "POST", "Access-Control-Request-Headers", "authorization,content-type"}
	for _, path := range []string{"/v1/t", "/v1/batch", "/v1/signals", "/e/", "/i/v0/e", "/batch"} {
		answer := c.do(http.MethodOptions, path, nil, from(app, ask...))
		require.Equal(t, http.StatusNoContent, answer.code, path)
		require.Equal(t, app, answer.header.Get(allow))
		require.Equal(t, "POST", answer.header.Get("Access-Control-Allow-Methods"))
		require.Contains(t, answer.header.Get("Access-Control-Allow-Headers"), "Authorization")
		require.Contains(t, answer.header.Get("Access-Control-Allow-Headers"), "Content-Type")
		require.Equal(t, "Origin", answer.header.Get("Vary"))
		require.Empty(t, answer.header.Get("Access-Control-Allow-Credentials"))
		answer = c.do(http.MethodOptions, path, nil, from("https://evil.example.com", ask...))
		require.Equal(t, http.StatusForbidden, answer.code, path)
		require.Empty(t, answer.header.Get(allow))
		require.Contains(t, answer.refusal(t).Message, "add the origin to collector.cors_origins")
	}
	for _, path := range []string{"/v1/accounts", "/v1/parked", "/v1/logs"} {
		require.Equal(t, http.StatusMethodNotAllowed, c.do(http.MethodOptions, path, nil, from(app, ask...)).code, path)
	}
	body := []byte(`{"writeKey":"k","event":"e","userId":"ada","context":{"groupId":"acme"}}`)
	answer := c.do(http.MethodPost, "/v1/t", body, from(app, "Content-Type", "text/plain"))
	require.Equal(t, http.StatusOK, answer.code)
	require.Equal(t, app, answer.header.Get(allow))
	require.Contains(t, answer.header.Get("Access-Control-Expose-Headers"), "Retry-After")
	answer = c.do(http.MethodPost, "/e/?compression=gzip-js&beacon=1", zip(t, []byte(`{"api_key":"k","batch":[{"event":"e","distinct_id":"ada","properties":{"$groups":{"company":"acme"}}}]}`)),
		from(app, "Content-Type", "text/plain"))
	require.Equal(t, http.StatusOK, answer.code, "%s", answer.body)
	answer = c.do(http.MethodPost, "/v1/t", []byte(`{}`), from(app))
	require.Equal(t, http.StatusBadRequest, answer.code)
	require.Equal(t, app, answer.header.Get(allow), "a page can read why")
	answer = c.do(http.MethodPost, "/v1/t", body, from("https://evil.example.com"))
	require.Equal(t, http.StatusOK, answer.code, "it is the key that decides")
	require.Empty(t, answer.header.Get(allow))
	require.Len(t, readTopic(t, cluster.ListenAddrs(), "telemetry"), 3)

	all := start(t, testConfig(cluster, func(c *Config) { c.Origins = []string{"*"} }))
	require.Equal(t, "*", all.do(http.MethodOptions, "/v1/t", nil, from(app, ask...)).header.Get(allow))
	none := start(t, testConfig(cluster))
	require.Empty(t, none.do(http.MethodPost, "/v1/t", body, from(app)).header.Get(allow))
}

// certificate writes a certificate for 127.0.0.1, and its key, into dir.
func certificate(t *testing.T, dir string, serial int64) (certFile, keyFile string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(serial), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	require.NoError(t, err)
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(t, err)
	certFile, keyFile = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	for file, block := range map[string]*pem.Block{certFile: {Type: "CERTIFICATE", Bytes: der}, keyFile: {Type: "PRIVATE KEY", Bytes: keyDER}} {
		require.NoError(t, os.WriteFile(file, pem.EncodeToMemory(block), 0o600))
		at := time.Unix(1_700_000_000+serial, 0)
		require.NoError(t, os.Chtimes(file, at, at))
	}
	return certFile, keyFile
}

// TestTLS: the collector speaks TLS, shows a renewed certificate without a restart, and goes on with the old one while files are not whole.
func TestTLS(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	certFile, keyFile := certificate(t, dir, 1)
	pair, err := Certificate(certFile, keyFile)
	require.NoError(t, err)
	c, err := New(testConfig(startKafka(t), func(c *Config) { c.Certificate = pair }), zap.NewNop(), newRegistry())
	require.NoError(t, err)
	server := c.server(t.Context())
	served := make(chan error, 1)
	go func() { served <- server.ServeTLS(c.listener, "", "") }()
	defer func() {
		require.NoError(t, server.Close())
		require.ErrorIs(t, <-served, http.ErrServerClosed)
		c.directory.close()
	}()
	shown := func() int64 {
		conn, err := tls.Dial("tcp", c.Addr(), &tls.Config{InsecureSkipVerify: true})
		require.NoError(t, err)
		defer conn.Close() //nolint:errcheck // the test is done with it
		return conn.ConnectionState().PeerCertificates[0].SerialNumber.Int64()
	}
	require.EqualValues(t, 1, shown())
	certificate(t, dir, 2)
	require.EqualValues(t, 2, shown())
	require.NoError(t, os.WriteFile(certFile, []byte("half"), 0o600))
	require.EqualValues(t, 2, shown())
	_, err = tls.Dial("tcp", c.Addr(), &tls.Config{InsecureSkipVerify: true, MaxVersion: tls.VersionTLS11})
	require.Error(t, err)
	_, err = Certificate(certFile, keyFile)
	require.ErrorContains(t, err, "load cert_file and key_file")
}

// produce writes a record as another system would.
func produce(t testing.TB, brokers []string, topic, key, value string) {
	t.Helper()
	writer, err := kgo.NewClient(kgo.SeedBrokers(brokers...))
	require.NoError(t, err)
	defer writer.Close()
	require.NoError(t, writer.ProduceSync(t.Context(), &kgo.Record{Topic: topic, Key: []byte(key), Value: []byte(value)}).FirstErr())
}

// TestLogsNameTheRequestAndNothingInIt: each refused request is logged by the id that its answer has, and neither keys nor anything that was
// sent, nor what stands unreadable in the topics, ever comes into the log.
func TestLogsNameTheRequestAndNothingInIt(t *testing.T) {
	t.Parallel()
	cluster := startKafka(t)
	const private = "Xq7Jvalue"
	for _, topic := range []string{"users", "accounts", "parked"} {
		for _, value := range []string{`{"account_id":"` + private + `"`, `{"account_id":987654321987,"` + private + `":1}`, private} {
			produce(t, cluster.ListenAddrs(), topic, "u:"+private+"|x", value)
		}
	}
	core, logs := observer.New(zapcore.DebugLevel)
	c := startLogging(t, testConfig(cluster, func(c *Config) {
		c.Now = new(clock).now // a bucket that filled up meanwhile would let the last request in
		c.Keys = access.Keys{"app": {Secret: secret.New(private + "-key"), Sources: []string{"segment", "signals"}, Rate: access.Rate{PerSecond: 1, Burst: 1}}}
	}), zap.New(core))
	for i, tc := range []struct {
		path, key, body string
		code            int
	}{
		{"/v1/track", "key", `{"userId":7,"event":["` + private + `"]}`, 400},
		{"/v1/track", "key", `{"` + private + `":1,"` + private + `":2}`, 400},
		{"/v1/track", "key", private, 400},
		{"/v1/track", "wrong", `{"userId":"` + private + `","event":"e"}`, 401},
		{"/v1/signals", "key", `{"type":"` + private + `"}`, 400},
		{"/v1/accounts", "key", `{"account_id":"` + private + `","plan":"x"}`, 403},
		{"/v1/track", "key", `{"userId":"` + private + `","event":"e","context":{"groupId":"` + private + `"}}`, 200},
		{"/v1/track", "key", `{"userId":"` + private + `","event":"e","context":{"groupId":"` + private + `"}}`, 429},
	} {
		answer := c.do(http.MethodPost, tc.path, []byte(tc.body), func(r *http.Request) {
			withKey(private + "-" + tc.key)(r)
			if i%2 == 0 {
				r.Header.Set("X-Request-Id", "from.a-proxy")
			} else {
				r.Header.Set("X-Request-Id", private+" spoofed")
			}
		})
		require.Equal(t, tc.code, answer.code, "%s", answer.body)
		id := answer.header.Get("X-Request-Id")
		if i%2 == 0 {
			require.Equal(t, "from.a-proxy", id)
		} else {
			require.Regexp(t, "^[0-9a-f]{16}$", id)
			if i < 5 { // of a second no more are logged
				require.Len(t, logs.FilterField(zap.String("request_id", id)).FilterMessage("refused").All(), 1)
			}
		}
	}
	c.stop()
	require.NotZero(t, logs.FilterMessage("skip record: it cannot be read").Len())
	encoder := zapcore.NewJSONEncoder(zap.NewProductionEncoderConfig())
	for _, entry := range logs.All() {
		line, err := encoder.EncodeEntry(entry.Entry, entry.Context)
		require.NoError(t, err)
		require.False(t, bytes.Contains(line.Bytes(), []byte(private)) || bytes.Contains(line.Bytes(), []byte("987654321987")), "%s", line)
	}
}
