package board

import (
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"tidemark/internal/devclickhouse/chtest"
	"tidemark/schemas"
	"tidemark/schemas/rules"
	"tidemark/sinks/clickhouse/views"
)

// customers are two accounts of two segments, what they used, and what was told of them.
var customers = []string{
	`INSERT INTO account_changes_all (* EXCEPT generation) VALUES
		('acme', '2025-12-01 00:00:00', 'accounts/0@A', 0, 0, {'plan': 'pro', 'seats': '4', 'segment': 'smb', 'mrr': '100', 'created_at': '2025-12-01T00:00:00Z'}),
		('bolt', '2025-12-01 00:00:00', 'accounts/0@A', 1, 0, {'plan': 'pro', 'seats': '10', 'segment': 'enterprise', 'mrr': '500', 'created_at': '2025-12-01T00:00:00Z'})`,
	chtest.Into("counters") + ` VALUES
		('day', 'acme', '2026-03-07', '', 'events', 'telemetry/0@T', 50, 10), ('day', 'bolt', '2026-03-07', '', 'events', 'telemetry/0@T', 20, 10),
		('day', 'acme', '2026-02-10', '', 'events', 'telemetry/0@T', 10, 10),
		('day', 'acme', '2026-03-07', 'export', 'feature_uses', 'telemetry/0@T', 40, 10), ('day', 'acme', '2026-03-07', 'export', 'feature_errors', 'telemetry/0@T', 10, 10),
		('day', 'bolt', '2026-03-08', 'export', 'feature_uses', 'telemetry/0@T', 10, 10), ('day', 'bolt', '2026-03-08', 'reports', 'feature_uses', 'telemetry/0@T', 3, 10),
		('day', 'acme', '2026-02-01', 'export', 'feature_uses', 'telemetry/0@T', 100, 10)`,
	chtest.Into("member_sets") + ` VALUES
		('day', 'acme', '2026-03-07', '', 'users', [11, 12], 'telemetry/0@T'), ('day', 'acme', '2026-03-07', '', 'active_users', [11, 12], 'telemetry/0@T'),
		('day', 'bolt', '2026-03-07', '', 'users', [13], 'telemetry/0@T'), ('day', 'bolt', '2026-03-07', '', 'active_users', [13], 'telemetry/0@T'),
		('day', 'acme', '2026-03-07', 'export', 'feature_users', [11, 12], 'telemetry/0@T'), ('day', 'bolt', '2026-03-08', 'export', 'feature_users', [13], 'telemetry/0@T')`,
	chtest.Into("facts") + ` VALUES
		('workflow', 'acme', 'report_published', '2026-03-07 10:00:00', 'Report Started', 11, 1, 'telemetry/0@T', 1, 0, {}),
		('workflow', 'acme', 'report_published', '2026-03-07 10:05:00', 'Report Configured', 11, 2, 'telemetry/0@T', 2, 0, {}),
		('workflow', 'acme', 'report_published', '2026-03-07 10:10:00', 'Report Published', 11, 3, 'telemetry/0@T', 3, 0, {}),
		('workflow', 'bolt', 'report_published', '2026-03-07 11:00:00', 'Report Started', 12, 4, 'telemetry/0@T', 4, 0, {}),
		('release', '', '4.0', '2026-02-20 15:00:00', 'deployed', 0, 24, 'signals/0@S', 24, 0, {'notes': 'Faster charts.'})`,
	`INSERT INTO alert_transitions (* EXCEPT precedence) VALUES
		('tr_1', 'al_1', 1, 'fired', 'near_seat_limit', 'acme', 1, 'warning', 1, 0.9, '2026-03-09 00:00:00', '2026-03-09 00:05:00', '1970-01-01 00:00:00', true,
			'expansion', 'sales', ['crm'],
			'{"description": "Seats run out.", "threshold": 0.8, "contributions": [{"input": "licences_28d.seat_utilization", "value": 0.9, "window_end": "2026-03-09T00:00:00Z"}, {"input": "account.plan", "value": "pro"}]}', '{}', 1, 'host-1'),
		('tr_2', 'al_2', 1, 'fired', 'usage_fell', 'bolt', 1, 'page', 0, 0.1, '2026-03-08 00:00:00', '2026-03-08 00:05:00', '1970-01-01 00:00:00', false, 'call', 'success', ['crm'], '{}', '{}', 1, 'host-1'),
		('tr_3', 'al_2', 2, 'resolved', 'usage_fell', 'bolt', 1, 'page', 0, 1, '2026-03-08 01:00:00', '2026-03-08 01:05:00', '1970-01-01 00:00:00', true, 'call', 'success', ['crm'], '{}', '{}', 1, 'host-1')`,
	`INSERT INTO deliveries VALUES ('crm', 'al_1', 'tr_1', 'tr_1', 'delivered', 1, '2026-03-09 00:05:00', '2026-03-09 00:05:01', '1970-01-01 00:00:00', 200, '', 2)`,
	`INSERT INTO silences VALUES ('s1', 'near_seat_limit', '', '2026-03-10 00:00:00', '2026-03-12 00:00:00', 'negotiating', 'ada', '2026-03-01 00:00:00')`,
}

func TestPagesOfAllAccounts(t *testing.T) {
	t.Parallel()
	f := newStage(t, append(slices.Clone(customers), "SYSTEM REFRESH VIEW portfolio_refresh", "SYSTEM WAIT VIEW portfolio_refresh")...)
	panel := func(path string) []string { return table(t, f.page(t, path), ".panel-body") }

	require.Equal(t, []string{
		"export | 2 | 100 % | 3 | 50 | -50 % | 20 % | – unknown",
		"reports | 1 | 50 % | 0 | 3 | – unknown | – unknown | – unknown",
	}, panel("/features?panel=popularity"))
	require.Equal(t, []string{"export | 1 | 100 % | 2 | 40 | -60 % | 25 % | – unknown"}, panel("/features?panel=popularity&segment=smb"))
	require.Equal(t, []string{"any", "enterprise", "smb"}, texts(t, f.page(t, "/features"), "select[name=segment] option"))
	require.Equal(t, "reports", strings.Split(panel("/features?panel=popularity&sort=uses")[0], " |")[0])
	_, uses := get(t, f.url+"/features?panel=uses&format=csv")
	require.Contains(t, uses, "2026-03-07T00:00:00Z,40,0\n2026-03-08T00:00:00Z,10,3\n2026-03-09T00:00:00Z,0,0\n")
	_, errors := get(t, f.url+"/features?panel=errors&format=csv")
	require.Contains(t, errors, "2026-03-07T00:00:00Z,0.25,\n")
	require.Len(t, panel("/features?panel=adoption"), 2)

	require.Equal(t, []string{"report_published | 2 | 2 | 1 | 50 % | 1 | 50 % | 600"}, panel("/workflows?panel=completion"))
	require.Equal(t, []string{"1. Report Started | 2 | 100 % | 0", "2. Report Configured | 1 | 50 % | 1", "3. Report Published | 1 | 50 % | 0"}, panel("/workflows?panel=funnel"))
	require.Equal(t, []string{"report_published | smb | 1 | 600 | 600"}, panel("/workflows?panel=times"))
	_, days := get(t, f.url+"/workflows?panel=days&format=csv")
	require.Contains(t, days, "2026-03-07T00:00:00Z,0.5\n")

	bands := panel("/segments?panel=usage")
	require.Equal(t, []string{"enterprise | 1 |  | 1 | 1 | 1", "smb | 1 |  | 2 | 2 | 2"}, bands[:2], "active users")
	require.Contains(t, bands, "smb | 1 |  | 50 % | 50 % | 50 %", "of seats")
	require.Contains(t, panel("/segments?panel=value"), "smb | 1 |  | 0 | 0 | 0", "tickets")
	require.Contains(t, panel("/segments?panel=churn"), "2026-02 | enterprise | 1 | 0 | 0 | 0 % | 100 % | 100 %")

	require.Equal(t, []string{"4.0 | 2026-02-20 15:00:00 UTC | all | 1 | Faster charts."}, panel("/releases?panel=releases"))
	var events string
	for _, row := range panel("/releases?panel=effects") {
		if strings.HasPrefix(row, "events | smb |") {
			events = row
		}
	}
	require.Regexp(t, `^events \| smb \| 1 \| 0.71\d* \| – unknown \| 0 \| – unknown \| -100 % \| – unknown \| unknown, so far \| 14$`, events)
	require.Contains(t, texts(t, f.page(t, "/releases?panel=effects&version=9"), ".message strong"), "No such release")
}

func TestTriggersPage(t *testing.T) {
	t.Parallel()
	f := newStage(t, customers...)
	panel := func(path string) []string { return table(t, f.page(t, path), ".panel-body") }
	require.Equal(t, []string{"near_seat_limit | acme | ▲ warning | 0.9 | 1 | 2026-03-09 00:00:00 UTC | expansion | sales | a complete window"}, panel("/triggers?panel=firing"))
	require.Equal(t, []string{
		"2026-03-09 00:05:00 UTC | fired | near_seat_limit | acme | ▲ warning | 0.9 | 1 | 2026-03-09 00:00:00 UTC | crm",
		"2026-03-08 01:05:00 UTC | resolved | usage_fell | bolt | ◆ page | 1 | 0 | 2026-03-08 01:00:00 UTC | crm",
		"2026-03-08 00:05:00 UTC | fired | usage_fell | bolt | ◆ page | 0.1 | 0 | 2026-03-08 00:00:00 UTC | crm",
	}, panel("/triggers?panel=history"))
	require.Len(t, panel("/triggers?panel=history&rule=usage_fell"), 2)
	require.Len(t, panel("/triggers?panel=history&account=OL"), 2)
	latest := f.page(t, "/triggers?panel=evidence")
	require.Equal(t, []string{
		"licences_28d.seat_utilization | 0.9 | – unknown | 2026-03-09 00:00:00 UTC", "account.plan | pro | – unknown | – unknown",
		"1 | fired | 0.9 | 1 | 2026-03-09 00:00:00 UTC | 2026-03-09 00:05:00 UTC | a complete window",
	}, table(t, latest, ".panel-body"))
	require.Contains(t, texts(t, latest, "dd"), "near_seat_limit Seats run out.")
	require.Len(t, texts(t, f.page(t, "/triggers?panel=evidence&alert=al_2"), "tbody tr"), 2, "a step each, and no inputs")
	require.Equal(t, []string{"near_seat_limit | every account | ▲ holds | 2026-03-10 00:00:00 UTC | 2026-03-12 00:00:00 UTC | negotiating | ada"}, panel("/triggers?panel=silences"))
	require.Equal(t, []string{"crm | ● takes them | 1 | 2026-03-09 00:05:01 UTC | 2 | 2026-03-08 00:05:00 UTC | 0"}, panel("/triggers?panel=targets"))
	resp, _ := get(t, f.url+"/triggers?panel=history&rule='%3B+DROP+TABLE+x&sort=%3B")
	require.Equal(t, http.StatusOK, resp.StatusCode)
}

// own are rules of which one fires on what customers did.
const own = `
pack: none
rules:
  - {name: busy, description: Much is done., playbook: p, owner: o, when: 'usage_day.events >= 20', clear_when: 'usage_day.events < 5'}
  - {name: reached, description: d, playbook: p, owner: o, when: 'goals["x"].progress > 0.5'}
`

// TestBackTestOnTheTriggersPage plays a rule over the past of two customers, one of whom was lost.
func TestBackTestOnTheTriggersPage(t *testing.T) {
	t.Parallel()
	catalogue, err := schemas.Builtin()
	require.NoError(t, err)
	tables, err := views.Tables(catalogue)
	require.NoError(t, err)
	path := filepath.Join(t.TempDir(), "own.yaml")
	require.NoError(t, os.WriteFile(path, []byte(own), 0o600))
	all, err := rules.Load(catalogue, tables, path)
	require.NoError(t, err)
	f := newStage(t, append(slices.Clone(customers),
		`INSERT INTO account_changes_all (* EXCEPT generation) VALUES ('bolt', '2026-03-09 06:00:00', 'accounts/0@A', 2, 0, {'plan': 'pro', 'segment': 'enterprise', 'stage': 'churned'})`)...)
	f.url = serve(t, Config{Reader: f.reader, Rules: all})

	list := f.page(t, "/triggers?panel=backtest")
	require.Equal(t, []string{"busy | ▲ warning | Much is done. | usage_day.events >= 20", `reached | ▲ warning | d | goals["x"].progress > 0.5`}, table(t, list, ".panel-body"))
	require.Contains(t, texts(t, f.page(t, "/triggers"), "select[name=rule] option"), "busy")

	doc := f.page(t, "/triggers?panel=backtest&rule=busy")
	require.Equal(t, []string{"2", "2 of 2", "1 1 of them foretold"}, texts(t, doc, "dl.figures dd")[:3])
	require.Equal(t, []string{
		"acme |  | 1 | 2026-03-08 00:00:00 UTC | 86400 | over | – unknown",
		"bolt |  | 1 | 2026-03-08 00:00:00 UTC | 86400 | over | 2026-03-09 06:00:00 UTC",
	}, table(t, doc, ".stacked:last-child"))
	require.Len(t, table(t, doc, "figure details:last-child"), 28, "a bar a day")
	require.Contains(t, texts(t, doc, ".marks li"), "2026-03-09T06:00:00Z bolt was lost")
	require.Contains(t, texts(t, f.page(t, "/triggers?panel=backtest&rule=reached"), ".message span")[0], "shows the present only")
}
