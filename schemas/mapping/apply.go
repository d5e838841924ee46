package mapping

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha1" //nolint:gosec // Intercom signs with it
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// What an event becomes: the role of the topic that it is for.
const (
	Telemetry = "telemetry"
	Tickets   = "tickets"
	Signals   = "signals"
	Accounts  = "accounts"
)

// Event is what a webhook or a record says, in Tidemark's own words: fields of a ticket event, of a survey.responded signal, of a
// track event of Segment's, or attributes of an account.
type Event struct {
	Role    string
	Kind    string
	ID      string         // the same for the same event, however often it is delivered
	Account string         // our account, when the webhook names it
	Waits   []string       // else, the identities that tell the account: o:system|organisation and u:user
	Fields  map[string]any // without account_id
}

// FieldError says which field of an event cannot be filled.
type FieldError struct {
	Field   string
	Missing bool // nothing stands where the mapping says
	Err     error
}

func (e *FieldError) Error() string { return e.Field + e.Err.Error() }

func (e *FieldError) Unwrap() error { return e.Err }

func wrong(field, format string, args ...any) error {
	return &FieldError{Field: field, Err: fmt.Errorf(": "+format, args...)}
}

func missing(field string) error {
	return &FieldError{Field: field, Missing: true, Err: errors.New(" is not found where the mapping says")}
}

// Verify holds the signature against the body, in constant time, and the signed time against now.
func (s *Source) Verify(header http.Header, body []byte, now time.Time) error {
	g := s.Signature
	given, ok := strings.CutPrefix(header.Get(g.Header), g.Prefix)
	if !ok || given == "" {
		return fmt.Errorf("the header %s is missing or does not begin with %q: let the sender sign with the secret", g.Header, g.Prefix)
	}
	var sum []byte
	var err error
	if g.Encoding == "hex" {
		sum, err = hex.DecodeString(given)
	} else {
		sum, err = base64.StdEncoding.DecodeString(given)
	}
	newHash := sha256.New
	if g.Algorithm == "sha1" {
		newHash = sha1.New
	}
	mac := hmac.New(newHash, []byte(s.Secret.Reveal()))
	if g.TimestampHeader != "" {
		mac.Write([]byte(header.Get(g.TimestampHeader) + g.Separator))
	}
	mac.Write(body)
	if err != nil || !hmac.Equal(sum, mac.Sum(nil)) {
		return fmt.Errorf("the signature in %s is not that of the body: use the same secret on both sides", g.Header)
	}
	if g.TimestampHeader == "" {
		return nil
	}
	at, err := parseTime(header.Get(g.TimestampHeader))
	if err != nil {
		return fmt.Errorf("%s: %w", g.TimestampHeader, err)
	}
	if d := now.Sub(at).Abs(); d > s.Tolerance {
		return fmt.Errorf("it was signed %s from now, at most %s are accepted: set the clocks, or raise tolerance", d.Round(time.Second), s.Tolerance)
	}
	return nil
}

// Apply returns the events that the webhook makes; none is no error, as vendors send more than is wanted.
func (s *Source) Apply(name string, body []byte) ([]Event, error) {
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.UseNumber()
	var document any
	if err := decoder.Decode(&document); err != nil {
		return nil, fmt.Errorf("the body is not JSON: %w", err)
	}
	return s.apply(name, document, "")
}

// apply is Apply for a document whose numbers are json.Number. position is the id of an event without one; "" derives it from what the
// event says.
func (s *Source) apply(name string, document any, position string) ([]Event, error) {
	var events []Event
	for _, r := range s.Events {
		if !r.matches(document) {
			continue
		}
		e, err := s.event(name, r, document, position)
		if err != nil {
			return nil, err
		}
		for n := 2; slices.ContainsFunc(events, func(o Event) bool { return o.ID == e.ID }); n++ {
			e.ID = e.ID + "-" + strconv.Itoa(n)
		}
		e.setID()
		events = append(events, e)
	}
	return events, nil
}

func (r *Rule) matches(document any) bool {
	holds := func(c condition) bool {
		for _, v := range c.path.Find(document) {
			t, ok := text(v)
			if ok && slices.ContainsFunc(c.any, func(want string) bool { return want == "*" || strings.EqualFold(want, t) }) {
				return true
			}
		}
		return false
	}
	return !slices.ContainsFunc(r.when, func(c condition) bool { return !holds(c) }) && !slices.ContainsFunc(r.unless, holds)
}

// setID puts the event's id where readers look for it.
func (e *Event) setID() {
	switch e.Role {
	case Tickets:
		e.Fields["source_event_id"] = e.ID
	case Signals:
		if _, ok := e.Fields["response_id"]; !ok {
			e.Fields["response_id"] = e.ID
		}
	case Telemetry:
		e.Fields["messageId"] = e.ID
	}
}

func (s *Source) event(name string, r *Rule, document any, position string) (Event, error) {
	e := Event{Role: r.role(), Fields: map[string]any{}}
	switch e.Role {
	case Telemetry:
		return r.telemetry(s, document, position)
	case Accounts:
		return r.account(document)
	case Signals:
		e.Fields["type"] = "survey.responded"
	case Tickets:
		e.Fields["source"] = name
	}
	fields := r.fields()
	for _, field := range slices.Sorted(maps.Keys(fields)) { // an event waits for the same identity each time
		value := fields[field]
		found := value.texts(document)
		if field == "organization" {
			found = value.organizations(document)
		}
		if len(found) == 0 {
			continue
		}
		if err := e.set(s, field, found, value.first(document)); err != nil {
			return e, err
		}
	}
	e.Kind, _ = e.Fields["kind"].(string)
	if e.Kind == "" {
		return e, missing("kind")
	}
	if e.Role == Tickets {
		s.translate(e.Fields)
	}
	given, _ := e.Fields["source_event_id"].(string)
	if given == "" {
		given = position
	}
	if given == "" {
		// Two deliveries of one change say the same of it, whatever they say of the delivery.
		content, _ := json.Marshal(e.Fields) // keys sorted
		sum := sha256.Sum256(append([]byte(name+"|"), content...))
		given = hex.EncodeToString(sum[:16])
	}
	e.ID = given + "/" + e.Kind
	return e, nil
}

// set sets one field, of which found is all that there is and first the first of it.
func (e *Event) set(s *Source, field string, found []string, first string) error {
	switch field {
	case "account_id":
		e.Account = first
	case "organization":
		for _, id := range found {
			e.Waits = append(e.Waits, "o:"+s.Accounts+"|"+id)
		}
	case "user":
		for _, id := range found {
			e.Waits = append(e.Waits, "u:"+id)
		}
	case "user_id":
		e.Fields[field] = first
		e.Waits = append(e.Waits, "u:"+first)
	case "tags":
		e.Fields[field] = found
	case "occurred_at", "responded_at":
		at, err := parseTime(first)
		if err != nil {
			return wrong(field, "%w", err)
		}
		e.Fields[field] = at.UTC().Format(wireTime)
	case "score", "scale_min", "scale_max":
		n := json.Number(strings.TrimSpace(first))
		if _, err := n.Float64(); err != nil || !json.Valid([]byte(n)) {
			return wrong(field, "%.40q is not a number", first)
		}
		e.Fields[field] = n
	default:
		e.Fields[field] = first
	}
	return nil
}

// translate puts Tidemark's names in the place of the vendor's priorities, states and groups.
func (s *Source) translate(fields map[string]any) {
	into := map[string]map[string]string{"priority": s.Priorities, "status": s.Statuses}
	switch fields["kind"] {
	case "priority":
		into["from"], into["to"] = s.Priorities, s.Priorities
	case "status", "solved", "reopened":
		into["from"], into["to"] = s.Statuses, s.Statuses
	case "assignment":
		into["from"], into["to"] = s.Groups, s.Groups
	}
	if to, ok := fields["to"].(string); ok && fields["kind"] == "tag" {
		// Jira says all labels before and after: new is what was not there.
		from, _ := fields["from"].(string)
		before := strings.Fields(from)
		fields["tags"] = slices.DeleteFunc(strings.Fields(to), func(tag string) bool { return slices.Contains(before, tag) })
		delete(fields, "to")
	}
	for field, names := range into {
		if was, ok := fields[field].(string); ok {
			if name, ok := names[strings.ToLower(was)]; ok {
				fields[field] = name
			} else if name, ok := names[was]; ok {
				fields[field] = name
			}
		}
	}
}

// wireTime is how times are written.
const wireTime = "2006-01-02T15:04:05.000Z"

// parseTime reads RFC 3339, Jira's form of it without a colon in the offset, and Unix time in seconds, milliseconds, microseconds or
// nanoseconds, which its size tells.
func parseTime(s string) (time.Time, error) {
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05.999-0700", "2006-01-02 15:04:05Z07:00"} {
		if t, err := time.Parse(layout, s); err == nil {
			return t, nil
		}
	}
	n, err := strconv.ParseInt(s, 10, 64)
	switch {
	case err != nil || n <= 0:
		return time.Time{}, fmt.Errorf("%.40q is no time: RFC 3339 or Unix seconds or milliseconds are", s)
	case n <= 1e11:
		return time.Unix(n, 0), nil
	case n <= 1e14:
		return time.UnixMilli(n), nil
	case n <= 1e17:
		return time.UnixMicro(n), nil
	}
	return time.Unix(0, n), nil
}
