package normalise

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"mime"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/twmb/franz-go/pkg/kgo"

	"tidemark/pipeline/decode"
	"tidemark/schemas"
)

// decoder returns that of the topic's format.
func (t *topic) decoder() decoder {
	switch t.declared.Format {
	case "cloudevents":
		return plain(readCloudEvent)
	case "debezium":
		return plain(readDebezium)
	case "json":
		return plain(readJSON)
	}
	return t.registered()
}

// plain makes a decoder of a function that asks nobody.
func plain(read func(r *kgo.Record) (document, *decode.Rejection)) decoder {
	return func(_ context.Context, r *kgo.Record) (document, error) {
		if len(r.Value) > decode.MaxValue {
			return document{}, &decode.Rejection{Reason: schemas.Oversize, Detail: fmt.Sprintf("%d bytes, at most %d are taken", len(r.Value), decode.MaxValue)}
		}
		doc, rejection := read(r)
		if rejection != nil {
			return document{}, rejection
		}
		return doc, nil
	}
}

func malformed(field, format string, args ...any) *decode.Rejection {
	return &decode.Rejection{Reason: schemas.Malformed, Field: field, Detail: fmt.Sprintf(format, args...)}
}

// readJSON takes a JSON object; a tombstone says nothing.
func readJSON(r *kgo.Record) (document, *decode.Rejection) {
	if len(r.Value) == 0 {
		return document{}, nil
	}
	return document{json: r.Value}, checkObject("the record", r.Value)
}

// checkObject refuses what is not one JSON object in UTF-8.
func checkObject(what string, value []byte) *decode.Rejection {
	var object json.RawMessage
	switch err := json.Unmarshal(value, &object); {
	case !utf8.Valid(value):
		return malformed("", "%s is not UTF-8, as JSON has to be", what)
	case err != nil:
		return malformed("", "%s is not JSON: %s", what, err)
	case bytes.TrimSpace(value)[0] != '{':
		return malformed("", "%s is not a JSON object", what)
	}
	return nil
}

// readCloudEvent reads both modes of CloudEvents' Kafka protocol binding 1.0 into the structured form.
func readCloudEvent(r *kgo.Record) (document, *decode.Rejection) {
	headers := map[string]string{}
	for _, h := range r.Headers {
		headers[strings.ToLower(h.Key)] = string(h.Value)
	}
	contentType := headers["content-type"]
	if strings.HasPrefix(strings.ToLower(contentType), "application/cloudevents") {
		media, _, err := mime.ParseMediaType(contentType)
		// One that does not say its format can only be JSON.
		if err != nil || media != "application/cloudevents+json" && media != "application/cloudevents" {
			return document{}, malformed("content-type", "%.60q cannot be read: send structured events as application/cloudevents+json, or binary ones", contentType)
		}
		return document{json: r.Value}, checkObject("the structured event", r.Value)
	}
	if headers["ce_specversion"] == "" {
		return document{}, malformed("ce_specversion", "the record is no CloudEvent: it has neither the header ce_specversion, as in binary mode, nor the content-type application/cloudevents+json, as in structured mode")
	}
	event := map[string]any{}
	for name, value := range headers {
		if attribute, ok := strings.CutPrefix(name, "ce_"); ok {
			if !utf8.ValidString(value) {
				return document{}, malformed(name, "the header %.40q is not UTF-8", name)
			}
			event[attribute] = value
		}
	}
	if contentType != "" {
		event["datacontenttype"] = contentType
	}
	if rejection := setData(event, contentType, r.Value); rejection != nil {
		return document{}, rejection
	}
	structured, err := json.Marshal(event)
	if err != nil {
		return document{}, malformed("", "%s", err)
	}
	return document{json: structured}, nil
}

// setData puts a binary event's data where the structured form has it. Without content-type it is JSON if it can be.
func setData(event map[string]any, contentType string, data []byte) *decode.Rejection {
	media, _, _ := mime.ParseMediaType(contentType)
	isJSON := strings.HasSuffix(media, "/json") || strings.HasSuffix(media, "+json")
	switch {
	case len(data) == 0:
	case (isJSON || contentType == "") && utf8.Valid(data) && json.Valid(data):
		event["data"] = json.RawMessage(data)
	case isJSON:
		return malformed("data", "the data is not valid JSON, which its content-type says")
	case utf8.Valid(data):
		event["data"] = string(data)
	default:
		event["data_base64"] = base64.StdEncoding.EncodeToString(data)
	}
	return nil
}

// change is Debezium's envelope, of which a connector may put the schema beside it.
type change struct {
	Payload *change         `json:"payload"`
	Op      string          `json:"op"`
	Before  json.RawMessage `json:"before"`
	After   json.RawMessage `json:"after"`
	TSMs    json.Number     `json:"ts_ms"`
	Source  struct {
		TSMs json.Number `json:"ts_ms"`
	} `json:"source"`
}

// readDebezium takes the row out of Debezium's envelope, as it is after the change; or, when it was deleted, as it was before. The tombstone
// that follows a deletion is for compaction and says nothing new.
func readDebezium(r *kgo.Record) (document, *decode.Rejection) {
	if len(r.Value) == 0 {
		return document{}, nil
	}
	if rejection := checkObject("the record", r.Value); rejection != nil {
		return document{}, rejection
	}
	var c change
	if err := json.Unmarshal(r.Value, &c); err != nil {
		return document{}, malformed("", "the record is no envelope of Debezium's: %s", err)
	}
	if c.Payload != nil {
		c = *c.Payload
	}
	doc := document{json: c.After}
	side := "after"
	switch c.Op {
	case "c", "r", "u":
	case "d":
		doc.json, doc.deleted, side = c.Before, true, "before"
	case "t", "m": // a table that was emptied says not of what, a message is no row
		return document{}, nil
	default:
		return document{}, malformed("op", "op %.20q is none of c, r, u and d: send Debezium's envelopes, not rows taken out of them", c.Op)
	}
	if len(doc.json) == 0 || string(doc.json) == "null" {
		return document{}, malformed(side, "%s is empty in a change of kind %s: let the table log whole rows (in PostgreSQL, REPLICA IDENTITY FULL)", side, c.Op)
	}
	for _, ms := range []json.Number{c.Source.TSMs, c.TSMs} {
		if n, err := ms.Int64(); err == nil && n > 0 && doc.at.IsZero() {
			doc.at = time.UnixMilli(n).UTC()
		}
	}
	return doc, checkObject(side, doc.json)
}
