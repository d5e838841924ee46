package notify

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// Message is what a target is sent at once: one notification, or a digest of several. Its content depends on the notifications
// alone, so that a repeat is the same to the byte.
type Message struct {
	ID            string
	Notifications []Notification
}

// digestID is the id of the message that has these notifications together.
func digestID(target string, ids []string) string {
	sum := sha256.Sum256([]byte(target + "\n" + strings.Join(ids, "\n")))
	return "digest_" + hex.EncodeToString(sum[:16])
}

// Digest says whether it stands for several notifications.
func (m *Message) Digest() bool { return len(m.Notifications) > 1 }

// Type is what machines tell messages apart by: alert.fired, alert.resolved …, or alert.digest.
func (m *Message) Type() string {
	if m.Digest() {
		return "alert.digest"
	}
	return "alert." + m.Notifications[0].Kind
}

// envelope is the body for machines, in the shape that Standard Webhooks recommends.
type envelope struct {
	Type      string    `json:"type"`
	Timestamp time.Time `json:"timestamp"`
	Data      any       `json:"data"`
}

type digest struct {
	Count  int                       `json:"count"`
	Rules  map[string]map[string]int `json:"rules"` // by rule and kind
	Alerts []summary                 `json:"alerts"`
}

// summary is a notification without its evidence.
type summary struct {
	ID       string    `json:"id"`
	AlertID  string    `json:"alert_id"`
	Kind     string    `json:"kind"`
	Rule     string    `json:"rule"`
	Account  string    `json:"account"`
	Severity string    `json:"severity,omitempty"`
	At       time.Time `json:"at"`
}

func (n *Notification) summary() summary {
	return summary{ID: n.ID, AlertID: n.AlertID, Kind: n.Kind, Rule: n.Rule, Account: n.Account, Severity: n.Severity, At: n.At.UTC()}
}

// size is how many bytes a digest grows by.
func (n *Notification) size() int {
	return 150 + len(n.ID) + len(n.AlertID) + len(n.Kind) + len(n.Rule) + len(n.Account) + len(n.Severity)
}

// Body is the message as JSON, for machines.
func (m *Message) Body() ([]byte, error) {
	e := envelope{Type: m.Type(), Timestamp: m.timestamp()}
	if m.Digest() {
		d := digest{Count: len(m.Notifications), Rules: m.counts()}
		for i := range m.Notifications {
			d.Alerts = append(d.Alerts, m.Notifications[i].summary())
		}
		e.Data = d
	} else {
		e.Data = m.Notifications[0].Payload
	}
	body, err := json.Marshal(e)
	if err != nil {
		return nil, fmt.Errorf("message %s: %w", m.ID, err)
	}
	return body, nil
}

// timestamp is when the latest of it was known.
func (m *Message) timestamp() time.Time {
	var at time.Time
	for _, n := range m.Notifications {
		if n.KnownAt.After(at) {
			at = n.KnownAt
		}
	}
	return at.UTC()
}

func (m *Message) counts() map[string]map[string]int {
	counts := map[string]map[string]int{}
	for _, n := range m.Notifications {
		if counts[n.Rule] == nil {
			counts[n.Rule] = map[string]int{}
		}
		counts[n.Rule][n.Kind]++
	}
	return counts
}

// Subject is a line for people.
func (m *Message) Subject() string {
	if !m.Digest() {
		n := &m.Notifications[0]
		return fmt.Sprintf("%s: %s for %s", n.Kind, n.Rule, n.Account)
	}
	counts := m.counts()
	var parts []string
	for _, rule := range slices.Sorted(maps.Keys(counts)) {
		for _, kind := range slices.Sorted(maps.Keys(counts[rule])) {
			parts = append(parts, fmt.Sprintf("%s %s %d", rule, kind, counts[rule][kind]))
		}
	}
	if more := len(parts) - digestParts; more > 0 {
		parts = append(parts[:digestParts], fmt.Sprintf("and %d more", more))
	}
	return fmt.Sprintf("%d changes of alerts: %s", len(m.Notifications), strings.Join(parts, ", "))
}

const (
	// digestParts is how many rules and kinds a subject names: more is no subject any more.
	digestParts = 5
	// digestLines is how many of a digest's alerts people are shown: nobody reads on.
	digestLines = 25
)

// Lines are what people are told beneath the subject.
func (m *Message) Lines() []string {
	if m.Digest() {
		return m.digestLines()
	}
	n := &m.Notifications[0]
	d := n.details()
	lines := []string{"At " + n.At.UTC().Format(time.RFC3339)}
	add := func(name, text string) {
		if text != "" {
			lines = append(lines, name+text)
		}
	}
	add("", d.Description)
	if d.Value != nil {
		value := fmt.Sprintf("%g", *d.Value)
		if d.Threshold != nil {
			value += fmt.Sprintf(" (threshold %g)", *d.Threshold)
		}
		add("Value: ", strings.TrimSpace(value+" "+d.Unit))
	}
	add("Severity: ", n.Severity)
	add("Owner: ", d.Owner)
	add("Playbook: ", d.Playbook)
	add("", d.Link)
	return lines
}

func (m *Message) digestLines() []string {
	var lines []string
	for i := range m.Notifications {
		n := &m.Notifications[i]
		if i == digestLines {
			lines = append(lines, fmt.Sprintf("and %d more: tidemark triggers ls has them all", len(m.Notifications)-i))
			break
		}
		lines = append(lines, fmt.Sprintf("%s %s %s %s", n.At.UTC().Format(time.RFC3339), n.Kind, n.Rule, n.Account))
	}
	return lines
}
