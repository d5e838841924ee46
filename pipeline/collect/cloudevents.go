package collect

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

const cloudEventsType = "application/cloudevents"

// parseCloudEvents reads events in CloudEvents' HTTP binding: binary, structured or a batch. JSON that is no more than that is
// taken as structured, as OpenMeter does.
func parseCloudEvents(c *Collector, r *http.Request, body []byte, _ time.Time) (*request, *refusal) {
	q := &request{}
	contentType := strings.ToLower(r.Header.Get("Content-Type"))
	if !strings.HasPrefix(contentType, cloudEventsType) && r.Header.Get("ce-specversion") != "" {
		q.sent = 1
		event, refused := binaryCloudEvent(r.Header, body)
		if refused != nil {
			return q, refused
		}
		return q, q.addCloudEvent(0, event, c.limits())
	}
	event, elements, refused := parseJSON(body)
	if refused != nil {
		return q, refused
	}
	if event != nil {
		q.sent = 1
		return q, q.addCloudEvent(0, event, c.limits())
	}
	q.sent = len(elements)
	for i, raw := range elements {
		event, err := parseObject(raw)
		if err != nil {
			return q, invalidObject("", err).at(i)
		}
		if refused := q.addCloudEvent(i, event, c.limits()); refused != nil {
			return q, refused.at(i)
		}
	}
	return q, nil
}

// binaryCloudEvent returns an event whose attributes are headers and whose data is the body, in its structured form.
func binaryCloudEvent(header http.Header, body []byte) (object, *refusal) {
	event := object{}
	names := make([]string, 0, len(header))
	for name := range header {
		if strings.HasPrefix(strings.ToLower(name), "ce-") {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	for _, name := range names {
		value, err := url.PathUnescape(header.Get(name))
		if err != nil || !utf8.ValidString(value) {
			return nil, invalid(name, name+" is not percent-encoded UTF-8: encode it as the CloudEvents HTTP binding says")
		}
		event.set(strings.ToLower(name[len("ce-"):]), encodeString(value))
	}
	contentType := header.Get("Content-Type")
	event.setText("datacontenttype", contentType)
	if contentType == "" || isJSONType(contentType) {
		if r := checkNesting(body); r != nil {
			return nil, r
		}
	}
	switch {
	case len(body) == 0:
	case (contentType == "" || isJSONType(contentType)) && json.Valid(body) && utf8.Valid(body):
		event.set("data", body)
	case isJSONType(contentType):
		return nil, invalid("data", "the data is not valid JSON, which its Content-Type says: send JSON, or another Content-Type")
	case utf8.Valid(body):
		event.set("data", encodeString(string(body)))
	default:
		encoded, _ := json.Marshal(body) // bytes become a base64 string
		event.set("data_base64", encoded)
	}
	return event, nil
}

func isJSONType(contentType string) bool {
	media, _, _ := strings.Cut(strings.ToLower(contentType), ";")
	media = strings.TrimSpace(media)
	return strings.HasSuffix(media, "/json") || strings.HasSuffix(media, "+json")
}

// addCloudEvent adds event i, in its structured form. Its type is the name of what happened, its subject the account.
func (q *request) addCloudEvent(i int, event object, max limits) *refusal {
	texts := map[string]string{}
	for _, name := range []string{"specversion", "id", "source", "type"} {
		s, r := readString(event, name)
		if r != nil {
			return r
		}
		if s == "" {
			return invalid(name, name+" is missing: CloudEvents 1.0 needs specversion, id, source and type")
		}
		texts[name] = s
	}
	if !strings.HasPrefix(texts["specversion"], "1.") {
		return invalid("specversion", fmt.Sprintf("specversion %.20q is not supported: send CloudEvents 1.0", texts["specversion"]))
	}
	out := object{}
	out.set("type", encodeString(typeTrack))
	out.set("event", encodeString(texts["type"]))
	// The spec: source and id together are what makes an event itself.
	sum := sha256.Sum256(fmt.Appendf(nil, "%q %q", texts["source"], texts["id"]))
	out.set("messageId", encodeString("ce-"+hex.EncodeToString(sum[:16])))
	at, r := readTime(event, "time")
	if r != nil {
		return r
	}
	if !at.IsZero() {
		out.set("timestamp", quoteTime(at))
	}
	properties, data := object{}, event.get("data")
	switch {
	case len(data) > 0 && data[0] == '{':
		var err error
		if properties, err = parseObject(data); err != nil {
			return invalidObject("data", err)
		}
	case event.has("data"):
		properties.set("data", data)
	case event.has("data_base64"):
		properties.set("data_base64", event.get("data_base64"))
	}
	user := readAny(event, "userid")
	if user == "" {
		user = readAny(properties, "user_id", "userId")
	}
	out.setText("userId", user)
	context := object{}
	context.setText("groupId", readAny(event, "accountid", "subject"))
	about := append(object{}, event...)
	about.remove("data")
	about.remove("data_base64")
	context.set("cloudevent", about.encode())
	out.set("context", context.encode())
	out.set("properties", properties.encode())
	return q.add(i, translated{body: out}, len(event.encode()), max, "send the account's id as subject")
}
