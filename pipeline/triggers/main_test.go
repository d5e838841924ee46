package triggers

import (
	"database/sql"
	"fmt"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"tidemark/internal/devclickhouse"
	"tidemark/internal/devclickhouse/chtest"
	"tidemark/schemas"
	sink "tidemark/sinks/clickhouse"
	"tidemark/sinks/clickhouse/migrate"
	"tidemark/sinks/clickhouse/views"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(chtest.WithShared(m)) }

// TestOnClickHouse has its tests share one database, because making the views takes as long as all of them.
func TestOnClickHouse(t *testing.T) {
	f := newFixture(t)
	for name, test := range map[string]func(*testing.T, *fixture){
		"narrow reads equal the views":     testNarrowReadsEqualTheViews,
		"changes miss nothing":             testChangesMissNothing,
		"whatever comes last is judged":    testWhateverComesLastIsJudged,
		"a failed tick loses nobody":       testAFailedTickLosesNobody,
		"from rows to transitions":         testFromRowsToTransitions,
		"a deposed process stores nothing": testADeposedProcessStoresNothing,
		"silence":                          testSilence,
		"evidence of health":               testEvidenceOfHealth,
		"what is remembered":               testWhatIsRememberedIsWhatIsThere,
		"a window's end":                   testAWindowsEndJudgesItsRules,
		"a rule that was removed":          testARuleThatWasRemoved,
		"segments":                         testSegments,
		"who was forgotten":                testWhoWasForgotten,
		"an idle tick":                     testAnIdleTickIsOneQuery,
	} {
		t.Run(name, func(t *testing.T) {
			f.empty(t)
			test(t, f)
		})
	}
}

// fixture is a migrated database of its own.
type fixture struct {
	*chtest.Database
	db     *sql.DB
	client *sink.Client
	views  views.Options
	cat    *schemas.Catalogue
}

func newFixture(t testing.TB) *fixture {
	t.Helper()
	d := chtest.Shared(t)
	opts, err := clickhouse.ParseDSN(d.DSN(devclickhouse.Migrator))
	require.NoError(t, err)
	f := &fixture{Database: d, db: clickhouse.OpenDB(opts)}
	t.Cleanup(func() { require.NoError(t, f.db.Close()) })
	o := migrate.DefaultOptions()
	require.NoError(t, migrate.Up(t.Context(), f.db, o))
	f.views = views.Options{
		Database: d.Name, Topics: o.Topics, MinuteRetention: o.Retention.Minute, HourRetention: o.Retention.Hour, DayRetention: o.Retention.Day,
	}
	f.cat, err = schemas.Builtin()
	require.NoError(t, err)
	f.client = f.connect(t)
	return f
}

// connect opens a client of the writer's.
func (f *fixture) connect(t testing.TB) *sink.Client {
	t.Helper()
	opts, err := clickhouse.ParseDSN(f.DSN(devclickhouse.Writer))
	require.NoError(t, err)
	client, err := sink.Open(sink.Config{
		Addr: opts.Addr, Database: f.Name, User: opts.Auth.Username, Password: opts.Auth.Password, DialTimeout: time.Minute, ReadTimeout: 5 * time.Minute,
	})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, client.Close()) })
	return client
}

// empty takes all rows away.
func (f *fixture) empty(t testing.TB) {
	t.Helper()
	for _, table := range []string{
		"counters_all", "member_sets_all", "user_minutes_all", "facts_all", "account_changes_all", "known_accounts_all", "source_progress_all",
		"alert_transitions", "trigger_states", "trigger_leaders", "silences",
	} {
		f.exec(t, "TRUNCATE TABLE "+table)
	}
}

func (f *fixture) exec(t testing.TB, text string, args ...any) {
	t.Helper()
	_, err := f.db.ExecContext(t.Context(), text, args...)
	require.NoError(t, err, text)
}

// texts are the rows of a query of one column of text.
func (f *fixture) texts(t testing.TB, query string) []string {
	t.Helper()
	rows, err := f.client.Conn().Query(t.Context(), query)
	require.NoError(t, err)
	defer rows.Close() //nolint:errcheck // Err tells
	var out []string
	for rows.Next() {
		var line string
		require.NoError(t, rows.Scan(&line))
		out = append(out, line)
	}
	require.NoError(t, rows.Err())
	return out
}

// watermarks has every topic complete up to a time.
func (f *fixture) watermarks(t testing.TB, at time.Time) {
	t.Helper()
	for _, topic := range []string{"telemetry", "tickets", "accounts", "signals"} {
		f.exec(t, fmt.Sprintf("INSERT INTO source_progress_all (source, observed_at, position, end_offset, watermark) VALUES ('%s/0@x', now64(3), 7, 8, fromUnixTimestamp64Milli(%d, 'UTC'))", topic, at.UnixMilli()))
	}
}
