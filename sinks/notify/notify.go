// Package notify tells people and machines of alerts: it takes transitions of alerts from ClickHouse and delivers each to the
// targets that it names, once, in order, and for as long as it takes.
//
// A transition is sent as a Message with an id that never changes: the transition's own, or that of the digest that it went out
// in. Which of the two is written to the table deliveries before anything is sent, and what came of it after, so that a crash at
// any moment loses nothing and at worst repeats a message under the same id. Read queue.go for what is sent when (it has no clock
// and no I/O), outbox.go for the loop around it, store.go for the tables, and a file a target for how it is told.
package notify

import (
	"encoding/json"
	"time"
)

// Kinds of transitions that delivery treats apart; others are told like Fired.
const (
	Fired        = "fired"
	Resolved     = "resolved"
	Retracted    = "retracted"
	Acknowledged = "acknowledged"
)

// Notification is a transition of an alert that a target is to be told of.
type Notification struct {
	ID        string // of the transition: the webhook-id, if it is sent alone
	AlertID   string // of the alert, the same for all its transitions
	Seq       uint64 // place among the transitions of the alert: they are told in this order
	Kind      string
	Rule      string
	Account   string
	Severity  string
	At        time.Time       // event time
	KnownAt   time.Time       // when it was found
	NotBefore time.Time       // end of quiet hours; it waits until then
	Payload   json.RawMessage // an object; nil until the notification is about to be sent
}

// Details is what targets for people show of a payload. All of it is optional.
type Details struct {
	Description string   `json:"description"`
	Value       *float64 `json:"value"`
	Threshold   *float64 `json:"threshold"`
	Unit        string   `json:"unit"`
	Playbook    string   `json:"playbook"`
	Owner       string   `json:"owner"`
	Link        string   `json:"link"`
}

// details reads what is there; what is of another type than expected is left out.
func (n *Notification) details() Details {
	var fields map[string]json.RawMessage
	var d Details
	if json.Unmarshal(n.Payload, &fields) != nil {
		return d
	}
	for name, into := range map[string]any{
		"description": &d.Description, "value": &d.Value, "threshold": &d.Threshold, "unit": &d.Unit,
		"playbook": &d.Playbook, "owner": &d.Owner, "link": &d.Link,
	} {
		_ = json.Unmarshal(fields[name], into)
	}
	return d
}
