package client

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// attemptLimit bounds one attempt to send: what takes longer is stuck.
const attemptLimit = 30 * time.Second

type httpTransport struct {
	url, key string
	client   *http.Client
}

// HTTP sends to the collector at url, with a write key. It corrects the events' times for this machine's clock.
func HTTP(url, writeKey string) Transport {
	return &httpTransport{url: strings.TrimSuffix(url, "/"), key: writeKey, client: &http.Client{
		Timeout:   attemptLimit,
		Transport: &http.Transport{Proxy: http.ProxyFromEnvironment, MaxIdleConnsPerHost: 1, IdleConnTimeout: time.Minute, ForceAttemptHTTP2: true},
	}}
}

func (*httpTransport) Check(Event) error { return nil }

func (t *httpTransport) Close() error {
	t.client.CloseIdleConnections()
	return nil
}

func (t *httpTransport) Send(ctx context.Context, events []Event) error {
	path := "/v1/batch"
	if events[0].Kind == Signals {
		path = "/v1/signals"
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, t.url+path, bytes.NewReader(encodeBatch(events, time.Now())))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/json")
	r.SetBasicAuth(t.key, "")
	answer, err := t.client.Do(r)
	if err != nil {
		return err
	}
	body, err := io.ReadAll(io.LimitReader(answer.Body, 64<<10))
	_ = answer.Body.Close() // it was read
	if err != nil {
		return err
	}
	return judge(answer, body)
}

// encodeBatch returns the body of a request. sentAt is when it is sent, so that an event that has waited in the spool keeps its time.
func encodeBatch(events []Event, now time.Time) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, `{"sentAt":%q,"batch":[`, now.UTC().Format(wireTime))
	for i, e := range events {
		if i > 0 {
			b.WriteByte(',')
		}
		b.Write(e.Body)
	}
	b.WriteString("]}")
	return b.Bytes()
}

// judge says what an answer means. Only the collector's own refusal drops an event: a proxy, or a key that is wrong, may be mended.
func judge(answer *http.Response, body []byte) error {
	if answer.StatusCode == http.StatusOK {
		return nil
	}
	var said struct {
		Error   string `json:"error"`
		Index   *int   `json:"index"`
		Message string `json:"message"`
	}
	_ = json.Unmarshal(body, &said) // another's answer
	if s := answer.StatusCode; (s == http.StatusBadRequest || s == http.StatusRequestEntityTooLarge) && said.Error != "" {
		refused := &RefusedError{Index: -1, Reason: said.Message}
		if said.Index != nil {
			refused.Index = *said.Index
		}
		return refused
	}
	return &BusyError{After: retryAfter(answer.Header.Get("Retry-After")), Err: fmt.Errorf("the collector answered %s: %.200s", answer.Status, bytes.TrimSpace(body))}
}

func retryAfter(header string) time.Duration {
	if seconds, err := strconv.Atoi(header); err == nil {
		return time.Duration(seconds) * time.Second
	}
	if at, err := http.ParseTime(header); err == nil {
		return time.Until(at)
	}
	return 0
}
