package backtest

import (
	"bytes"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"tidemark/internal/devclickhouse"
	"tidemark/internal/devclickhouse/chtest"
	"tidemark/schemas"
	"tidemark/schemas/rules"
	"tidemark/sinks/clickhouse/migrate"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(chtest.WithShared(m)) }

const own = `
rules:
  - {name: busy, description: d, playbook: p, owner: o, when: 'usage_day.events >= 10', clear_when: 'usage_day.events < 5'}
  - {name: left, description: d, playbook: p, owner: o, when: 'account.stage == "churned"'}
  - {name: rose, description: d, playbook: p, owner: o, when: 'usage_7d.events > previous(usage_7d.events)'}
  - {name: known, description: d, playbook: p, owner: o, when: 'onboarding.state == "stalled"'}
  - {name: reached, description: d, playbook: p, owner: o, when: 'goals["x"].progress > 0.5'}
`

func compiled(t *testing.T) []*rules.Rule {
	t.Helper()
	return loaded(t, own)
}

// TestHistoryIsReadAsItWas plays rules over rows of ClickHouse.
func TestHistoryIsReadAsItWas(t *testing.T) {
	d := chtest.Shared(t)
	to, err := clickhouse.ParseDSN(d.DSN(devclickhouse.Migrator))
	require.NoError(t, err)
	db := clickhouse.OpenDB(to)
	defer db.Close() //nolint:errcheck // the test is over
	o := migrate.DefaultOptions()
	o.Now = "toDateTime('2026-03-10 12:00:00', 'UTC')"
	o.Catalogue, err = schemas.Builtin()
	require.NoError(t, err)
	require.NoError(t, migrate.Up(t.Context(), db, o))
	for _, q := range []string{
		"ALTER TABLE counters_all REMOVE TTL",
		chtest.Into("account_changes") + " VALUES ('acme', '2026-01-01 00:00:00', 'accounts/0@A', 1, 0, {'stage': 'adopted'}), ('acme', '2026-03-08 06:00:00', 'accounts/0@A', 2, 0, {'stage': 'churned'}), ('other', '2026-01-01 00:00:00', 'accounts/0@A', 3, 0, {})",
		chtest.Into("counters") + " VALUES ('day', 'acme', '2026-03-02', '', 'events', 'telemetry/0@A', 12, 1), ('day', 'acme', '2026-03-03', '', 'events', 'telemetry/0@A', 7, 2), ('day', 'acme', '2026-03-05', '', 'events', 'telemetry/0@A', 10, 3)",
	} {
		_, err := db.ExecContext(t.Context(), q)
		require.NoError(t, err, q)
	}
	to, err = clickhouse.ParseDSN(d.DSN(devclickhouse.Reader))
	require.NoError(t, err)
	conn, err := clickhouse.Open(to)
	require.NoError(t, err)
	defer conn.Close() //nolint:errcheck // the test is over
	day := func(n int) time.Time { return time.Date(2026, 3, n, 0, 0, 0, 0, time.UTC) }
	past := Range{From: day(1), To: day(10)}
	run := func(rule string) Report {
		r, err := Run(t.Context(), conn, compiled(t), rule, past, 7*24*time.Hour)
		require.NoError(t, err)
		return r
	}
	episodes := func(all []Episode) (out [][2]time.Time) {
		for _, e := range all {
			require.Equal(t, "acme", e.Account)
			out = append(out, [2]time.Time{e.From, e.To})
		}
		return out
	}
	busy := run("busy")
	require.Equal(t, [][2]time.Time{{day(3), day(5)}, {day(6), day(7)}}, episodes(busy.Episodes))
	require.Equal(t, 2, busy.Accounts)
	require.Equal(t, Score{Alerts: 2, Right: 2, Lost: 1, Foretold: 1, Lead: 5*24*time.Hour + 6*time.Hour}, busy.Score)
	require.Equal(t, [][2]time.Time{{day(9), {}}}, episodes(run("left").Episodes))
	require.Equal(t, [][2]time.Time{{day(3), {}}}, episodes(run("rose").Episodes)[:1], "no week before had any, until the first week itself is the one before")

	_, err = Run(t.Context(), conn, compiled(t), "reached", past, time.Hour)
	require.ErrorContains(t, err, "the view goals shows the present only")

	var out bytes.Buffer
	require.NoError(t, busy.Write(&out))
	require.Contains(t, out.String(), "busy, 2026-03-01 to 2026-03-10: 2 alerts on 1 of 2 accounts")
	require.Contains(t, out.String(), "2026-03-03 for 2d; 2026-03-06 for 1d")
	require.Contains(t, out.String(), "Against 1 lost customers, within 7d: precision 1.00 (2 of 2 alerts), recall 1.00 (1 of 1), 5.25d ahead in the median.")
	require.Contains(t, out.String(), "With hindsight: of usage_day.events ClickHouse has what is known now.")
	out.Reset()
	require.NoError(t, run("known").Write(&out))
	require.Contains(t, out.String(), "Everything that it reads is as it was known then.")
	svg := string(busy.SVG())
	require.Equal(t, 3, bytes.Count([]byte(svg), []byte("<rect")), "the ground and two episodes")
	require.Contains(t, svg, "acme")
}
