package collect

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// account is what the accounts topic says of an account: attributes by name, as
// JSON. Nested attributes have dotted names, for example external_ids.zendesk.
type account struct {
	attributes map[string]string
	at         time.Time // from when the last record is valid
	// whole is set when the last record names all attributes, so that
	// compaction may drop the records before it.
	whole bool
}

// nestedAttributes are the attributes that are objects of named values.
var nestedAttributes = []string{"external_ids", "targets"}

// foldAccount overlays a record on the attributes that the account has.
func foldAccount(old account, _ bool, record *kgo.Record) (account, error) {
	if !json.Valid(record.Value) {
		return old, fmt.Errorf("account record is not valid JSON")
	}
	o, err := parseObject(record.Value)
	if err != nil {
		return old, fmt.Errorf("account record: %w", err)
	}
	patch := map[string]string{}
	at := record.Timestamp
	for _, m := range o {
		switch {
		case m.name == "account_id":
		case m.name == "at":
			if s, r := readString(o, "at"); r == nil {
				if t, err := parseTime(s); err == nil {
					at = t
				}
			}
		case isNested(m.name):
			inner, err := parseObject(m.value)
			if err != nil {
				return old, fmt.Errorf("account record: %s %w", m.name, err)
			}
			for _, n := range inner {
				patch[m.name+"."+n.name] = string(n.value)
			}
		default:
			patch[m.name] = string(m.value)
		}
	}
	merged := overlay(old.attributes, patch)
	return account{attributes: merged, at: at, whole: len(merged) == len(patch)}, nil
}

func overlay(base, patch map[string]string) map[string]string {
	merged := make(map[string]string, len(base)+len(patch))
	for name, v := range base {
		merged[name] = v
	}
	for name, v := range patch {
		merged[name] = v
	}
	return merged
}

// covers reports whether patch would change nothing of attributes.
func covers(attributes, patch map[string]string) bool {
	for name, v := range patch {
		if old, ok := attributes[name]; !ok || old != v {
			return false
		}
	}
	return true
}

func isNested(name string) bool {
	for _, n := range nestedAttributes {
		if n == name {
			return true
		}
	}
	return false
}

// encodeAccount returns the account record with all attributes.
func encodeAccount(id string, at time.Time, attributes map[string]string) []byte {
	record := map[string]any{"account_id": id, "at": at.UTC().Format(wireTime)}
	for name, v := range attributes {
		outer, inner, dotted := strings.Cut(name, ".")
		if !dotted || !isNested(outer) {
			record[name] = json.RawMessage(v)
			continue
		}
		nested, ok := record[outer].(map[string]json.RawMessage)
		if !ok {
			nested = map[string]json.RawMessage{}
			record[outer] = nested
		}
		nested[inner] = json.RawMessage(v)
	}
	b, _ := json.Marshal(record) // keys sorted; the values were parsed from JSON
	return b
}

// traitNames are the traits whose name differs in an account record.
var traitNames = map[string]string{
	"createdAt": "created_at", "renewalAt": "renewal_at", "employee_count": "employees",
}

// accountPatch turns the traits of a group call, or the company of an identify
// call, into attributes. Traits of the wrong type are left out and named to
// ignored; objects and arrays have no place in an account record.
func accountPatch(traits object, ignored func(trait string)) map[string]string {
	patch := map[string]string{}
	for _, m := range traits {
		name := m.name
		if renamed, ok := traitNames[name]; ok {
			name = renamed
		}
		if name == "id" || name == "account_id" || name == "at" || isNested(name) || isNull(m.value) || m.value[0] == '{' || m.value[0] == '[' {
			continue
		}
		v, ok := attributeValue(name, m.value)
		if !ok {
			ignored(name)
			continue
		}
		patch[name] = v
	}
	return patch
}

func attributeValue(name string, value []byte) (string, bool) {
	text := string(value)
	if value[0] == '"' {
		s, err := decodeString(value)
		if err != nil {
			return "", false
		}
		text = s
	}
	switch name {
	case "seats":
		n, err := strconv.ParseFloat(text, 64)
		if err != nil || n != float64(int64(n)) {
			return "", false
		}
		return strconv.FormatInt(int64(n), 10), true
	case "mrr":
		n := json.Number(strings.TrimSpace(text))
		if _, err := n.Float64(); err != nil || !json.Valid([]byte(n)) {
			return "", false
		}
		return n.String(), true
	case "created_at", "renewal_at":
		t, err := parseDate(text)
		if err != nil {
			return "", false
		}
		return string(quoteTime(t)), true
	}
	return string(bytes.TrimSpace(encodeString(text))), true
}

// parseDate reads a time or a plain date, which traits often are.
func parseDate(s string) (time.Time, error) {
	if t, err := time.Parse(time.DateOnly, s); err == nil {
		return t, nil
	}
	return parseTime(s)
}
