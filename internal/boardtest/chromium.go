// Package boardtest looks at the board's pages with a real Chromium, as people do: at phone width and on a desktop, in the
// light and in the dark, by keyboard, and with axe-core for those who cannot see them.
package boardtest

import (
	"context"
	"embed"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"tidemark/internal/foreign"
)

//go:embed node
var files embed.FS

const (
	stepTimeout = 10 * time.Minute // of one step of a page: its panels come one by one, each within half a minute, and are tried again
	axeScript   = "node_modules/axe-core/axe.min.js"
)

// Browser is a running Chromium without a window.
type Browser struct {
	ctx context.Context
	axe string // axe-core's script
}

// Start starts a Chromium with an empty profile, which ends with the test. It skips the test where there is none, and fails it where
// CI=true; make test installs it when it may.
func Start(t testing.TB) *Browser {
	t.Helper()
	path := chromium(t)
	axe, err := os.ReadFile(foreign.Node(t, files, axeScript)[1])
	require.NoError(t, err)
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.UserDataDir(t.TempDir()), chromedp.Flag("lang", "en-GB"),
		chromedp.Env("TZ=UTC", "LANGUAGE=en_GB"))
	allocator, release := chromedp.NewExecAllocator(context.WithoutCancel(t.Context()), options...)
	ctx, cancel := chromedp.NewContext(allocator)
	t.Cleanup(func() {
		cancel()
		release()
	})
	require.NoError(t, chromedp.Do(ctx), "start %s", path)
	return &Browser{ctx: ctx, axe: string(axe)}
}

func chromium(t testing.TB) string {
	t.Helper()
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	const missing = "Chromium is missing, in which the board's pages are tested: apt-get install chromium"
	require.NotEqual(t, "true", os.Getenv("CI"), missing)
	t.Skip(missing)
	return ""
}
