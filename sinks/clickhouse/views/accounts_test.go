package views_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"tidemark/sinks/clickhouse/migrate"
)

func TestAccounts(t *testing.T) {
	f := week(t)
	f.insert(t, "account_changes",
		"('acme', '2026-03-08 00:00:00', 'accounts/0@A', 9, 0, {'stage': 'live', 'external_ids.zendesk': '42', 'targets.active_days': '12', 'region': 'eu'})", // it came late
		"('acme', '2026-03-09 00:00:00', 'accounts/0@A', 10, 0, {'plan': '', 'renewal_at': '2027-01-01'})",                                                    // a null empties an attribute
		"('gone', '2026-03-09 10:00:00', 'accounts/0@A', 11, 0, {'name': 'Back again'})",
		"('left', '2026-03-09 10:00:00', 'accounts/0@A', 12, 1, {})",
		"('odd', '2026-03-09 10:00:00', 'accounts/0@A', 13, 0, {'seats': 'many', 'mrr': '-', 'created_at': 'yesterday', 'targets.x': 'y'})",
	)
	f.insert(t, "counters", "('day', 'stranger', '2026-03-02', '', 'events', 'telemetry/0@T', 4, 30)")
	require.Equal(t, golden(`
		acme | 2026-03-05 00:00:00.000 | 2026-03-08 00:00:00.000 | false | Acme       | free | \N   | 4
		acme | 2026-03-08 00:00:00.000 | 2026-03-09 00:00:00.000 | false | Acme       | free | live | 4
		acme | 2026-03-09 00:00:00.000 | \N                      | false | Acme       | \N   | live | 10
		gone | 2026-03-07 00:00:00.000 | 2026-03-08 10:00:00.000 | false | Gone       | \N   | \N   | 1
		gone | 2026-03-08 10:00:00.000 | 2026-03-09 10:00:00.000 | true  | \N         | \N   | \N   | \N
		gone | 2026-03-09 10:00:00.000 | \N                      | false | Back again | \N   | \N   | \N
	`), f.rows(t, `SELECT account_id, valid_from, valid_to, is_removed, name, plan, stage, seats FROM account_history
		WHERE account_id IN ('acme', 'gone') ORDER BY account_id, valid_from`))
	require.Equal(t, golden(`
		acme     | Acme       | 10 | 99.5 | \N | 2027-01-01 00:00:00.000 | {'zendesk':'42'} | {'active_days':12} | eu | 2026-03-05 00:00:00.000 | 2026-03-09 00:00:00.000
		gone     | Back again | \N |   \N | \N | \N                      | {}               | {}                 |    | 2026-03-07 00:00:00.000 | 2026-03-09 10:00:00.000
		odd      | \N         | \N |   \N | \N | \N                      | {}               | {}                 |    | 2026-03-09 10:00:00.000 | 2026-03-09 10:00:00.000
		silent   | Silent     | \N |   \N | 2026-03-08 09:00:00.000 | \N | {}               | {}                 |    | 2026-03-08 09:00:00.000 | 2026-03-09 08:00:00.000
		stranger | \N         | \N |   \N | \N | \N                      | {}               | {}                 |    | 2026-03-02 00:00:00.000 | \N
	`), f.rows(t, `SELECT account_id, name, seats, mrr, created_at, renewal_at, external_ids, targets, attributes['region'], known_since, updated_at
		FROM accounts ORDER BY account_id`))
}

// Inserts note who is known, in the generation that they are of. However often and in whatever order rows came, it is what the tables say.
func TestKnownAccountsAreThoseOfTheTables(t *testing.T) {
	f := week(t)
	const ofTables = `SELECT account_id, min(seen) AS since, max(removed) AS until FROM
		(
			SELECT account_id, toDateTime64(min(window_start), 3, 'UTC') AS seen, CAST(NULL, 'Nullable(DateTime64(3, \'UTC\'))') AS removed
			FROM counters WHERE tier = 'day' GROUP BY account_id
			UNION ALL
			SELECT account_id, min(least(valid_from, ifNull(parseDateTime64BestEffortOrNull(attributes['created_at'], 3, 'UTC'), valid_from))),
				if(argMax(deleted, (valid_from, source, offset)) = 1, max(valid_from), NULL)
			FROM account_changes GROUP BY account_id
			UNION ALL
			SELECT account_id, min(at), NULL FROM facts WHERE kind = 'ticket' GROUP BY account_id
		) GROUP BY account_id ORDER BY account_id`
	same := func() {
		t.Helper()
		was := f.rows(t, ofTables)
		require.Equal(t, was, f.rows(t, "SELECT account_id, since, until FROM known_accounts ORDER BY account_id"))
	}
	same()
	f.insert(t, "counters",
		"('day', 'late', '2026-03-09', '', 'events', 'telemetry/0@T', 4, 30)", "('day', 'late', '2026-02-01', '', 'events', 'telemetry/0@T', 1, 40)",
		"('hour', 'late', '2025-01-01', '', 'events', 'telemetry/0@T', 1, 40)", "('day', 'late', '2026-03-09', '', 'events', 'telemetry/0@T', 5, 50)")
	f.insert(t, "account_changes",
		"('returned', '2026-03-05 00:00:00', 'accounts/0@A', 101, 1, {})", "('returned', '2026-03-06 00:00:00', 'accounts/0@A', 100, 0, {'created_at': '2020-01-01'})",
		"('removed', '2026-03-06 00:00:00', 'accounts/0@A', 103, 0, {})", "('removed', '2026-03-06 00:00:00', 'accounts/0@A', 104, 1, {})", "('removed', '1950-01-01 00:00:00', 'accounts/0@A', 105, 0, {})",
		"('old', '1960-01-01 00:00:00', 'accounts/0@A', 106, 1, {})")
	f.insert(t, "facts", "('ticket', 'caller', 'zendesk:1', '2026-03-08 10:00:00', 'created', 0, 1, 'tickets/0@K', 1, 0, {})",
		"('kpi', 'reporter', 'revenue', '2026-03-08 10:00:00', 'reported', 0, 1, 'tickets/0@K', 2, 7, {})")
	same()
	require.Equal(t, golden(`
		caller   | 2026-03-08 10:00:00.000 | \N
		late     | 2026-02-01 00:00:00.000 | \N
		old      | 1960-01-01 00:00:00.000 | 1960-01-01 00:00:00.000
		removed  | 1950-01-01 00:00:00.000 | 2026-03-06 00:00:00.000
		returned | 2020-01-01 00:00:00.000 | \N
	`), f.rows(t, "SELECT * FROM known_accounts WHERE account_id IN ('caller', 'late', 'old', 'removed', 'reporter', 'returned') ORDER BY account_id"))

	f.exec(t, "INSERT INTO counters_all SELECT * REPLACE (2 AS generation) FROM counters_all WHERE account_id = 'late'")
	same()
	f.exec(t, "INSERT INTO generations SELECT 2, 'live', 'c', now64(3)")
	same()
	require.Equal(t, golden("late"), f.rows(t, "SELECT account_id FROM known_accounts"))
	require.NoError(t, migrate.DropGeneration(t.Context(), f.db, 2))
	require.Empty(t, f.rows(t, "SELECT account_id FROM known_accounts"))
}

func TestSegments(t *testing.T) {
	f := newFixture(t)
	f.insert(t, "account_changes",
		"('a', '2026-03-01 00:00:00', 'accounts/0@A', 0, 0, {'segment': 'smb', 'seats': '4', 'mrr': '10'})",
		"('b', '2026-03-01 00:00:00', 'accounts/0@A', 1, 0, {'segment': 'smb'})",
		"('c', '2026-03-01 00:00:00', 'accounts/0@A', 2, 0, {'segment': 'smb', 'seats': '6', 'mrr': '20.5'})",
		"('c', '2026-03-10 06:00:00', 'accounts/0@A', 3, 0, {'segment': 'ent'})",
	)
	f.insert(t, "counters",
		"('day', 'a', '2026-03-09', '', 'events', 'telemetry/0@T', 5, 10)",
		"('day', 'b', '2026-03-09', '', 'events', 'telemetry/0@T', 8, 10)",
		"('day', 'd', '2026-03-09', '', 'events', 'telemetry/0@T', 1, 10)",
	)
	f.insert(t, "member_sets", // the same hash in two accounts is two users, on two days one
		"('day', 'a', '2026-03-08', '', 'users', 1, 'telemetry/0@T')",
		"('day', 'a', '2026-03-09', '', 'users', 1, 'telemetry/0@T')",
		"('day', 'a', '2026-03-09', '', 'active_users', 1, 'telemetry/0@T')",
		"('day', 'b', '2026-03-09', '', 'users', 1, 'telemetry/0@T')",
		"('day', 'b', '2026-03-09', '', 'active_users', 1, 'telemetry/0@T')",
	)
	f.insert(t, "user_minutes", "('a', '2026-03-09 10:00:00', 1, 'telemetry/0@T', '2026-03-09 10:00:00', '2026-03-09 10:00:30')")
	require.Equal(t, golden(`
		    | 2026-03-09 | 1 | 0 |  1 | 0 | 0 | 0 | 1 |   0 | \N |   \N | \N
		smb | 2026-03-09 | 3 | 2 | 13 | 2 | 2 | 1 | 5 |   1 | 10 |  0.1 | 30.5
	`), f.rows(t, `SELECT segment, toDate(window_start), accounts, active_accounts, events, users, active_users, sessions, events_median, active_users_median,
		seats, seat_utilization, mrr FROM segment_usage_day WHERE window_start = '2026-03-09' ORDER BY segment`))
	require.Equal(t, golden(`
		    | 1 | 0 |  1 | 0
		ent | 1 | 0 |  0 | 0
		smb | 2 | 2 | 13 | 2
	`), f.rows(t, "SELECT segment, accounts, active_accounts, events, users FROM segment_usage_28d WHERE window_end = '2026-03-11' ORDER BY segment"))
}

// metrics.md row 40: every record is accounted for.
func TestOperations(t *testing.T) {
	f := newFixture(t)
	f.insert(t, "checkpoints",
		"('telemetry/0@T', 10, 10, 7, 1, 1, 1, '2026-03-10 09:00:00', '2026-03-10 09:05:00', '2026-03-10 09:10:00', 'c1')",
		"('telemetry/0@T', 25, 25, 20, 2, 1, 2, '2026-03-10 09:20:00', '2026-03-10 09:25:00', '2026-03-10 09:50:00', 'c1')",
		"('telemetry/0@T', 30, 30, 24, 2, 1, 2, '2026-03-10 09:20:00', '2026-03-10 09:25:00', '2026-03-10 10:50:00', 'c1')",   // one is missing
		"('tickets/0@K', 1000, 900, 900, 0, 0, 0, '2026-03-10 09:00:00', '2026-03-10 09:05:00', '2026-03-10 09:10:00', 'c1')", // older ones have expired
		"('tickets/0@K', 1010, 910, 905, 0, 0, 5, '2026-03-10 09:00:00', '2026-03-10 09:05:00', '2026-03-10 09:10:00', 'c1')",
	)
	require.Equal(t, golden(`
		telemetry | telemetry/0@T |   30 |  30 |  24 | 2 | 1 | 2 | false | 2026-03-10 10:50:00.000
		tickets   | tickets/0@K   | 1010 | 910 | 905 | 0 | 0 | 5 | true  | 2026-03-10 09:10:00.000
	`), f.rows(t, "SELECT topic, source, offset, received, applied, duplicate, filtered, dead_lettered, balanced, last_record_at FROM reconciliation ORDER BY topic"))
	require.Equal(t, golden(`
		telemetry/0@T | 2026-03-10 09:00:00 | 25 | 20 | 2 | 1 | 2 | true
		telemetry/0@T | 2026-03-10 10:00:00 |  5 |  4 | 0 | 0 | 0 | false
		tickets/0@K   | 2026-03-10 09:00:00 | 10 |  5 | 0 | 0 | 5 | true
	`), f.rows(t, `SELECT source, window_start, received, applied, duplicate, filtered, dead_lettered, balanced
		FROM reconciliation_hour ORDER BY source, window_start`))

	f.insert(t, "dead_letters",
		"('telemetry/0@T', 4, 'malformed', 'not JSON', '2026-03-09 10:00:00', 'k', 10, 'userId', 'node/2')",
		"('telemetry/1@T', 9, 'malformed', 'an array', '2026-03-09 11:00:00', 'k', 20, '', '')",
		"('telemetry/0@T', 5, 'too_old', 'in 1999', '2026-03-10 10:00:00', 'k', 5, 'timestamp', '')",
	)
	require.Equal(t, golden(`
		telemetry | malformed | 2026-03-09 00:00:00 | 2 | 30 | 2026-03-09 11:00:00.000 | telemetry/1@T | 9 | an array
		telemetry | too_old   | 2026-03-10 00:00:00 | 1 |  5 | 2026-03-10 10:00:00.000 | telemetry/0@T | 5 | in 1999
	`), f.rows(t, "SELECT * FROM dead_letters_by_reason ORDER BY reason"))

	require.Equal(t, golden(`
		telemetry/0@T | 25 | 30 | received is not the sum of applied, duplicate, filtered and dead_lettered
	`), f.rows(t, "SELECT source, from_offset, to_offset, violation FROM accounting"))
	f.insert(t, "checkpoints",
		"('tickets/0@K', 1020, 921, 915, 0, 0, 6, '2026-03-10 09:00:00', '2026-03-10 09:05:00', '2026-03-10 09:10:00', 'c1')", // eleven of ten
		"('tickets/1@K', 10, 10, 9, 0, 0, 1, '2026-03-10 09:00:00', '2026-03-10 09:05:00', '2026-03-10 09:10:00', 'c1')",
		"('tickets/1@K', 20, 20, 20, 0, 0, 0, '2026-03-10 09:00:00', '2026-03-10 09:05:00', '2026-03-10 09:20:00', 'c1')",
		"('tickets/1@K', 30, 30, 30, 0, 0, 0, '2026-03-10 09:00:00', '2026-03-10 09:05:00', '2026-03-10 09:30:00', 'c1')",
	)
	f.insert(t, "dead_letters",
		"('tickets/1@K', 3, 'malformed', 'not JSON', '2026-03-10 09:00:00', 'k', 10, '', '')",
		"('tickets/1@K', 25, 'malformed', 'not JSON', '2026-03-10 09:30:00', 'k', 10, '', '')",
		"('tickets/1@K', 31, 'malformed', 'written, and not yet in a checkpoint', '2026-03-10 09:30:00', 'k', 10, '', '')",
	)
	require.Equal(t, golden(`
		tickets/0@K | 1010 | 1020 | more records than offsets
		tickets/1@K |   10 |   20 | a count is lower than before
		tickets/1@K |   10 |   20 | more dead letters than dead_lettered says
		tickets/1@K |   20 |   30 | more dead letters than dead_lettered says
	`), f.rows(t, "SELECT source, from_offset, to_offset, violation FROM accounting WHERE source != 'telemetry/0@T' ORDER BY ALL"))

	f.insert(t, "source_progress",
		"('telemetry/0@T', '2026-03-10 11:00:00', 30, 30, '2026-03-10 09:20:00', 'w1')",
		"('tickets/0@K', '2026-03-10 11:00:00', 1010, 1020, '2026-03-10 09:00:00', 'w2')",
		"('accounts/0@A', '2026-03-10 11:00:00', 0, 3, '1970-01-01 00:00:00', 'w2')",
	)
	require.Equal(t, golden(`
		accounts/0@A  |    0 |    3 |  3 | \N                      | \N   | w2
		telemetry/0@T |   30 |   30 |  0 | 2026-03-10 10:50:00.000 | 0    | w1
		tickets/0@K   | 1010 | 1020 | 10 | 2026-03-10 09:10:00.000 | 6600 | w2
	`), f.rows(t, "SELECT source, position, end_offset, lag_records, last_record_at, lag_seconds, instance FROM sources ORDER BY source"))
	testDeadLettersByProducer(t, f)
}

// testDeadLettersByProducer adds a producer that drifts now.
func testDeadLettersByProducer(t *testing.T, f fixture) {
	t.Helper()
	f.insert(t, "dead_letters",
		"('telemetry/1@T', 20, 'malformed', 'near byte 7', '2026-03-10 11:58:59', 'acme', 10, 'properties.seats', 'node/3')",
		"('telemetry/1@T', 21, 'malformed', 'near byte 8', '2026-03-10 11:59:01', 'acme', 10, 'properties.seats', 'node/3')",
		"('telemetry/0@T', 22, 'malformed', 'near byte 9', '2026-03-10 11:59:30', 'beta', 10, 'properties.seats', 'node/3')",
	)
	require.Equal(t, golden(`
		telemetry | malformed |                  |        | 1 | 1 | 0 | 2026-03-09 11:00:00.000 | 2026-03-09 11:00:00.000 | telemetry/1@T | 9  | an array
		telemetry | malformed | properties.seats | node/3 | 2 | 3 | 2 | 2026-03-10 11:58:59.000 | 2026-03-10 11:59:30.000 | telemetry/0@T | 22 | near byte 9
		telemetry | malformed | userId           | node/2 | 1 | 1 | 0 | 2026-03-09 10:00:00.000 | 2026-03-09 10:00:00.000 | telemetry/0@T | 4  | not JSON
		telemetry | too_old   | timestamp        |        | 1 | 1 | 0 | 2026-03-10 10:00:00.000 | 2026-03-10 10:00:00.000 | telemetry/0@T | 5  | in 1999
	`), f.rows(t, "SELECT * FROM dead_letters_by_producer WHERE topic = 'telemetry' ORDER BY reason, field"))
}
