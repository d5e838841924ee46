package ports_test

import (
	"fmt"
	"net"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"

	"tidemark/internal/ports"
)

func listen(t *testing.T, port int) (got int) {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", fmt.Sprintf("127.0.0.1:%d", port))
	require.NoError(t, err)
	got = l.Addr().(*net.TCPAddr).Port
	require.NoError(t, l.Close())
	return got
}

// TestReserved: whoever asks for the port gets it, again and again, and nobody else does.
func TestReserved(t *testing.T) {
	t.Parallel()
	port, held, err := ports.Reserve()
	require.NoError(t, err)
	defer held.Close() //nolint:errcheck // the test is over
	for range 3 {
		require.Equal(t, port, listen(t, port))
	}
	if runtime.GOOS == "linux" {
		for range 40_000 { // as many as there are ports to give
			require.NotEqual(t, port, listen(t, 0))
		}
	}
}
