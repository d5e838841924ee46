package e2e

import (
	"net"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// demo starts a demo in a data directory, on ports that the kernel picks.
func demo(t *testing.T, dir string, args ...string) *Process {
	t.Helper()
	return Start(t, Binary(t, ""), "demo", nil, append([]string{
		"demo", "--data-dir", dir, "--accounts", "6", "--history", "24h", "--rate", "100", "--seed", "7",
		"--board-port", "0", "--kafka-port", "0", "--clickhouse-port", "0", "--clickhouse-http-port", "0", "--collector-port", "0", "--admin-port", "0",
	}, args...)...)
}

// ends waits for the process to end, and returns its exit code and what it said.
func ends(t *testing.T, p *Process, within time.Duration) (code int, said string) {
	t.Helper()
	select {
	case <-p.Done:
	case <-time.After(within):
		require.Fail(t, "does not end", p.Name)
	}
	return p.cmd.ProcessState.ExitCode(), p.Log(t)
}

//tidemark:proves "pipeline, collector and broker are killed at once": 1 3 4 5
func TestDemoAgreesWithItsTruth(t *testing.T) {
	dir := t.TempDir()
	code, said := ends(t, demo(t, dir, "--duration", "5s"), 5*time.Minute)
	require.Zero(t, code, said)
	require.Contains(t, said, "0 differences")
	require.Contains(t, said, "/v1/track")

	t.Log("Ctrl-C ends it in order, a second start goes on")
	p := demo(t, dir)
	p.Says(t, `live: .*`)
	p.Signal(t, syscall.SIGINT)
	code, said = ends(t, p, 5*time.Minute)
	require.Zero(t, code, said)

	t.Log("so does a start after a kill")
	p = demo(t, dir)
	p.Says(t, `live: .*`)
	p.Kill()
	code, said = ends(t, demo(t, dir, "--duration", "3s"), 5*time.Minute)
	require.Zero(t, code, said)
	require.Contains(t, said, "0 differences")
}

func TestDemoSaysWhichPortIsTaken(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()                                    //nolint:errcheck // the test is over
	port := strconv.Itoa(l.Addr().(*net.TCPAddr).Port) //nolint:forcetypeassert // it is TCP
	code, said := ends(t, demo(t, t.TempDir(), "--collector-port", port), 5*time.Minute)
	require.Equal(t, 1, code)
	require.Contains(t, said, "port "+port+" is taken")
	require.Contains(t, said, "--collector-port")
}
