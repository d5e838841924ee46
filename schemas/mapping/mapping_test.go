package mapping

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"flag"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"
)

var update = flag.Bool("update", false, "write the golden files anew")

func decode(file, text string) (Sources, error) {
	var doc yaml.Node
	if err := yaml.Unmarshal([]byte(text), &doc); err != nil {
		return nil, err
	}
	var s Sources
	return s, s.DecodeYAML(file, doc.Content[0])
}

func load(t testing.TB) Sources {
	t.Helper()
	text, err := os.ReadFile("testdata/sources.yaml")
	require.NoError(t, err)
	var doc yaml.Node
	require.NoError(t, yaml.Unmarshal(text, &doc))
	var s Sources
	require.NoError(t, s.DecodeYAML("sources.yaml", doc.Content[0]))
	return s
}

// TestVendors: webhooks in the form of the vendors' pages (testdata/README.md) become Tidemark's own events, and those that say nothing of interest none.
func TestVendors(t *testing.T) {
	sources := load(t)
	files, err := filepath.Glob("testdata/*.jsonl")
	require.NoError(t, err)
	require.Len(t, files, len(sources))
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".jsonl")
		content, err := os.ReadFile(file)
		require.NoError(t, err)
		var got bytes.Buffer
		for line := range bytes.Lines(content) {
			events, err := sources[name].Apply(name, line)
			require.NoError(t, err, "%s", line)
			if len(events) == 0 {
				got.WriteString("nothing\n")
			}
			for _, e := range events {
				fields, err := json.Marshal(e.Fields)
				require.NoError(t, err)
				fmt.Fprintf(&got, "account %q, waits for %v: %s\n", e.Account, e.Waits, fields)
			}
		}
		golden := strings.TrimSuffix(file, ".jsonl") + ".golden"
		if *update {
			require.NoError(t, os.WriteFile(golden, got.Bytes(), 0o600))
		}
		want, err := os.ReadFile(golden)
		require.NoError(t, err)
		require.Equal(t, string(want), got.String(), file)
	}
}

// TestDerivedID: a change is the same however it is delivered, and another change is another.
func TestDerivedID(t *testing.T) {
	jira := load(t)["jira"]
	content, err := os.ReadFile("testdata/jira.jsonl")
	require.NoError(t, err)
	lines := bytes.Split(content, []byte("\n"))
	id := func(body []byte) string {
		events, err := jira.Apply("jira", body)
		require.NoError(t, err)
		return events[0].ID
	}
	require.Equal(t, id(lines[0]), id(append([]byte(" "), lines[0]...)))
	require.NotEqual(t, id(lines[0]), id(bytes.Replace(lines[0], []byte("SUP-7"), []byte("SUP-8"), 1)))
}

func TestSignatures(t *testing.T) {
	zendesk := load(t)["zendesk"]
	now := time.Date(2026, 11, 20, 14, 0, 0, 0, time.UTC)
	sign := func(at, body, secret string) http.Header {
		mac := hmac.New(sha256.New, []byte(secret))
		mac.Write([]byte(at + body))
		return http.Header{"X-Zendesk-Webhook-Signature": {base64.StdEncoding.EncodeToString(mac.Sum(nil))}, "X-Zendesk-Webhook-Signature-Timestamp": {at}}
	}
	const at = "2026-11-20T13:59:00Z"
	require.NoError(t, zendesk.Verify(sign(at, "{}", "s3cret"), []byte("{}"), now))
	require.ErrorContains(t, zendesk.Verify(sign(at, "{}", "other"), []byte("{}"), now), "use the same secret")
	require.ErrorContains(t, zendesk.Verify(sign(at, "{}", "s3cret"), []byte("{ }"), now), "is not that of the body")
	require.ErrorContains(t, zendesk.Verify(http.Header{}, []byte("{}"), now), "is missing")
	require.ErrorContains(t, zendesk.Verify(sign(at, "{}", "s3cret"), []byte("{}"), now.Add(2*time.Hour)), "at most 1h0m0s are accepted")
	moved := sign(at, "{}", "s3cret")
	moved.Set("X-Zendesk-Webhook-Signature-Timestamp", "2026-11-20T14:00:00Z")
	require.Error(t, zendesk.Verify(moved, []byte("{}"), now))
	intercom := load(t)["intercom"] // HMAC-SHA1 of the body, in hex
	require.NoError(t, intercom.Verify(http.Header{"X-Hub-Signature": {"sha1=e7e0225292f975eab7d48999ea520020ef91b18d"}}, []byte("{}"), now))
}

// TestEveryVendorsSignature: each scheme takes what another implementation of it (Python's hmac) has signed, and nothing else.
func TestEveryVendorsSignature(t *testing.T) {
	sources := load(t)
	surveymonkey, err := decode("s.yaml", "surveymonkey: {kind: surveymonkey, secret: client&s3cret}")
	require.NoError(t, err)
	sources["surveymonkey"] = surveymonkey["surveymonkey"]
	for name, signature := range map[string][2]string{
		"jira":         {"X-Hub-Signature", "sha256=5910e62016ef5034272c926c27071992a465c2335cecf41851bda071577f4f6d"},
		"delighted":    {"X-Delighted-Webhook-Signature", "sha256=5910e62016ef5034272c926c27071992a465c2335cecf41851bda071577f4f6d"},
		"typeform":     {"Typeform-Signature", "sha256=WRDmIBbvUDQnLJJsJwcZkqRlwjNc7PQYUb2gcVd/T20="},
		"intercom":     {"X-Hub-Signature", "sha1=79999786a1bff10cd4d7dd0b0752574af76be0b5"},
		"surveymonkey": {"Sm-Signature", "DqGCdtPKCVsmpjpDk1vcjeEU5bk="},
	} {
		header := http.Header{}
		header.Set(signature[0], signature[1])
		require.NoError(t, sources[name].Verify(header, []byte(`{"a":1}`), time.Now()), name)
		require.Error(t, sources[name].Verify(header, []byte(`{"a":2}`), time.Now()), name)
		header.Set(signature[0], strings.ToUpper(signature[1]))
		require.Error(t, sources[name].Verify(header, []byte(`{"a":1}`), time.Now()), "%s: %s", name, header)
		require.Error(t, sources[name].Verify(http.Header{}, []byte(`{"a":1}`), time.Now()), name)
	}
}

// TestDeclaredMistakes: what is wrong with a mapping is said with its file and line, and the name that was probably meant.
func TestDeclaredMistakes(t *testing.T) {
	for _, tc := range []struct{ text, message string }{
		{"a: {kind: zendesc}", `s.yaml:1: kind "zendesc" is unknown; did you mean zendesk?`},
		{"a:\n  kind: mapping\n  evnts: []", `s.yaml:3: a has no key "evnts"; did you mean events?`},
		{"a:\n  kind: mapping", "s.yaml:2: no events are declared"},
		{"a:\n  kind: mapping\n  events:\n    - ticket: {ticket_id: $.id, kind: creatd, occurred_at: $.at}", `s.yaml:4: kind "creatd" is unknown; did you mean created?`},
		{"a:\n  kind: mapping\n  events:\n    - ticket: {tiket_id: $.id, kind: created, occurred_at: $.at}", `s.yaml:4: a ticket has no field "tiket_id"; did you mean ticket_id?`},
		{"a:\n  kind: mapping\n  events:\n    - survey: {survey_id: $.id, kind: nps, responded_at: $.at}", `s.yaml:4: a survey needs score`},
		{"a:\n  kind: mapping\n  events:\n    - survey:\n        survey_id: $.id[", `s.yaml:5: path "$.id[" has [ without ]`},
		{"a:\n  kind: mapping\n  events:\n    - when: {id: x}\n      ticket: {ticket_id: $.id, kind: created, occurred_at: $.at}", `s.yaml:4: "id" is no path`},
		{"a:\n  kind: jira\n  signature: {header: X, algorithm: md5, encoding: hex}", `s.yaml:3: algorithm "md5" is unknown`},
		{"a:\n  kind: jira\n  secret_file: /nowhere", `s.yaml:3: open /nowhere`},
		{"A: {kind: jira}", `"A" is no name of a source`},
	} {
		_, err := decode("s.yaml", tc.text)
		require.ErrorContains(t, err, tc.message, tc.text)
	}
}

// FuzzApply holds that no body brings a mapping down, and that what it makes has an id and the same one each time.
func FuzzApply(f *testing.F) {
	sources := load(f)
	names := []string{"delighted", "intercom", "jira", "surveymonkey", "typeform", "zendesk"}
	for i, name := range names {
		content, err := os.ReadFile("testdata/" + name + ".jsonl")
		require.NoError(f, err)
		for line := range bytes.Lines(content) {
			f.Add(uint8(i), line)
		}
	}
	f.Fuzz(func(t *testing.T, which uint8, body []byte) {
		name := names[int(which)%len(names)]
		events, err := sources[name].Apply(name, body)
		if err != nil {
			return
		}
		again, err := sources[name].Apply(name, body)
		require.NoError(t, err)
		require.Equal(t, events, again)
		for _, e := range events {
			require.NotEmpty(t, e.ID)
			_, err := json.Marshal(e.Fields)
			require.NoError(t, err)
		}
	})
}

// FuzzPath holds that a path is read or refused, and finds only what is there.
func FuzzPath(f *testing.F) {
	for _, s := range []string{"$", "$.a", "$.a[0].b", "$.a[*]", "$.a[?(@.b=='c')].d", "$['a b']", "$.", "a", "$[?(@.=='')]", "$[?("} {
		f.Add(s, []byte(`{"a":[{"b":"c","d":1}],"a b":2}`))
	}
	f.Fuzz(func(t *testing.T, path string, document []byte) {
		p, err := ParsePath(path)
		var v any
		if err != nil || json.Unmarshal(document, &v) != nil {
			return
		}
		require.LessOrEqual(t, len(p.Find(v)), len(document)+1)
	})
}
