package simulate

import (
	"strings"
	"time"
)

// The reasons for which records are refused, as the contract names them.
const (
	malformed    reason = "malformed"
	missingType  reason = "missing_type"
	unknownType  reason = "unknown_type"
	missingEvent reason = "missing_event"
	missingUser  reason = "missing_user"
	badTime      reason = "bad_time"
	future       reason = "future"
	tooOld       reason = "too_old"
	noAccount    reason = "no_account"
	missingField reason = "missing_field"
	unknownKind  reason = "unknown_kind"
	badValue     reason = "bad_value"
)

// fault is a way to get a record wrong. In body, ACCOUNT is
// an account, UNIQUE an id, NOW is when it was received,
// LATER is two hours after and LONGAGO six years before.
type fault struct {
	via    Via
	reason reason
	body   string
}

var faultKinds = []fault{
	{Telemetry, malformed, `{"type":"track","event":"Dashboard Viewed","userId":"x","messageId":"UNIQUE",`},
	{Tickets, missingField, `{"source":"zendesk","account_id":"ACCOUNT","kind":"created","occurred_at":"NOW","source_event_id":"UNIQUE"}`},
	{Telemetry, missingType, `{"event":"Dashboard Viewed","userId":"x","messageId":"UNIQUE","context":{"groupId":"ACCOUNT"},"receivedAt":"NOW"}`},
	{Telemetry, future, `{"type":"page","userId":"x","messageId":"UNIQUE","context":{"groupId":"ACCOUNT"},"receivedAt":"NOW","timestamp":"LATER"}`},
	{Telemetry, malformed, `[{"type":"track"}]`},
	{Telemetry, unknownType, `{"type":"click","userId":"x","messageId":"UNIQUE","context":{"groupId":"ACCOUNT"},"receivedAt":"NOW"}`},
	{Tickets, unknownKind, `{"ticket_id":"9","source":"zendesk","account_id":"ACCOUNT","kind":"teleported","occurred_at":"NOW","source_event_id":"UNIQUE"}`},
	{Telemetry, missingEvent, `{"type":"track","userId":"x","messageId":"UNIQUE","context":{"groupId":"ACCOUNT"},"receivedAt":"NOW"}`},
	{Telemetry, missingUser, `{"type":"group","groupId":"ACCOUNT","messageId":"UNIQUE","receivedAt":"NOW"}`},
	{Telemetry, noAccount, `{"type":"track","event":"Dashboard Viewed","userId":"stranger-UNIQUE","messageId":"UNIQUE","receivedAt":"NOW","timestamp":"NOW"}`},
	{Telemetry, badTime, `{"type":"page","userId":"x","messageId":"UNIQUE","context":{"groupId":"ACCOUNT"},"receivedAt":"NOW","timestamp":"last Tuesday"}`},
	{Tickets, malformed, `ticket 9 was solved`},
	{Signals, badValue, `{"type":"survey.responded","survey_id":"s","response_id":"UNIQUE","account_id":"ACCOUNT","kind":"nps","score":11,"responded_at":"NOW"}`},
	{Signals, missingField, `{"type":"kpi.reported","kpi":"UNIQUE","account_id":"ACCOUNT","value":1,"reported_at":"NOW"}`},
	{Signals, unknownType, `{"type":"kpi.forecast","kpi":"UNIQUE","account_id":"ACCOUNT","value":1,"period":"2026-03","reported_at":"NOW"}`},
	{Telemetry, tooOld, `{"type":"page","userId":"x","messageId":"UNIQUE","context":{"groupId":"ACCOUNT"},"receivedAt":"NOW","timestamp":"LONGAGO"}`},
	{Telemetry, malformed, `{"type":"track","event":"Dashboard Viewed","userId":17,"messageId":"UNIQUE","receivedAt":"NOW"}`},
	{Tickets, badTime, `{"ticket_id":"9","source":"zendesk","account_id":"ACCOUNT","kind":"created","occurred_at":"12/31/2025","source_event_id":"UNIQUE"}`},
}

// fault queues a record that must become a dead letter; each kind in its turn.
// It goes straight to Kafka: the collector would refuse it.
func (g *Generator) fault(a *account, at time.Time) {
	f := faultKinds[g.faults%len(faultKinds)]
	g.faults++
	ms := at.UnixMilli()
	hour := time.Hour.Milliseconds()
	body := strings.NewReplacer("ACCOUNT", a.id, "UNIQUE", g.id(), "NOW", stamp(ms), "LATER", stamp(ms+2*hour),
		"LONGAGO", stamp(ms-6*8766*hour)).Replace(f.body)
	g.push(Message{At: at, Via: f.via, Key: a.id, Body: []byte(body),
		intent: intent{verdict: deadLettered, reason: f.reason, account: a.id, at: ms}}, nil)
}
