package collect

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"time"
)

// translate returns the event as a Segment message, and the key in it.
func (p *posthog) translate(event object) (translated, string, *refusal) {
	var t translated
	properties, r := parseMember(event, "properties")
	if r != nil {
		return t, "", r
	}
	key := readAny(event, "api_key", "token")
	if key == "" {
		key = readAny(properties, "token")
	}
	name, r := readString(event, "event")
	if r != nil {
		return t, key, r
	}
	user := readAny(event, "distinct_id")
	if user == "" {
		user = readAny(properties, "distinct_id")
	}
	if user == "" {
		return t, key, invalid("distinct_id", "distinct_id is missing: send who did it")
	}
	out := object{}
	if r = p.setTimes(&out, event); r != nil {
		return t, key, r
	}
	out.set("messageId", encodeString(posthogID(event, properties, name, user)))
	out.set("userId", encodeString(user))
	context := object{}
	if library := readAny(properties, "$lib"); library != "" {
		about := object{}
		about.setText("name", library)
		about.setText("version", readAny(properties, "$lib_version"))
		context.set("library", about.encode())
	}
	groups, _ := parseMember(properties, "$groups") // what is no object names no group
	if account := readAny(groups, p.groups...); account != "" {
		context.set("groupId", encodeString(account))
		t.joins = true
	}
	// The key is no property, nor is the address of the user's device for anybody to keep.
	properties.remove("token")
	properties.remove("$ip")
	p.setKind(&t, &out, &context, properties, event)
	if len(context) > 0 {
		out.set("context", context.encode())
	}
	t.body = out
	return t, key, nil
}

// setKind says which call of Segment's the event is.
func (p *posthog) setKind(t *translated, out, context *object, properties, event object) {
	name, user := readAny(event, "event"), readAny(*out, "userId")
	kind := func(k string) { out.set("type", encodeString(k)) }
	switch name {
	case "$groupidentify":
		group := readAny(properties, "$group_key")
		if !p.isAccount(readAny(properties, "$group_type")) || group == "" {
			kind(typeIdentify) // of a group that is no account: kept in the log, folded into nothing
			break
		}
		// Servers send a made-up user with it: the group is described, nobody joins it.
		kind(typeGroup)
		out.set("groupId", encodeString(group))
		out.set("userId", encodeString("$"+readAny(properties, "$group_type")+"_"+group))
		if traits := properties.get("$group_set"); len(traits) > 0 && traits[0] == '{' {
			out.set("traits", traits)
		}
		context.remove("groupId")
		t.joins = false
		return
	case "$create_alias", "$merge_dangerously", "$identify":
		previous := readAny(properties, "alias", "$anon_distinct_id")
		if previous == "" || previous == user {
			kind(typeIdentify)
			break
		}
		kind(typeAlias)
		out.set("previousId", encodeString(previous))
	case "$set", "$unset":
		kind(typeIdentify)
	case "$pageview":
		kind(typePage)
		out.setText("name", readAny(properties, "title", "$pathname", "$current_url"))
	case "$screen":
		kind(typeScreen)
		out.setText("name", readAny(properties, "$screen_name"))
	case "$feature_flag_called":
		t.evaluate(out, posthogEvaluation(properties, user))
		return
	default:
		kind(typeTrack)
		out.set("event", encodeString(name))
	}
	if traits := firstObject(properties.get("$set"), event.get("$set")); traits != nil {
		out.set("traits", traits)
		properties.remove("$set")
	}
	out.set("properties", properties.encode())
}

// posthogEvaluation reads the evaluation of a flag, which is then the same event as OpenTelemetry's.
func posthogEvaluation(properties object, user string) evaluation {
	e := evaluation{user: user, flag: readAny(properties, "$feature_flag"), variant: readAny(properties, "$feature_flag_response"), provider: "posthog"}
	if v := properties.get("$feature_flag_response"); e.variant == "" && v != nil {
		e.variant = string(v) // true and false
	}
	return e
}

func (p *posthog) isAccount(group string) bool {
	return slices.Contains(p.groups, group)
}

// setTimes sets the times as Segment names them. An event without timestamp has its age when it was sent, in ms, or none.
func (p *posthog) setTimes(out *object, event object) *refusal {
	at, r := readNaiveTime(event, "timestamp")
	if r != nil {
		return r
	}
	sent := p.sent
	if sent.IsZero() {
		if sent, r = readNaiveTime(event, "sent_at"); r != nil {
			return r
		}
	}
	if offset := event.get("offset"); at.IsZero() && offset != nil {
		if ms, err := strconv.ParseInt(string(offset), 10, 64); err == nil && ms >= 0 && ms < (24*time.Hour*3650).Milliseconds() {
			if sent.IsZero() {
				sent = p.received
			}
			at = sent.Add(-time.Duration(ms) * time.Millisecond)
		}
	}
	if !at.IsZero() {
		out.set("originalTimestamp", quoteTime(at))
	}
	if !sent.IsZero() {
		out.set("sentAt", quoteTime(sent))
	}
	return nil
}

// posthogID is the identity by which PostHog finds duplicates: uuid, event, timestamp and distinct_id. An event without a
// uuid has its $insert_id; without that all that it says counts.
func posthogID(event, properties object, name, user string) string {
	id := readAny(event, "uuid")
	if id == "" {
		id = readAny(properties, "$insert_id")
	}
	if id == "" {
		if !event.has("timestamp") {
			return "" // as of a message of Segment's: see ids
		}
		sum := sha256.Sum256(event.encode())
		return "ph-" + hex.EncodeToString(sum[:16])
	}
	at := readAny(event, "timestamp")
	sum := sha256.Sum256(fmt.Appendf(nil, "%q %q %q %q", id, name, at, user))
	if len(id) > 60 {
		id = "ph" // the sum has all of it
	}
	return id + "-" + hex.EncodeToString(sum[:8])
}

// firstObject returns the first of the values that is a JSON object.
func firstObject(values ...[]byte) []byte {
	for _, v := range values {
		if len(v) > 0 && v[0] == '{' {
			return v
		}
	}
	return nil
}

// readNaiveTime is readTime where a time without an offset is UTC, as old SDKs write it.
func readNaiveTime(o object, name string) (time.Time, *refusal) {
	if s, r := readString(o, name); r == nil && s != "" {
		if t, err := parseTime(s + "Z"); err == nil {
			return t, nil
		}
	}
	return readTime(o, name)
}
