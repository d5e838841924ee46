package collect

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// parsePostHog reads what PostHog's SDKs send: one event, an array of them, or {"batch": [...]}.
func parsePostHog(c *Collector, r *http.Request, body []byte, received time.Time) (*request, *refusal) {
	q := &request{}
	body, refused := unwrapPostHog(r.URL.Query().Get("compression"), body, c.config.MaxBatchBytes)
	if refused != nil {
		return q, refused
	}
	envelope, elements, refused := parseJSON(body)
	if refused != nil {
		return q, refused
	}
	p := posthog{groups: c.config.PostHogGroups, received: received}
	if refused = p.readSent(envelope, r.URL.Query().Get("_")); refused != nil {
		return q, refused
	}
	q.writeKey = readAny(envelope, "api_key", "token")
	if envelope.has("batch") {
		var ok bool
		if elements, ok = splitArray(envelope.get("batch")); !ok {
			return q, invalid("batch", `batch is not an array: send {"api_key": "...", "batch": [event, ...]}`)
		}
	} else if envelope != nil {
		elements = [][]byte{body}
	}
	q.sent = len(elements)
	for i, raw := range elements {
		event, err := parseObject(raw)
		if err != nil {
			return q, invalidObject("batch", err).at(i)
		}
		t, key, refused := p.translate(event)
		if q.writeKey == "" {
			q.writeKey = key
		}
		if refused != nil {
			return q, refused.at(i)
		}
		if refused = q.add(i, t, len(raw), c.limits(), "send distinct_id"); refused != nil {
			return q, refused
		}
	}
	return q, nil
}

// unwrapPostHog undoes what the browser's SDK does to a body: gzip without a header that says so, and a form field that holds
// base64.
func unwrapPostHog(compression string, body []byte, max int) ([]byte, *refusal) {
	if form, ok := bytes.CutPrefix(body, []byte("data=")); ok {
		field, _, _ := bytes.Cut(form, []byte("&"))
		text, err := url.QueryUnescape(string(field))
		if err != nil {
			return nil, invalid("data", "data is not URL-encoded: "+err.Error())
		}
		body = []byte(text)
		if !strings.HasPrefix(strings.TrimSpace(text), "{") && !strings.HasPrefix(strings.TrimSpace(text), "[") {
			// An unescaped + of the alphabet was read as a space.
			if body, err = base64.StdEncoding.DecodeString(strings.ReplaceAll(text, " ", "+")); err != nil {
				return nil, invalid("data", "data is neither JSON nor base64: "+err.Error())
			}
		}
	}
	if !bytes.HasPrefix(body, []byte{0x1f, 0x8b}) {
		if compression == "lz64" {
			return nil, &refusal{status: http.StatusUnsupportedMediaType, Code: "unsupported_encoding", Field: "compression",
				Message: "compression=lz64 is not supported: send gzip-js, base64 or none"}
		}
		return body, nil
	}
	zipped, err := gzip.NewReader(bytes.NewReader(body))
	if err != nil {
		return nil, unreadable(err)
	}
	return bounded(zipped, 0, max)
}

// posthog translates the events of one request.
type posthog struct {
	groups   []string // types of groups that are accounts
	received time.Time
	sent     time.Time // zero when unknown
}

// readSent takes when the request was sent, by the client's clock: in the body, or in Unix ms in the query.
func (p *posthog) readSent(envelope object, query string) *refusal {
	for _, name := range []string{"sent_at", "sentAt"} {
		sent, r := readNaiveTime(envelope, name)
		if r != nil {
			return r
		}
		if !sent.IsZero() {
			p.sent = sent
			return nil
		}
	}
	if ms, err := strconv.ParseInt(query, 10, 64); err == nil && ms > 0 && inWireRange(time.UnixMilli(ms).UTC()) {
		p.sent = time.UnixMilli(ms).UTC()
	}
	return nil
}
