package recount

import (
	"encoding/json"
	"slices"
	"strings"
)

// accountFold reads one source of account records.
type accountFold struct {
	result *Result
	source string
}

func (f *accountFold) fold(r record) verdict {
	key := AccountChangeKey{Account: string(r.key), ValidFrom: r.time, Source: f.source, Offset: r.offset}
	if len(r.value) == 0 {
		if key.Account == "" {
			return refuse("missing_field")
		}
		f.result.AccountChanges[key] = AccountChange{Deleted: true, Attributes: map[string]string{}}
		return verdict{kind: applied}
	}
	if len(r.value) > maxRecord {
		return refuse("oversize")
	}
	var o object
	if err := json.Unmarshal(r.value, &o); err != nil || o == nil {
		return refuse("malformed")
	}
	if id, err := o.text("account_id"); err == nil && id != "" {
		key.Account = id
	}
	if key.Account == "" {
		return refuse("missing_field")
	}
	if at := o["at"]; at != nil && string(at) != "null" {
		text, err := o.text("at")
		if err == nil {
			key.ValidFrom, err = millis(text)
		}
		if err != nil {
			return refuse("bad_time")
		}
	}
	delete(o, "account_id")
	delete(o, "at")
	attributes := map[string]string{}
	flatten(attributes, "", o)
	f.result.AccountChanges[key] = AccountChange{Attributes: attributes}
	return verdict{kind: applied}
}

// flatten writes the object's values as strings, nested ones by dotted name. A
// null empties an attribute.
func flatten(to map[string]string, prefix string, o object) {
	for name, raw := range o {
		var inner object
		var text string
		switch {
		case string(raw) == "null":
			to[prefix+name] = ""
		case json.Unmarshal(raw, &inner) == nil:
			flatten(to, prefix+name+".", inner)
		case json.Unmarshal(raw, &text) == nil:
			to[prefix+name] = text
		default:
			to[prefix+name] = string(raw)
		}
	}
}

// AccountAsOf is what was known of the account at an instant (Unix ms): the
// attributes named by the changes up to it, later ones over earlier ones. It is
// nil when the account was not known, or was removed.
func (r *Result) AccountAsOf(account string, at int64) map[string]string {
	var keys []AccountChangeKey
	for key := range r.AccountChanges {
		if key.Account == account && key.ValidFrom <= at {
			keys = append(keys, key)
		}
	}
	slices.SortFunc(keys, func(a, b AccountChangeKey) int {
		switch {
		case a.ValidFrom != b.ValidFrom:
			return int(a.ValidFrom - b.ValidFrom)
		case a.Source != b.Source:
			return strings.Compare(a.Source, b.Source)
		default:
			return int(a.Offset - b.Offset)
		}
	})
	var known map[string]string
	for _, key := range keys {
		change := r.AccountChanges[key]
		if change.Deleted {
			known = nil
			continue
		}
		if known == nil {
			known = map[string]string{}
		}
		for name, value := range change.Attributes {
			known[name] = value
			if value == "" {
				delete(known, name)
			}
		}
	}
	return known
}
