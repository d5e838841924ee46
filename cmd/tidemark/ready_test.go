package main

import (
	"bytes"
	"errors"
	"net/http"
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
		code = run(t.Context(), []string{"ready", "--timeout=5m"}, env, &out, &errs) // a busy machine may take longer than an orchestrator waits
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
	require.Equal(t, http.StatusNotFound, status(t, "http://"+server.Addr()+"/debug/pprof/heap"))
	server.Profile()
	require.Equal(t, http.StatusOK, status(t, "http://"+server.Addr()+"/debug/pprof/heap"))
	code, _, said = ask([]string{"TIDEMARK_ADMIN_LISTEN=127.0.0.1:1"})
	require.Equal(t, exitFailure, code)
	require.Contains(t, said, "connection refused")
	t.Cleanup(func() { require.NoError(t, serving.Wait()) })
}

func status(t *testing.T, url string) int {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	require.NoError(t, err)
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer resp.Body.Close() //nolint:errcheck // only the status matters
	return resp.StatusCode
}
