package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"tidemark/internal/devclickhouse"
)

// TestForget: an account and a user are gone from every table and compacted topic, under a running pipeline, and stay so with late events, after a
// restart, and in a rebuild from the start of the logs; everybody else's numbers, and the sums, stay what they were.
func TestForget(t *testing.T) {
	t.Parallel()
	b := startBackends(t)
	b.migrate(t)
	env := b.with("TIDEMARK_CANARY_ENABLED=false", "TIDEMARK_KAFKA_SESSION_TIMEOUT=6s", "TIDEMARK_KAFKA_INSTANCE_ID=me")
	n := 0
	event := func(account, user string) *kgo.Record {
		n++
		return &kgo.Record{Topic: "telemetry", Key: []byte(account), Timestamp: time.Now().Add(-time.Minute), Value: fmt.Appendf(nil,
			`{"type":"track","event":"Report Started","userId":%q,"messageId":"%d","context":{"groupId":%q}}`, user, n, account)}
	}
	record := func(topic, key, value string) *kgo.Record {
		return &kgo.Record{Topic: topic, Key: []byte(key), Value: []byte(value)}
	}
	ticket := func(account, id string) *kgo.Record {
		return record("tickets", account, fmt.Sprintf(`{"ticket_id":%q,"source":"desk","kind":"created","account_id":%q,"occurred_at":%q,"requester_id":"bob","source_event_id":%[1]q}`,
			id, account, time.Now().Add(-time.Hour).UTC().Format(time.RFC3339)))
	}
	b.produce(t, event("gonecorp", "ann"), event("gonecorp", "ann"), event("beta", "bob"), event("beta", "bob"), event("beta", "eve"),
		record("telemetry", "gonecorp", `{"gonecorp`), record("accounts", "gonecorp", `{"plan":"pro","name":"gonecorp"}`),
		record("accounts", "gonecorp|seats", `{"account_id":"gonecorp","seats":7}`), record("accounts", "beta", `{"plan":"pro"}`),
		record("users", "u:ann", `{"account_id":"gonecorp"}`), record("users", "u:bob", `{"account_id":"beta"}`),
		record("parked", "u:bob|m", `{"type":"track","userId":"bob"}`), ticket("gonecorp", "1"), ticket("beta", "2"))
	pipeline := launch(t, env, "run")
	defer func() { pipeline.end() }()
	conn := b.store.Open(t, devclickhouse.Reader)
	number := func(query string) (n uint64) {
		require.NoError(t, conn.QueryRow(t.Context(), query).Scan(&n), query)
		return n
	}
	become := func(query string, want uint64) {
		t.Helper()
		require.Eventually(t, func() bool { return number(query) == want }, 5*time.Minute, 200*time.Millisecond, "%s\n%s", query, &pipeline.stderr)
	}
	// traces counts the rows in all tables, of every generation, in which a text stands.
	traces := func(text string) (found map[string]uint64) {
		found = map[string]uint64{}
		rows, err := conn.Query(t.Context(), "SELECT name FROM system.tables WHERE database = currentDatabase() AND engine LIKE '%MergeTree'")
		require.NoError(t, err)
		defer rows.Close() //nolint:errcheck // Err tells
		for rows.Next() {
			var name string
			require.NoError(t, rows.Scan(&name))
			if n := number("SELECT count() FROM " + name + " WHERE position(formatRow('JSONEachRow', *), '" + text + "') > 0"); n > 0 {
				found[name] = n
			}
		}
		require.NoError(t, rows.Err())
		return found
	}
	const events, facts = "SELECT sum(events) FROM usage_day WHERE account_id = 'beta'", "SELECT count() FROM facts WHERE kind = 'ticket' AND account_id = 'beta'"
	const bob = "SELECT count() FROM member_sets_all WHERE has(members, xxHash64('u:bob'))"
	become("SELECT sum(events) FROM usage_day", 5)
	become("SELECT count() FROM facts WHERE kind = 'ticket'", 2)
	become("SELECT count() FROM dead_letters", 1)
	become("SELECT uniq(account_id) FROM account_changes", 2)
	b.settle(t, pipeline) // the tables are written at once: one of them says nothing of the others
	require.NotZero(t, number(bob))
	require.Subset(t, slices.Collect(maps.Keys(traces("gonecorp"))), []string{"counters_all", "member_sets_all", "user_minutes_all", "facts_all", "account_changes_all", "known_accounts_all", "dead_letters_all"})

	shown := tidemark(t, env, "forget", "account", "gonecorp")
	require.Equal(t, exitOK, shown.code, shown.stderr)
	require.Regexp(t, `(?m)^topic accounts +2 +tombstone\ntopic users +1 +tombstone\n`, shown.stdout)
	require.Regexp(t, `(?m)^dead_letters_all +1 +overwrite key$`, shown.stdout)
	require.Contains(t, shown.stdout, "Nothing was changed. To forget it for good: repeat with --confirm gonecorp\n")
	require.NotEmpty(t, traces("gonecorp"))
	require.Equal(t, exitFailure, tidemark(t, env, "forget", "account", "gonecorp", "--confirm=beta").code)

	gone := func() {
		t.Helper()
		require.Empty(t, traces("gonecorp"))
		require.Zero(t, number(bob))
		require.Zero(t, number("SELECT count() FROM user_minutes_all WHERE user = xxHash64('u:bob')"))
		require.Empty(t, traces(`"bob"`), "as a ticket's requester")
	}
	times := 0
	forget := func(args ...string) {
		t.Helper()
		got := tidemark(t, env, append([]string{"forget"}, args...)...)
		require.Equal(t, exitOK, got.code, "%s%s\n%s", got.stdout, got.stderr, &pipeline.stderr)
		require.Contains(t, got.stdout, "Forgotten, here and in every replay.")
		times++
		require.Eventually(t, func() bool { // by now, unless the machine is busy
			return strings.Count(pipeline.stderr.String(), "somebody was forgotten: going on without them") == times
		}, 5*time.Minute, 100*time.Millisecond, "%s", &pipeline.stderr)
	}
	forget("account", "gonecorp", "--confirm=gonecorp")
	require.Empty(t, traces("gonecorp"))
	forget("user", "bob", "--confirm=bob")
	gone()
	require.EqualValues(t, 3, number(events), "sums stay")
	require.EqualValues(t, 1, number("SELECT max(users) FROM usage_day WHERE account_id = 'beta'"), "eve is left")
	require.EqualValues(t, 1, number("SELECT count() FROM dead_letters"))
	require.Empty(t, b.latest(t, "users"))
	require.Empty(t, b.latest(t, "parked"))
	require.Equal(t, []string{"beta"}, b.latest(t, "accounts"))

	// Late events, and a restart without which nothing would be loaded.
	b.produce(t, event("gonecorp", "ann"), event("beta", "bob"), ticket("gonecorp", "3"), ticket("beta", "4"), record("telemetry", "gonecorp", `{"gonecorp`))
	become(events, 4)
	become(facts, 2)
	become("SELECT count() FROM dead_letters", 2)
	require.Equal(t, exitOK, pipeline.end(), "%s", &pipeline.stderr)
	pipeline = launch(t, env, "run")
	b.produce(t, event("gonecorp", "ann"), event("beta", "eve"))
	become(events, 5)
	b.settle(t, pipeline) // so that gonecorp's event is read, too, and the checkpoints that verify looks at are written
	gone()
	require.NotContains(t, pipeline.stderr.String(), "needs a person")
	verified := tidemark(t, env, "verify")
	require.Equal(t, exitOK, verified.code, "%s%s", verified.stdout, verified.stderr)

	// From the start of the logs, which still hold all of it.
	rebuilt := tidemark(t, env, "rebuild", "--no-switch")
	require.Equal(t, exitOK, rebuilt.code, "%s%s", rebuilt.stdout, rebuilt.stderr)
	gone()
	const of = " FROM counters_all FINAL WHERE tier = 'day' AND metric = 'events' AND feature = '' AND generation = "
	require.Equal(t, number("SELECT sum(value)"+of+"0"), number("SELECT sum(value)"+of+"1"))
	require.NotZero(t, number("SELECT count() FROM checkpoints_all WHERE generation = 1"))
}

// produce writes records, one after another.
func (b *backends) produce(t *testing.T, records ...*kgo.Record) {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(b.kafka))
	require.NoError(t, err)
	defer client.Close()
	require.NoError(t, client.ProduceSync(t.Context(), records...).FirstErr())
}

// latest returns the keys that a compacted topic has values for.
func (b *backends) latest(t *testing.T, topic string) []string {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(b.kafka), kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	require.NoError(t, err)
	defer client.Close()
	ends, err := kadm.NewClient(client).ListEndOffsets(t.Context(), topic)
	require.NoError(t, err)
	left := int64(0)
	ends.Each(func(o kadm.ListedOffset) { left += o.Offset })
	values := map[string]string{}
	for left > 0 {
		fetches := client.PollFetches(t.Context())
		require.NoError(t, fetches.Err())
		fetches.EachRecord(func(r *kgo.Record) {
			left--
			if values[string(r.Key)] = string(r.Value); len(r.Value) == 0 {
				delete(values, string(r.Key))
			}
		})
	}
	return slices.Sorted(maps.Keys(values))
}
