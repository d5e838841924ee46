package main

import (
	"bytes"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"tidemark/internal/admin"
)

// TestReady asks a process that is not there, one that is not ready, and one that is.
func TestReady(t *testing.T) {
	notReady := errors.New("telemetry/3 has stopped")
	server, err := admin.Listen(t.Context(), "127.0.0.1:0", admin.NewRegistry(), func() error { return notReady })
	require.NoError(t, err)
	env := []string{"TIDEMARK_ADMIN_LISTEN=" + server.Addr()}
	ask := func(env []string) (code int, stdout, stderr string) {
		var out, errs bytes.Buffer
		code = run(t.Context(), []string{"ready"}, env, &out, &errs)
		return code, out.String(), errs.String()
	}
	var serving errgroup.Group
	serving.Go(func() error { return server.Run(t.Context()) })
	code, _, said := ask(env)
	require.Equal(t, exitFailure, code)
	require.Contains(t, said, "not ready: telemetry/3 has stopped")
	notReady = nil
	code, said, _ = ask(env)
	require.Zero(t, code)
	require.Equal(t, "ok\n", said)
	code, _, said = ask([]string{"TIDEMARK_ADMIN_LISTEN=127.0.0.1:1"})
	require.Equal(t, exitFailure, code)
	require.Contains(t, said, "connection refused")
	t.Cleanup(func() { require.NoError(t, serving.Wait()) })
}
