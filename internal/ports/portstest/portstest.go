// Package portstest reserves ports for a test.
package portstest

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"tidemark/internal/ports"
)

// Reserve returns an address at which nobody listens yet, and its port. Until the test's end nobody else is given it, so that a server can
// be started there again.
func Reserve(t testing.TB) (addr string, port int) {
	t.Helper()
	port, held, err := ports.Reserve()
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, held.Close()) })
	return fmt.Sprintf("127.0.0.1:%d", port), port
}
