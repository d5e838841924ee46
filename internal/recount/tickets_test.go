package recount

import (
	"cmp"
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// ticket writes one ticket event; more holds further fields, each with a comma.
func ticket(event int, id, kind, at, more string) written {
	return written{topic: "tickets", value: fmt.Sprintf(
		`{"ticket_id":%q,"source":"zendesk","account_id":"acme","kind":%q,"occurred_at":"2026-03-02T%sZ","source_event_id":"e%d"%s}`,
		id, kind, at, event, more)}
}

var ticketLog = []written{
	// T1 is escalated twice in one hour, solved, reopened twice and solved again.
	ticket(0, "T1", "created", "08:00:00", `,"priority":"p3","tags":["billing","slow"]`),
	ticket(1, "T1", "replied_customer", "08:05:00", ""),
	ticket(2, "T1", "replied_agent", "08:30:00", ""),
	ticket(3, "T1", "priority", "09:00:00", `,"from":"p3","to":"p1"`),
	ticket(4, "T1", "priority", "09:10:00", `,"from":"p1","to":"p2"`), // already urgent
	ticket(5, "T1", "assignment", "09:20:00", `,"to":"tier-3"`),
	ticket(6, "T1", "solved", "10:00:00", ""),
	ticket(7, "T1", "reopened", "10:10:00", ""),
	ticket(9, "T1", "reopened", "10:40:00", ""), // before the solve that came between
	ticket(8, "T1", "solved", "10:20:00", ""),
	ticket(10, "T1", "status", "11:30:00", `,"to":"closed"`),
	ticket(10, "T1", "status", "11:30:00", `,"to":"closed"`), // delivered twice
	// T2 stays open; an agent's reply from before it was created is not a reply.
	ticket(20, "T2", "replied_agent", "07:00:00", ""),
	ticket(21, "T2", "created", "08:00:00", ""),
	ticket(22, "T2", "tag", "09:00:00", `,"to":"vip","tags":["vip","escalated"]`),
	ticket(23, "T2", "sla_breach", "10:00:00", ""),
	ticket(24, "T2", "status", "10:30:00", `,"to":"pending"`),
	// T3 is merged away, T4 solved and opened again by its status.
	ticket(30, "T3", "created", "08:00:00", ""),
	ticket(31, "T3", "merged", "08:30:00", ""),
	ticket(40, "T4", "created", "08:00:00", ""),
	ticket(41, "T4", "solved", "09:00:00", ""),
	ticket(42, "T4", "status", "10:00:00", `,"to":"open"`),
	// What can't be read.
	{topic: "tickets", value: `{"ticket_id":"T9","account_id":"acme","kind":"created"}`},
	{topic: "tickets", value: `{"ticket_id":"T9","account_id":"acme","kind":"exploded","occurred_at":"2026-03-02T08:00:00Z"}`},
	{topic: "tickets", value: `{"ticket_id":"T9","account_id":"acme","kind":"created","occurred_at":"today"}`},
	{topic: "tickets", value: `{"ticket_id":"T9","account_id":"acme","kind":"created","occurred_at":"2026-03-02T12:10:00.001Z"}`},
	{topic: "tickets", value: `[]`},
}

func TestTicketVerdicts(t *testing.T) {
	r := recountLog(t, ticketLog)
	require.Equal(t, Verdicts{Received: 27, Applied: 21, Duplicate: 1, DeadLettered: 5, Next: 27, End: 27}, r.Sources["tickets/0"])
	require.Equal(t, map[DeadLetterKey]string{
		{"tickets/0", 22}: "missing_field", {"tickets/0", 23}: "unknown_kind", {"tickets/0", 24}: "bad_time",
		{"tickets/0", 25}: "future", {"tickets/0", 26}: "malformed",
	}, r.DeadLetters)
}

func TestTicketLifecycle(t *testing.T) {
	r := recountLog(t, ticketLog)
	at := func(s string) int64 { return ms(t, s) }
	tickets := r.Tickets()
	slices.SortFunc(tickets, func(a, b Ticket) int { return cmp.Compare(a.Entity, b.Entity) })
	require.Len(t, tickets, 4)
	t1, t2, t4 := tickets[0], tickets[1], tickets[3]

	require.Equal(t, "zendesk:T1", t1.Entity)
	require.Equal(t, at("08:00:00"), t1.Opened)
	require.Equal(t, at("08:30:00"), t1.FirstReply)
	require.Equal(t, []int64{at("10:00:00"), at("10:20:00"), at("11:30:00")}, t1.Solves)
	require.Equal(t, []int64{at("09:00:00"), at("09:20:00"), at("10:40:00")}, t1.Escalations)
	require.Equal(t, at("11:30:00"), t1.Solved())
	require.True(t, t1.Open(at("11:00:00")))
	require.False(t, t1.Open(at("11:30:00")))

	require.Equal(t, []int64{at("09:00:00"), at("10:00:00")}, t2.Escalations)
	require.Zero(t, t2.FirstReply)
	require.Zero(t, t2.Solved())
	require.Equal(t, []int64{at("10:00:00")}, t4.Reopens)
	require.Zero(t, t4.Solved())

	require.Equal(t, map[string]uint64{"acme": 3}, r.Backlog(at("08:30:00"))) // T3 is merged
	require.Equal(t, map[string]uint64{"acme": 2}, r.Backlog(at("10:00:00"))) // T1 is solved
}

func TestTicketCounts(t *testing.T) {
	counts := recountLog(t, ticketLog).TicketCounts()
	hour := func(h string) TicketCounts { return counts[WindowKey{Hour, "acme", ms(t, h+":00:00")}] }
	require.Equal(t, TicketCounts{Opened: 4}, hour("08"))
	require.Equal(t, TicketCounts{Solved: 1, Escalated: 2}, hour("09"))
	require.Equal(t, TicketCounts{Solved: 1, Reopened: 2, Escalated: 2}, hour("10"))
	require.Equal(t, TicketCounts{Solved: 1}, hour("11"))
	require.Equal(t, TicketCounts{Opened: 4, Solved: 2, Reopened: 2, Escalated: 2},
		counts[WindowKey{Day, "acme", ms(t, "00:00:00")}])
}

func TestTicketAttributes(t *testing.T) {
	for k, fact := range recountLog(t, ticketLog).Facts {
		switch {
		case k.Entity == "zendesk:T1" && k.Name == "created":
			require.Equal(t, map[string]string{"priority": "p3", "tags": "billing,slow"}, fact.Attributes)
		case k.Entity == "zendesk:T2" && k.Name == "tag":
			require.Equal(t, map[string]string{"to": "vip", "tags": "vip,escalated", "escalation": "tag"}, fact.Attributes)
		}
	}
}

func TestAccountAsOf(t *testing.T) {
	r := recountLog(t, []written{
		{topic: "accounts", key: "acme", value: `{"account_id":"acme","at":"2026-03-02T08:00:00Z","plan":"team","seats":25,"mrr":1200.5,"external_ids":{"zendesk":"77"},"targets":{"active_days":12}}`},
		{topic: "accounts", key: "acme", value: `{"at":"2026-03-02T10:00:00Z","seats":40,"mrr":null}`},
		{topic: "accounts", key: "acme", value: `{"at":"2026-03-02T09:00:00Z","seats":30,"plan":"business"}`}, // late
		{topic: "accounts", key: "acme", noValue: true, time: "2026-03-02T11:00:00Z"},
		{topic: "accounts", key: "beta", value: `{"at":"soon"}`},
		{topic: "accounts", key: "beta", value: `7`},
		{topic: "accounts", value: `{"plan":"team"}`},
		{topic: "accounts", key: "acme|crm", value: `{"account_id":"acme","at":"2026-03-02T12:00:00Z","plan":"free"}`},
		{topic: "accounts", key: "acme|crm", value: `{"account_id":"acme","at":"2026-03-02T13:00:00Z","plan":"free","deleted":true}`},
	})
	require.Nil(t, r.AccountAsOf("acme", ms(t, "07:59:59")))
	require.Equal(t, map[string]string{"plan": "team", "seats": "25", "mrr": "1200.5", "external_ids.zendesk": "77",
		"targets.active_days": "12"}, r.AccountAsOf("acme", ms(t, "08:00:00")))
	later := r.AccountAsOf("acme", ms(t, "10:30:00"))
	require.Equal(t, []string{"business", "40"}, []string{later["plan"], later["seats"]})
	require.NotContains(t, later, "mrr")
	require.Nil(t, r.AccountAsOf("acme", ms(t, "11:00:00")))
	require.Equal(t, map[string]string{"plan": "free"}, r.AccountAsOf("acme", ms(t, "12:00:00")))
	require.Nil(t, r.AccountAsOf("acme", ms(t, "13:00:00")))
	require.Equal(t, Verdicts{Received: 9, Applied: 6, DeadLettered: 3, Next: 9, End: 9}, r.Sources["accounts/0"])
	require.Equal(t, map[DeadLetterKey]string{{"accounts/0", 4}: "bad_time", {"accounts/0", 5}: "malformed",
		{"accounts/0", 6}: "missing_field"}, r.DeadLetters)
}
