package notify

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"tidemark/schemas/secret"
)

// pagerDutyURL is where PagerDuty takes events.
const pagerDutyURL = "https://events.pagerduty.com/v2/enqueue"

func (p *PagerDuty) url() credential {
	if !p.URL.IsSet() {
		return newCredential("url", "", secret.New(pagerDutyURL))
	}
	return newCredential("url", "", p.URL)
}

func (p *PagerDuty) routingKey() credential {
	return newCredential("routing_key", p.RoutingKeyFile, p.RoutingKey)
}

// oneByOne is of targets that take every notification by itself: PagerDuty pairs the end of an alert with its begin.
var oneByOne = digestLimit{members: 1}

// pagerDuty sends messages as events of PagerDuty's Events API v2.
type pagerDuty struct {
	*poster
	key credential
}

type pagerDutyEvent struct {
	RoutingKey string            `json:"routing_key"`
	Action     string            `json:"event_action"`
	DedupKey   string            `json:"dedup_key"`
	Client     string            `json:"client,omitempty"`
	ClientURL  string            `json:"client_url,omitempty"`
	Payload    *pagerDutyPayload `json:"payload,omitempty"`
}

type pagerDutyPayload struct {
	Summary   string          `json:"summary"`
	Source    string          `json:"source"`
	Severity  string          `json:"severity"`
	Timestamp time.Time       `json:"timestamp"`
	Component string          `json:"component"`
	Class     string          `json:"class"`
	Details   json.RawMessage `json:"custom_details,omitempty"`
}

// pagerDutySummary is the longest summary that it takes, in bytes to be sure.
const pagerDutySummary = 1024

func (p *pagerDuty) send(ctx context.Context, m *Message) Result {
	key, err := p.key.one()
	if err != nil {
		return Result{Outcome: Unable, Detail: err.Error()}
	}
	n := &m.Notifications[0]
	d := n.details()
	event := pagerDutyEvent{RoutingKey: key, Action: pagerDutyAction(n.Kind), DedupKey: n.AlertID, Client: "Tidemark", ClientURL: d.Link}
	if event.Action == "trigger" {
		summary := m.Subject()
		if d.Description != "" {
			summary += ": " + d.Description
		}
		event.Payload = &pagerDutyPayload{
			Summary: cut(summary, pagerDutySummary), Source: n.Account, Severity: pagerDutySeverity(n.Severity), Timestamp: n.At.UTC(),
			Component: n.Rule, Class: n.Kind, Details: n.Payload,
		}
	}
	body, err := json.Marshal(event)
	if err != nil {
		return Result{Outcome: Rejected, Detail: err.Error()}
	}
	return rejects(p.post(ctx, body, nil), http.StatusBadRequest)
}

func pagerDutyAction(kind string) string {
	switch kind {
	case Resolved, Retracted:
		return "resolve"
	case Acknowledged:
		return "acknowledge"
	default:
		return "trigger" // that of a new level or an amended alert updates the incident of the same key
	}
}

// pagerDutySeverity is the severity in PagerDuty's words; on call is about errors where nothing else is said.
func pagerDutySeverity(severity string) string {
	switch severity {
	case "critical", "error", "warning", "info":
		return severity
	case "page": // the highest that a rule has
		return "critical"
	default:
		return "error"
	}
}
