package board

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"net/http"
	"path"
	"strconv"
	"strings"
)

//go:embed assets/*.js assets/*.css assets/*.svg
var embedded embed.FS

// assets are the files that pages load, under names that change with their content, so that browsers may keep them for ever.
type assets struct {
	urls  map[string]string // by the file's name
	files map[string]asset  // by URL
}

type asset struct {
	kind          string // Content-Type
	plain, zipped []byte
}

// assetTypes are the Content-Types by extension; the host's own list of them may differ.
var assetTypes = map[string]string{".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8", ".svg": "image/svg+xml"}

func newAssets() *assets {
	a := &assets{urls: map[string]string{}, files: map[string]asset{}}
	entries, err := embedded.ReadDir("assets")
	if err != nil {
		panic("board: the embedded assets are broken: " + err.Error())
	}
	for _, e := range entries {
		data, err := embedded.ReadFile("assets/" + e.Name())
		if err != nil {
			panic("board: the embedded assets are broken: " + err.Error())
		}
		sum := sha256.Sum256(data)
		ext := path.Ext(e.Name())
		url := "/assets/" + strings.TrimSuffix(e.Name(), ext) + "." + hex.EncodeToString(sum[:5]) + ext
		a.urls[e.Name()] = url
		a.files[url] = asset{assetTypes[ext], data, zip(data, gzip.BestCompression)}
	}
	return a
}

// url is where a page finds an asset; a template that names one that is not there fails.
func (a *assets) url(name string) (string, error) {
	if url, ok := a.urls[name]; ok {
		return url, nil
	}
	return "", fmt.Errorf("no asset %s", name)
}

// ServeHTTP serves one.
func (a *assets) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	file, ok := a.files[r.URL.Path]
	if !ok {
		http.NotFound(w, r)
		return
	}
	h := w.Header()
	h.Set("Content-Type", file.kind)
	h.Set("Cache-Control", "public, max-age=31536000, immutable")
	send(w, r, http.StatusOK, file.plain, file.zipped)
}

// writeCompressed sends a body, compressed if the viewer's browser takes that.
func writeCompressed(w http.ResponseWriter, r *http.Request, status int, body []byte) {
	var zipped []byte
	if takesGzip(r) {
		zipped = zip(body, gzip.BestSpeed)
	}
	send(w, r, status, body, zipped)
}

func send(w http.ResponseWriter, r *http.Request, status int, plain, zipped []byte) {
	h := w.Header()
	h.Add("Vary", "Accept-Encoding")
	body := plain
	if takesGzip(r) && len(zipped) < len(plain) {
		h.Set("Content-Encoding", "gzip")
		body = zipped
	}
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, _ = w.Write(body) // a viewer that has left needs no answer
}

func takesGzip(r *http.Request) bool {
	for part := range strings.SplitSeq(r.Header.Get("Accept-Encoding"), ",") {
		name, q, _ := strings.Cut(strings.TrimSpace(part), ";")
		if name == "gzip" && strings.ReplaceAll(q, " ", "") != "q=0" {
			return true
		}
	}
	return false
}

func zip(data []byte, level int) []byte {
	var out bytes.Buffer
	w, err := gzip.NewWriterLevel(&out, level)
	if err != nil {
		panic(err) // no such level
	}
	_, _ = w.Write(data) // into memory
	_ = w.Close()
	return out.Bytes()
}
