package collect

import (
	"net/http"
	"strings"
	"time"
	"unicode/utf8"

	"tidemark/schemas"
)

// dialect is how one kind of client that is not Segment's speaks: where it posts, how its body becomes messages, and what it
// takes for success.
type dialect struct {
	source string // as keys and policies name it
	paths  []string
	parse  func(c *Collector, r *http.Request, body []byte, received time.Time) (*request, *refusal)
	// success answers a request whose events are all in Kafka.
	success func(w http.ResponseWriter, r *http.Request, q *request)
}

// dialects are all of them. A path with and without a slash at its end is the same.
func dialects() []dialect {
	return []dialect{
		{"posthog", []string{"/batch", "/capture", "/e", "/i/v0/e"}, parsePostHog, answerPostHog},
		{"cloudevents", []string{"/v1/cloudevents", "/api/v1/events"}, parseCloudEvents, answerNothing},
		{"opentelemetry", []string{"/v1/logs"}, parseOTLP, answerOTLP},
	}
}

func answerPostHog(w http.ResponseWriter, _ *http.Request, _ *request) {
	writeJSON(w, http.StatusOK, map[string]int{"status": 1})
}

func answerNothing(w http.ResponseWriter, _ *http.Request, _ *request) {
	w.WriteHeader(http.StatusNoContent)
}

// routeDialects adds the dialects' paths.
func (c *Collector) routeDialects(mux *http.ServeMux) {
	for _, d := range dialects() {
		for _, path := range d.paths {
			serve := func(w http.ResponseWriter, r *http.Request) {
				var q *request
				c.serve(w, r, path, func(body []byte, received time.Time) (refused *refusal) {
					q, refused = d.parse(c, r, body, received)
					return c.takeMessages(r, d.source, q, refused, received)
				}, func() { d.success(w, r, q) })
			}
			mux.HandleFunc("POST "+path, serve)
			mux.HandleFunc("POST "+path+"/{$}", serve)
		}
	}
}

// translated is an event of another dialect as a Segment message, with what that cannot say.
type translated struct {
	body object
	// joins says that the event's account is its user's from now on, as after a group call.
	joins bool
	// waitsFor are the identities that tell the account of an event that has no user of its own.
	waitsFor []string
}

// add checks event i of the request and adds it. size is that of the event as it was sent, and missing says how this dialect
// names a user or an account.
func (q *request) add(i int, t translated, size int, max limits, missing string) *refusal {
	if size > max.event {
		return eventTooLarge(size, max.event).at(i)
	}
	m, r := readMessage(t.body, "")
	if r != nil {
		return r.at(i)
	}
	m.joins, m.waitsFor = t.joins, t.waitsFor
	if r := m.belongs(missing); r != nil {
		return r.at(i)
	}
	q.messages = append(q.messages, m)
	return nil
}

// belongs refuses a message whose account nothing can tell; missing says what to send.
func (m *message) belongs(missing string) *refusal {
	if len(m.users()) > 0 || m.contextID != "" {
		return nil
	}
	r := invalid("", "the event names neither a user nor an account: "+missing)
	r.reason = schemas.NoAccount
	return r
}

// parseJSON returns the body's one object, or its array of objects.
func parseJSON(body []byte) (object, [][]byte, *refusal) {
	if !utf8.Valid(body) {
		return nil, nil, invalid("", "the body is not UTF-8: encode the JSON as UTF-8")
	}
	if r := checkJSON(body); r != nil {
		return nil, nil, r
	}
	if elements, ok := splitArray(body); ok {
		return nil, elements, nil
	}
	o, err := parseObject(body)
	if err != nil {
		return nil, nil, invalidObject("", err)
	}
	return o, nil, nil
}

// setText sets a member unless its value is empty.
func (o *object) setText(name, value string) {
	if value != "" {
		o.set(name, encodeString(value))
	}
}

// readAny returns the first of the named members that is a string or a whole number and not empty.
func readAny(o object, names ...string) string {
	for _, name := range names {
		v := o.get(name)
		if isWholeNumber(v) {
			return string(v)
		}
		if s, r := readString(o, name); r == nil && s != "" {
			return s
		}
	}
	return ""
}

// parseMember returns the object called name, nil when it is absent.
func parseMember(o object, name string) (object, *refusal) {
	if !o.has(name) {
		return nil, nil
	}
	inner, err := parseObject(o.get(name))
	if err != nil {
		return nil, invalidObject(name, err)
	}
	return inner, nil
}

// bearer returns the token of an Authorization header, "" where there is none.
func bearer(r *http.Request) string {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "bearer") {
		return ""
	}
	return strings.TrimSpace(token)
}
