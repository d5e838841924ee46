package devkafka_test

import (
	"bufio"
	"context"
	"fmt"
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
	return startChildOn(t, dir, 0)
}

// startChildOn listens where an earlier broker did, so that its clients find it.
func startChildOn(t *testing.T, dir string, port int) *child {
	t.Helper()
	c := &child{cmd: exec.CommandContext(t.Context(), os.Args[0])}
	c.cmd.Env = append(os.Environ(), childDir+"="+dir, fmt.Sprintf("%s=%d", childPort, port))
	c.cmd.Stderr = os.Stderr
	out, err := c.cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, c.cmd.Start())
	t.Cleanup(c.kill)
	line, err := bufio.NewReader(out).ReadString('\n')
	require.NoError(t, err)
	c.addr = strings.TrimSpace(line)
	require.Regexp(t, `^127\.0\.0\.1:\d+$`, c.addr)
	return c
}

// kill is SIGKILL; killing twice is harmless.
func (c *child) kill() {
	_ = c.cmd.Process.Kill()
	_ = c.cmd.Wait()
}
