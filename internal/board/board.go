// Package board serves the board: pages about accounts, alerts and the pipeline, made here from what ClickHouse's reader may
// read, kept up to date by server-sent events, and complete in themselves: they ask nothing of other hosts.
//
// A page is a heading and panels (page.go). A panel's data are read by a query of its own (sql/, store.go), shown by one of
// a few contents (Table, Chart, Figures, Stack, Message) and, by the same token, exported as CSV.
package board

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"go.uber.org/zap"

	"tidemark/internal/doctor"
	"tidemark/schemas/rules"
)

// Config says what a board shows and to whom.
type Config struct {
	Listen string // host:port
	Access Access
	Reader driver.Conn // as the reader, who sees all accounts
	// Tenants are connections as users who see some accounts only, by the names by which viewers are assigned to them.
	Tenants map[string]driver.Conn
	Explain Explain                             // answers why; nil: it is not told
	Gather  func(context.Context) *doctor.Facts // looks at the pipeline; nil: it is out of reach
	Rules   []*rules.Rule                       // can be played over the past; nil: they are not known
	Log     *zap.Logger
	Now     func() time.Time // nil: the clock
	// Telemetry is the topic that most pages are about: they say up to when it is complete.
	Telemetry string
	// Tick is how often ClickHouse is asked for what is new, while anybody looks; 0: twice a second.
	Tick time.Duration
}

// Server is a board. Its pages are in pages().
type Server struct {
	cfg      Config
	stores   map[string]*store // by tenant; that of the reader is ""
	views    *renderer
	assets   *assets
	live     *hub
	shared   *cache
	listener net.Listener
	server   *http.Server
}

// Listen opens the port. It fails if others could reach it without signing in.
func Listen(ctx context.Context, cfg Config) (*Server, error) {
	if err := cfg.Access.check(cfg.Listen); err != nil {
		return nil, err
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Tick == 0 {
		cfg.Tick = time.Second / 2
	}
	s := &Server{cfg: cfg, stores: map[string]*store{}, assets: newAssets()}
	facts := &gathered{gather: cfg.Gather}
	s.stores[""] = &store{cfg.Reader, cfg.Explain, facts, cfg.Rules}
	for tenant, conn := range cfg.Tenants {
		s.stores[tenant] = &store{conn, cfg.Explain, facts, nil}
	}
	s.live = newHub(s.stores[""], cfg.Telemetry, cfg.Tick, cfg.Log)
	s.shared = newCache(s.live.version)
	var err error
	if s.views, err = newRenderer(s.assets); err != nil {
		return nil, err
	}
	var lc net.ListenConfig
	if s.listener, err = lc.Listen(ctx, "tcp", cfg.Listen); err != nil {
		return nil, fmt.Errorf("board: %w; choose another with board.listen", err)
	}
	s.server = &http.Server{Handler: s.handler(), ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 32 << 10}
	return s, nil
}

// Addr returns the host:port that it listens on.
func (s *Server) Addr() string { return s.listener.Addr().String() }

// URL returns where a browser on this host finds it.
func (s *Server) URL() string { return "http://" + s.Addr() + "/" }

// Run serves until ctx ends.
func (s *Server) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	done := make(chan struct{})
	go func() { defer close(done); s.live.run(ctx) }()
	defer func() { cancel(); <-done }()
	s.server.BaseContext = func(net.Listener) context.Context { return ctx }
	stop := context.AfterFunc(ctx, func() { _ = s.server.Close() })
	defer stop()
	if err := s.server.Serve(s.listener); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("board: %w", err)
	}
	return nil
}

// handler is every route, behind sign-in and headers.
func (s *Server) handler() http.Handler {
	mux := http.NewServeMux()
	for _, p := range pages() {
		mux.Handle("GET "+p.path, s.page(p))
	}
	mux.HandleFunc("GET /events", s.live.serve)
	mux.HandleFunc("GET /", s.missing)
	gate := http.NewServeMux()
	gate.Handle("GET /assets/", s.assets)
	gate.HandleFunc("GET /livez", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	s.cfg.Access.routes(gate, s.views)
	gate.Handle("GET /", s.cfg.Access.require(s.ofTenant(mux)))
	return headers(s.cfg.Access.hosts(gate))
}

// ofTenant refuses viewers of a tenant that has no user of ClickHouse: they must not fall back on the reader.
func (s *Server) ofTenant(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if tenant := viewerOf(r.Context()).tenant; s.stores[tenant] == nil {
			http.Error(w, fmt.Sprintf("tenant %q is not declared: add it to clickhouse.tenants", tenant), http.StatusForbidden)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// headers are those of every answer. The policy lets a page load only what this server embeds, and nothing that stands in the
// page itself.
func headers(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; connect-src 'self'; "+
			"form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "same-origin")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=()")
		next.ServeHTTP(w, r)
	})
}
