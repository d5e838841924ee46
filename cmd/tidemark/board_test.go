package main

import (
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// The board of a running pipeline: what is behind, and why a number is what it is.
func TestBoard(t *testing.T) {
	t.Parallel()
	b, _ := morning(t)
	board := launch(t, b.env, "board", "--listen", "127.0.0.1:0")
	defer board.end()
	address := regexp.MustCompile(`http://[\d.:]+/`)
	require.Eventually(t, func() bool { return address.MatchString(board.stdout.String()) }, 5*time.Minute, 50*time.Millisecond, "%s", &board.stderr)
	at := address.FindString(board.stdout.String())

	csv := func(path string) string {
		transport := &http.Transport{}
		defer transport.CloseIdleConnections()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, at+path+"&format=csv", nil)
		require.NoError(t, err)
		resp, err := (&http.Client{Transport: transport}).Do(req)
		require.NoError(t, err)
		defer resp.Body.Close() //nolint:errcheck // it was read to its end
		body, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		require.Equal(t, http.StatusOK, resp.StatusCode, "%s: %s\n%s", path, body, &board.stderr)
		return string(body)
	}
	why := csv("accounts/acme/why?panel=why&metric=events&window=hour+" + yesterday().Format(time.DateOnly) + "T10:00")
	require.Contains(t, why, "value,unit,of,window\n4,events,,")
	require.Contains(t, why, "m6,Exported,\"late, and counted\",")
	require.Contains(t, why, "m2,Exported,\"a duplicate, dropped\",")

	partitions := csv("pipeline?panel=partitions")
	for _, source := range []string{"telemetry/0", "telemetry/1", "tickets/0", "accounts/0"} {
		require.Contains(t, partitions, "\n"+source+",0,")
	}
	require.Contains(t, csv("pipeline?panel=checkpoints"), ",yes,")
	require.Eventually(t, func() bool { // a running pipeline writes what it has observed every few seconds
		return strings.Contains(csv("pipeline?panel=watermarks"), "\ntelemetry,")
	}, 5*time.Minute, 100*time.Millisecond, "%s", &board.stderr)
	require.Contains(t, csv("pipeline?panel=clickhouse"), strings.TrimPrefix(b.store.Server.NativeAddr(), "http://"))
	require.Equal(t, exitOK, board.end(), "%s", &board.stderr)
}

func TestBoardRefusesToListenPublicly(t *testing.T) {
	t.Parallel()
	b := startBackends(t)
	got := tidemark(t, b.env, "board", "--listen", "0.0.0.0:0")
	require.Equal(t, exitFailure, got.code)
	require.Contains(t, got.stderr, "board.token_file")
}
