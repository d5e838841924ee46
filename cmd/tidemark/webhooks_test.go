package main

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tidemark/internal/devclickhouse"
)

// signed signs a webhook's body as the vendor does.
func signed(header http.Header, vendor string, body []byte) {
	sum := func(text string) []byte {
		mac := hmac.New(sha256.New, []byte("s3cret"))
		mac.Write([]byte(text))
		return mac.Sum(nil)
	}
	switch vendor {
	case "zendesk":
		at := time.Now().UTC().Format(time.RFC3339)
		header.Set("X-Zendesk-Webhook-Signature-Timestamp", at)
		header.Set("X-Zendesk-Webhook-Signature", base64.StdEncoding.EncodeToString(sum(at+string(body))))
	case "intercom":
		mac := hmac.New(sha1.New, []byte("s3cret"))
		mac.Write(body)
		header.Set("X-Hub-Signature", "sha1="+hex.EncodeToString(mac.Sum(nil)))
	case "jira":
		header.Set("X-Hub-Signature", "sha256="+hex.EncodeToString(sum(string(body))))
	case "delighted":
		header.Set("X-Delighted-Webhook-Signature", "sha256="+hex.EncodeToString(sum(string(body))))
	case "typeform":
		header.Set("Typeform-Signature", "sha256="+base64.StdEncoding.EncodeToString(sum(string(body))))
	}
}

// webhook is one of a vendor's.
type webhook struct {
	vendor string
	body   []byte
}

// vendorsWebhooks returns each webhook of the mapping's own tests twice, and how many events of which kind they make.
func vendorsWebhooks(t *testing.T) (all []webhook, want map[string]uint64) {
	t.Helper()
	want = map[string]uint64{}
	for _, vendor := range []string{"zendesk", "intercom", "jira", "delighted", "typeform", "surveymonkey"} {
		lines, err := os.ReadFile("../../schemas/mapping/testdata/" + vendor + ".jsonl")
		require.NoError(t, err)
		for line := range bytes.Lines(lines) {
			all = append(all, webhook{vendor, bytes.TrimSpace(line)}, webhook{vendor, bytes.TrimSpace(line)})
		}
		golden, err := os.ReadFile("../../schemas/mapping/testdata/" + vendor + ".golden")
		require.NoError(t, err)
		what := vendor
		if bytes.Contains(golden, []byte("survey.responded")) {
			what = "surveys"
		}
		want[what] += uint64(strings.Count(string(golden), `account "`))
	}
	return all, want
}

// TestWebhooksAreCounted: the webhooks of every vendor that is known, signed, twice and in any order, come out in ClickHouse once each, as tickets and answers of
// the customer whose ids they name.
func TestWebhooksAreCounted(t *testing.T) {
	t.Parallel()
	b := startBackends(t)
	b.migrate(t)
	sources, err := os.ReadFile("../../schemas/mapping/testdata/sources.yaml")
	require.NoError(t, err)
	config := configFile(t, "collector:\n  sources:\n    "+strings.ReplaceAll(strings.TrimSpace(string(sources)), "\n", "\n    ")+"\n")
	env := b.with("TIDEMARK_CANARY_ENABLED=false", "TIDEMARK_LOG_FORMAT=json")
	collector, pipeline := launch(t, env, "collect", "-c", config), launch(t, env, "run")
	defer collector.end()
	defer pipeline.end()
	address := regexp.MustCompile(`"collector started","listen":"([^"]+)","admin":"([^"]+)"`)
	require.Eventually(t, func() bool { return address.MatchString(collector.stderr.String()) }, 5*time.Minute, 20*time.Millisecond)
	addresses := address.FindStringSubmatch(collector.stderr.String())
	url, ops := "http://"+addresses[1], "http://"+addresses[2]
	require.Eventually(t, func() bool { return get(t, ops+"/readyz") == "ok\n" }, 5*time.Minute, 50*time.Millisecond)

	send := func(path, vendor string, body []byte) (status int, said string) {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url+path, bytes.NewReader(body))
		require.NoError(t, err)
		signed(req.Header, vendor, body)
		client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
		answer, err := client.Do(req)
		require.NoError(t, err)
		defer answer.Body.Close() //nolint:errcheck // only read
		text, err := io.ReadAll(answer.Body)
		require.NoError(t, err)
		return answer.StatusCode, string(text)
	}
	post := func(path, vendor string, body []byte) {
		t.Helper()
		status, said := send(path, vendor, body)
		for deadline := time.Now().Add(5 * time.Minute); status == http.StatusServiceUnavailable && time.Now().Before(deadline); {
			status, said = send(path, vendor, body) // as vendors do when Kafka did not answer in time
		}
		require.Equal(t, http.StatusOK, status, "%s: %s\n%s", vendor, said, body)
	}
	all, want := vendorsWebhooks(t)
	require.Equal(t, map[string]uint64{"zendesk": 13, "intercom": 10, "jira": 10, "surveys": 7}, want)
	random := rand.New(rand.NewPCG(1, 1))
	random.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	for i, w := range all {
		if i == len(all)/2 { // half of the events wait for it
			post("/v1/accounts", "", []byte(`{"account_id":"acme","external_ids":{"zendesk":["8447346622462","requester:8447388090494"],"jira":"project:SUP",
				"intercom":["contact:5ba682d23d7cf92bef87bfd4","contact:5c9553cb","6"]}}`))
		}
		post("/v1/webhooks/"+w.vendor, w.vendor, w.body)
	}
	conn := b.store.Open(t, devclickhouse.Reader)
	counted := func() (map[string]uint64, error) {
		rows, err := conn.Query(t.Context(), "SELECT if(kind = 'ticket', splitByChar(':', entity)[1], 'surveys') AS what, uniqExact((entity, at, name, id)) "+
			"FROM facts WHERE account_id = 'acme' GROUP BY what")
		if err != nil {
			return nil, err
		}
		defer rows.Close() //nolint:errcheck // Err tells
		got := map[string]uint64{}
		for rows.Next() {
			var what string
			var n uint64
			if err := rows.Scan(&what, &n); err != nil {
				return nil, err
			}
			got[what] = n
		}
		return got, rows.Err()
	}
	var got map[string]uint64
	for deadline := time.Now().Add(6 * time.Minute); time.Now().Before(deadline) && !maps.Equal(got, want); time.Sleep(100 * time.Millisecond) {
		got, err = counted()
		require.NoError(t, err)
	}
	require.Equal(t, want, got, "%s", &pipeline.stderr)
	b.settle(t, pipeline) // the other tables
	var others, nps, csat uint64
	require.NoError(t, conn.QueryRow(t.Context(), "SELECT countIf(account_id != 'acme') FROM facts").Scan(&others))
	require.Zero(t, others)
	require.NoError(t, conn.QueryRow(t.Context(), "SELECT sum(nps_responses), sum(csat_responses) FROM sentiment_day WHERE account_id = 'acme'").Scan(&nps, &csat))
	require.Equal(t, [2]uint64{1, 2}, [2]uint64{nps, csat}, "of each user the latest answer of a day")
	require.Equal(t, exitOK, collector.end(), &collector.stderr)
	require.Equal(t, exitOK, pipeline.end(), &pipeline.stderr)
}
