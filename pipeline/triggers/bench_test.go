package triggers

import (
	"fmt"
	"os"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
)

// benchRules are fifty rules as people write them: sums and distinct users over days and weeks, tickets, attributes; some fire
// early and some at the watermark.
func benchRules() string {
	var b strings.Builder
	b.WriteString("pack: none\nrules:\n")
	conditions := []string{
		"support_30d.escalated >= %d", "support_7d.escalated >= %d", "usage_7d.events < 0.%d * previous(usage_7d.events)", "usage_7d.active_users < 0.%d * previous(usage_7d.active_users)",
		"usage_30d.active_users >= %d0 && account.plan == \"pro\"", "usage_day.events >= %d000", "usage_28d.active_users < %d", "usage_28d.logins == 0 && account.seats > %d",
		"usage_7d.users >= %d0", "support_30d.opened >= 1%d",
	}
	for i := range 50 {
		fmt.Fprintf(&b, "  - name: r%d\n    description: r\n    playbook: p\n    owner: o\n    when: %s\n", i, fmt.Sprintf(conditions[i%len(conditions)], 2+i/len(conditions)))
	}
	return b.String()
}

// BenchmarkTick measures a tick in which 1000 accounts have changed, of 100 000 (BENCH_CHANGED and BENCH_ACCOUNTS are other numbers), with 50 rules
// and 30 days of rows: its time, and the CPU time that it takes here and in ClickHouse, which does not depend on what else the machine does.
func BenchmarkTick(b *testing.B) {
	accounts, changed := 100_000, 1000
	for name, into := range map[string]*int{"BENCH_ACCOUNTS": &accounts, "BENCH_CHANGED": &changed} {
		if text := os.Getenv(name); text != "" {
			_, err := fmt.Sscan(text, into)
			require.NoError(b, err)
		}
	}
	f := newFixture(b)
	f.watermarks(b, time.Now())
	f.exec(b, fmt.Sprintf(`INSERT INTO counters_all (tier, account_id, window_start, metric, source, value, applied_offset)
SELECT 'day', 'account-' || toString(number %% %d), toStartOfDay(now()) - toIntervalDay(intDiv(number, %[1]d)), m, 'telemetry/0@x', 1 + number %% 50, number
FROM numbers(%[1]d * 30) ARRAY JOIN ['events', 'logins'] AS m`, accounts))
	f.exec(b, fmt.Sprintf(`INSERT INTO member_sets_all (tier, account_id, window_start, metric, source, members)
SELECT 'day', 'account-' || toString(number %% %d), toStartOfDay(now()) - toIntervalDay(intDiv(number, %[1]d)), m, 'telemetry/0@x', arrayMap(x -> cityHash64(number %% 20 + x), range(3))
FROM numbers(%[1]d * 30) ARRAY JOIN ['users', 'active_users'] AS m`, accounts))
	f.exec(b, fmt.Sprintf(`INSERT INTO account_changes_all (account_id, valid_from, source, offset, attributes)
SELECT 'account-' || toString(number), now() - toIntervalDay(60), 'accounts/0@x', number, map('plan', 'pro', 'seats', '20') FROM numbers(%d)`, accounts))
	f.exec(b, fmt.Sprintf(`INSERT INTO facts_all (kind, account_id, entity, at, name, id, source, offset)
SELECT 'ticket', 'account-' || toString(number %% %d), 'z:' || toString(number), now() - toIntervalHour(number %% 700), 'created', number, 'tickets/0@x', number FROM numbers(%[1]d)`, accounts))
	e := f.engine(b, f.client, f.load(b, benchRules()))
	e.Slow = time.Minute // as by default
	r := begin(b, e)
	began, longest := time.Now(), time.Duration(0)
	for !r.sweeping.over() {
		tick := time.Now()
		require.NoError(b, r.tick(b.Context()))
		longest = max(longest, time.Since(tick))
	}
	b.Logf("the first sweep, which tells of what has long been so, takes %s for %d accounts and %d rules, the longest tick of it %s",
		time.Since(began).Round(time.Millisecond), accounts, len(r.programs), longest.Round(time.Millisecond))
	round := 0
	var cost costs
	ctx := clickhouse.Context(b.Context(), clickhouse.WithProfileEvents(cost.add))
	client := rusage(b)
	judged := judgements(b, e)
	var worst time.Duration
	for b.Loop() {
		b.StopTimer()
		round++
		f.exec(b, fmt.Sprintf(`INSERT INTO counters_all (tier, account_id, window_start, metric, source, value, applied_offset)
SELECT 'day', 'account-' || toString((number * 97 + %d) %% %d), toStartOfDay(now()), 'events', 'telemetry/0@x', 100 + %[1]d, 1 FROM numbers(%[3]d)`, round, accounts, changed))
		b.StartTimer()
		began := time.Now()
		require.NoError(b, r.tick(ctx))
		worst = max(worst, time.Since(began))
	}
	n := float64(round)
	b.ReportMetric((judgements(b, e)-judged)/n, "judgements/op")
	b.ReportMetric((rusage(b)-client).Seconds()*1e3/n, "cpu-ms/op")
	b.ReportMetric(float64(cost.cpu.Load())/1e3/n, "clickhouse-cpu-ms/op")
	b.ReportMetric(float64(cost.queries.Load())/n, "queries/op")
	b.ReportMetric(float64(worst.Milliseconds()), "longest-ms")
}

// costs are what ClickHouse says that queries cost it.
type costs struct{ cpu, queries atomic.Int64 }

func (c *costs) add(events []clickhouse.ProfileEvent) {
	for _, e := range events {
		switch e.Name {
		case "UserTimeMicroseconds", "SystemTimeMicroseconds":
			c.cpu.Add(e.Value)
		case "Query":
			c.queries.Add(e.Value)
		}
	}
}

// rusage is the CPU time that this process has taken.
func rusage(b *testing.B) time.Duration {
	var u syscall.Rusage
	require.NoError(b, syscall.Getrusage(syscall.RUSAGE_SELF, &u))
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// judgements is how often a rule was judged for an account.
func judgements(b *testing.B, e *Engine) float64 {
	families, err := e.Metrics.(*prometheus.Registry).Gather()
	require.NoError(b, err)
	for _, f := range families {
		if f.GetName() == "tidemark_triggers_judged_total" {
			return f.GetMetric()[0].GetCounter().GetValue()
		}
	}
	b.Fatal("there is no such metric")
	return 0
}
