package boardtest

import (
	"context"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"

	"tidemark/internal/board"
	"tidemark/internal/devclickhouse"
	"tidemark/internal/devclickhouse/chtest"
	"tidemark/sinks/clickhouse/migrate"
)

var (
	accounts = flag.Int("accounts", 1000, "accounts that BenchmarkBoard makes")
	figures  = flag.String("figures", "", "page whose section Figures BenchmarkBoard writes")
)

// crowd fills a database with accounts of four weeks, as the pipeline writes them.
func crowd(b *testing.B, d *chtest.Database) {
	b.Helper()
	opts, err := clickhouse.ParseDSN(d.DSN(devclickhouse.Migrator))
	require.NoError(b, err)
	opts.ReadTimeout = patience
	db := clickhouse.OpenDB(opts)
	defer func() { require.NoError(b, db.Close()) }()
	require.NoError(b, migrate.Up(b.Context(), db, migrate.DefaultOptions()))
	fill := strings.NewReplacer("{accounts}", strconv.Itoa(*accounts), "{day}",
		"concat('acct', number % "+strconv.Itoa(*accounts)+") AS account, toStartOfDay(now('UTC')) - 86400 * (intDiv(number, "+strconv.Itoa(*accounts)+") % 28) AS start, intDiv(number, 28 * "+strconv.Itoa(*accounts)+") AS n")
	for _, text := range []string{
		`INSERT INTO account_changes_all (* EXCEPT generation) SELECT concat('acct', number), now64(3) - toIntervalDay(60), 'accounts/0@A', number, 0,
			map('name', concat('Account ', number), 'plan', 'pro', 'seats', toString(5 + number % 50), 'mrr', toString(number % 1000), 'stage', 'live', 'segment', ['smb', 'mid', 'ent'][number % 3 + 1]) FROM numbers({accounts})`,
		chtest.Into("counters") + ` SELECT 'day', account, start, if(n < 3, '', ['dashboards', 'reports', 'export'][n - 2]), if(n < 3, ['events', 'page_views', 'errors'][n + 1], 'feature_uses'),
			concat('telemetry/', cityHash64(account) % 8, '@T'), cityHash64(account, start, n) % 1000, number FROM (SELECT number, {day} FROM numbers({accounts} * 28 * 6))`,
		chtest.Into("member_sets") + ` SELECT 'day', account, start, if(n < 2, '', 'reports'), ['users', 'active_users', 'feature_users'][n + 1], range(1 + cityHash64(account, start, n) % 15),
			concat('telemetry/', cityHash64(account) % 8, '@T') FROM (SELECT number, {day} FROM numbers({accounts} * 28 * 3))`,
		"SYSTEM REFRESH VIEW portfolio_refresh", "SYSTEM WAIT VIEW portfolio_refresh",
	} {
		_, err := db.ExecContext(b.Context(), fill.Replace(text))
		require.NoError(b, err, text)
	}
}

// BenchmarkBoard measures pages of a board with many accounts: the server's time of the first answer, each for another URL so that nothing is shared,
// and in Chromium the first contentful paint and the weight.
func BenchmarkBoard(b *testing.B) {
	d := chtest.Shared(b)
	crowd(b, d)
	server, err := board.Listen(b.Context(), board.Config{Listen: "127.0.0.1:0", Reader: d.Open(b, devclickhouse.Reader), Log: zap.NewNop()})
	require.NoError(b, err)
	ctx, cancel := context.WithCancel(b.Context())
	done := make(chan error, 1)
	go func() { done <- server.Run(ctx) }()
	defer http.DefaultClient.CloseIdleConnections()
	defer func() { cancel(); require.NoError(b, <-done) }()
	browser := Start(b)
	before := load(b)
	var out strings.Builder
	fmt.Fprintf(&out, "%d accounts. The machine has %d cores, and a load of %s before.\n\n| page | server, median | server, p95 | first contentful paint | first load |\n|---|---|---|---|---|\n", *accounts, runtime.NumCPU(), before)
	for _, page := range []struct{ name, path string }{
		{"Portfolio", "/?page=%d"}, {"Portfolio, searched", "/?q=acct%d"}, {"Account", "/accounts/acct%d"}, {"Features", "/features?n=%d"},
		{"Segments", "/segments?n=%d"}, {"Triggers", "/triggers?account=%d"}, {"Pipeline", "/pipeline?n=%d"},
	} {
		var took, paints []time.Duration
		for i := range 40 {
			took = append(took, answered(b, server.URL(), fmt.Sprintf(page.path, i+1)))
		}
		var weight int64
		for i := range 3 {
			p := browser.Open(b, strings.TrimSuffix(server.URL(), "/")+fmt.Sprintf(page.path, 100+i), Look{Width: 1440})
			paints = append(paints, p.FirstPaint(b))
			weight = max(weight, p.Weight())
			p.Close()
		}
		slices.Sort(took)
		slices.Sort(paints)
		fmt.Fprintf(&out, "| %s | %d ms | %d ms | %d ms | %d kB |\n", page.name, took[len(took)/2].Milliseconds(), took[len(took)*95/100].Milliseconds(), paints[1].Milliseconds(), weight/1000)
	}
	fmt.Println(out.String())
	if *figures != "" {
		text, err := os.ReadFile(*figures)
		require.NoError(b, err)
		head, _, found := strings.Cut(string(text), figuresBelow)
		require.True(b, found, "%s has no line %q", *figures, figuresBelow)
		require.NoError(b, os.WriteFile(*figures, []byte(head+figuresBelow+"\n"+out.String()), 0o600))
	}
}

// figuresBelow stands above what BenchmarkBoard writes; nothing else stands below.
const figuresBelow = "<!-- make bench-board writes what follows -->\n"

// answered is how long the server takes for a page.
func answered(b *testing.B, server, path string) time.Duration {
	b.Helper()
	began := time.Now()
	req, err := http.NewRequestWithContext(b.Context(), http.MethodGet, strings.TrimSuffix(server, "/")+path, nil)
	require.NoError(b, err)
	resp, err := http.DefaultClient.Do(req)
	require.NoError(b, err)
	defer resp.Body.Close() //nolint:errcheck // read to its end
	_, err = io.Copy(io.Discard, resp.Body)
	require.NoError(b, err)
	require.Equal(b, http.StatusOK, resp.StatusCode, path)
	return time.Since(began)
}

// load is the machine's load average over a minute.
func load(b *testing.B) string {
	b.Helper()
	text, err := os.ReadFile("/proc/loadavg")
	require.NoError(b, err)
	return strings.Fields(string(text))[0]
}
