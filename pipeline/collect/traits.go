package collect

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// trait is what a group call said of one attribute of an account.
type trait struct {
	value string    // JSON; empty for a record that is not of this kind
	at    time.Time // from when it is valid
}

// nestedAttributes are the attributes that are objects of named values. They
// come with account records, not with traits.
var nestedAttributes = []string{"external_ids", "targets"}

// foldTrait reads a record that encodeTrait wrote. A record of several attributes is somebody else's, such as a CRM's.
func foldTrait(old trait, _ bool, record *kgo.Record) (trait, error) {
	if !json.Valid(record.Value) {
		return old, errors.New("account record is not valid JSON")
	}
	o, err := parseObject(record.Value)
	if err != nil {
		return old, fmt.Errorf("account record: %w", err)
	}
	t := trait{at: record.Timestamp}
	attributes := 0
	for _, m := range o {
		switch m.name {
		case "account_id":
		case "at":
			if s, r := readString(o, "at"); r == nil {
				if at, err := parseTime(s); err == nil {
					t.at = at
				}
			}
		default:
			attributes++
			t.value = string(m.value)
		}
	}
	if attributes != 1 || !strings.Contains(string(record.Key), "|") {
		t.value = ""
	}
	return t, nil
}

func isNested(name string) bool { return slices.Contains(nestedAttributes, name) }

// encodeTrait returns an account record of one attribute.
func encodeTrait(id, name, value string, at time.Time) []byte {
	record := map[string]any{"account_id": id, "at": at.UTC().Format(wireTime), name: json.RawMessage(value)}
	b, _ := json.Marshal(record) // keys sorted; the value was parsed from JSON
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
		outer, _, _ := strings.Cut(name, ".")
		if name == "id" || name == "account_id" || name == "at" || isNested(outer) {
			continue // not for clients to say
		}
		if isNull(m.value) || m.value[0] == '{' || m.value[0] == '[' {
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
