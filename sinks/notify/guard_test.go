package notify

import (
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"tidemark/schemas/secret"
)

func TestGuard(t *testing.T) {
	for _, c := range []struct {
		address string
		ok      bool
	}{
		{"8.8.8.8", true}, {"1.1.1.1", true}, {"100.63.255.255", true}, {"100.128.0.0", true}, {"172.32.0.1", true}, {"192.169.0.1", true},
		{"2606:4700:4700::1111", true}, {"2a00:1450:4001:81b::200e", true}, {"::ffff:8.8.8.8", true},
		{"0.0.0.0", false}, {"127.0.0.1", false}, {"127.255.255.254", false}, {"10.0.0.1", false}, {"172.16.0.1", false}, {"172.31.255.255", false},
		{"192.168.1.1", false}, {"169.254.169.254", false}, {"100.64.0.1", false}, {"100.127.255.255", false}, {"192.0.0.1", false}, {"198.18.0.1", false},
		{"224.0.0.1", false}, {"239.255.255.255", false}, {"240.0.0.1", false}, {"255.255.255.255", false},
		{"::", false}, {"::1", false}, {"fe80::1", false}, {"fe80::1%eth0", false}, {"fc00::1", false}, {"fd12:3456::1", false}, {"fec0::1", false}, {"ff02::1", false},
		{"::ffff:127.0.0.1", false}, {"::ffff:10.0.0.1", false}, {"::ffff:169.254.169.254", false}, {"::127.0.0.1", false},
		{"64:ff9b::7f00:1", false}, {"64:ff9b:1::a00:1", false}, {"2002:7f00:1::", false}, {"2001::1", false}, {"2001:db8::1", false}, {"fd00:ec2::254", false},
	} {
		err := guard{}.check(netip.MustParseAddr(c.address))
		if c.ok {
			require.NoError(t, err, c.address)
		} else {
			require.ErrorContains(t, err, "is not a public address", c.address)
		}
	}
}

func TestGuardAllowsWhatIsListed(t *testing.T) {
	g := guard{allow: prefixes("10.1.0.0/16", "fd00:1::/32")}
	for address, ok := range map[string]bool{
		"10.1.2.3": true, "::ffff:10.1.2.3": true, "10.2.0.1": false, "127.0.0.1": false, "fd00:1::5": true, "fd00:2::5": false, "9.9.9.9": true,
	} {
		require.Equal(t, ok, g.check(netip.MustParseAddr(address)) == nil, address)
	}
}

// The standard library's own classes are a second opinion: what it calls loopback, private, link-local, multicast or
// unspecified is never let through.
func TestGuardAgreesWithTheStandardLibrary(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		bytes := rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "bytes")
		ip := netip.AddrFrom16([16]byte(bytes))
		switch rapid.IntRange(0, 2).Draw(t, "kind") {
		case 0:
			ip = netip.AddrFrom4([4]byte(bytes[:4]))
		case 1:
			ip = netip.AddrFrom16(netip.AddrFrom4([4]byte(bytes[:4])).As16())
		}
		std := net.IP(ip.Unmap().AsSlice())
		if std.IsLoopback() || std.IsPrivate() || std.IsLinkLocalUnicast() || std.IsMulticast() || std.IsUnspecified() || std.IsInterfaceLocalMulticast() {
			require.Error(t, guard{}.check(ip), ip)
		}
	})
}

// The check is made on the address that is connected to: a name that resolves to a private one is refused, and a redirect there
// is not followed.
func TestGuardLooksAtTheResolvedAddress(t *testing.T) {
	asked := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked++
		http.Redirect(w, r, "http://169.254.169.254/latest/meta-data", http.StatusTemporaryRedirect)
	}))
	defer server.Close()
	_, port, err := net.SplitHostPort(server.Listener.Addr().String())
	require.NoError(t, err)
	post := func(g guard) Result {
		p, err := newPoster(newCredential("url", "", secret.New("http://localhost:"+port+"/")), HTTP{AllowHTTP: true}, g, defaultTimeout)
		require.NoError(t, err)
		defer p.close()
		return p.post(t.Context(), []byte("{}"), nil)
	}
	r := post(guard{})
	require.Equal(t, Failed, r.Outcome)
	require.Contains(t, r.Detail, "is not a public address")
	require.Zero(t, asked)

	r = post(guard{allow: prefixes("127.0.0.0/8", "::1/128")})
	require.Equal(t, Failed, r.Outcome)
	require.Equal(t, http.StatusTemporaryRedirect, r.Status)
	require.Contains(t, r.Detail, "redirects are not followed")
	require.Equal(t, 1, asked)
}
