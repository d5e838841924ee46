package recount

import (
	"encoding/json"
	"slices"
	"strings"
)

// account keeps a change of an account.
func (f *Fold) account(r Record) Verdict {
	key := AccountChangeKey{Account: string(r.Key), ValidFrom: r.Time, Source: f.source, Offset: r.Offset}
	if len(r.Value) == 0 {
		if key.Account == "" {
			return refuse("missing_field")
		}
		f.sink.AccountChange(key, AccountChange{Deleted: true, Attributes: map[string]string{}})
		return Verdict{Kind: Applied, At: key.ValidFrom}
	}
	if len(r.Value) > maxRecord {
		return refuse("oversize")
	}
	var o object
	if err := json.Unmarshal(r.Value, &o); err != nil || o == nil {
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
	f.sink.AccountChange(key, AccountChange{Attributes: attributes})
	return Verdict{Kind: Applied, At: key.ValidFrom}
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
