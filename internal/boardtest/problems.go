package boardtest

import (
	_ "embed"
	"slices"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// script has the checks that run on the page.
//
//go:embed problems.js
var script string

// Problems is what is wrong with the page, each in a sentence: errors of the console, requests to other hosts, what axe-core
// finds, content that is wider than the window, controls that the keyboard does not reach or whose focus is not seen.
func (p *Page) Problems(t testing.TB) []string {
	t.Helper()
	eval[chromedp.Void](t, p, p.axe)
	eval[chromedp.Void](t, p, script)
	eval[chromedp.Void](t, p, `boardtest.still()`)
	found := eval[[]string](t, p, `boardtest.axe()`)
	found = append(found, eval[[]string](t, p, `boardtest.wide()`)...)
	found = append(found, p.keyboard(t)...)
	p.mu.Lock()
	defer p.mu.Unlock()
	return append(slices.Clone(p.wrong), found...)
}

// keyboard goes through the page with the tabulator, once round.
func (p *Page) keyboard(t testing.TB) []string {
	t.Helper()
	for left := eval[int](t, p, `boardtest.controls()`); left > 0; {
		run(t, p, "press Tab", chromedp.KeyEvent(kb.Tab))
		left = eval[int](t, p, `boardtest.focused()`)
	}
	return eval[[]string](t, p, `boardtest.unreached()`)
}
