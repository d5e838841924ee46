package collect

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// browserPath says whether scripts of web pages send to a path: Segment's analytics.js and PostHog's JS do, and forms of surveys.
func browserPath(path string) bool {
	path = strings.TrimSuffix(path, "/")
	if call, ok := strings.CutPrefix(path, "/v1/"); ok && calls[call] != "" {
		return true
	}
	for _, d := range dialects() {
		if d.source == "posthog" && slices.Contains(d.paths, path) {
			return true
		}
	}
	return false
}

// cors lets scripts of the configured origins send, and read the answer. Nothing is ever allowed with credentials: cookies mean nothing
// here, and write keys are no secrets in a browser. What sendBeacon posts needs no preflight, and is served as any other request.
func (c *Collector) cors(next http.Handler) http.Handler {
	if len(c.config.Origins) == 0 {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		origin := r.Header.Get("Origin")
		if origin == "" || !browserPath(r.URL.Path) {
			next.ServeHTTP(w, r)
			return
		}
		header := w.Header()
		header.Add("Vary", "Origin")
		preflight := r.Method == http.MethodOptions && r.Header.Get("Access-Control-Request-Method") != ""
		switch {
		case slices.Contains(c.config.Origins, "*"):
			header.Set("Access-Control-Allow-Origin", "*")
		case slices.Contains(c.config.Origins, origin):
			header.Set("Access-Control-Allow-Origin", origin)
		case preflight:
			forbidden(fmt.Sprintf("pages of %.100q may not send here: add the origin to collector.cors_origins", origin)).write(w)
			return
		}
		header.Set("Access-Control-Expose-Headers", "Retry-After, "+requestIDHeader)
		if !preflight {
			next.ServeHTTP(w, r)
			return
		}
		header.Set("Access-Control-Allow-Methods", http.MethodPost)
		header.Set("Access-Control-Allow-Headers", "Authorization, Content-Encoding, Content-Type, "+requestIDHeader)
		header.Set("Access-Control-Max-Age", "86400")
		w.WriteHeader(http.StatusNoContent)
	})
}
