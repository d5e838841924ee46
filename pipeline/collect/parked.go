package collect

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sort"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"tidemark/schemas/mapping"
)

// parkedKey is the key of an event in the parked topic.
func parkedKey(user, messageID string) string { return compoundKey(user, messageID) }

// compoundKey joins an id and a name below it. The id's own "|" and "%" are
// escaped: different pairs must never share a key, or compaction would drop one.
func compoundKey(id, name string) string {
	return strings.NewReplacer("%", "%25", "|", "%7C").Replace(id) + "|" + name
}

// parkedEvent is an event that waits for the account of one of its users.
type parkedEvent struct {
	key      string
	offset   int64
	users    []string
	kind     string
	received time.Time
	role     string // of the topic that it is for
	value    []byte
	headers  []kgo.RecordHeader
}

// waitingRoom holds the events of one partition of the parked topic that have
// neither been released nor given up. It is not safe for concurrent use.
type waitingRoom struct {
	events map[string]*parkedEvent            // by key
	byUser map[string]map[string]*parkedEvent // by user, then by key
	ready  []*parkedEvent                     // whose account became known; may hold events that left
	known  func(user string) (string, bool)
}

func newWaitingRoom(known func(user string) (string, bool)) *waitingRoom {
	return &waitingRoom{
		events: map[string]*parkedEvent{}, byUser: map[string]map[string]*parkedEvent{}, known: known,
	}
}

// apply takes up one record of the partition: an event that waits from now on,
// or the tombstone of one that no longer does.
func (w *waitingRoom) apply(record *kgo.Record) error {
	key := string(record.Key)
	w.remove(key, record.Offset)
	if record.Value == nil {
		return nil
	}
	event, err := readParked(record)
	if err != nil {
		return fmt.Errorf("%s/%d offset %d: %w", record.Topic, record.Partition, record.Offset, err)
	}
	w.events[key] = event
	for _, user := range event.users {
		if w.byUser[user] == nil {
			w.byUser[user] = map[string]*parkedEvent{}
		}
		w.byUser[user][key] = event
	}
	if w.account(event) != "" {
		w.ready = append(w.ready, event)
	}
	return nil
}

// learned makes the events of user ready and reports whether there are any.
func (w *waitingRoom) learned(user string) bool {
	waiting := w.byUser[user]
	w.ready = append(w.ready, inLogOrder(waiting)...)
	return len(waiting) > 0
}

// remove takes out the event of key if it came before offset.
func (w *waitingRoom) remove(key string, offset int64) {
	event, ok := w.events[key]
	if !ok || event.offset >= offset {
		return
	}
	delete(w.events, key)
	for _, user := range event.users {
		if delete(w.byUser[user], key); len(w.byUser[user]) == 0 {
			delete(w.byUser, user)
		}
	}
}

// account returns the account of the event's first user that has one.
func (w *waitingRoom) account(event *parkedEvent) string {
	for _, user := range event.users {
		if account, ok := w.known(user); ok {
			return account
		}
	}
	return ""
}

// departure is an event that leaves the waiting room. account is "" when it
// gave up.
type departure struct {
	*parkedEvent
	account string
}

// leave returns at most n events whose account is known. They stay in the room
// until they are removed, but are not returned again.
func (w *waitingRoom) leave(n int) []departure {
	var leaving []departure
	picked := map[string]bool{}
	for len(leaving) < n && len(w.ready) > 0 {
		event := w.ready[0]
		w.ready = w.ready[1:]
		if w.events[event.key] != event || picked[event.key] {
			continue
		}
		if account := w.account(event); account != "" {
			leaving = append(leaving, departure{event, account})
			picked[event.key] = true
		}
	}
	return leaving
}

// giveUp returns at most n events that came before deadline, or are the oldest
// of more than most.
func (w *waitingRoom) giveUp(n int, deadline time.Time, most int) []departure {
	surplus := len(w.events) - most
	var late []*parkedEvent
	for _, event := range w.events {
		if surplus > 0 || event.received.Before(deadline) {
			late = append(late, event)
		}
	}
	sortByOffset(late)
	var leaving []departure
	for i, event := range late {
		if len(leaving) < n && (i < surplus || event.received.Before(deadline)) {
			leaving = append(leaving, departure{event, ""})
		}
	}
	return leaving
}

func sortByOffset(events []*parkedEvent) {
	sort.Slice(events, func(i, j int) bool { return events[i].offset < events[j].offset })
}

func inLogOrder(events map[string]*parkedEvent) []*parkedEvent {
	ordered := make([]*parkedEvent, 0, len(events))
	for _, event := range events {
		ordered = append(ordered, event)
	}
	sortByOffset(ordered)
	return ordered
}

// wrapParked returns the parked form of an event that doesn't say itself what it waits for. A message of Segment's is parked as it is.
func wrapParked(role, kind string, waitsFor []string, received, event []byte) []byte {
	names, _ := json.Marshal(waitsFor) // strings always encode
	wrapped := object{}
	wrapped.set("topic", encodeString(role))
	wrapped.set("kind", encodeString(kind))
	wrapped.set("waits_for", names)
	wrapped.set("receivedAt", received)
	wrapped.set("event", event)
	return wrapped.encode()
}

// readParked reads a record of the parked topic.
func readParked(record *kgo.Record) (*parkedEvent, error) {
	if !json.Valid(record.Value) {
		return nil, fmt.Errorf("parked event is not valid JSON")
	}
	body, err := parseObject(record.Value)
	if err != nil {
		return nil, fmt.Errorf("parked event: %w", err)
	}
	event := &parkedEvent{key: string(record.Key), offset: record.Offset, role: mapping.Telemetry, value: record.Value, headers: record.Headers}
	// No message of Segment's has an object there: its event is a name.
	if inner := body.get("event"); len(inner) > 0 && inner[0] == '{' {
		err = event.unwrap(body, inner)
	} else {
		m, refused := parseMessage(body, "")
		if refused != nil {
			return nil, fmt.Errorf("parked event: %w", refused)
		}
		event.users, event.kind = m.users(), m.kind
	}
	received, refused := readTime(body, "receivedAt")
	if refused != nil || received.IsZero() {
		received = record.Timestamp
	}
	event.received = received
	return event, err
}

// unwrap takes up what wrapParked wrote.
func (e *parkedEvent) unwrap(body object, inner []byte) error {
	if err := json.Unmarshal(body.get("waits_for"), &e.users); err != nil || len(e.users) == 0 {
		return errors.New("parked event: waits_for is not a list of identities")
	}
	if _, err := parseObject(inner); err != nil {
		return fmt.Errorf("parked event: event %w", err)
	}
	e.role, e.kind, e.value = readAny(body, "topic"), readAny(body, "kind"), inner
	if !slices.Contains([]string{mapping.Telemetry, mapping.Tickets, mapping.Signals}, e.role) {
		return fmt.Errorf("parked event: topic %.20q is none that events are released to", e.role)
	}
	return nil
}

// record returns the record that the departing event becomes.
func (d departure) record(topics Topics) (*kgo.Record, error) {
	body, err := parseObject(d.value)
	if err != nil {
		return nil, fmt.Errorf("parked event at offset %d: %w", d.offset, err)
	}
	record := &kgo.Record{Topic: topics.Telemetry, Key: []byte(d.users[0]), Headers: d.headers}
	switch d.role {
	case mapping.Tickets:
		record.Topic = topics.Tickets
	case mapping.Signals:
		record.Topic = topics.Signals
	}
	if d.account != "" {
		record.Key = []byte(d.account)
		if d.role != mapping.Telemetry {
			body.set("account_id", encodeString(d.account))
		} else if body, err = withAccount(body, d.account); err != nil {
			return nil, fmt.Errorf("parked event at offset %d: %w", d.offset, err)
		}
	}
	record.Value = body.encode()
	return record, nil
}
