package triggers

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tidemark/schemas/rules"
)

// life fills the tables with accounts of every kind: busy, silent, of late, removed, in several sources, with repeated rows.
const life = `INSERT INTO counters_all (tier, account_id, window_start, metric, source, value, applied_offset)
SELECT t.1, 'a' || toString(number %% 37), if(t.1 = 'day', toStartOfDay(at), toStartOfHour(at)), ['events', 'logins'][1 + number %% 2], 'telemetry/' || toString(number %% 3), number %% 11 + 1, number
FROM (SELECT number, toDateTime(%[1]d, 'UTC') - toIntervalHour(cityHash64(number, 7) %% (24 * 45)) AS at, arrayJoin([('day', 1), ('hour', 2)]) AS t FROM numbers(4000))`

const lifeMembers = `INSERT INTO member_sets_all (tier, account_id, window_start, metric, source, members)
SELECT t.1, 'a' || toString(number %% 37), if(t.1 = 'day', toStartOfDay(at), toStartOfHour(at)), ['users', 'active_users'][1 + number %% 2], 'telemetry/' || toString(number %% 3), [cityHash64(number) %% 40]
FROM (SELECT number, toDateTime(%[1]d, 'UTC') - toIntervalHour(cityHash64(number, 9) %% (24 * 45)) AS at, arrayJoin([('day', 1), ('hour', 2)]) AS t FROM numbers(4000))`

const lifeTickets = `INSERT INTO facts_all (kind, account_id, entity, at, name, id, source, offset, attributes)
SELECT 'ticket', 'a' || toString(intDiv(number, 6) %% 41), 'z:' || toString(intDiv(number, 6)), fromUnixTimestamp64Milli(%[1]d * 1000, 'UTC') - toIntervalSecond(cityHash64(intDiv(number, 6)) %% (86400 * 50)) + toIntervalHour(n * 9),
    if(n = 0, 'created', ['replied_agent', 'status', 'solved', 'reopened', 'priority'][1 + cityHash64(number) %% 5]), number, 'tickets/0', number,
    if(cityHash64(number, 1) %% 4 = 0 AND n > 0, map('escalation', 'priority'), map())
FROM (SELECT number, number %% 6 AS n FROM numbers(2400))`

const lifeAccounts = `INSERT INTO account_changes_all (account_id, valid_from, source, offset, deleted, attributes)
SELECT 'a' || toString(number), fromUnixTimestamp64Milli(%[1]d * 1000, 'UTC') - toIntervalDay(60), 'accounts/0', number, 0, map('plan', ['pro', 'free'][1 + number %% 2], 'seats', toString(number), 'segment', 'smb') FROM numbers(45)
UNION ALL SELECT 'a5', fromUnixTimestamp64Milli(%[1]d * 1000, 'UTC') - toIntervalDay(3), 'accounts/0', 100, 1, map()
UNION ALL SELECT 'a6', fromUnixTimestamp64Milli(%[1]d * 1000, 'UTC') - toIntervalDay(3), 'accounts/0', 101, 0, map('plan', 'max')`

// testNarrowReadsEqualTheViews reads every column that is read from the tables in both ways: what fires is what people see.
func testNarrowReadsEqualTheViews(t *testing.T, f *fixture) {
	now := time.Now().UTC().Truncate(time.Second)
	for _, insert := range []string{life, life, lifeMembers, lifeTickets, lifeAccounts} { // one of them repeated
		f.exec(t, fmt.Sprintf(insert, now.Unix()))
	}
	day := func(days int) rules.Shape {
		return rules.Shape{Step: 24 * time.Hour, Size: time.Duration(days) * 24 * time.Hour}
	}
	hour := rules.Shape{Step: time.Hour, Size: time.Hour}
	var all []rules.Input
	for _, in := range []struct {
		view, column string
		shape        rules.Shape
		back         int
	}{
		{"usage_day", "events", day(1), 0}, {"usage_day", "active_users", day(1), 2}, {"usage_hour", "events", hour, 3}, {"usage_hour", "active_users", hour, 0},
		{"usage_7d", "events", day(7), 0}, {"usage_7d", "logins", day(7), 1}, {"usage_7d", "users", day(7), 0}, {"usage_7d", "active_users", day(7), 1},
		{"usage_7d", "events", day(7), 1}, {"support_30d", "escalated", day(30), 0}, {"support_30d", "opened", day(30), 0}, {"support_30d", "solved", day(30), 1}, {"support_30d", "reopened", day(30), 0},
	} {
		all = append(all, rules.Input{Kind: rules.OfView, View: in.view, Column: in.column, Shape: in.shape, Back: in.back, Type: rules.Number})
	}
	all = append(all, rules.Input{Kind: rules.OfAccount, View: "accounts", Column: "plan", Type: rules.Text}, rules.Input{Kind: rules.OfAccount, View: "accounts", Column: "seats", Type: rules.Number})

	read := func(how func(rules.Input) input) (*readings, []want) {
		inputs := make([]input, len(all))
		var wanted []want
		for i, in := range all {
			inputs[i] = how(in)
			for _, at := range []time.Time{now, now.Add(-26 * time.Hour)} {
				if in.Kind == rules.OfAccount {
					at = now
				}
				wanted = append(wanted, want{input: i, at: at.UnixMilli()})
			}
		}
		reader, err := newReader(f.client, f.cat, f.views, inputs)
		require.NoError(t, err)
		since, err := reader.Since(t.Context(), 0)
		require.NoError(t, err)
		var accounts []string
		for a := range since {
			accounts = append(accounts, a)
		}
		require.Len(t, accounts, 45)
		r := newReadings(accounts, since)
		require.NoError(t, reader.read(t.Context(), 0, r, wanted, now))
		return r, wanted
	}
	narrow, wanted := read(func(in rules.Input) input {
		out := resolve(f.cat, in)
		require.True(t, out.fast(), "%s is read from the tables", in)
		return out
	})
	seen, _ := read(func(in rules.Input) input { return input{Input: in, way: byView} })
	nonzero := map[int]int{}
	for _, w := range wanted {
		for a, i := range narrow.index {
			if a == "a5" && all[w.input].Kind == rules.OfView { // removed: it is not judged
				continue
			}
			shown := seen.values[w][seen.index[a]]
			require.Equal(t, shown, narrow.values[w][i], "%s of %s as of %s", all[w.input], a, time.UnixMilli(w.at).UTC())
			if shown.Known && shown != rules.Num(0) {
				nonzero[w.input]++
			}
		}
	}
	require.Len(t, nonzero, len(all), "every input had something to compare")
}

// testChangesMissNothing writes while merges go on, and looks in between: every account that was written to is found.
func testChangesMissNothing(t *testing.T, f *fixture) {
	c := NewChanges(f.client)
	write := func(from, n int) {
		f.exec(t, fmt.Sprintf("INSERT INTO counters_all (tier, account_id, window_start, metric, value) SELECT 'day', 'n' || toString(number), '2026-01-01 00:00:00', 'events', 1 FROM numbers(%d, %d)", from, n))
	}
	// next looks until all is read: a merge may take a part away after it was listed, and what took it in is new at the next look.
	next := func() (found Found) {
		for more := true; more; {
			some, err := c.Next(t.Context(), 0)
			require.NoError(t, err)
			found.Accounts, found.Perhaps = append(found.Accounts, some.Accounts...), append(found.Perhaps, some.Perhaps...)
			parts, _, err := c.unseen(t.Context(), 0)
			require.NoError(t, err)
			more = len(parts) > 0
		}
		return found
	}
	write(0, 10)
	require.NoError(t, c.Skip(t.Context(), 0))
	found := next()
	require.Empty(t, found.Accounts, "what was there before")
	wrote := 10
	for round := range 12 {
		before := wrote
		for range 1 + round%3 {
			write(wrote, 3)
			wrote += 3
		}
		if round%4 == 3 {
			f.exec(t, "OPTIMIZE TABLE counters_all FINAL")
		}
		found := next()
		for i := before; i < wrote; i++ {
			require.Contains(t, append(found.Accounts, found.Perhaps...), fmt.Sprintf("n%d", i), "round %d", round)
		}
	}
	f.exec(t, "INSERT INTO facts_all (kind, account_id, entity, at, name) VALUES ('ticket', 'f', 'z:1', now(), 'created')")
	f.exec(t, "INSERT INTO counters_all (tier, account_id, window_start, metric, value) VALUES ('day', '_canary', now(), 'events', 1)")
	found = next()
	require.Contains(t, found.Accounts, "f") // perhaps beside those that a merge has put into one part of known_accounts_all with it
	require.NotContains(t, append(found.Accounts, found.Perhaps...), "_canary")
	f.exec(t, "OPTIMIZE TABLE counters_all FINAL") // a merge of what was seen is nothing new
	found = next()
	require.Empty(t, append(found.Accounts, found.Perhaps...))
	write(wrote, 3)
	f.exec(t, "OPTIMIZE TABLE counters_all FINAL") // before anybody looked: which of the rows are new cannot be told
	found = next()
	require.Contains(t, append(found.Accounts, found.Perhaps...), fmt.Sprintf("n%d", wrote))
	require.Contains(t, found.Perhaps, "n0")
	require.NotContains(t, found.Accounts, "n0")
}

func TestSpans(t *testing.T) {
	var s spans
	for _, one := range []span{{1, 1}, {5, 6}, {3, 3}} {
		s = s.add(one)
	}
	require.Equal(t, spans{{1, 1}, {3, 3}, {5, 6}}, s)
	require.False(t, s.cover(span{1, 3}), "2 was not seen")
	require.Equal(t, spans{{1, 6}}, s.add(span{2, 2}).add(span{4, 4}))
	require.True(t, s.add(span{1, 6}).cover(span{2, 5}))
}
