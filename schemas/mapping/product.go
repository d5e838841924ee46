package mapping

import (
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// telemetry makes a track event in Segment's form. The account is stamped on it by whoever knows it.
func (r *Rule) telemetry(s *Source, document any, position string) (Event, error) {
	e := Event{Role: Telemetry, Fields: map[string]any{"type": "track"}}
	properties := map[string]any{}
	for _, field := range slices.Sorted(maps.Keys(r.Event)) {
		value := r.Event[field]
		first := value.first(document)
		switch field {
		case "name":
			e.Kind = first
		case "message_id":
			e.ID = first
		case "account_id":
			e.Account = first
		case "organization":
			for _, id := range value.organizations(document) {
				e.Waits = append(e.Waits, "o:"+s.Accounts+"|"+id)
			}
		case "properties":
			if all, ok := value.raw(document).(map[string]any); ok {
				maps.Copy(properties, all) // before those that are named, which come later
			}
		case "occurred_at":
			if first == "" {
				return e, missing(field)
			}
			at, err := parseTime(first)
			if err != nil {
				return e, wrong(field, "%w", err)
			}
			e.Fields["timestamp"] = at.UTC().Format(wireTime)
		case "user_id", "anonymous_id":
			if first != "" {
				e.Fields[map[string]string{"user_id": "userId", "anonymous_id": "anonymousId"}[field]] = first
			}
		default:
			if v := value.raw(document); v != nil {
				properties[strings.TrimPrefix(field, "properties.")] = v
			}
		}
	}
	if e.Kind == "" {
		return e, missing("name")
	}
	for _, identity := range []struct{ field, prefix string }{{"userId", "u:"}, {"anonymousId", "a:"}} {
		if id, ok := e.Fields[identity.field].(string); ok {
			e.Waits = append(e.Waits, identity.prefix+id)
		}
	}
	e.Fields["event"], e.Fields["properties"] = e.Kind, properties
	if e.ID == "" {
		e.ID = position
	}
	return e, nil
}

// account makes the attributes of an account, under their dotted names. `attributes` is an object all of whose members are.
func (r *Rule) account(document any) (Event, error) {
	e := Event{Role: Accounts, Kind: "account", Fields: map[string]any{}}
	e.Account = r.Account["account_id"].first(document)
	if e.Account == "" {
		return e, missing("account_id")
	}
	if all, ok := r.Account["attributes"].raw(document).(map[string]any); ok {
		maps.Copy(e.Fields, all)
	}
	for field, value := range r.Account {
		if field == "account_id" || field == "attributes" {
			continue
		}
		if list := value.texts(document); strings.HasPrefix(field, "external_ids.") && len(list) > 1 {
			e.Fields[field] = list
		} else if v := value.raw(document); v != nil {
			e.Fields[field] = v
		}
	}
	delete(e.Fields, "account_id")
	for name, v := range e.Fields {
		if v == unavailable {
			delete(e.Fields, name)
		}
	}
	for _, field := range []string{"created_at", "renewal_at"} {
		if n, ok := e.Fields[field].(json.Number); ok {
			at, err := parseDay(n.String())
			if err != nil {
				return e, wrong(field, "%w", err)
			}
			e.Fields[field] = at.UTC().Format(time.RFC3339)
		}
	}
	return e, nil
}

// unavailable is what Debezium says of a large column that did not change.
const unavailable = "__debezium_unavailable_value"

// parseDay is parseTime for a column: a small number is days since 1970, as databases' dates are told.
func parseDay(s string) (time.Time, error) {
	if days, err := strconv.ParseInt(s, 10, 64); err == nil && days >= 0 && days < 100_000 {
		return time.Unix(days*24*60*60, 0), nil
	}
	return parseTime(s)
}
