package boardtest

import (
	"context"
	"fmt"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"
)

// Look is how a page is looked at.
type Look struct {
	Width int // of the window, in CSS pixels
	Dark  bool
}

func (l Look) String() string {
	if l.Dark {
		return fmt.Sprintf("%d dark", l.Width)
	}
	return fmt.Sprintf("%d light", l.Width)
}

const height = 900 // of the window, in CSS pixels

// Page is a page in a tab of its own.
type Page struct {
	ctx   context.Context
	close context.CancelFunc
	axe   string
	host  string

	mu     sync.Mutex
	wrong  []string // errors of the console and requests to other hosts
	weight int64
}

// Open loads a page and waits until it is complete. The tab is closed at the test's end, or before that by Close.
func (b *Browser) Open(t testing.TB, address string, look Look) *Page {
	t.Helper()
	to, err := url.Parse(address)
	require.NoError(t, err)
	p := &Page{axe: b.axe, host: to.Host}
	p.ctx, p.close = chromedp.NewContext(b.ctx)
	t.Cleanup(p.close)
	require.NoError(t, chromedp.Listen(p.ctx, p.watch), "open a tab")
	run(t, p, "set the cache aside", call(network.SetCacheDisabled, network.SetCacheDisabledParams{CacheDisabled: true}))
	p.LookAt(t, look)
	run(t, p, "load "+address, chromedp.Navigate(address))
	eval[bool](t, p, loaded)
	return p
}

// loaded waits for the panels, which come by themselves, each when ClickHouse has answered.
const loaded = `new Promise(done => { const look = () => document.querySelector('.loading') ? setTimeout(look, 20) : done(true); look() })`

// LookAt has the window become as wide, and as light or dark.
func (p *Page) LookAt(t testing.TB, look Look) {
	t.Helper()
	theme := "light"
	if look.Dark {
		theme = "dark"
	}
	media := emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: theme}}}
	run(t, p, "set the theme", call(emulation.SetEmulatedMedia, media))
	run(t, p, "set the width", chromedp.EmulateViewport(int64(look.Width), height))
}

// Close closes the tab.
func (p *Page) Close() { p.close() }

// unanswered is what the console says of figures that ClickHouse did not give in time, which the panel says, too.
const unanswered = "503"

// watch notes what the browser tells of the page.
func (p *Page) watch(event any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch e := event.(type) {
	case *runtime.EventExceptionThrown:
		text := e.ExceptionDetails.Text
		if thrown := e.ExceptionDetails.Exception; thrown != nil {
			text += " " + thrown.Description
		}
		p.wrong = append(p.wrong, "console: "+text)
	case *runtime.EventConsoleAPICalled:
		if e.Type == runtime.ConsoleAPICalledTypeError || e.Type == runtime.ConsoleAPICalledTypeAssert {
			text := "console:"
			for _, a := range e.Args {
				text += " " + string(a.Value) + a.Description
			}
			if !strings.Contains(text, unanswered) {
				p.wrong = append(p.wrong, text)
			}
		}
	case *log.EventEntryAdded: // what the browser itself complains of: answers of 404, what the CSP forbids
		if e.Entry.Level == log.EntryLevelError && !strings.Contains(e.Entry.Text, unanswered) {
			p.wrong = append(p.wrong, "console: "+e.Entry.Text+" "+e.Entry.URL)
		}
	case *network.EventRequestWillBeSent:
		if to, err := url.Parse(e.Request.URL); err != nil || to.Host != p.host && to.Scheme != "data" && to.Scheme != "blob" {
			p.wrong = append(p.wrong, "request to another host: "+e.Request.URL)
		}
	case *network.EventLoadingFinished:
		p.weight += int64(e.EncodedDataLength)
	}
}

// Weight is how many bytes came over the network so far, headers included.
func (p *Page) Weight() int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.weight
}

// FirstPaint is when something of the page's content was first shown, from the beginning of its loading.
func (p *Page) FirstPaint(t testing.TB) time.Duration {
	t.Helper()
	ms := eval[float64](t, p, `new Promise(done => new PerformanceObserver((list, observer) => {
		for (const e of list.getEntriesByName('first-contentful-paint')) { observer.disconnect(); done(e.startTime) }
	}).observe({type: 'paint', buffered: true}))`)
	return time.Duration(ms * float64(time.Millisecond))
}

// Text is what the first element of a CSS selector shows; "" without one.
func (p *Page) Text(t testing.TB, selector string) string {
	t.Helper()
	return eval[string](t, p, fmt.Sprintf(`document.querySelector(%q)?.innerText.trim() ?? ''`, selector))
}

// Picture takes a picture, as PNG, of what the window shows.
func (p *Page) Picture(t testing.TB) []byte {
	t.Helper()
	params := page.CaptureScreenshotParams{Format: page.CaptureScreenshotFormatPng}
	return run(t, p, "take a picture", call(page.CaptureScreenshot, params)).Data
}

// eval evaluates an expression, which may be a promise, on the page.
func eval[T any](t testing.TB, p *Page, expression string) T {
	t.Helper()
	return run(t, p, "evaluate", chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
}

// run has the tab do something, within stepTimeout.
func run[T any](t testing.TB, p *Page, what string, action chromedp.Action[T]) T {
	t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, stepTimeout)
	defer cancel()
	result, err := chromedp.Run(ctx, action)
	require.NoError(t, err, what)
	return result
}

func call[P, R any](command cdp.Command[P, R], params P) chromedp.Action[R] {
	return func(ctx context.Context, t *chromedp.Target) (R, error) { return cdp.Call(ctx, t, command, params) }
}
