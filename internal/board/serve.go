package board

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"go.uber.org/zap"
)

// pageTimeout bounds what is part of a page's own answer.
const pageTimeout = 15 * time.Second

// shown is a page as its templates see it.
type shown struct {
	Title   string
	Heading string
	Intro   string
	Path    string
	Back    string // URL of the page that it is a detail of
	Nav     []navItem
	User    string
	SignOut bool
	Filters *Filters
	Panels  []shownPanel
}

type navItem struct {
	Label, Path string
	Current     bool
}

// shownPanel is a panel as its templates see it.
type shownPanel struct {
	Name, Title, About string
	URL, CSV           string
	Every              int // seconds
	Wide               bool
	Content            content // nil: the page fetches it
	Problem            *Message

	again time.Duration // after which to ask again, though no further news may come; 0: on news only
}

// page serves a page, one of its panels, or a panel's CSV.
func (s *Server) page(p page) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		q := newQuery(r, s.cfg.Now())
		if p.operators && viewerOf(r.Context()).tenant != "" {
			s.missing(w, r)
			return
		}
		name := r.URL.Query().Get("panel")
		if name == "" {
			s.whole(w, r, p, q)
			return
		}
		for _, one := range p.panels {
			if one.name != name {
				continue
			}
			if r.URL.Query().Get("format") == "csv" {
				s.csv(w, r, one, q)
				return
			}
			s.alone(w, r, p, one, q)
			return
		}
		s.missing(w, r)
	})
}

// whole serves the page, with those panels that are part of its own answer.
func (s *Server) whole(w http.ResponseWriter, r *http.Request, p page, q query) {
	ctx, cancel := context.WithTimeout(r.Context(), pageTimeout)
	defer cancel()
	out := s.frame(r, p, q)
	var beside sync.WaitGroup
	if p.filters != nil {
		beside.Go(func() {
			var err error
			if out.Filters, err = p.filters(ctx, s.stores[viewerOf(ctx).tenant], q); err != nil { // the panels say more
				s.cfg.Log.Warn("the filters of a page could not be read", zap.String("page", p.path), zap.Error(err))
			}
		})
	}
	for _, one := range p.panels {
		sp := s.panel(one, q)
		if one.first {
			s.fill(ctx, &sp, one, q)
		}
		out.Panels = append(out.Panels, sp)
	}
	beside.Wait()
	s.answer(w, r, http.StatusOK, "page", out)
}

// frame is the page without its panels.
func (s *Server) frame(r *http.Request, p page, q query) shown {
	out := shown{Title: p.title, Heading: p.title, Intro: p.intro, Path: p.path, Nav: navigation(p.path, viewerOf(r.Context()))}
	if q.account != "" {
		out.Heading = q.account
		out.Title = q.account + " · " + p.title
		if p.back != nil {
			out.Back = p.back(q.account)
		}
	}
	who := viewerOf(r.Context())
	out.User, out.SignOut = who.name, who.byToken
	return out
}

func navigation(current string, who viewer) []navItem {
	var nav []navItem
	for _, p := range pages() {
		if p.nav != "" && (!p.operators || who.tenant == "") {
			nav = append(nav, navItem{p.nav, strings.TrimSuffix(p.path, "{$}"), p.path == current})
		}
	}
	return nav
}

func (s *Server) panel(p panel, q query) shownPanel {
	return shownPanel{
		Name: p.name, Title: p.title, About: p.about, Wide: p.wide, Every: int(p.every / time.Second),
		URL: q.with("panel", p.name), CSV: q.with("panel", p.name, "format", "csv"),
	}
}

// fill loads a panel's content, or says why there is none.
func (s *Server) fill(ctx context.Context, sp *shownPanel, p panel, q query) {
	c, again, err := s.load(ctx, p, q)
	if err == nil {
		sp.Content, sp.again = c, again
		return
	}
	sp.Problem = s.problem(err, p.name)
}

// load reads a panel's content; viewers of the same share it for as long as it is fresh. If there is news that it does not have, it says
// after how long that will be read.
func (s *Server) load(ctx context.Context, p panel, q query) (content, time.Duration, error) {
	tenant := viewerOf(ctx).tenant
	who := s.stores[tenant]
	key := strings.Join([]string{tenant, p.name, q.with(), strconv.FormatBool(q.all)}, "\x00")
	return s.shared.get(ctx, key, max(p.every, time.Second), func(ctx context.Context) (content, error) { return p.load(ctx, who, q) })
}

// problem is what a viewer is told of an error; the rest is in the log.
func (s *Server) problem(err error, name string) *Message {
	switch {
	case errors.Is(err, context.Canceled):
		return &Message{"Not loaded", "The request was ended."}
	case errors.Is(err, context.DeadlineExceeded), strings.Contains(err.Error(), "TIMEOUT_EXCEEDED"):
		s.cfg.Log.Warn("a panel took too long", zap.String("panel", name), zap.Error(err))
		return &Message{"ClickHouse takes too long", "The figures did not come in time. They are tried again as new data arrive; or reload the page."}
	}
	s.cfg.Log.Error("a panel could not be read", zap.String("panel", name), zap.Error(err))
	return &Message{"ClickHouse does not answer", "These figures could not be read; the log of tidemark board says why. They are tried again as new data arrive."}
}

// againIn is the header of a panel that lacks the latest news: in how many milliseconds to ask again, as no further news may come.
const againIn = "Tidemark-Again-In"

// alone serves one panel's content: a fragment for the page's script, and for others a page that holds nothing else.
func (s *Server) alone(w http.ResponseWriter, r *http.Request, p page, one panel, q query) {
	sp := s.panel(one, q)
	s.fill(r.Context(), &sp, one, q)
	status := http.StatusOK
	if sp.Problem != nil {
		status = http.StatusServiceUnavailable
	}
	w.Header().Add("Vary", "HX-Request")
	if r.Header.Get("HX-Request") == "true" {
		if sp.again > 0 {
			w.Header().Set(againIn, strconv.FormatInt(sp.again.Milliseconds()+1, 10))
		}
		s.answer(w, r, status, "panel-body", sp)
		return
	}
	out := s.frame(r, p, q)
	out.Panels = []shownPanel{sp}
	s.answer(w, r, status, "page", out)
}

func (s *Server) csv(w http.ResponseWriter, r *http.Request, p panel, q query) {
	c, _, err := s.load(r.Context(), p, q.unpaged())
	if err != nil {
		http.Error(w, s.problem(err, p.name).Text, http.StatusServiceUnavailable)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "text/csv; charset=utf-8")
	h.Set("Content-Disposition", fmt.Sprintf("attachment; filename=%q", "tidemark-"+p.name+".csv"))
	h.Set("Cache-Control", "no-store")
	if err := writeCSV(w, c.tables()); err != nil {
		s.cfg.Log.Debug("a download was cut short", zap.Error(err))
	}
}

func (s *Server) missing(w http.ResponseWriter, r *http.Request) {
	out := s.frame(r, page{title: "Not found"}, query{})
	out.Panels = []shownPanel{{Problem: &Message{"There is no such page", "Perhaps the link is old. The portfolio lists every account."}}}
	s.answer(w, r, http.StatusNotFound, "page", out)
}

// answer renders a template as a whole before the first byte is sent, so that an error in it is never half a page.
func (s *Server) answer(w http.ResponseWriter, r *http.Request, status int, template string, data any) {
	var body bytes.Buffer
	if err := s.views.render(&body, template, data); err != nil {
		s.cfg.Log.Error("a page could not be made", zap.String("template", template), zap.Error(err))
		http.Error(w, "this page could not be made; the log of tidemark board says why", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	writeCompressed(w, r, status, body.Bytes())
}
