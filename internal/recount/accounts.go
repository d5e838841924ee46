package recount

import (
	"encoding/json"
	"slices"
	"strings"
	"time"
)

// account keeps a change of an account.
func (f *Fold) account(r Record) Verdict {
	key := AccountChangeKey{Account: string(r.Key), ValidFrom: r.Time, Source: f.source, Offset: r.Offset}
	if len(r.Value) == 0 {
		if key.Account == "" {
			return refuse("missing_field")
		}
		if !keepable(key.ValidFrom) {
			return refuse("bad_time")
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
	if !keepable(key.ValidFrom) {
		return refuse("bad_time")
	}
	delete(o, "account_id")
	delete(o, "at")
	flat := flattened{attributes: map[string]string{}}
	flat.add("", o, 1)
	switch {
	case flat.deep:
		return refuse("malformed")
	case flat.size > maxRecord:
		return refuse("oversize")
	}
	if gone := o["deleted"]; string(gone) == "true" {
		f.sink.AccountChange(key, AccountChange{Deleted: true, Attributes: map[string]string{}})
		return Verdict{Kind: Applied, At: key.ValidFrom}
	}
	f.sink.AccountChange(key, AccountChange{Attributes: flat.attributes})
	return Verdict{Kind: Applied, At: key.ValidFrom}
}

// keepable says whether a DateTime64 of ClickHouse can hold an instant.
func keepable(at int64) bool {
	year := time.UnixMilli(at).UTC().Year()
	return year >= 1900 && year <= 2261
}

// maxNesting is how many objects deep attributes may be.
const maxNesting = 16

// flattened are an object's values as strings, nested ones by dotted name.
type flattened struct {
	attributes map[string]string
	size       int  // of all names and values
	deep       bool // some are nested too deep, and are left out
}

// add takes up an object that stands at a depth. A null empties an attribute.
func (f *flattened) add(prefix string, o object, depth int) {
	for name, raw := range o {
		var inner object
		text := ""
		switch {
		case string(raw) == "null":
		case raw[0] == '{' && depth == maxNesting:
			f.deep = true
			continue
		case raw[0] == '{':
			if json.Unmarshal(raw, &inner) == nil { // it is part of a text that was read
				f.add(prefix+name+".", inner, depth+1)
			}
			continue
		case json.Unmarshal(raw, &text) != nil:
			text = string(raw)
		}
		if f.size += len(prefix) + len(name) + len(text); f.size <= maxRecord {
			f.attributes[prefix+name] = text
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
