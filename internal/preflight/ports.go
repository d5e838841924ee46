package preflight

import (
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"time"
)

// Port is an address that Tidemark is to listen on.
type Port struct {
	Key     string // of the configuration, such as admin.listen
	Address string
}

// Ports checks that the addresses are free, or that Tidemark itself is what listens there.
func Ports(ctx context.Context, ports ...Port) []Finding {
	var f findings
	for _, p := range ports {
		var lc net.ListenConfig
		listener, err := lc.Listen(ctx, "tcp", p.Address)
		switch {
		case err == nil:
			_ = listener.Close() // nothing was done with it
			f.ok(p.Key, "%s is free", p.Address)
		case isTidemark(ctx, p.Address):
			f.ok(p.Key, "a Tidemark answers at %s", p.Address)
		default:
			f.error(p.Key, "end what listens there (ss -ltnp tells), or set "+p.Key+" to another address", "%s can't be used: %v", p.Address, err)
		}
	}
	return f
}

// isTidemark asks as an orchestrator would. The pipeline and the collector say that they live in different words.
func isTidemark(ctx context.Context, address string) bool {
	const patience = 2 * time.Second
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return false
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "localhost"
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+net.JoinHostPort(host, port)+"/livez", nil)
	if err != nil {
		return false
	}
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(req)
	if err != nil {
		return false
	}
	defer resp.Body.Close() //nolint:errcheck // only read
	body, err := io.ReadAll(io.LimitReader(resp.Body, 64))
	text := strings.TrimSpace(string(body))
	return err == nil && resp.StatusCode == http.StatusOK && (text == "ok" || text == `{"live":true}`)
}
