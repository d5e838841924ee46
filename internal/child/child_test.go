package child_test

import (
	"errors"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tidemark/internal/child"
)

// parentArg makes the test binary a parent that starts a child, tells its id, and waits to be killed.
const parentArg = "TIDEMARK_CHILD_TEST_PARENT"

func TestMain(m *testing.M) {
	if os.Getenv(parentArg) == "" {
		os.Exit(m.Run())
	}
	cmd := exec.Command("sleep", "3600")
	if err := child.Start(cmd, syscall.SIGKILL, func(error) {}); err != nil {
		panic(err)
	}
	if _, err := os.Stdout.WriteString(strconv.Itoa(cmd.Process.Pid) + "\n"); err != nil {
		panic(err)
	}
	select {}
}

func TestAChildEndsWithItsParent(t *testing.T) {
	parent := exec.Command(os.Args[0])
	parent.Env = append(os.Environ(), parentArg+"=1")
	out, err := parent.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, parent.Start())
	line := make([]byte, 16)
	n, err := out.Read(line)
	require.NoError(t, err)
	pid, err := strconv.Atoi(strings.TrimSpace(string(line[:n])))
	require.NoError(t, err)
	require.NoError(t, syscall.Kill(pid, 0))
	require.NoError(t, parent.Process.Kill())
	require.Error(t, parent.Wait())
	require.Eventually(t, func() bool { // whoever takes the orphan in may not have waited for it yet
		stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
		return errors.Is(err, os.ErrNotExist) || strings.Contains(string(stat), ") Z ")
	}, time.Minute, 10*time.Millisecond)
}

func TestStart(t *testing.T) {
	ended := make(chan error, 1)
	require.NoError(t, child.Start(exec.Command("false"), syscall.SIGKILL, func(err error) { ended <- err }))
	require.Error(t, <-ended)
	require.Error(t, child.Start(exec.Command("/nowhere"), syscall.SIGKILL, func(error) { t.Error("it never began") }))
}
