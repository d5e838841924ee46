package devkafka_test

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"tidemark/internal/devkafka"
)

// childDir makes the test binary run a broker on that data directory, and childPort, print its address and wait to be killed.
const (
	childDir  = "TIDEMARK_TEST_DEVKAFKA_DIR"
	childPort = "TIDEMARK_TEST_DEVKAFKA_PORT"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(childDir); dir != "" {
		runChild(dir)
	}
	goleak.VerifyTestMain(m)
}

func runChild(dir string) {
	port, err := strconv.Atoi(os.Getenv(childPort))
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	b, err := devkafka.Start(context.Background(), devkafka.Options{DataDir: dir, Port: port})
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Println(b.Addrs()[0])
	time.Sleep(10 * time.Minute) // a parent that died without killing this process must not leave it for long
	os.Exit(1)
}

// child is a broker in a process of its own.
type child struct {
	cmd  *exec.Cmd
	addr string
}

func startChild(t *testing.T, dir string) *child {
	t.Helper()
	return startChildOn(t, dir, "127.0.0.1:0")
}

// startChildOn listens where an earlier broker did, so that its clients find it. Meanwhile another program may have been given the port
// for a while.
func startChildOn(t *testing.T, dir, addr string) *child {
	t.Helper()
	for deadline := time.Now().Add(5 * time.Minute); ; {
		c, said := launch(t, dir, addr)
		if strings.Contains(said, "is already in use") && time.Now().Before(deadline) {
			c.kill()
			continue
		}
		require.Regexp(t, `^127\.0\.0\.1:\d+$`, said)
		c.addr = said
		return c
	}
}

// launch starts a child, and returns the first line that it prints.
func launch(t *testing.T, dir, addr string) (c *child, said string) {
	t.Helper()
	_, port, err := net.SplitHostPort(addr)
	require.NoError(t, err)
	c = &child{cmd: exec.CommandContext(t.Context(), os.Args[0])}
	c.cmd.Env = append(os.Environ(), childDir+"="+dir, childPort+"="+port)
	c.cmd.Stderr = os.Stderr
	out, err := c.cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, c.cmd.Start())
	t.Cleanup(c.kill)
	line, err := bufio.NewReader(out).ReadString('\n')
	require.NoError(t, err)
	return c, strings.TrimSpace(line)
}

// kill is SIGKILL; killing twice is harmless.
func (c *child) kill() {
	_ = c.cmd.Process.Kill()
	_ = c.cmd.Wait()
}
