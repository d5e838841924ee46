package e2e

import (
	"net"
	"os"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// demo starts a demo in a data directory, on ports that the kernel picks.
func demo(t *testing.T, dir string, args ...string) *process {
	t.Helper()
	return start(t, "demo", nil, append([]string{
		"demo", "--data-dir", dir, "--accounts", "6", "--history", "24h", "--rate", "100", "--seed", "7",
		"--kafka-port", "0", "--clickhouse-port", "0", "--clickhouse-http-port", "0", "--collector-port", "0", "--admin-port", "0",
	}, args...)...)
}

// ends waits for the process to end, and returns its exit code and what it said.
func (p *process) ends(t *testing.T, within time.Duration) (code int, said string) {
	t.Helper()
	select {
	case <-p.done:
	case <-time.After(within):
		require.Fail(t, "does not end", p.name)
	}
	text, err := os.ReadFile(p.log)
	require.NoError(t, err)
	return p.cmd.ProcessState.ExitCode(), string(text)
}

func TestDemoAgreesWithItsTruth(t *testing.T) {
	dir := t.TempDir()
	code, said := demo(t, dir, "--duration", "5s").ends(t, 3*time.Minute)
	require.Zero(t, code, said)
	require.Contains(t, said, "0 differences")
	require.Contains(t, said, "/v1/track")

	t.Log("Ctrl-C ends it in order, a second start goes on")
	p := demo(t, dir)
	p.says(t, `live: .*`)
	require.NoError(t, p.cmd.Process.Signal(syscall.SIGINT))
	code, said = p.ends(t, time.Minute)
	require.Zero(t, code, said)

	t.Log("so does a start after a kill")
	p = demo(t, dir)
	p.says(t, `live: .*`)
	p.kill()
	code, said = demo(t, dir, "--duration", "3s").ends(t, 3*time.Minute)
	require.Zero(t, code, said)
	require.Contains(t, said, "0 differences")
}

func TestDemoSaysWhichPortIsTaken(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()                                    //nolint:errcheck // the test is over
	port := strconv.Itoa(l.Addr().(*net.TCPAddr).Port) //nolint:forcetypeassert // it is TCP
	code, said := demo(t, t.TempDir(), "--collector-port", port).ends(t, time.Minute)
	require.Equal(t, 1, code)
	require.Contains(t, said, "port "+port+" is taken")
	require.Contains(t, said, "--collector-port")
}
