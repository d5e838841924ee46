package collect

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"tidemark/schemas/secret"
)

var recordTime = time.UnixMilli(1_789_997_600_000)

// FuzzUser holds that a record of the users topic is a membership or is skipped, and that a membership is written as it is read.
func FuzzUser(f *testing.F) {
	for _, s := range []string{`{"account_id":"acme","at":"2026-09-21T13:33:20.123Z"}`, `{"account_id":"acme"}`, `{}`, `null`, `{"account_id":7}`, `{"account_id":"a","at":7}`, "", "\xff", `{"ACCOUNT_ID":"\ud800"}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, value []byte) {
		m, err := foldUser(membership{}, false, &kgo.Record{Value: value, Timestamp: recordTime})
		if err != nil {
			require.Zero(t, m)
			return
		}
		require.NotEmpty(t, m.account)
		text, err := json.Marshal(userRecord{AccountID: m.account, At: m.at})
		require.NoError(t, err)
		again, err := foldUser(membership{}, false, &kgo.Record{Value: text})
		require.NoError(t, err)
		require.Equal(t, m.account, again.account)
		require.True(t, m.at.Equal(again.at))
	})
}

// FuzzTrait holds the same of a record of the accounts topic.
func FuzzTrait(f *testing.F) {
	for _, s := range []string{`{"account_id":"acme","at":"2026-09-21T13:33:20.123Z","plan":"pro"}`, `{"plan":1,"seats":2}`, `{"plan":{"a":[1]}}`, `{"at":7,"x":null}`, `{}`, `null`, `[]`, "", "\xff", `{"x":1,"x":2}`, `{"\ud800":1}`} {
		f.Add("acme|plan", []byte(s))
		f.Add("acme", []byte(s))
	}
	f.Fuzz(func(t *testing.T, key string, value []byte) {
		tr, err := foldTrait(trait{}, false, &kgo.Record{Key: []byte(key), Value: value, Timestamp: recordTime})
		if err != nil || tr.value == "" {
			return
		}
		require.True(t, json.Valid([]byte(tr.value)))
		written := encodeTrait("acme", "plan", tr.value, tr.at)
		again, err := foldTrait(trait{}, false, &kgo.Record{Key: []byte("acme|plan"), Value: written})
		require.NoError(t, err)
		require.JSONEq(t, tr.value, again.value)
		require.WithinDuration(t, tr.at, again.at, time.Millisecond)
	})
}

// FuzzParked holds that a record of the parked topic waits or is skipped, and that what waits leaves as an event that the
// collector itself would take, with the account.
func FuzzParked(f *testing.F) {
	for _, s := range []string{
		track("m", "ada"), `{"type":"alias","userId":"u","previousId":"v","receivedAt":"2026-09-21T13:33:20.123Z"}`, `{"type":"page","anonymousId":7,"context":null}`,
		`{"type":"page","userId":"u","context":{"groupId":"g","groupId":"h"}}`, `{}`, `null`, `[]`, "", "\xff", `{"type":"page","userId":"u","receivedAt":"x"}`,
	} {
		f.Add("u:ada|m", []byte(s))
	}
	f.Fuzz(func(t *testing.T, key string, value []byte) {
		room := newWaitingRoom(func(string) (string, bool) { return "acme", true })
		err := room.apply(&kgo.Record{Key: []byte(key), Value: value, Timestamp: recordTime, Offset: 1})
		if value == nil || err != nil {
			require.Empty(t, room.events)
			return
		}
		leaving := room.leave(2)
		require.Len(t, leaving, 1)
		for _, account := range []string{"acme", ""} { // known, and given up
			record, err := departure{leaving[0].parkedEvent, account}.record(Topics{Telemetry: "telemetry"})
			require.NoError(t, err)
			require.NotEmpty(t, record.Key)
			require.True(t, json.Valid(record.Value))
			body, err := parseObject(record.Value)
			require.NoError(t, err)
			m, refused := parseMessage(body, "")
			require.Nil(t, refused)
			if account != "" {
				require.Equal(t, account, m.contextID)
			}
		}
		require.NoError(t, room.apply(&kgo.Record{Key: []byte(key), Offset: 2}))
		require.Empty(t, room.events)
		require.Empty(t, room.byUser)
	})
}

func zip(t testing.TB, content []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, err := w.Write(content)
	require.NoError(t, err)
	require.NoError(t, w.Close())
	return b.Bytes()
}

// FuzzBody holds that a body is read as compress/gzip would, within bounds, or refused.
func FuzzBody(f *testing.F) {
	const most = 10_000
	for _, encoding := range []string{"", "identity", "gzip", " GZIP", "br", "gzip, gzip"} {
		f.Add(encoding, []byte(`{"a":1}`), int64(7))
		f.Add(encoding, zip(f, []byte(`{"a":1}`)), int64(-1))
		f.Add(encoding, zip(f, make([]byte, 1<<20)), int64(1<<40))
	}
	f.Fuzz(func(t *testing.T, encoding string, content []byte, length int64) {
		r := httptest.NewRequest(http.MethodPost, "/v1/batch", bytes.NewReader(content))
		r.Header = http.Header{"Content-Encoding": {encoding}}
		r.ContentLength = length
		body, refused := readBody(r, most)
		if refused != nil {
			require.Contains(t, []int{http.StatusBadRequest, http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType}, refused.status)
			require.NotEmpty(t, refused.Message)
			return
		}
		require.LessOrEqual(t, len(body), most)
		require.LessOrEqual(t, cap(body), 4*most)
		want := content
		if unzipped, err := gzip.NewReader(bytes.NewReader(content)); strings.TrimSpace(encoding) != "" && !strings.EqualFold(strings.TrimSpace(encoding), "identity") {
			require.NoError(t, err)
			if want, err = io.ReadAll(unzipped); err != nil {
				require.ErrorIs(t, err, io.ErrUnexpectedEOF)
			}
		}
		require.True(t, bytes.Equal(want, body))
	})
}

// FuzzRoutes holds that no request, on no path, is answered with a server's error or brings the collector down, and that a 200
// means what it says.
func FuzzRoutes(f *testing.F) {
	sources := testSources(f)
	c := start(f, testConfig(startKafka(f), func(c *Config) { c.Sources = sources }))
	paths := append(slices.Sorted(maps.Keys(calls)), "parked", "trakc", "", "accounts", "cloudevents", "logs")
	for _, name := range slices.Sorted(maps.Keys(sources)) {
		source := *sources[name]
		source.Secret, sources[name+"-open"] = secret.Secret{}, &source // which none but a write key keeps closed
		paths = append(paths, "webhooks/"+name, "webhooks/"+name+"-open")
	}
	handler := c.routes()
	for i := range paths {
		f.Add(uint8(i), "POST", false, []byte(track("m", "ada")))
		f.Add(uint8(i), "POST", true, []byte(`{"batch":[{"type":"track","event":"e","userId":"u"},{"type":"group","userId":"u","groupId":"g","traits":{"seats":"1e3","mrr":"x","plan":"p"}}]}`))
		f.Add(uint8(i), "GET", false, []byte(`{"type":"identify","userId":"u","traits":{"company":{"id":"g","created_at":"2026-01-01"}}}`))
	}
	f.Add(uint8(slices.Index(paths, callSignals)), "POST", false, []byte(`{"batch":[{"type":"meter.reported","meter":"m","account_id":"a","value":1,"at":"2026-09-21T13:00:00Z"}]}`))
	for name := range sources {
		examples, err := os.ReadFile("../../schemas/mapping/testdata/" + strings.TrimSuffix(name, "-open") + ".jsonl")
		require.NoError(f, err)
		for line := range bytes.Lines(examples) {
			f.Add(uint8(slices.Index(paths, "webhooks/"+name)), "POST", false, line)
		}
	}
	for _, s := range []string{`{"account_id":"acme","seats":"25","external_ids":{"zendesk":[7]}}`, "{\"account_id\":1,\"plan\":null}\n\n{\"account_id\":\"b\",\"deleted\":true}", `[{"account_id":"a","at":"2026-09-21T13:00:00Z","x":{"y":{"":1}}}]`} {
		f.Add(uint8(slices.Index(paths, "accounts")), "POST", false, []byte(s))
	}
	f.Fuzz(func(t *testing.T, path uint8, method string, zipped bool, content []byte) {
		if zipped {
			content = zip(t, content)
		}
		r := httptest.NewRequest(http.MethodPost, "/v1/"+paths[int(path)%len(paths)], bytes.NewReader(content))
		if method != "POST" {
			r.Method = http.MethodGet
		}
		if zipped {
			r.Header.Set("Content-Encoding", "gzip")
		}
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		switch {
		case w.Code == http.StatusNoContent:
			require.Empty(t, w.Body.Bytes())
		case w.Code == http.StatusOK && r.Method == http.MethodPost && !strings.HasSuffix(r.URL.Path, "/logs"):
			var answer struct{ Success bool }
			require.NoError(t, json.Unmarshal(w.Body.Bytes(), &answer))
			require.True(t, answer.Success)
		case w.Code == http.StatusOK:
			require.True(t, json.Valid(w.Body.Bytes()))
		default:
			require.GreaterOrEqual(t, w.Code, 400)
			require.Less(t, w.Code, 500, w.Body.String())
			if w.Code != http.StatusNotFound && w.Code != http.StatusMethodNotAllowed {
				var refused refusal
				require.NoError(t, json.Unmarshal(w.Body.Bytes(), &refused))
				require.NotEmpty(t, refused.Message)
			}
		}
	})
}
