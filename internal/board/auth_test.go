package board

import (
	"bufio"
	"net/http"
	"net/http/cookiejar"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/stretchr/testify/require"

	"tidemark/schemas/secret"
)

const token = "a-token-of-some-length"

func TestAPublicAddressNeedsASignIn(t *testing.T) {
	t.Parallel()
	proxies := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
	for name, c := range map[string]struct {
		listen string
		access Access
		says   string // empty: it listens
	}{
		"loopback":                {"127.0.0.1:0", Access{}, ""},
		"loopback by name":        {"localhost:0", Access{}, ""},
		"public":                  {"0.0.0.0:0", Access{}, "set board.token_file"},
		"public, every interface": {":0", Access{}, "set board.token_file"},
		"public with token":       {"0.0.0.0:0", Access{Token: secret.New(token)}, ""},
		"public with proxy":       {"0.0.0.0:0", Access{Proxies: proxies, UserHeader: "X-Forwarded-User"}, ""},
		"short token":             {"127.0.0.1:0", Access{Token: secret.New("short")}, "openssl rand"},
		"proxy without header":    {"127.0.0.1:0", Access{Proxies: proxies}, "go together"},
		"header without proxy":    {"127.0.0.1:0", Access{UserHeader: "X-Forwarded-User"}, "go together"},
		"tenants without proxy":   {"127.0.0.1:0", Access{TenantHeader: "X-Tenant"}, "board.proxies"},
	} {
		err := c.access.check(c.listen)
		if c.says == "" {
			require.NoError(t, err, name)
			continue
		}
		require.ErrorContains(t, err, c.says, name)
	}
}

// without runs a board that has no database: nobody gets that far.
func without(t *testing.T, access Access) string {
	t.Helper()
	return serve(t, Config{Access: access})
}

func TestToken(t *testing.T) {
	t.Parallel()
	at := without(t, Access{Token: secret.New(token)})

	resp, _ := get(t, at+"/nowhere?days=7", "Accept", "text/html")
	require.Equal(t, http.StatusSeeOther, resp.StatusCode)
	require.Equal(t, "/sign-in?to=%2Fnowhere%3Fdays%3D7", resp.Header.Get("Location"))
	for _, path := range []string{"/nowhere", "/events", "/?panel=accounts&format=csv"} {
		resp, body := get(t, at+path)
		require.Equal(t, http.StatusUnauthorized, resp.StatusCode, path)
		require.NotContains(t, body, token)
	}
	resp, _ = get(t, at+"/nowhere", "Authorization", "Bearer "+token)
	require.Equal(t, http.StatusNotFound, resp.StatusCode, "it is let in")
	resp, _ = get(t, at+"/nowhere", "Authorization", "Bearer "+token+"x")
	require.Equal(t, http.StatusUnauthorized, resp.StatusCode)
	resp, _ = get(t, at+"/livez")
	require.Equal(t, http.StatusOK, resp.StatusCode, "health needs no token")

	jar, err := cookiejar.New(nil)
	require.NoError(t, err)
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	client := http.Client{Jar: jar, Transport: transport}
	post := func(path string, values url.Values, header ...string) (status int, went string) {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, at+path, strings.NewReader(values.Encode()))
		require.NoError(t, err)
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		for i := 0; i+1 < len(header); i += 2 {
			req.Header.Set(header[i], header[i+1])
		}
		resp, err := client.Do(req)
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		return resp.StatusCode, resp.Request.URL.Path
	}
	status, _ := post("/sign-in", url.Values{"token": {"wrong"}})
	require.Equal(t, http.StatusForbidden, status)
	status, _ = post("/sign-in", url.Values{"token": {token}}, "Sec-Fetch-Site", "cross-site")
	require.Equal(t, http.StatusForbidden, status)
	status, went := post("/sign-in", url.Values{"token": {token}, "to": {"/nowhere"}})
	require.Equal(t, "/nowhere", went)
	require.Equal(t, http.StatusNotFound, status, "it is let in")
	home, err := url.Parse(at)
	require.NoError(t, err)
	require.Len(t, jar.Cookies(home), 1)
	require.NotContains(t, jar.Cookies(home)[0].Value, token)
	_, went = post("/sign-out", nil)
	require.Equal(t, "/sign-in", went)
	require.Empty(t, jar.Cookies(home))
}

func TestSessionsEnd(t *testing.T) {
	t.Parallel()
	a, other := Access{Token: secret.New(token)}, Access{Token: secret.New(token + "2")}
	begun := time.Date(2026, 3, 10, 12, 0, 0, 0, time.UTC)
	session := a.newSession(begun)
	require.True(t, a.isSession(session, begun.Add(sessionLife-time.Second)))
	require.False(t, a.isSession(session, begun.Add(sessionLife)), "it is over")
	require.False(t, other.isSession(session, begun), "another token ends it")
	require.False(t, a.isSession("9"+session, begun), "it was changed")
	require.False(t, a.isSession("", begun))
}

func TestSigningInLeadsNowhereElse(t *testing.T) {
	t.Parallel()
	for to, want := range map[string]string{
		"/accounts/acme?days=7": "/accounts/acme?days=7", "": "/", "https://elsewhere.example": "/", "//elsewhere.example": "/", `/\elsewhere.example`: "/", "accounts": "/",
	} {
		require.Equal(t, want, onThisSite(to), to)
	}
}

func TestProxyHeadersAreBelievedFromTheProxyOnly(t *testing.T) {
	t.Parallel()
	access := Access{Proxies: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}, UserHeader: "X-Forwarded-User", TenantHeader: "X-Tenant"}
	at := serve(t, Config{Access: access, Tenants: map[string]driver.Conn{"acme": nil}})
	for _, c := range []struct {
		header []string
		status int
		says   string
	}{
		{nil, http.StatusForbidden, "through the proxy"},
		{[]string{"X-Forwarded-User", "ana"}, http.StatusForbidden, "X-Tenant is empty"},
		{[]string{"X-Forwarded-User", "ana", "X-Tenant", "other"}, http.StatusForbidden, "clickhouse.tenants"},
		{[]string{"X-Forwarded-User", "ana", "X-Tenant", "acme"}, http.StatusNotFound, "no such page"},
	} {
		resp, body := get(t, at+"/nowhere", c.header...)
		require.Equal(t, c.status, resp.StatusCode, c.header)
		require.Contains(t, body, c.says)
	}
	_, body := get(t, at+"/nowhere", "X-Forwarded-User", "ana", "X-Tenant", "acme")
	require.NotContains(t, body, "/pipeline", "pages about all of Tidemark are not for tenants")
	resp, _ := get(t, at+"/pipeline", "X-Forwarded-User", "ana", "X-Tenant", "acme")
	require.Equal(t, http.StatusNotFound, resp.StatusCode)

	access.Proxies = []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}
	resp, _ = get(t, without(t, access)+"/nowhere", "X-Forwarded-User", "ana", "X-Tenant", "acme")
	require.Equal(t, http.StatusForbidden, resp.StatusCode, "another address is no proxy")
}

func TestAnOpenBoardIsReadByItsOwnNameOnly(t *testing.T) {
	t.Parallel()
	at := without(t, Access{})
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, at+"/livez", nil)
	require.NoError(t, err)
	req.Host = "rebound.example:80"
	resp, _ := do(t, req)
	require.Equal(t, http.StatusMisdirectedRequest, resp.StatusCode)
	req.Host = "localhost:1234"
	resp, _ = do(t, req)
	require.Equal(t, http.StatusOK, resp.StatusCode)
}

// until reads a stream until a line contains the text.
func until(t *testing.T, stream *bufio.Scanner, text string) string {
	t.Helper()
	for stream.Scan() {
		if strings.Contains(stream.Text(), text) {
			return stream.Text()
		}
	}
	require.Fail(t, "the stream ended", "%q did not come: %v", text, stream.Err())
	return ""
}
