package boardtest

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"tidemark/internal/e2e"
	"tidemark/internal/sdktest"
)

var (
	whole  = flag.Bool("whole", false, "look at every page at three widths, in the light and in the dark; at one width and in the light otherwise")
	update = flag.Bool("update", false, "keep pictures of some pages in docs/board")
	at     = flag.String("board", "", "URL of a demo's board that runs already, without the last slash, rather than a new demo's")
	takes  = flag.String("collector", "", "URL of that demo's collector")
)

const (
	pictures    = "../../docs/board"
	patience    = 10 * time.Minute // for what the demo and ClickHouse do, on a busy machine
	newsWithin  = 3 * time.Second  // from the start of an SDK to its event on the page, where the whole is looked at: at rest
	pageWeight  = 300_000          // bytes at most, on first load
	picturesMax = 1_000_000        // bytes, of all pictures
)

// demo is a running `tidemark demo` with as many accounts and as much of a past as the test needs.
type demo struct{ board, collector string }

func startDemo(t *testing.T) demo {
	t.Helper()
	if *at != "" {
		return demo{*at, *takes}
	}
	accounts, history := "6", "72h"
	if *whole {
		accounts, history = "14", "504h" // three weeks, so that releases have two of them before
	}
	p := e2e.Start(t, e2e.Binary(t, ""), "demo", nil, "demo", "--data-dir", t.TempDir(), "--accounts", accounts, "--history", history, "--rate", "2", "--seed", "7",
		"--board-port", "0", "--kafka-port", "0", "--clickhouse-port", "0", "--clickhouse-http-port", "0", "--collector-port", "0", "--admin-port", "0")
	said := func(pattern string) string {
		var found []string
		require.Eventually(t, func() bool {
			p.Running(t)
			found = regexp.MustCompile(pattern).FindStringSubmatch(p.Log(t))
			return found != nil
		}, patience, 100*time.Millisecond, "the demo never says %s", pattern)
		return found[len(found)-1]
	}
	d := demo{board: said(`board +(http://[0-9.:]+)/`), collector: said(`collector +(http://[0-9.:]+)`)}
	said(`live: .*`)
	return d
}

// TestBoard shows a demo's board to a real Chromium.
func TestBoard(t *testing.T) {
	d := startDemo(t)
	browser := Start(t)
	pages := paths(t, browser, d)
	looks := []Look{{Width: 390}}
	if *whole {
		looks = []Look{{390, false}, {390, true}, {820, false}, {820, true}, {1440, false}, {1440, true}}
	}
	if *update {
		t.Run("pictures", func(t *testing.T) { keep(t, browser, d, pages) })
	}
	for _, path := range pages {
		t.Run(path, func(t *testing.T) {
			page := browser.settled(t, d.board+path, looks[0], *whole)
			defer page.Close()
			require.LessOrEqual(t, page.Weight(), int64(pageWeight))
			for _, look := range looks {
				page.LookAt(t, look)
				require.Empty(t, page.Problems(t), look)
			}
		})
	}
	if d.collector != "" {
		t.Run("live", func(t *testing.T) { live(t, browser, d) })
	}
	t.Run("stale", func(t *testing.T) { stale(t, browser, d) })
	t.Run("taken along", func(t *testing.T) { takenAlong(t, browser, d.board+pages[len(pages)-3]) })
}

// paths are the pages of the navigation, one of an account, one of a number's reason, and one that is not there.
func paths(t *testing.T, browser *Browser, d demo) []string {
	t.Helper()
	var account string
	require.Eventually(t, func() bool { // the first figures of a portfolio take a minute to come
		page := browser.settled(t, d.board+"/?sort=-escalations", Look{Width: 1440}, *whole) // first who has had most happen
		defer page.Close()
		account = eval[string](t, page, `document.querySelector('main a[href^="/accounts/"]')?.pathname ?? ''`)
		return account != ""
	}, patience, time.Second, "no account in the portfolio")
	var found []string
	var why string
	require.Eventually(t, func() bool {
		page := browser.settled(t, d.board+account, Look{Width: 1440}, *whole)
		defer page.Close()
		found = eval[[]string](t, page, `[...document.querySelectorAll('header nav a')].map(a => a.getAttribute('href'))`)
		why = eval[string](t, page, `document.querySelector('a.why[href*="/why?"]')?.getAttribute('href') ?? ''`)
		return why != ""
	}, patience, time.Second, "no reason of a number on the account's page")
	require.Greater(t, len(found), 6, "pages in the navigation")
	return append(found, account, why, "/?q=nobody-is-called-so")
}

// settled opens a page. Where its figures must all be there it opens it anew while ClickHouse does not give some in time; otherwise a panel
// that says so, as on a busy machine some do, is looked at as it is.
func (b *Browser) settled(t *testing.T, address string, look Look, must bool) *Page {
	t.Helper()
	for began := time.Now(); ; {
		page := b.Open(t, address, look)
		bad := page.Text(t, ".message.bad")
		if bad == "" {
			return page
		}
		t.Logf("%s: %s", address, bad)
		if !must {
			return page
		}
		page.Close()
		require.Less(t, time.Since(began), patience, "a panel of %s has no figures", address)
	}
}

// live sends the event of a new user through Segment's SDK, and waits until the account's page shows one more, some times.
func live(t *testing.T, browser *Browser, d demo) {
	account := fmt.Sprintf("live-%d", time.Now().UnixMilli())
	day := time.Now().UTC().YearDay()
	over := func() bool { return time.Now().UTC().YearDay() != day }
	send := func(user string) time.Time {
		began := time.Now()
		result := sdktest.SendNode(t, d.collector, "demo", sdktest.Plan{FlushAt: 1, Calls: []sdktest.Call{
			{Type: "track", UserID: user, Event: "Report Published", Context: map[string]any{"groupId": account}, Properties: map[string]any{"feature": "reports"}},
		}})
		require.Equal(t, sdktest.Result{Sent: 1, Failed: []string{}}, result)
		return began
	}
	send("ada")
	page := browser.Open(t, d.board+"/accounts/"+account, Look{Width: 1440})
	// The number is that of the active users of today. The page notes when it first shows each.
	run(t, page, "watch", chromedp.Evaluate[chromedp.Void](`window.shown = {}; setInterval(() => {
		const label = [...document.querySelectorAll('#panel-today dt')].find(e => e.innerText.trim() === 'Active users')
		const value = label?.parentElement.querySelector('data')?.value
		if (value && !shown[value]) shown[value] = Date.now()
	}, 20)`))
	seen := func(users int) (when time.Time) {
		require.Eventually(t, func() bool {
			ms := eval[int64](t, page, fmt.Sprintf(`shown[%d] ?? 0`, users))
			when = time.UnixMilli(ms)
			return ms > 0 || over()
		}, patience, 100*time.Millisecond, "%d active users are never shown", users)
		return when
	}
	seen(1)
	var took []time.Duration
	for n, user := range []string{"bob", "cleo", "dan", "eve", "finn"} {
		began := send(user)
		took = append(took, seen(n+2).Sub(began).Round(time.Millisecond))
	}
	if over() { // nobody was active on the new day
		live(t, browser, d)
		return
	}
	slices.Sort(took)
	t.Logf("events were on the page %s to %s after their SDK was started, half of them within %s", took[0], took[len(took)-1], took[len(took)/2])
	if *whole {
		require.Less(t, took[len(took)-1], newsWithin)
	}
}

// keep takes the pictures of docs/board.
func keep(t *testing.T, browser *Browser, d demo, pages []string) {
	account := pages[len(pages)-3]
	require.NoError(t, os.MkdirAll(pictures, 0o750))
	total := 0
	for name, of := range map[string]struct {
		path string
		look Look
	}{
		"portfolio": {"/", Look{Width: 1440}}, "account": {account, Look{1440, true}}, "pipeline": {"/pipeline", Look{Width: 1440}}, "backtest": {"/triggers?panel=backtest&rule=near_limit_seats", Look{Width: 1440}}, "phone": {account, Look{Width: 390}},
	} {
		page := browser.settled(t, d.board+of.path, of.look, true)
		require.Eventually(t, func() bool { return page.Text(t, "#live-text") != "connecting" }, patience, 50*time.Millisecond)
		picture := page.Picture(t)
		page.Close()
		total += len(picture)
		require.NoError(t, os.WriteFile(filepath.Join(pictures, name+".png"), picture, 0o600))
	}
	require.Less(t, total, picturesMax)
}
