package notify

import (
	"fmt"
	"net"
	"net/netip"
	"syscall"
	"time"
)

// private are the addresses that a target is not to be at unless it is allowed by name: a URL in a configuration, or a name that
// resolves to something else tomorrow, must not reach what only this machine or its network can.
var private = prefixes(
	"0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24",
	"192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
	// Within global IPv6: Teredo and other protocols, documentation, 6to4.
	"2001::/23", "2001:db8::/32", "2002::/16",
)

// global is the only part of IPv6 that is routed on the internet; loopback, unique local, link-local, site-local, multicast and
// what embeds an IPv4 address (NAT64) lie outside.
var global = netip.MustParsePrefix("2000::/3")

func prefixes(texts ...string) []netip.Prefix {
	out := make([]netip.Prefix, len(texts))
	for i, text := range texts {
		out[i] = netip.MustParsePrefix(text)
	}
	return out
}

// guard decides which addresses may be connected to.
type guard struct {
	allow []netip.Prefix // addresses that may be, however private
}

// check says why an address may not be connected to.
func (g guard) check(ip netip.Addr) error {
	ip = ip.Unmap().WithZone("")
	for _, p := range g.allow {
		if p.Contains(ip) {
			return nil
		}
	}
	denied := ip.Is6() && !global.Contains(ip)
	for _, p := range private {
		denied = denied || p.Contains(ip)
	}
	if denied {
		return &deniedError{ip}
	}
	return nil
}

// deniedError is a connection that the guard refused.
type deniedError struct{ ip netip.Addr }

func (e *deniedError) Error() string {
	return fmt.Sprintf("%s is not a public address; if the target is meant to be there, list its network in the target's allow, such as allow: [%s/%d]",
		e.ip, e.ip, e.ip.BitLen())
}

// dialer connects to allowed addresses only. It looks at the address that is about to be connected to, after names were
// resolved: a name that resolves to another address the second time gets nowhere.
func (g guard) dialer() *net.Dialer {
	return &net.Dialer{
		Timeout: 10 * time.Second,
		Control: func(_, address string, _ syscall.RawConn) error {
			to, err := netip.ParseAddrPort(address)
			if err != nil {
				return fmt.Errorf("connect to %s: %w", address, err)
			}
			return g.check(to.Addr())
		},
	}
}
