package boardtest

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"tidemark/internal/devclickhouse/chtest"
	"tidemark/internal/e2e"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(e2e.Main(chtest.WithShared(m))) }

// sound is a page without problems; what is put before its end makes one.
const sound = `<!doctype html><html lang="en"><head><title>Sound</title><meta name="viewport" content="width=device-width">
<link rel="icon" href="data:,"><style>:root{color-scheme:light dark}body{background:Canvas;color:CanvasText}.dim{color:#999;background:#fff}.bare:focus{outline:none}</style></head>
<body><main><h1>Sound</h1><p>Text. <a href="/">A link</a></p><button>Press</button>`

func TestProblemsAreFound(t *testing.T) {
	broken := map[string]struct{ html, problem string }{
		"contrast":  {`<p class="dim">Hardly to be read.</p>`, "axe color-contrast: .dim"},
		"label":     {`<input name="q">`, "axe label: input"},
		"exception": {`<script>undefined.x</script>`, "console: "},
		"console":   {`<script>console.error("that went", "wrong")</script>`, `console: "that went" "wrong"`},
		"missing":   {`<img alt="a picture" src="/missing.png">`, "404"},
		"elsewhere": {`<img alt="a picture" src="//127.0.0.2/elsewhere.png">`, "request to another host: http://127.0.0.2/elsewhere.png"},
		"wide":      {`<div style="width:500px" id="big">wide</div>`, "wider than the window: 5"},
		"focus":     {`<button class="bare">No outline</button>`, `focus is not seen: <button.bare> "No outline"`},
		"covered":   {`<button>Below</button><div style="position:fixed;inset:0;background:Canvas">Over all</div>`, `what has the focus is hidden: <button> "Below"`},
		"trap":      {`<textarea aria-label="Trap" onkeydown="event.preventDefault()"></textarea><button>Behind</button>`, `the keyboard does not reach: <button> "Behind"`},
		"none":      {"", ""},
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		page, ok := broken[strings.TrimPrefix(r.URL.Path, "/")]
		if !ok {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = w.Write([]byte(sound + page.html + "</main></body></html>"))
	}))
	defer server.Close()
	browser := Start(t)
	for name, want := range broken {
		page := browser.Open(t, server.URL+"/"+name, Look{Width: 390})
		problems := strings.Join(page.Problems(t), "\n")
		page.Close()
		if want.problem == "" {
			require.Empty(t, problems)
			continue
		}
		require.Contains(t, problems, want.problem, name)
	}
	dark := browser.Open(t, server.URL+"/none", Look{Width: 390, Dark: true})
	require.Empty(t, dark.Problems(t))
	require.Equal(t, "rgb(18, 18, 18)", eval[string](t, dark, `getComputedStyle(document.body).backgroundColor`))
}
