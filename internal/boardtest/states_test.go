package boardtest

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
)

// stale cuts a page off from its board and has it come back.
func stale(t *testing.T, browser *Browser, d demo) {
	to, err := url.Parse(d.board)
	require.NoError(t, err)
	proxy := httputil.NewSingleHostReverseProxy(to)
	proxy.FlushInterval = -1
	proxy.ErrorLog = zap.NewStdLog(zap.NewNop()) // of streams that are cut
	var cut, half atomic.Bool
	between := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if cut.Load() || half.Load() && r.URL.Query().Has("panel") {
			http.Error(w, "cut", http.StatusBadGateway)
			return
		}
		proxy.ServeHTTP(w, r)
	}))
	defer between.Close()
	half.Store(true)
	empty := browser.Open(t, between.URL+"/pipeline", Look{Width: 390})
	require.Contains(t, empty.Text(t, ".message.bad"), "The board does not answer")
	empty.Close()
	half.Store(false)
	page := browser.settled(t, between.URL+"/pipeline", Look{Width: 390}, false)
	defer page.Close() // before the server, which waits for its streams
	state := func(want string) {
		eval[bool](t, page, fmt.Sprintf(`new Promise(done => { const look = () => document.getElementById('live').dataset.state === %q ? done(true) : setTimeout(look, 50); look() })`, want))
	}
	state("live")
	require.Equal(t, "false", eval[string](t, page, `String(document.body.classList.contains('stale'))`))
	cut.Store(true)
	between.CloseClientConnections()
	state("stale")
	require.Contains(t, page.Text(t, "#live-text"), "no news since", "what is shown is old, and the page says since when")
	require.Contains(t, page.Text(t, "#live-said"), "no news since", "to those who do not see it, too")
	require.Equal(t, "dashed", eval[string](t, page, `getComputedStyle(document.querySelector('.panel')).borderTopStyle`))
	eval[chromedp.Void](t, page, page.axe)
	eval[chromedp.Void](t, page, script)
	require.Empty(t, eval[[]string](t, page, `boardtest.axe()`), "old figures are read as well as new ones")
	cut.Store(false)
	state("live")
	require.Equal(t, "false", eval[string](t, page, `String(document.body.classList.contains('stale'))`))
}

// takenAlong looks at a panel of an account's page, with its charts, from elsewhere, on paper and as files.
func takenAlong(t *testing.T, browser *Browser, account string) {
	page := browser.settled(t, account+"?panel=usage", Look{Width: 1440}, true)
	defer page.Close()
	locale, zone := "de-DE", "Asia/Tokyo"
	run(t, page, "go to Germany", call(emulation.SetLocaleOverride, emulation.SetLocaleOverrideParams{Locale: locale}))
	run(t, page, "go to Tokyo", call(emulation.SetTimezoneOverride, emulation.SetTimezoneOverrideParams{TimezoneID: zone}))
	require.Eventually(t, func() bool { // what it shows is kept for some seconds only
		run(t, page, "reload", chromedp.Reload())
		return page.Text(t, ".message.bad") == ""
	}, patience, time.Second)
	require.Equal(t, zone, page.Text(t, "#zone"))
	require.Greater(t, eval[int](t, page, `document.querySelectorAll('data[data-kind=number]').length`), 10)
	require.Equal(t, []string{}, eval[[]string](t, page, `[...document.querySelectorAll('data[data-kind=number]')].filter(e => Math.abs(e.value) < 1000 && !('signed' in e.dataset) &&
		e.textContent !== new Intl.NumberFormat('de-DE', {maximumFractionDigits: 2}).format(e.value)).map(e => e.outerHTML)`), "numbers as in German")
	require.Empty(t, eval[[]string](t, page, `[...document.querySelectorAll('figure time')].filter(e => e.textContent !== (e.dataset.kind === 'day' ?
		new Intl.DateTimeFormat('de-DE', {dateStyle: 'medium', timeZone: 'UTC'}) :
		new Intl.DateTimeFormat('de-DE', {dateStyle: 'medium', timeStyle: 'medium', timeZone: 'Asia/Tokyo'})).format(new Date(e.dateTime))).map(e => e.outerHTML)`), "days are of UTC, times of where the viewer is")

	picture := eval[[]string](t, page, `new Promise(done => {
		HTMLAnchorElement.prototype.click = function () { done([this.download, this.href]) }
		document.querySelector('button.png').click()
	})`)
	require.Equal(t, "events-by-the-day.png", picture[0])
	require.Contains(t, picture[1], "blob:http")
	csv := `fetch(document.querySelector('a.csv').href).then(async r => r.status + ' ' + r.headers.get('Content-Type') + ' ' + (await r.text()).slice(0, 40))`
	require.Eventually(t, func() bool {
		return strings.HasPrefix(eval[string](t, page, csv), "200 text/csv; charset=utf-8 window_start,Events,Errors\n")
	}, patience, time.Second)
	run(t, page, "print", call(emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Media: "print"}))
	for selector, shown := range map[string]bool{"header nav": false, ".csv": false, "h1": true, "figure.chart": true, ".panel": true} {
		require.Equal(t, shown, eval[bool](t, page, fmt.Sprintf(`document.querySelector(%q).checkVisibility()`, selector)), selector)
	}
	require.Equal(t, "avoid", eval[string](t, page, `getComputedStyle(document.querySelector('.panel')).breakInside`))
}
