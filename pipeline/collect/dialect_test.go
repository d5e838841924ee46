package collect

import (
	"bufio"
	"bytes"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"

	"tidemark/schemas/secret"
)

var update = flag.Bool("update", false, "write the golden files anew")

// dialectTime is when the recorded requests are said to be received, after the times in them.
var dialectTime = time.Date(2026, 11, 26, 7, 46, 50, 0, time.UTC)

// idle is a collector that was made but doesn't run: it parses.
func idle(t testing.TB, change ...func(*Config)) *Collector {
	t.Helper()
	cfg := Config{Listen: "127.0.0.1:0", Brokers: []string{"127.0.0.1:1"}, Now: func() time.Time { return dialectTime }}
	for _, f := range change {
		f(&cfg)
	}
	c, err := New(cfg, zap.NewNop(), prometheus.NewRegistry())
	require.NoError(t, err)
	t.Cleanup(func() {
		c.directory.close()
		require.NoError(t, c.listener.Close())
	})
	return c
}

// dialectOf returns what takes a path: "" is Segment's batch call.
func dialectOf(path string) (d dialect, found bool) {
	for _, d := range dialects() {
		for _, p := range d.paths {
			if strings.TrimSuffix(path, "/") == p {
				return d, true
			}
		}
	}
	return d, false
}

// readRequest returns a recorded request and its body, unzipped.
func readRequest(t testing.TB, file string) (*http.Request, []byte) {
	t.Helper()
	raw, err := os.ReadFile(file)
	require.NoError(t, err)
	r, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(raw)))
	require.NoError(t, err, file)
	body, refused := readBody(r, 500<<10)
	require.Nil(t, refused, file)
	return r, body
}

// compareGolden holds got against a file beside the request that it is of.
func compareGolden(t testing.TB, file string, got []byte) {
	t.Helper()
	golden := strings.TrimSuffix(file, filepath.Ext(file)) + ".golden"
	if *update {
		require.NoError(t, os.WriteFile(golden, got, 0o600))
	}
	want, err := os.ReadFile(golden)
	require.NoError(t, err)
	require.Equal(t, string(want), string(got), file)
}

// TestRecordedDialects: what the SDKs of PostHog, RudderStack, CloudEvents and OpenTelemetry sent becomes canonical events. Files
// with -node and -python were recorded from the unmodified SDKs, -browser and openmeter follow their vendors' pages.
func TestRecordedDialects(t *testing.T) {
	c := idle(t)
	files, err := filepath.Glob("testdata/dialects/*.http")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		r, body := readRequest(t, file)
		var q *request
		var refused *refusal
		if d, ok := dialectOf(r.URL.Path); ok {
			q, refused = d.parse(c, r, body, dialectTime)
		} else {
			q, refused = parseRequest(body, callBatch, c.limits())
		}
		require.Nil(t, refused, "%s: %v", file, refused)
		require.Nil(t, stamp(q.messages, dialectTime), file)
		var got bytes.Buffer
		fmt.Fprintf(&got, "key %q, events %d, ignored %d\n", q.key(r), q.sent, q.ignored)
		for _, m := range q.messages {
			value := m.body.encode()
			fmt.Fprintf(&got, "%s\n", value)
			requireDecodes(t, m, value)
			require.NotContains(t, string(value), "203.0.113.7")
		}
		compareGolden(t, file, got.Bytes())
	}
}

func TestDialectRefusals(t *testing.T) {
	c := idle(t)
	for _, tc := range []struct{ path, contentType, body, field, message string }{
		{"/batch", "", `{"batch":1}`, "batch", "batch is not an array"},
		{"/batch", "", `{"batch":[{"event":"e"}]}`, "distinct_id", "distinct_id is missing"},
		{"/batch", "", `{"batch":[{"distinct_id":"u"}]}`, "event", "event is missing"},
		{"/e", "", `[{"event":"e","distinct_id":"u","timestamp":"yesterday"}]`, "timestamp", "is not an RFC 3339 time"},
		{"/e?compression=lz64", "", `N4Ig`, "compression", "lz64 is not supported"},
		{"/e", "", `data=%%%`, "data", "not URL-encoded"},
		{"/e", "", "data=!!", "data", "neither JSON nor base64"},
		{"/v1/cloudevents", "application/cloudevents+json", `{"specversion":"1.0","id":"1","source":"s"}`, "type", "type is missing"},
		{"/v1/cloudevents", "application/cloudevents+json", `{"specversion":"0.3","id":"1","source":"s","type":"t"}`, "specversion", "send CloudEvents 1.0"},
		{"/v1/cloudevents", "application/cloudevents+json", `{"specversion":"1.0","id":"1","source":"s","type":"t"}`, "", "send the account's id as subject"},
		{"/v1/cloudevents", "application/json", `nonsense`, "", "not valid JSON"},
		{"/v1/logs", "application/json", `{"resourceLogs":1}`, "resourceLogs", "OTLP's JSON"},
		{"/v1/logs", "application/x-protobuf", "\x0a\xff", "", "in protobuf"},
		{"/v1/logs", "application/json", `{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"eventName":"feature_flag.evaluation"}]}]}]}`, "feature_flag.key", "names its flag"},
	} {
		r := httptest.NewRequest(http.MethodPost, tc.path, strings.NewReader(tc.body))
		r.Header.Set("Content-Type", tc.contentType)
		d, ok := dialectOf(r.URL.Path)
		require.True(t, ok)
		_, refused := d.parse(c, r, []byte(tc.body), dialectTime)
		require.NotNil(t, refused, tc.body)
		require.Equal(t, tc.field, refused.Field, tc.body)
		require.Contains(t, refused.Message, tc.message)
	}
}

// TestPostHogIdentity: PostHog finds duplicates by uuid, event, timestamp and distinct_id, all four.
func TestPostHogIdentity(t *testing.T) {
	c := idle(t)
	id := func(event string) string {
		q, refused := parsePostHog(c, httptest.NewRequest(http.MethodPost, "/e", nil), []byte(event), dialectTime)
		require.Nil(t, refused)
		return q.messages[0].messageID
	}
	const event = `{"uuid":"%s","event":"%s","timestamp":"%s","distinct_id":"%s","properties":{"n":%d}}`
	base := id(fmt.Sprintf(event, "u1", "e", "2026-11-26T05:00:00Z", "ada", 1))
	require.Equal(t, base, id(fmt.Sprintf(event, "u1", "e", "2026-11-26T05:00:00Z", "ada", 2)))
	for _, other := range []string{
		fmt.Sprintf(event, "u2", "e", "2026-11-26T05:00:00Z", "ada", 1), fmt.Sprintf(event, "u1", "f", "2026-11-26T05:00:00Z", "ada", 1),
		fmt.Sprintf(event, "u1", "e", "2026-11-26T05:00:01Z", "ada", 1), fmt.Sprintf(event, "u1", "e", "2026-11-26T05:00:00Z", "bob", 1),
	} {
		require.NotEqual(t, base, id(other))
	}
}

// TestDialectAccounts: events find their accounts, also those that wait for them, and an evaluation is nobody's use.
func TestDialectAccounts(t *testing.T) {
	t.Parallel()
	cluster := startKafka(t)
	c := start(t, testConfig(cluster, func(c *Config) { c.WriteKeys = []secret.Secret{secret.New("key")} }))
	post := func(path, contentType, body string, want int) response {
		answer := c.do(http.MethodPost, path, []byte(body), func(r *http.Request) {
			r.Header.Set("Content-Type", contentType)
			r.Header.Set("Authorization", "Bearer key")
		})
		require.Equal(t, want, answer.code, "%s", answer.body)
		return answer
	}
	const flag = `{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"timeUnixNano":"1772354400000000000","eventName":"feature_flag.evaluation","attributes":[
		{"key":"feature_flag.key","value":{"stringValue":"f"}},{"key":"feature_flag.context.id","value":{"stringValue":"ada"}}]},{"body":{"stringValue":"a line"}}]}]}]}`
	answer := post("/v1/logs", "application/json", flag, http.StatusOK)
	require.JSONEq(t, `{"partialSuccess":{"rejectedLogRecords":"1","errorMessage":"only feature_flag.evaluation events are taken here"}}`, string(answer.body))
	post("/v1/cloudevents", "application/cloudevents+json", `{"specversion":"1.0","id":"1","source":"s","type":"waits","data":{"user_id":"ada"}}`, http.StatusNoContent)
	require.Len(t, outstanding(t, cluster.ListenAddrs()), 2)
	answer = post("/batch/", "application/json", `{"api_key":"key","batch":[{"event":"knows","distinct_id":"ada","uuid":"1","properties":{"$groups":{"company":"acme"}}}]}`, http.StatusOK)
	require.JSONEq(t, `{"status":1}`, string(answer.body))
	eventually(t, func() bool { return len(outstanding(t, cluster.ListenAddrs())) == 0 }, patience, 20*time.Millisecond)
	users := map[string]any{}
	for _, e := range events(t, cluster.ListenAddrs()) {
		users[e["event"].(string)] = e["userId"]
		require.Equal(t, "acme", e["context"].(map[string]any)["groupId"])
	}
	require.Equal(t, map[string]any{"feature_flag.evaluation": nil, "waits": "ada", "knows": "ada"}, users)
	require.Equal(t, http.StatusUnauthorized, c.post("/e", `{"api_key":"other","event":"e","distinct_id":"u"}`).code)
}

// FuzzDialects holds that no body is more than its dialect's parser can bear, and that what it takes is what the pipeline takes.
func FuzzDialects(f *testing.F) {
	c := idle(f)
	all := dialects()
	files, err := filepath.Glob("testdata/dialects/*.http")
	require.NoError(f, err)
	for _, file := range files {
		r, body := readRequest(f, file)
		for i, d := range all {
			if known, ok := dialectOf(r.URL.Path); ok && known.paths[0] == d.paths[0] {
				f.Add(uint8(i), r.Header.Get("Content-Type"), r.Header.Get("ce-type"), body)
			}
		}
	}
	f.Fuzz(func(t *testing.T, which uint8, contentType, ceType string, body []byte) {
		r := httptest.NewRequest(http.MethodPost, "/", bytes.NewReader(body))
		r.Header = http.Header{"Content-Type": {contentType}}
		if ceType != "" {
			for name, value := range map[string]string{"Specversion": "1.0", "Id": "1", "Source": "s", "Subject": "a", "Type": ceType} {
				r.Header["Ce-"+name] = []string{value}
			}
		}
		body, refused := readBody(r, 100<<10)
		require.Nil(t, refused)
		d := all[int(which)%len(all)]
		q, refused := d.parse(c, r, body, dialectTime)
		if refused == nil {
			refused = stamp(q.messages, dialectTime)
		}
		if refused != nil {
			require.NotEmpty(t, refused.Message)
			return
		}
		for _, m := range q.messages {
			value := m.body.encode()
			requireDecodes(t, m, value)
		}
		w := httptest.NewRecorder()
		d.success(w, r, q)
		require.Less(t, w.Code, 300)
		_, err := io.Copy(io.Discard, w.Body)
		require.NoError(t, err)
	})
}
