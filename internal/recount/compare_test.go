package recount

import (
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/stretchr/testify/require"

	"tidemark/internal/devclickhouse"
	"tidemark/internal/devclickhouse/chtest"
	"tidemark/sinks/clickhouse/migrate"
)

// everything is a recount with rows in every table, of now (so that nothing
// expires).
func everything(t *testing.T) *Result {
	t.Helper()
	now := time.Now().UTC().Truncate(time.Second).Add(-time.Hour)
	at := func(i int) string { return now.Add(time.Duration(i) * time.Minute).Format(time.RFC3339) }
	log := []written{
		{topic: "accounts", key: "acme", value: `{"at":"` + at(0) + `","plan":"team","seats":25}`},
		{topic: "accounts", key: "beta", noValue: true, time: at(1)},
		{topic: "telemetry", value: `{"type":"group","userId":"u1","groupId":"acme","receivedAt":"` + at(0) + `"}`},
		{topic: "telemetry", value: `{"type":"group","groupId":"acme","receivedAt":"` + at(0) + `"}`},
		{topic: "tickets", value: `{"ticket_id":"T1","source":"zendesk","account_id":"acme","kind":"sla_breach","occurred_at":"` + at(2) + `"}`},
		{topic: "tickets", value: `{"ticket_id":"T2","source":"zendesk","account_id":"acme","kind":"created","occurred_at":"` + at(3) + `"}`},
	}
	for i, event := range []string{"Signed In", "Report Started", "Report Configured", "Error"} {
		for partition := range int32(2) {
			log = append(log, written{topic: "telemetry", partition: partition, value: fmt.Sprintf(
				`{"type":"track","event":%q,"userId":"u%d","context":{"groupId":"acme"},"messageId":"m%d","properties":{"feature":"reports","duration_ms":5},"receivedAt":%q}`,
				event, partition, i, at(i))})
		}
	}
	for i := range log {
		if log[i].time == "" {
			log[i].time = at(0)
		}
	}
	return recountLog(t, log)
}

// store writes the result as the pipeline would: every row twice, and counters
// with an earlier version as well.
func store(t *testing.T, conn clickhouse.Conn, r *Result) {
	t.Helper()
	for table, rows := range rowsOf(r) {
		for range 2 {
			batch, err := conn.PrepareBatch(t.Context(), "INSERT INTO "+table)
			require.NoError(t, err)
			for _, row := range rows {
				require.NoError(t, batch.Append(row...))
			}
			require.NoError(t, batch.Send())
		}
	}
}

// rowsOf is the result as rows, by table and columns.
func rowsOf(r *Result) map[string][][]any {
	tables := map[string][][]any{}
	insert := func(table string, values ...any) { tables[table] = append(tables[table], values) }
	second := func(ms int64) time.Time { return time.UnixMilli(ms).UTC() }
	for k, n := range r.Counters {
		for _, v := range []uint64{n - 1, n} {
			insert("counters_all (tier, account_id, window_start, feature, metric, source, value, applied_offset)",
				string(k.Tier), k.Account, second(k.Window), k.Feature, k.Metric, k.Source, v, v)
		}
	}
	for k := range r.Members {
		insert("member_sets_all (tier, account_id, window_start, feature, metric, members, source)",
			string(k.Tier), k.Account, second(k.Window), k.Feature, k.Metric, []uint64{k.Member}, k.Source)
	}
	for k, span := range r.UserMinutes {
		insert("user_minutes_all (account_id, minute, user, source, first, last)",
			k.Account, second(k.Minute), k.User, k.Source, second(span.First), second(span.Last))
	}
	for k, fact := range r.Facts {
		insert("facts_all (kind, account_id, entity, at, name, user, id, source, offset, attributes)",
			k.Kind, k.Account, k.Entity, second(k.At), k.Name, k.User, k.ID, k.Source, uint64(fact.Offset), fact.Attributes)
	}
	for k, change := range r.AccountChanges {
		deleted := uint8(0)
		if change.Deleted {
			deleted = 1
		}
		insert("account_changes_all (account_id, valid_from, source, offset, deleted, attributes)",
			k.Account, second(k.ValidFrom), k.Source, uint64(k.Offset), deleted, change.Attributes)
	}
	for k, account := range r.UserAccounts {
		insert("user_accounts_all (source, user, offset, account_id)", k.Source, k.User, uint64(k.Offset), account)
	}
	for k, reason := range r.DeadLetters {
		insert("dead_letters_all (source, offset, reason, log_time)", k.Source, uint64(k.Offset), reason, time.Now())
	}
	for source, v := range r.Sources {
		const columns = "checkpoints_all (source, offset, received, applied, duplicate, filtered, dead_lettered)"
		insert(columns, source, uint64(0), uint64(0), uint64(0), uint64(0), uint64(0), uint64(0))
		insert(columns, source, uint64(v.Next), v.Received, v.Applied, v.Duplicate, v.Filtered, v.DeadLettered)
	}
	return tables
}

// migrated is a fresh database with tables and views.
func migrated(t *testing.T) *chtest.Database {
	t.Helper()
	d := chtest.Shared(t)
	options, err := clickhouse.ParseDSN(d.DSN(devclickhouse.Migrator))
	require.NoError(t, err)
	db := clickhouse.OpenDB(options)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	require.NoError(t, migrate.Up(t.Context(), db, migrate.DefaultOptions()))
	return d
}

func TestCompareOnClickHouse(t *testing.T) {
	d := migrated(t)
	want := everything(t)
	store(t, d.Open(t, devclickhouse.Writer), want)
	reader := d.Open(t, devclickhouse.Reader)
	differences, err := Compare(t.Context(), reader, want)
	require.NoError(t, err)
	require.Empty(t, differences)

	// Every table is looked at: what is wrong in it is found, and nothing else.
	for table, spoil := range map[string]string{
		"counters":        "INSERT INTO counters_all (* EXCEPT generation) SELECT * REPLACE (value + 1 AS value) FROM counters WHERE metric = 'events' AND tier = 'day' LIMIT 1",
		"members":         "INSERT INTO member_sets_all (* EXCEPT generation) SELECT * REPLACE ([members[1] + 1] AS members) FROM member_sets LIMIT 1",
		"user_minutes":    "INSERT INTO user_minutes_all (* EXCEPT generation) SELECT * REPLACE (last + toIntervalMillisecond(1) AS last) FROM user_minutes ORDER BY last DESC LIMIT 1",
		"facts":           "INSERT INTO facts_all (* EXCEPT generation) SELECT * REPLACE (id + 1 AS id) FROM facts WHERE kind = 'workflow' LIMIT 1",
		"account_changes": "INSERT INTO account_changes_all (* EXCEPT generation) SELECT * REPLACE (offset + 9 AS offset) FROM account_changes LIMIT 1",
		"user_accounts":   "INSERT INTO user_accounts_all (* EXCEPT generation) SELECT * REPLACE (user + 9 AS user) FROM user_accounts LIMIT 1",
		"dead_letters":    "INSERT INTO dead_letters_all (* EXCEPT generation) SELECT * REPLACE (offset + 9 AS offset) FROM dead_letters LIMIT 1",
		"checkpoints":     "INSERT INTO checkpoints_all (* EXCEPT generation) SELECT * REPLACE (applied + 1 AS applied) FROM checkpoints WHERE source LIKE 'telemetry/0%' ORDER BY offset DESC LIMIT 1",
	} {
		t.Run(table, func(t *testing.T) {
			copied := copyOf(t, d)
			require.NoError(t, copied.Exec(t.Context(), spoil))
			differences, err := Compare(t.Context(), copied, want)
			require.NoError(t, err)
			require.NotEmpty(t, differences)
			for _, difference := range differences {
				require.Equal(t, table, difference.Table, difference)
			}
		})
	}
}

// copyOf is a connection to a fresh database with the rows of d.
func copyOf(t *testing.T, d *chtest.Database) clickhouse.Conn {
	t.Helper()
	conn := migrated(t).Open(t, devclickhouse.Migrator)
	for _, table := range []string{"counters", "member_sets", "user_minutes", "facts", "account_changes", "user_accounts", "dead_letters", "checkpoints"} {
		require.NoError(t, conn.Exec(t.Context(), chtest.Into(table)+" SELECT * FROM "+d.Name+"."+table))
	}
	return conn
}

func TestCompareViewsOnClickHouse(t *testing.T) {
	d := migrated(t)
	want := everything(t)
	store(t, d.Open(t, devclickhouse.Writer), want)
	differences, err := CompareViews(t.Context(), d.Open(t, devclickhouse.Reader), want)
	require.NoError(t, err)
	require.Empty(t, differences)

	// Of each table one row is spoiled, and shows where it should.
	admin := d.Open(t, devclickhouse.Migrator)
	for _, spoil := range []string{
		"counters_all (* EXCEPT generation) SELECT * REPLACE (value + 1 AS value) FROM (SELECT * FROM counters WHERE metric = 'errors' AND tier = 'day' LIMIT 1)",
		"counters_all (* EXCEPT generation) SELECT * REPLACE (value + 7 AS value) FROM (SELECT * FROM counters WHERE metric = 'feature_uses' AND tier = 'hour' LIMIT 1)",
		"counters_all (* EXCEPT generation) SELECT * REPLACE ('_canary' AS account_id) FROM counters",
		"member_sets_all (* EXCEPT generation) SELECT * REPLACE ([members[1] + 1] AS members) FROM (SELECT * FROM member_sets WHERE metric = 'active_users' AND tier = 'minute' LIMIT 1)",
		"user_minutes_all (* EXCEPT generation) SELECT * REPLACE (last + toIntervalMillisecond(7) AS last) FROM (SELECT * FROM user_minutes ORDER BY last DESC LIMIT 1)",
		"facts_all (* EXCEPT generation) SELECT * REPLACE ('Report Published' AS name, at + toIntervalMillisecond(1) AS at) FROM (SELECT * FROM facts WHERE name = 'Report Configured' LIMIT 1)",
		"facts_all (* EXCEPT generation) SELECT * REPLACE ('solved' AS name) FROM (SELECT * FROM facts WHERE name = 'created' LIMIT 1)",
		"account_changes_all (* EXCEPT generation) SELECT * REPLACE (offset + 9 AS offset, map('seats', '26') AS attributes) FROM (SELECT * FROM account_changes WHERE deleted = 0 LIMIT 1)",
	} {
		require.NoError(t, admin.Exec(t.Context(), "INSERT INTO "+spoil))
	}
	differences, err = CompareViews(t.Context(), admin, want)
	require.NoError(t, err)
	found := map[string]bool{}
	for _, difference := range differences {
		require.Equal(t, "acme", difference.Account)
		found[difference.Table+" "+difference.Metric] = true
	}
	require.ElementsMatch(t, []string{
		"usage_day errors", "usage_7d errors", "usage_28d errors",
		"features_hour uses",
		"usage_minute active_users",
		"usage_minute session_seconds", "usage_hour session_seconds", "usage_day session_seconds", "usage_7d session_seconds", "usage_28d session_seconds",
		"usage_minute active_seconds", "usage_hour active_seconds", "usage_day active_seconds", "usage_7d active_seconds", "usage_28d active_seconds",
		"workflows_hour completed", "workflows_day completed", "workflows_7d completed", "workflows_28d completed",
		"workflows_hour task_seconds", "workflows_day task_seconds", "workflows_7d task_seconds", "workflows_28d task_seconds",
		"support_minute solved", "support_hour solved", "support_day solved", "support_7d solved", "support_28d solved",
		"support_day backlog", "usage_day seats",
	}, slices.Collect(maps.Keys(found)), "%v", differences)
}

func TestDifferencesReadAsSentences(t *testing.T) {
	d := Difference{Cell: Cell{Table: "counters", Account: "acme", Tier: Hour, Window: ms(t, "10:00:00"), Metric: "events"}, Want: "3"}
	require.Equal(t, "counters: events want 3, got nothing account=acme tier=hour at=2026-03-02T10:00:00.000Z", d.String())
}

func TestSourcesAreTheSameInBothAlphabets(t *testing.T) {
	require.Equal(t, "telemetry/3@Zk-_", canonicalSource("telemetry/3@Zk+/=="))
}
