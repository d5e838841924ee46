package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	driver "github.com/ClickHouse/clickhouse-go/v2"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"tidemark/internal/devclickhouse"
	"tidemark/internal/e2e"
	"tidemark/internal/verify"
	"tidemark/pipeline/lag"
)

// verified runs tidemark verify --json and returns what it reports, and its exit code.
func (b *backends) verified(t *testing.T, args ...string) (verify.Report, outcome) {
	t.Helper()
	got := tidemark(t, b.env, append([]string{"verify", "--json"}, args...)...)
	var report verify.Report
	if got.stdout != "" {
		require.NoError(t, json.Unmarshal([]byte(got.stdout), &report), got.stdout)
	}
	return report, got
}

// settle waits until everything in Kafka is in ClickHouse.
func (b *backends) settle(t *testing.T, pipeline *command) {
	t.Helper()
	require.Eventually(t, func() bool {
		got := tidemark(t, b.env, "lag", "--json")
		var report lag.Report
		require.NoError(t, json.Unmarshal([]byte(got.stdout), &report), got.stderr)
		return report.Total.LagRecords == 0 && report.Group.State == "Stable"
	}, 5*time.Minute, 100*time.Millisecond, "%s", &pipeline.stderr)
}

func (b *backends) traffic(t *testing.T, seed uint64) *e2e.Traffic {
	t.Helper()
	g := e2e.NewTraffic([]string{b.kafka}, seed)
	t.Cleanup(func() { require.NoError(t, g.Close()) })
	return g
}

// total adds up what was compared of all partitions.
func total(r verify.Report) (s verify.Source) {
	for _, of := range r.Sources {
		s.Equal += of.Equal
		s.Ahead += of.Ahead
		s.AtLeast += of.AtLeast
		s.NotCompared += of.NotCompared
		s.Checkpoints += of.Checkpoints
		s.Records.Received += of.Records.Received
		s.Records.Duplicate += of.Records.Duplicate
	}
	return s
}

//tidemark:proves "somebody changes rows in ClickHouse": 1
func TestVerifyNamesWhatDiffers(t *testing.T) {
	t.Parallel()
	b := startBackends(t)
	b.env = b.with("TIDEMARK_CANARY_ENABLED=false", "TIDEMARK_PIPELINE_DEDUP_RECORDS=600", "TIDEMARK_PIPELINE_FLUSH_INTERVAL=50ms")
	got := tidemark(t, b.env, "verify")
	require.Equal(t, exitNotCompared, got.code)
	require.Contains(t, got.stderr, "find the partitions of topic accounts")
	b.migrate(t)
	got = tidemark(t, b.env, "verify")
	require.Equal(t, exitNotCompared, got.code)
	require.Contains(t, got.stderr, "nothing was compared")

	g := b.traffic(t, 11)
	require.NoError(t, g.Send(t.Context(), 500))
	got = tidemark(t, b.env, "verify")
	require.Equal(t, exitNotCompared, got.code)
	require.Contains(t, got.stdout, "records and no checkpoint: nothing of it is in ClickHouse yet; is tidemark run running?")
	pipeline := launch(t, b.env, "run")
	defer pipeline.end()
	for range 6 {
		require.NoError(t, g.Send(t.Context(), 500))
		b.settle(t, pipeline)
	}
	require.Equal(t, exitOK, pipeline.end())

	report, got := b.verified(t)
	require.Equal(t, exitOK, got.code, "%s%s", got.stderr, got.stdout)
	all := total(report)
	require.Equal(t, uint64(3500), all.Records.Received)
	require.NotZero(t, all.Records.Duplicate)
	require.Greater(t, all.Equal, 3000)
	require.Greater(t, all.Checkpoints, 10)
	require.Zero(t, all.Ahead+all.AtLeast+all.NotCompared)
	require.Len(t, report.Sources, 7, "two partitions of telemetry, tickets and signals, one of accounts")
	got = tidemark(t, b.env, "verify", "--rate", "2000")
	require.Equal(t, exitOK, got.code)
	require.Contains(t, got.stdout, " rows and checkpoints compared, 0 differences.\n")
	require.Regexp(t, `(?m)^\[=* *\] +\d+% \w+/\d · \d+ of 3500 offsets · \d+/s · (\d+h)?(\d+m)?\d+s left$`, got.stderr)
	require.Greater(t, report.FinishedAt.Sub(report.StartedAt), time.Duration(0))
	b.verifyRanges(t)
	b.verifyTampered(t)
}

// verifyRanges compares parts of what has been found equal as a whole.
func (b *backends) verifyRanges(t *testing.T) {
	report, got := b.verified(t, "--topic", "telemetry", "--partition", "1", "--from", "900", "--to", "1200")
	require.Equal(t, exitOK, got.code, "%s%s", got.stderr, got.stdout)
	part := report.Sources[0]
	require.Len(t, report.Sources, 1)
	require.Equal(t, []any{int64(900), int64(1200), uint64(300)}, []any{part.From, part.To, part.Records.Received})
	require.Greater(t, part.AtLeast, 100, "older windows hold more than the range")
	report, got = b.verified(t, "--to", "700")
	require.Equal(t, exitOK, got.code, "%s%s", got.stderr, got.stdout)
	require.Greater(t, total(report).Ahead, 300, "rows beyond 700 are equal where they are")
	require.Zero(t, total(report).AtLeast)
	report, got = b.verified(t, "--to", "700", "--read-ahead", "10")
	require.Equal(t, exitOK, got.code, "%s%s", got.stderr, got.stdout)
	require.Greater(t, total(report).AtLeast, 300)
	require.Contains(t, got.stdout, "allow more with --read-ahead")
	report, got = b.verified(t, "--account", "acct-03")
	require.Equal(t, exitOK, got.code, "%s%s", got.stderr, got.stdout)
	require.Greater(t, total(report).Equal, 50)
	require.Less(t, total(report).Equal, 1000)

	_, got = b.verified(t, "--account", "nobody", "--from", "100000")
	require.Equal(t, exitNotCompared, got.code)
	_, got = b.verified(t, "--max-rows", "100")
	require.Equal(t, exitNotCompared, got.code)
	require.Contains(t, got.stderr, "touches more than 100 rows")
	_, got = b.verified(t, "--topic", "telemetri")
	require.Equal(t, outcome{exitNotCompared, "", "tidemark: --topic telemetri: the pipeline reads telemetry, tickets, accounts and signals\n"}, got)
	_, got = b.verified(t, "--partition", "9")
	require.Equal(t, exitNotCompared, got.code)
	own := configFile(t, "metrics:\n  - {name: mine, view: usage, aggregate: count, match: {type: [page]}, unit: u, description: d, decision: d, owner: o}\n")
	got = tidemark(t, b.with("TIDEMARK_PIPELINE_CATALOGUE="+own), "verify")
	require.Equal(t, exitNotCompared, got.code)
	require.Contains(t, got.stdout, "set pipeline.catalogue to the same file")
}

// verifyTampered changes single rows: exactly those are named.
func (b *backends) verifyTampered(t *testing.T) {
	admin := b.store.Open(t, devclickhouse.Migrator)
	ctx := driver.Context(t.Context(), driver.WithSettings(driver.Settings{"mutations_sync": 2}))
	one := func(what, from, where string, to ...any) {
		require.NoError(t, admin.QueryRow(ctx, "SELECT "+what+" FROM "+from+" WHERE account_id = 'acct-03' AND "+where+" LIMIT 1").Scan(to...), from)
	}
	var window, memberWindow, minute time.Time
	var value, applied, member, visitor uint64
	var source, memberSource, visitSource string
	one("window_start, source, max(value), max(applied_offset)", "counters", "tier = 'hour' AND metric = 'events' GROUP BY window_start, source ORDER BY window_start DESC", &window, &source, &value, &applied)
	one("window_start, source, member", "members", "tier = 'day' AND metric = 'active_users' ORDER BY window_start DESC", &memberWindow, &memberSource, &member)
	one("minute, source, user", "user_minutes", "true ORDER BY minute DESC", &minute, &visitSource, &visitor)
	for _, statement := range []string{
		fmt.Sprintf("INSERT INTO counters_all (* EXCEPT generation) SELECT * REPLACE (value + 1 AS value) FROM counters WHERE account_id = 'acct-03' AND tier = 'hour' AND metric = 'events' AND window_start = %d AND source = '%s' AND applied_offset = %d", window.Unix(), source, applied),
		fmt.Sprintf("ALTER TABLE member_sets_all UPDATE members = arrayFilter(m -> m != %d, members) WHERE account_id = 'acct-03' AND tier = 'day' AND metric = 'active_users' AND window_start = %d", member, memberWindow.Unix()),
		fmt.Sprintf("INSERT INTO user_minutes_all (* EXCEPT generation) SELECT * REPLACE (last + toIntervalMillisecond(1) AS last) FROM user_minutes WHERE account_id = 'acct-03' AND minute = %d AND user = %d ORDER BY last DESC LIMIT 1", minute.Unix(), visitor),
	} {
		require.NoError(t, admin.Exec(ctx, statement))
	}
	report, got := b.verified(t)
	require.Equal(t, exitFailure, got.code, "%s%s", got.stderr, got.stdout)
	require.Equal(t, "ClickHouse and the log disagree: 3 differences", strings.TrimSpace(strings.TrimPrefix(got.stderr[strings.LastIndex(got.stderr, "tidemark: "):], "tidemark: ")))
	require.Equal(t, 3, report.Differences)
	found := map[string]verify.Difference{}
	for _, d := range report.First {
		found[d.Table] = d
	}
	offset := int64(applied)
	require.Equal(t, verify.Difference{
		Table: "counters", Account: "acct-03", Metric: "events", Tier: "hour", Window: &window, Source: source, Offset: &offset,
		Log: fmt.Sprint(value), ClickHouse: fmt.Sprint(value + 1),
	}, found["counters"])
	d := found["members"]
	require.NotNil(t, d.Offset)
	d.Offset = nil
	require.Equal(t, verify.Difference{
		Table: "members", Account: "acct-03", Metric: "active_users", Tier: "day", Window: &memberWindow, Source: memberSource,
		Entity: fmt.Sprintf("user %016x", member), Log: "member",
	}, d)
	d = found["user_minutes"]
	require.Equal(t, []any{"acct-03", &minute, visitSource, fmt.Sprintf("user %016x", visitor)}, []any{d.Account, d.Window, d.Source, d.Entity})
	require.NotEqual(t, d.Log, d.ClickHouse)

	got = tidemark(t, b.env, "verify", "--account", "acct-03", "--topic", "telemetry")
	require.Equal(t, exitFailure, got.code)
	require.Regexp(t, fmt.Sprintf(`(?m)^counters +acct-03  events +hour %s +telemetry/\d +%d +%d +%d$`,
		window.Format("2006-01-02T15:04Z"), applied, value, value+1), got.stdout)
	require.Regexp(t, `(?m)^members +acct-03  active_users user \w{16} +day \S+ +telemetry/\d +\d+ +member +no row$`, got.stdout)
	_, got = b.verified(t, "--account", "acct-04")
	require.Equal(t, exitOK, got.code, "another account is as it was")
}

func TestVerifyWhileThePipelineRuns(t *testing.T) {
	t.Parallel()
	b := startBackends(t)
	b.env = b.with("TIDEMARK_CANARY_ENABLED=false", "TIDEMARK_PIPELINE_DEDUP_RECORDS=600", "TIDEMARK_PIPELINE_FLUSH_INTERVAL=50ms")
	b.migrate(t)
	pipeline := launch(t, b.env, "run")
	defer pipeline.end()
	g := b.traffic(t, 12)
	require.NoError(t, g.Send(t.Context(), 1000))
	b.settle(t, pipeline)

	ctx, stop := context.WithCancel(t.Context())
	var sending sync.WaitGroup
	defer sending.Wait()
	defer stop()
	sending.Go(func() {
		pace := time.NewTicker(50 * time.Millisecond)
		defer pace.Stop()
		for ctx.Err() == nil {
			<-pace.C
			if err := g.Send(ctx, 40); err != nil && ctx.Err() == nil {
				t.Error(err)
			}
		}
	})
	ahead := 0
	deadline := time.Now().Add(5 * time.Minute)
	for round := 0; round < 4 || ahead == 0; round++ { // slowly, so that rows run ahead of what is read, if not in every round
		require.True(t, time.Now().Before(deadline), "no row moved while it was compared, in %d rounds", round)
		report, got := b.verified(t, "--rate", "5000")
		require.Equal(t, exitOK, got.code, "%s%s", got.stderr, got.stdout)
		all := total(report)
		require.Greater(t, all.Equal+all.Ahead, 1000)
		require.Zero(t, all.AtLeast+all.NotCompared)
		ahead += all.Ahead
	}
	stop()
	sending.Wait()
	require.NoError(t, g.Send(t.Context(), 3000)) // however few were sent meanwhile, more than what warms up the filter below
	b.settle(t, pipeline)
	_, got := b.verified(t)
	require.Equal(t, exitOK, got.code, "%s%s", got.stderr, got.stdout)

	// Retention deletes the log's start: the rest is compared as far as it goes.
	client, err := kgo.NewClient(kgo.SeedBrokers(b.kafka))
	require.NoError(t, err)
	defer client.Close()
	start := kadm.Offsets{}
	start.AddOffset("telemetry", 0, 100, -1)
	deleted, err := kadm.NewClient(client).DeleteRecords(t.Context(), start)
	require.NoError(t, err)
	require.NoError(t, deleted.Error())
	report, got := b.verified(t, "--topic", "telemetry", "--partition", "0")
	require.Equal(t, exitOK, got.code, "%s%s", got.stderr, got.stdout)
	require.Equal(t, int64(700), report.Sources[0].From)
	require.Equal(t, []string{"the log starts at 100; its first 600 offsets only warm up the duplicate filter"}, report.Sources[0].Notes)
	require.Greater(t, report.Sources[0].AtLeast, 300)
}

//tidemark:proves "the catalogue changes": 1
func TestVerifyAfterTheCatalogueHasChanged(t *testing.T) {
	t.Parallel()
	b := startBackends(t)
	b.env = b.with("TIDEMARK_CANARY_ENABLED=false", "TIDEMARK_PIPELINE_FLUSH_INTERVAL=50ms")
	page := func(id, at string) string {
		at = yesterday().Format(time.DateOnly) + "T" + at + "Z"
		return fmt.Sprintf(`{"type":"page","messageId":%q,"userId":"u","context":{"groupId":"acme"},"timestamp":%q,"receivedAt":%q}`, id, at, at)
	}
	count := func(events ...string) {
		b.write(t, "telemetry", events...)
		pipeline := launch(t, b.env, "run")
		defer pipeline.end()
		b.settle(t, pipeline)
		require.Equal(t, exitOK, pipeline.end())
	}
	b.migrate(t)
	count(page("1", "10:00:00"), page("2", "10:30:00"))
	own := configFile(t, "metrics:\n  - {name: mine, view: usage, aggregate: count, match: {type: [page]}, unit: u, description: d, decision: d, owner: o}\n")
	b.env = b.with("TIDEMARK_PIPELINE_CATALOGUE=" + own)
	b.migrate(t)
	count(page("3", "10:59:59"))
	count(page("4", "10:10:00"), page("5", "12:00:00"))

	report, got := b.verified(t)
	require.Equal(t, exitOK, got.code, "%s%s", got.stderr, got.stdout)
	of := report.Sources[0]
	require.Equal(t, []string{"offsets below 3 were counted by another catalogue"}, of.Notes)
	require.Equal(t, []any{int64(3), int64(5), uint64(2)}, []any{of.From, of.To, of.Records.Received})
	// Minute and hour of 12:00: events, page_views, mine and a member each, and the user's minute. Members are always equal:
	// those of the day, and of the minute and the hour of 10:10.
	require.Equal(t, 2*4+1, of.Equal-3, "rows that only the new catalogue can have counted")
	writer := b.store.Open(t, devclickhouse.Writer)
	for _, tamper := range []string{
		"SELECT * REPLACE ('invented' AS metric, window_start + toIntervalHour(5) AS window_start) FROM (SELECT * FROM counters WHERE metric = 'mine' AND tier = 'hour' AND toHour(window_start) = 12)",
		"SELECT * REPLACE (2 AS value) FROM counters WHERE metric = 'mine' AND tier = 'minute' AND toHour(window_start) = 12",
	} {
		require.NoError(t, writer.Exec(t.Context(), "INSERT INTO counters_all (* EXCEPT generation) "+tamper))
	}
	report, got = b.verified(t)
	require.Equal(t, exitFailure, got.code)
	var found []string
	for _, d := range report.First {
		found = append(found, fmt.Sprintf("%s %s: %q, not %q", d.Tier, d.Metric, d.ClickHouse, d.Log))
	}
	require.ElementsMatch(t, []string{`hour invented: "1 at offset 4", not ""`, `minute mine: "2", not "1"`}, found)
}
