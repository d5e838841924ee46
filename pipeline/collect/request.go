package collect

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"unicode/utf8"

	"tidemark/schemas"
)

// limits bound what one request may hold, in bytes after decompression.
type limits struct {
	event int
	batch int
}

// request is the parsed body of one call.
type request struct {
	writeKey string
	messages []*message
	sent     int // messages in the body, also when one of them was refused
	ignored  int // of those, that are valid but none of ours
}

// callBatch is the call whose body holds many messages; the other calls are
// named after the one type that they take.
const callBatch = "batch"

// parseRequest reads the body of a call: one message, or a batch of them. It
// refuses the whole request for one bad message, so that a client never has to
// find out which part of it was taken. The request is never nil: a refused one
// has what could be read.
func parseRequest(body []byte, call string, max limits) (*request, *refusal) {
	q := &request{}
	if !utf8.Valid(body) {
		return q, invalid("", "the body is not UTF-8: encode the JSON as UTF-8")
	}
	if r := checkJSON(body); r != nil {
		return q, r
	}
	envelope, err := parseObject(body)
	if err != nil {
		return q, invalidObject("", err)
	}
	var r *refusal
	if q.writeKey, r = readString(envelope, "writeKey"); r != nil {
		return q, r
	}
	envelope.remove("writeKey")
	if call == callBatch {
		return q, q.parseBatch(envelope, max)
	}
	q.sent = 1
	if len(body) > max.event {
		return q, eventTooLarge(len(body), max.event)
	}
	m, r := parseMessage(envelope, call)
	if r != nil {
		return q, r
	}
	q.messages = []*message{m}
	return q, nil
}

func (q *request) parseBatch(envelope object, max limits) *refusal {
	elements, ok := splitArray(envelope.get("batch"))
	if !ok {
		return invalid("batch", `batch is missing: send {"batch": [message, ...]}`)
	}
	shared, sharedSize, r := sharedMembers(envelope)
	if r != nil {
		return r
	}
	if len(elements)*sharedSize > max.batch {
		return tooLarge("context", fmt.Sprintf("the batch's context, copied into its %d messages, makes more than %d bytes: send fewer messages or a smaller context", len(elements), max.batch))
	}
	q.sent = len(elements)
	q.messages = make([]*message, 0, len(elements))
	for i, raw := range elements {
		if size := len(raw) + sharedSize; size > max.event {
			return eventTooLarge(size, max.event).at(i)
		}
		body, err := parseObject(raw)
		if err != nil {
			return invalidObject(fmt.Sprintf("batch[%d]", i), err).at(i)
		}
		body.remove("writeKey")
		if r := inherit(&body, shared); r != nil {
			return r.at(i)
		}
		m, r := parseMessage(body, "")
		if r != nil {
			return r.at(i)
		}
		q.messages = append(q.messages, m)
	}
	return nil
}

// sharedMembers returns what a batch says once for all its messages, and the
// most bytes that it adds to a message.
func sharedMembers(envelope object) (object, int, *refusal) {
	var shared object
	size := 0
	for _, name := range []string{"context", "integrations", "sentAt"} {
		if !envelope.has(name) {
			continue
		}
		value := envelope.get(name)
		if name == "sentAt" {
			if _, r := readTime(envelope, name); r != nil {
				return nil, 0, r
			}
		} else {
			if _, err := parseObject(value); err != nil {
				return nil, 0, invalidObject(name, err)
			}
			size += len(value)
		}
		shared = append(shared, member{name: name, key: encodeString(name), value: value})
	}
	return shared, size, nil
}

// inherit gives the message what the batch says for all; the message's own
// members win.
func inherit(body *object, shared object) *refusal {
	for _, m := range shared {
		own := body.get(m.name)
		if m.name == "sentAt" || !body.has(m.name) {
			if own == nil || isNull(own) {
				body.set(m.name, m.value)
			}
			continue
		}
		mine, err := parseObject(own)
		if err != nil {
			return invalidObject(m.name, err)
		}
		common, err := parseObject(m.value)
		if err != nil {
			return invalidObject(m.name, err)
		}
		body.set(m.name, mergeObjects(common, mine).encode())
	}
	return nil
}

// checkJSON says where invalid JSON goes wrong.
func checkJSON(body []byte) *refusal {
	if len(bytes.TrimSpace(body)) == 0 {
		return invalid("", "the body is empty: send a JSON object")
	}
	if r := checkNesting(body); r != nil {
		return r
	}
	var raw json.RawMessage
	err := json.Unmarshal(body, &raw)
	if err == nil {
		return nil
	}
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) {
		return invalid("", fmt.Sprintf("the body is not valid JSON: %s at byte %d", err, syntax.Offset))
	}
	return invalid("", fmt.Sprintf("the body is not valid JSON: %s", err))
}

func invalidObject(field string, err error) *refusal {
	var twice *duplicateError
	switch {
	case errors.As(err, &twice) && field == "":
		return invalid(twice.name, err.Error())
	case field == "":
		return invalid("", "the body "+err.Error())
	}
	return invalid(field, field+": "+err.Error())
}

func eventTooLarge(size, most int) *refusal {
	r := invalid("", fmt.Sprintf("the event has %d bytes, at most %d are accepted: shorten its properties or context", size, most))
	r.reason = schemas.Oversize
	return r
}
