package board

import (
	"net/http"
	"strings"
	"testing"

	"github.com/andybalholm/cascadia"
	"github.com/stretchr/testify/require"

	"tidemark/internal/devclickhouse/chtest"
)

// story is what became of one account: it used the product on three days, had two tickets, answered a survey, and alerted.
var story = []string{
	`INSERT INTO account_changes_all (* EXCEPT generation) VALUES
		('bolt', '2025-12-01 00:00:00', 'accounts/0@A', 1, 0, {'plan': 'free', 'seats': '10', 'segment': 'enterprise', 'owner': 'ana', 'mrr': '500'}),
		('acme', '2025-12-01 00:00:00', 'accounts/0@A', 0, 0, {'name': 'Acme', 'plan': 'pro', 'seats': '4', 'segment': 'smb'})`,
	chtest.Into("counters") + ` VALUES
		('day', 'acme', '2026-03-07', '', 'events', 'telemetry/0@T', 20, 5), ('day', 'acme', '2026-03-09', '', 'events', 'telemetry/0@T', 30, 7), ('day', 'acme', '2026-03-10', '', 'events', 'telemetry/0@T', 11, 9),
		('day', 'acme', '2026-03-09', '', 'errors', 'telemetry/0@T', 2, 7),
		('day', 'acme', '2026-03-07', 'export', 'feature_uses', 'telemetry/0@T', 40, 5), ('day', 'acme', '2026-03-09', 'export', 'feature_uses', 'telemetry/0@T', 10, 7), ('day', 'acme', '2026-03-09', 'reports', 'feature_uses', 'telemetry/0@T', 3, 7)`,
	chtest.Into("member_sets") + ` VALUES
		('day', 'acme', '2026-03-09', '', 'users', [11, 12], 'telemetry/0@T'), ('day', 'acme', '2026-03-09', '', 'active_users', [11, 12], 'telemetry/0@T'), ('day', 'acme', '2026-03-10', '', 'active_users', [11], 'telemetry/0@T')`,
	chtest.Into("facts") + ` VALUES
		('ticket', 'acme', 'zendesk:1', '2026-03-05 09:00:00', 'created', 0, 1, 'tickets/0@K', 1, 0, {'priority': 'p3'}),
		('ticket', 'acme', 'zendesk:1', '2026-03-06 09:00:00', 'priority', 0, 2, 'tickets/0@K', 2, 0, {'from': 'p3', 'to': 'p1', 'escalation': 'priority'}),
		('ticket', 'acme', 'zendesk:2', '2026-03-07 09:00:00', 'created', 0, 3, 'tickets/0@K', 3, 0, {}),
		('ticket', 'acme', 'zendesk:2', '2026-03-07 10:00:00', 'solved', 0, 4, 'tickets/0@K', 4, 0, {}),
		('survey', 'acme', 's1', '2026-03-08 09:00:00', 'nps', 11, 5, 'signals/0@S', 5, 9, {'scale_min': '0', 'scale_max': '10', 'comment': '<b>good</b>'}),
		('goal', 'acme', 'faster', '2026-03-01 00:00:00', 'defined', 0, 7, 'signals/0@S', 7, 20, {'name': 'Twenty uses', 'metric': 'active_users', 'start': '0', 'direction': 'up', 'starts_at': '2026-03-01T00:00:00.000Z', 'due_at': '2026-03-21T00:00:00.000Z'}),
		('kpi', 'acme', 'otif', '2026-03-08 08:00:00', 'reported', 0, 8, 'signals/0@S', 8, 0.5, {'unit': 'ratio', 'period_start': '2026-03-07T00:00:00.000Z', 'period_end': '2026-03-08T00:00:00.000Z'}),
		('kpi', 'acme', 'otif', '2026-03-10 08:00:00', 'reported', 0, 9, 'signals/0@S', 9, 0.75, {'unit': 'ratio', 'period_start': '2026-03-10T00:00:00.000Z', 'period_end': '2026-03-11T00:00:00.000Z'}),
		('workflow', 'acme', 'report_published', '2026-03-07 10:00:00', 'Report Started', 11, 6, 'telemetry/0@T', 6, 0, {}),
		('release', '', '4.0', '2026-03-01 15:00:00', 'deployed', 0, 24, 'signals/0@S', 24, 0, {'notes': 'Faster charts.'})`,
	`INSERT INTO alert_transitions (* EXCEPT precedence) VALUES
		('tr_1', 'al_1', 1, 'fired', 'near_seat_limit', 'acme', 1, 'warning', 1, 0.9, '2026-03-09 00:00:00', '2026-03-09 00:05:00', '1970-01-01 00:00:00', false, 'expansion', 'sales', ['crm'], '{}', '{}', 1, 'host-1')`,
	"INSERT INTO source_progress_all (* EXCEPT generation) VALUES ('telemetry/0@T', '2026-03-10 11:59:00', 100, 110, '2026-03-10 11:00:00', 'w1')",
}

func TestAccountPortfolioAndLive(t *testing.T) {
	t.Parallel()
	f := newStage(t, story...)
	t.Run("account", f.testAccount)
	t.Run("portfolio", f.testPortfolio)
	t.Run("live", f.testLive)
}

func (f *stage) testAccount(t *testing.T) {
	panel := func(name string) []string { return table(t, f.page(t, "/accounts/acme?panel="+name), ".panel-body") }

	t.Log("today, and why")
	today := f.page(t, "/accounts/acme?panel=today")
	require.Equal(t, []string{"Events", "Active users", "Sessions", "Active minutes", "Features used", "Errors"}, texts(t, today, "dt"))
	require.Equal(t, "11 provisional why is it so", texts(t, today, "dd")[0])
	link := cascadia.Query(today, cascadia.MustCompile("dd a.why"))
	require.Equal(t, "/accounts/acme/why?metric=events&window=day+2026-03-10", attribute(link, "href"))

	t.Log("usage: every day of the range, the last one provisional, with what happened marked")
	usage := f.page(t, "/accounts/acme?panel=usage&days=7")
	require.Len(t, table(t, usage, "figure table"), 7*24-11, "a week is shown by the hour")
	usage = f.page(t, "/accounts/acme?panel=usage")
	days := table(t, usage, "figure table")
	require.Len(t, days, 28)
	require.Equal(t, []string{"2026-03-09 | 30 why is it so | 2 why is it so", "2026-03-10 | 11 why is it so | 0 why is it so"}, days[26:])
	drawn := attribute(cascadia.Query(usage, cascadia.MustCompile("[data-plot]")), "data-plot")
	require.Contains(t, drawn, `"provisional":1773100800`) // 2026-03-10
	require.Equal(t, []string{
		"2026-03-01T15:00:00Z Release 4.0: Faster charts.", "2026-03-06T09:00:00Z Ticket zendesk 1 escalated", "2026-03-09T00:00:00Z Alert near_seat_limit: fired",
	}, texts(t, usage, "figure:first-of-type .marks li")[:3])
	_, csv := get(t, f.url+"/accounts/acme?panel=usage&format=csv")
	require.Contains(t, csv, "window_start,Active users,Seats\n")
	require.Contains(t, csv, "2026-03-09T00:00:00Z,2,4\n2026-03-10T00:00:00Z,1,4\n")

	t.Log("people")
	require.Equal(t, []string{
		"zendesk 1 |  | ▲ new | p1 | 2026-03-05 09:00:00 UTC | ◆ 1 | 2026-03-06 09:00:00 UTC | – unknown | – unknown | 0",
		"zendesk 2 |  | solved | – unknown | 2026-03-07 09:00:00 UTC | 0 | – unknown | – unknown | 3600 | 0",
	}, panel("support"))
	require.Equal(t, []string{"2026-03-08 09:00:00 UTC | nps | 9 | 0 to 10 | <b>good</b>"}, panel("surveys"))
	require.Equal(t, []string{"near_seat_limit | ◆ fired | warning | 0.9 | 2026-03-09 00:00:00 UTC | 2026-03-09 00:05:00 UTC | provisional | expansion"}, panel("alerts"))

	t.Log("health, goals and KPIs: what each is made of, and what can still change")
	require.Equal(t, []string{
		"seat_utilization | 0.5 | 62.5 | 19.53125 | – unknown", "escalations | 1 | 50 | 12.5 | – unknown",
		"error_rate | 0.03 | 34.42622950819672 | 4.30327868852459 | +1.8: error_rate 0.04 -> 0.03", "active_days | 2 | 10 | 3.125 | +1.6: active_days 1 -> 2",
		"active_users_trend | – unknown | – unknown | 0 | – unknown",
	}, panel("health"))
	require.Equal(t, []string{"Profile tidemark, 2026-03-10 so far: provisional"}, texts(t, f.page(t, "/accounts/acme?panel=health"), "caption"))
	require.Equal(t, []string{"Twenty uses | ▲ behind | 10 % | 48 % | 0.2105263157894737 | 2 | 0 | 20 | active_users | 2026-03-21"}, panel("goals"))
	require.Equal(t, []string{
		"otif | 2026-03-10 | day | 0.75 | ratio | 0.25 | 11 | 1 | provisional", "otif | 2026-03-07 | day | 0.5 | ratio | – unknown | 20 | 0 | complete",
	}, panel("kpis"))

	t.Log("product")
	heat := table(t, f.page(t, "/accounts/acme?panel=features"), ".heat")
	require.Len(t, heat, 2)
	days = texts(t, f.page(t, "/accounts/acme?panel=features"), ".heat thead th")
	require.Equal(t, []string{"Feature", "11"}, days[:2])
	require.Equal(t, []string{"Alert near_seat_limit: fired, 9", "10 provisional", "Uses"}, days[27:], "alerts and releases are marked here, too")
	require.Contains(t, days, "Release 4.0: Faster charts., 1")
	released := cascadia.QueryAll(f.page(t, "/accounts/acme?panel=support"), cascadia.MustCompile(".life line.release"))
	require.Len(t, released, 2, "on every ticket's line")
	require.Regexp(t, `^\d+\.\d$`, attribute(released[0], "x2"))
	require.True(t, strings.HasSuffix(heat[0], "| 40 | 0 | 10 | 0 | 50 why are these the uses of export in 28 days"), heat[0])
	require.Equal(t, []string{"started | 1 why is it so | 100 %", "completed | 0 why is it so | 0 %", "abandoned | 1 why is it so | 100 %"}, panel("workflows"))

	t.Log("nobody of that name")
	require.Contains(t, strings.Join(texts(t, f.page(t, "/accounts/nobody?panel=usage"), ".message"), ""), "Nothing is known of this account")
	resp, _ := get(t, f.url+"/accounts/acme?panel=nosuch")
	require.Equal(t, http.StatusNotFound, resp.StatusCode)
}
