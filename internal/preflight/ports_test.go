package preflight_test

import (
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"tidemark/internal/admin"
	"tidemark/internal/preflight"
)

func TestPorts(t *testing.T) {
	t.Parallel()
	own, err := admin.Listen(t.Context(), "127.0.0.1:0", prometheus.NewRegistry(), func() error { return nil })
	require.NoError(t, err)
	served := make(chan error, 1)
	go func() { served <- own.Run(t.Context()) }()
	t.Cleanup(func() { require.NoError(t, <-served) })
	other := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(other.Close)
	taken := strings.TrimPrefix(other.URL, "http://")

	var got []string
	for range 10 { // somebody else may take a port that was free a moment ago
		l, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		free := l.Addr().String()
		require.NoError(t, l.Close())
		got = lines(preflight.Ports(t.Context(), preflight.Port{Key: "a", Address: free}, preflight.Port{Key: "b", Address: own.Addr()},
			preflight.Port{Key: "c", Address: taken}, preflight.Port{Key: "d", Address: "192.0.2.1:80"}), free, "FREE", own.Addr(), "OWN", taken, "TAKEN")
		if got[0] == "ok a: FREE is free" {
			break
		}
	}
	require.Len(t, got, 4)
	require.Equal(t, "ok a: FREE is free", got[0])
	require.Equal(t, "ok b: a Tidemark answers at OWN", got[1])
	require.Regexp(t, `^error c: TAKEN can't be used: .*address already in use \| end what listens there \(ss -ltnp tells\), or set c to another address$`, got[2])
	require.Contains(t, got[3], "error d: 192.0.2.1:80 can't be used: ")
}
