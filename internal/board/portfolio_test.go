package board

import (
	"bufio"
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/andybalholm/cascadia"
	"github.com/stretchr/testify/require"
)

func (f *stage) testPortfolio(t *testing.T) {
	require.Contains(t, texts(t, f.page(t, "/"), ".message strong"), "The first figures come within a minute", "nothing was computed yet")
	f.exec(t, "SYSTEM REFRESH VIEW portfolio_refresh")
	f.exec(t, "SYSTEM WAIT VIEW portfolio_refresh")

	doc := f.page(t, "/?sort=account")
	require.Equal(t, []string{"Portfolio"}, texts(t, doc, "h1"))
	require.Equal(t, []string{"Portfolio"}, texts(t, doc, "nav a[aria-current]"))
	rows := table(t, doc, "#panel-accounts table")
	require.Len(t, rows, 2)
	const unknown = "– unknown"
	require.Equal(t, strings.Join([]string{"Acmeacme", unknown, unknown, unknown, "2", "4", "50 %", "0 %", "▲ 1", "◆ 1", "100", unknown, unknown, "smb", unknown}, " | "), rows[0])
	require.Contains(t, rows[1], "bolt |")
	require.Equal(t, []string{"Account"}, texts(t, doc, "th[aria-sort=ascending]"))
	first := cascadia.Query(doc, cascadia.MustCompile("tbody th a"))
	require.Equal(t, "/accounts/acme", attribute(first, "href"))
	require.NotNil(t, cascadia.Query(doc, cascadia.MustCompile("tbody svg.spark polyline")))

	t.Log("what is chosen stands in the URL")
	accounts := func(query string) []string { return texts(t, f.page(t, "/"+query), "#panel-accounts tbody th a") }
	require.Equal(t, []string{"bolt", "Acme"}, accounts("?sort=-mrr"))
	require.Equal(t, []string{"Acme", "bolt"}, accounts("?sort=-users"))
	require.Equal(t, []string{"bolt"}, accounts("?segment=enterprise"))
	require.Equal(t, []string{"bolt"}, accounts("?owner=ana"))
	require.Equal(t, []string{"Acme"}, accounts("?q=ACM"))
	require.Empty(t, accounts("?q=acme&segment=enterprise"))
	require.Empty(t, accounts("?q=%25%27%3B+DROP"), "what is typed is a text")
	require.Equal(t, accounts("?sort=health"), accounts("?sort=nosuch"))
	require.Empty(t, accounts("?page=2"))
	resp, csv := get(t, f.url+"/?panel=accounts&format=csv&sort=account&page=2")
	require.Contains(t, resp.Header.Get("Content-Type"), "text/csv")
	require.Contains(t, csv, "account,health,", "all rows, whatever the page")
	require.Contains(t, csv, "Acme,,,,2,4,0.5,0,1,1,100,,,smb,\n")

	t.Log("the same at the head of the account's page")
	now := f.page(t, "/accounts/acme?panel=summary")
	require.Contains(t, texts(t, now, "dd"), "2 of 4 seats, in 28 days why is it so")
	require.Contains(t, texts(t, now, "dd"), "100 of 1 answers in 90 days why is it so")
}

// Pages learn of what is new by a stream, which says up to when the figures are complete.
func (f *stage) testLive(t *testing.T) {
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, f.url+"/events", nil)
	require.NoError(t, err)
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	resp, err := (&http.Client{Transport: transport}).Do(req)
	require.NoError(t, err)
	defer resp.Body.Close() //nolint:errcheck // it ends with the test
	require.Equal(t, "text/event-stream", resp.Header.Get("Content-Type"))
	stream := bufio.NewScanner(resp.Body)
	until(t, stream, "event: tick")
	before := until(t, stream, "data: ")
	require.Contains(t, before, `"telemetry":"2026-03-10T11:00:00Z"`)
	again := func() string { // what is said of a panel that is read once a minute at most
		resp, _ := get(t, f.url+"/accounts/someone?panel=kpis", "HX-Request", "true")
		require.Equal(t, http.StatusOK, resp.StatusCode)
		return resp.Header.Get(againIn)
	}
	require.Empty(t, again(), "it has the latest")
	f.exec(t, "INSERT INTO source_progress_all (* EXCEPT generation) VALUES ('telemetry/0@T', '2026-03-10 11:59:01', 101, 110, '2026-03-10 11:00:00', 'w1')")
	until(t, stream, "event: tick")
	require.NotEqual(t, before, until(t, stream, "data: "), "something is new")
	require.NotEmpty(t, again(), "it was read before that")
	until(t, stream, "event: beat") // nothing is, and ClickHouse answers
}

// Viewers of the same panel share what was read, and one that leaves takes it from nobody.
func TestViewersShareWhatIsRead(t *testing.T) {
	t.Parallel()
	c := newCache(func() uint32 { return 0 })
	reads := 0
	load := func() content {
		got, _, err := c.get(t.Context(), "key", time.Hour, func(context.Context) (content, error) {
			reads++
			return Message{Title: "read"}, nil
		})
		require.NoError(t, err)
		return got
	}
	first, second := load(), load()
	require.Equal(t, first, second)
	require.Equal(t, 1, reads)

	begun, release := make(chan struct{}), make(chan struct{})
	leaves, leave := context.WithCancel(t.Context())
	read := func(ctx context.Context) (content, error) {
		close(begun)
		<-release
		return Message{Title: "late"}, ctx.Err()
	}
	left := make(chan error)
	go func() {
		_, _, err := c.get(leaves, "slow", time.Second, read)
		left <- err
	}()
	<-begun
	leave()
	require.ErrorIs(t, <-left, context.Canceled)
	close(release)
	got, _, err := c.get(t.Context(), "slow", time.Second, func(context.Context) (content, error) { return Message{Title: "again"}, nil })
	require.NoError(t, err)
	require.Contains(t, []content{Message{Title: "late"}, Message{Title: "again"}}, got, "it came though the first who asked had left")
}
