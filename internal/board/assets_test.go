package board

import (
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/andybalholm/cascadia"
	"github.com/stretchr/testify/require"
	"golang.org/x/net/html"
)

func TestVendoredFilesAreWhatTheySay(t *testing.T) {
	t.Parallel()
	list, err := os.ReadFile("assets/VENDORED.md")
	require.NoError(t, err)
	rows := regexp.MustCompile(`(?m)^\| (\S+\.\w+) \| (\S+@[\d.]+) \| (\S+) \| ([0-9a-f]{64}) \|$`).FindAllStringSubmatch(string(list), -1)
	named := map[string]bool{"board.js": true, "board.css": true, "icon.svg": true} // our own
	for _, row := range rows {
		data, err := embedded.ReadFile("assets/" + row[1])
		require.NoError(t, err)
		sum := sha256.Sum256(data)
		require.Equal(t, row[4], hex.EncodeToString(sum[:]), row[1])
		named[row[1]] = true
	}
	entries, err := embedded.ReadDir("assets")
	require.NoError(t, err)
	for _, e := range entries {
		require.True(t, named[e.Name()], "%s stands in no list", e.Name())
	}
}

// A page may load what this server embeds, and nothing else: no inline script or style, no other host.
func TestPagesKeepToTheirPolicy(t *testing.T) {
	t.Parallel()
	resp, body := get(t, without(t, Access{})+"/nowhere")
	policy := resp.Header.Get("Content-Security-Policy")
	require.Contains(t, policy, "default-src 'none'")
	require.NotContains(t, policy, "unsafe")
	require.Equal(t, "nosniff", resp.Header.Get("X-Content-Type-Options"))
	doc, err := html.Parse(strings.NewReader(body))
	require.NoError(t, err)
	for _, n := range cascadia.QueryAll(doc, cascadia.MustCompile("*")) {
		require.NotEqual(t, "style", n.Data)
		if n.Data == "script" {
			require.Nil(t, n.FirstChild, "an inline script")
		}
		for _, a := range n.Attr {
			require.NotEqual(t, "style", a.Key, "of %s", n.Data)
			require.False(t, strings.HasPrefix(a.Key, "on"), "%s of %s", a.Key, n.Data)
			if a.Key == "src" || a.Key == "href" && n.Data == "link" {
				require.True(t, strings.HasPrefix(a.Val, "/assets/"), a.Val)
			}
		}
	}
}

// weightLimit is what a page and all that it loads may weigh, as sent.
const weightLimit = 300 << 10

func TestPagesAreLight(t *testing.T) {
	t.Parallel()
	at := without(t, Access{})
	resp, body := get(t, at+"/nowhere", "Accept-Encoding", "gzip")
	require.Equal(t, "gzip", resp.Header.Get("Content-Encoding"))
	total := len(body)
	unzipped, err := gzip.NewReader(strings.NewReader(body))
	require.NoError(t, err)
	page, err := io.ReadAll(unzipped)
	require.NoError(t, err)
	found := regexp.MustCompile(`"(/assets/[^"]+)"`).FindAllStringSubmatch(string(page), -1)
	require.Len(t, found, 6)
	for _, f := range found {
		resp, body := get(t, at+f[1], "Accept-Encoding", "gzip")
		require.Equal(t, http.StatusOK, resp.StatusCode, f[1])
		require.Contains(t, resp.Header.Get("Cache-Control"), "immutable")
		total += len(body)
	}
	t.Logf("%d KB of %d", total>>10, weightLimit>>10)
	require.Less(t, total, weightLimit)
	resp, _ = get(t, at+"/assets/board.0000000000.js")
	require.Equal(t, http.StatusNotFound, resp.StatusCode)
}
