package decode

import (
	"bytes"
	"encoding/json"

	"tidemark/schemas"
)

// Account is one record of the account dimension: the attributes it names, from a time on.
type Account struct {
	ID         string
	ValidFrom  int64 // Unix ms
	Deleted    bool
	Attributes map[string]string // numbers as written; nested objects flattened with dots (external_ids.zendesk)
}

// DecodeAccount reads an account record: a JSON object, or an empty value (a tombstone) for an account removed.
// recordTime, in Unix ms, dates a record without `at`.
func DecodeAccount(key, value []byte, recordTime int64) (*Account, *Rejection) {
	if len(value) > MaxValue {
		return nil, reject(schemas.Oversize, "%d bytes, at most %d are taken", len(value), MaxValue)
	}
	a := &Account{ID: string(key), ValidFrom: recordTime}
	if len(value) == 0 {
		if a.ID == "" {
			return nil, reject(schemas.MissingField, "a tombstone needs the account's id as its key")
		}
		a.Deleted = true
		return a, nil
	}
	dec := json.NewDecoder(bytes.NewReader(value))
	dec.UseNumber()
	var doc map[string]any
	if err := dec.Decode(&doc); err != nil || doc == nil || dec.More() {
		return nil, reject(schemas.Malformed, "an account record must be one JSON object: %v", err)
	}
	if id, ok := doc["account_id"].(string); ok && id != "" {
		a.ID = id
	}
	if a.ID == "" {
		return nil, reject(schemas.MissingField, "an account record needs account_id, or the account's id as its key")
	}
	if at, given := doc["at"]; given && at != nil {
		text, _ := at.(string)
		var ok bool
		if a.ValidFrom, ok = parseTime([]byte(text)); !ok {
			return nil, reject(schemas.BadTime, "at %.60q is not an RFC 3339 time", text)
		}
	}
	delete(doc, "account_id")
	delete(doc, "at")
	a.Attributes = map[string]string{}
	flatten(a.Attributes, "", doc)
	return a, nil
}

// flatten writes scalars under their dotted names. Null clears an attribute: it is written as the empty string.
func flatten(into map[string]string, prefix string, doc map[string]any) {
	for k, v := range doc {
		switch v := v.(type) {
		case map[string]any:
			flatten(into, prefix+k+".", v)
		case string:
			into[prefix+k] = v
		case json.Number:
			into[prefix+k] = v.String()
		case bool:
			into[prefix+k] = map[bool]string{true: "true", false: "false"}[v]
		case nil:
			into[prefix+k] = ""
		default: // an array, kept as it was written
			text, err := json.Marshal(v)
			if err == nil {
				into[prefix+k] = string(text)
			}
		}
	}
}
