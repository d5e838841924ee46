package board

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"

	"tidemark/schemas/secret"
)

// Access says who may look, and whose accounts: a tenant is a user of ClickHouse, whose row policies say what it sees. The zero Access lets in whoever reaches the port, which is allowed
// on a loopback address only.
type Access struct {
	Token  secret.Secret // signs in; unset: there is no such way
	Tenant string        // whose accounts those who sign in with the token see; empty: all
	// Proxies are where a reverse proxy that signs people in connects from. From there alone its headers are believed.
	Proxies      []netip.Prefix
	UserHeader   string // whom it has signed in, such as X-Forwarded-User
	TenantHeader string // whose accounts they see; empty: Tenant
}

// viewer is somebody who may look.
type viewer struct {
	name    string // empty: nobody was asked
	tenant  string // the user of ClickHouse to ask as; empty: the reader, who sees all accounts
	byToken bool
}

type viewerKey struct{}

func viewerOf(ctx context.Context) viewer {
	v, _ := ctx.Value(viewerKey{}).(viewer)
	return v
}

// minToken is how long a token is at least: one that nobody guesses.
const minToken = 16

// check refuses an address that others reach without signing in.
func (a *Access) check(listen string) error {
	if token := a.Token.Reveal(); token != "" && len(token) < minToken {
		return fmt.Errorf("board.token is shorter than %d characters, so that it could be guessed; make one with: openssl rand -hex 24", minToken)
	}
	if (len(a.Proxies) > 0) != (a.UserHeader != "") {
		return errors.New("board.proxies and board.user_header go together: the addresses of the proxy that signs people in, and the header in which it names them")
	}
	if a.TenantHeader != "" && a.UserHeader == "" {
		return errors.New("board.tenant_header is believed from board.proxies only; set these and board.user_header")
	}
	if a.open() && !loopback(listen) {
		return fmt.Errorf("board: anybody who reaches %s could look; set board.token_file to a file with a token, "+
			"or board.proxies and board.user_header to a proxy that signs people in, or listen on 127.0.0.1", listen)
	}
	return nil
}

// open says whether nobody has to sign in.
func (a *Access) open() bool { return !a.Token.IsSet() && len(a.Proxies) == 0 }

func loopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		host = address
	}
	return host == "localhost" || net.ParseIP(strings.Trim(host, "[]")).IsLoopback()
}

// hosts lets an open board answer only to names of this machine: a page of elsewhere whose name was made to lead here could
// read it otherwise.
func (a *Access) hosts(next http.Handler) http.Handler {
	if !a.open() {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !loopback(r.Host) {
			http.Error(w, "this board needs no sign-in, so it is read under the name localhost or 127.0.0.1 only", http.StatusMisdirectedRequest)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// require lets in who is signed in.
func (a *Access) require(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		v, err := a.who(r)
		switch {
		case err == nil:
			next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), viewerKey{}, v)))
		case errors.Is(err, errSignIn) && r.Header.Get("HX-Request") == "" && strings.Contains(r.Header.Get("Accept"), "text/html"):
			http.Redirect(w, r, "/sign-in?"+url.Values{"to": {r.URL.RequestURI()}}.Encode(), http.StatusSeeOther)
		case errors.Is(err, errSignIn):
			w.Header().Set("WWW-Authenticate", `Bearer realm="tidemark board"`)
			http.Error(w, err.Error(), http.StatusUnauthorized)
		default:
			http.Error(w, err.Error(), http.StatusForbidden)
		}
	})
}

var errSignIn = errors.New("sign in first: with the token at /sign-in, or in the header Authorization: Bearer TOKEN")

// who is the viewer of a request.
func (a *Access) who(r *http.Request) (viewer, error) {
	if a.open() {
		return viewer{tenant: a.Tenant}, nil
	}
	if name := r.Header.Get(a.UserHeader); a.UserHeader != "" && name != "" && a.fromProxy(r) {
		v := viewer{name: name, tenant: a.Tenant}
		if a.TenantHeader != "" {
			if v.tenant = r.Header.Get(a.TenantHeader); v.tenant == "" {
				return viewer{}, fmt.Errorf("the proxy did not say whose accounts %s may see: its header %s is empty", name, a.TenantHeader)
			}
		}
		return v, nil
	}
	if !a.Token.IsSet() {
		return viewer{}, errors.New("this board is reached through the proxy that signs people in")
	}
	if bearer, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "); ok && a.isToken(bearer) {
		return viewer{name: "token", tenant: a.Tenant}, nil
	}
	if c, err := r.Cookie(sessionCookie); err == nil && a.isSession(c.Value, time.Now()) {
		return viewer{name: "token", tenant: a.Tenant, byToken: true}, nil
	}
	return viewer{}, errSignIn
}

func (a *Access) fromProxy(r *http.Request) bool {
	from, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return false
	}
	for _, p := range a.Proxies {
		if p.Contains(from.Addr().Unmap()) {
			return true
		}
	}
	return false
}

func (a *Access) isToken(text string) bool {
	given, want := sha256.Sum256([]byte(text)), sha256.Sum256([]byte(a.Token.Reveal()))
	return subtle.ConstantTimeCompare(given[:], want[:]) == 1
}

// A session is a time and its signature by the token: it outlives restarts, holds for every replica, and ends with the token.
const (
	sessionCookie = "tidemark_board"
	sessionLife   = 12 * time.Hour
)

func (a *Access) newSession(now time.Time) string {
	until := strconv.FormatInt(now.Add(sessionLife).Unix(), 10)
	return until + "." + a.sign(until)
}

func (a *Access) sign(until string) string {
	mac := hmac.New(sha256.New, []byte("tidemark board session "+a.Token.Reveal()))
	mac.Write([]byte(until))
	return hex.EncodeToString(mac.Sum(nil))
}

func (a *Access) isSession(text string, now time.Time) bool {
	until, signature, _ := strings.Cut(text, ".")
	if !hmac.Equal([]byte(signature), []byte(a.sign(until))) {
		return false
	}
	seconds, err := strconv.ParseInt(until, 10, 64)
	return err == nil && now.Unix() < seconds
}

// routes adds the pages of signing in and out, where a token is set.
func (a *Access) routes(mux *http.ServeMux, views *renderer) {
	if !a.Token.IsSet() {
		return
	}
	form := func(w http.ResponseWriter, r *http.Request, status int, problem string) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.Header().Set("Cache-Control", "no-store")
		w.WriteHeader(status)
		_ = views.render(w, "sign-in", map[string]string{"Title": "Sign in", "To": onThisSite(r.FormValue("to")), "Problem": problem})
	}
	mux.HandleFunc("GET /sign-in", func(w http.ResponseWriter, r *http.Request) { form(w, r, http.StatusOK, "") })
	sameOrigin := http.NewCrossOriginProtection()
	mux.Handle("POST /sign-in", sameOrigin.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Body = http.MaxBytesReader(w, r.Body, 8<<10)
		if !a.isToken(r.FormValue("token")) {
			form(w, r, http.StatusForbidden, "That is not the token of this board.")
			return
		}
		a.setCookie(w, r, a.newSession(time.Now()), int(sessionLife/time.Second))
		http.Redirect(w, r, onThisSite(r.FormValue("to")), http.StatusSeeOther) //nolint:gosec // onThisSite takes paths of this board only
	})))
	mux.Handle("POST /sign-out", sameOrigin.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a.setCookie(w, r, "", -1)
		http.Redirect(w, r, "/sign-in", http.StatusSeeOther)
	})))
}

func (a *Access) setCookie(w http.ResponseWriter, r *http.Request, value string, maxAge int) {
	http.SetCookie(w, &http.Cookie{ //nolint:gosec // Secure where the request came by TLS: on loopback it does not
		Name: sessionCookie, Value: value, Path: "/", MaxAge: maxAge, HttpOnly: true, SameSite: http.SameSiteStrictMode,
		Secure: r.TLS != nil || r.Header.Get("X-Forwarded-Proto") == "https",
	})
}

// onThisSite is where to go after signing in: a path of this board, whatever the link said.
func onThisSite(to string) string {
	u, err := url.Parse(to)
	if err != nil || u.IsAbs() || u.Host != "" || !strings.HasPrefix(to, "/") || strings.HasPrefix(to, "//") || strings.Contains(to, `\`) {
		return "/"
	}
	return to
}
