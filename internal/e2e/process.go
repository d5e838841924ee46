// Package e2e runs whole scenarios: real processes of the tidemark binary between a Kafka and a ClickHouse, whose rows
// are then compared with an independent recount of the log.
package e2e

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tidemark/internal/child"
)

// built holds the binaries that this test binary has built, by their build tags. It is global because a test binary has
// no other place that outlives a test; Main removes them.
var built = struct {
	sync.Mutex
	dir   string
	paths map[string]string
}{paths: map[string]string{}}

// Binary builds tidemark with the build tags, once a test binary, and returns its path.
func Binary(t *testing.T, tags string) string {
	t.Helper()
	built.Lock()
	defer built.Unlock()
	if path, ok := built.paths[tags]; ok {
		return path
	}
	if built.dir == "" {
		dir, err := os.MkdirTemp("", "tidemark-e2e-")
		require.NoError(t, err)
		built.dir = dir
	}
	path := filepath.Join(built.dir, "tidemark"+tags)
	out, err := exec.Command("go", "build", "-tags", tags, "-o", path, "tidemark/cmd/tidemark").CombinedOutput()
	require.NoError(t, err, "build tidemark: %s", out)
	built.paths[tags] = path
	return path
}

// Main wraps a package's tests so that what Start needed is removed after the last one.
func Main(m interface{ Run() int }) interface{ Run() int } { return cleaned{m} }

type cleaned struct{ m interface{ Run() int } }

func (c cleaned) Run() int {
	code := c.m.Run()
	if err := os.RemoveAll(built.dir); err != nil { // RemoveAll("") removes nothing
		fmt.Fprintln(os.Stderr, err)
		return max(code, 1)
	}
	return code
}

// Process is a running tidemark.
type Process struct {
	Name string
	Done chan struct{} // closed when it has ended
	Err  error         // valid once Done
	cmd  *exec.Cmd
	log  string // file of its standard error
}

// Start starts a binary of tidemark with arguments and environment; it is killed at the test's end if it still runs.
func Start(t *testing.T, binary, name string, env []string, args ...string) *Process {
	t.Helper()
	p := &Process{Name: name, log: filepath.Join(t.TempDir(), name+".log"), Done: make(chan struct{})}
	log, err := os.Create(p.log)
	require.NoError(t, err)
	defer log.Close() //nolint:errcheck // the child has its own descriptor
	p.cmd = exec.Command(binary, args...)
	p.cmd.Env = append(os.Environ(), env...)
	p.cmd.Stderr, p.cmd.Stdout = log, log
	// Its end does not wait for a cleanup, which a test that runs out of time never comes to.
	require.NoError(t, child.Start(p.cmd, syscall.SIGKILL, func(err error) {
		p.Err = err
		close(p.Done)
	}))
	t.Cleanup(func() {
		p.Kill()
		if t.Failed() {
			text, _ := os.ReadFile(p.log)
			t.Logf("%s said, at last:\n%s", name, text[max(0, len(text)-4000):])
		}
	})
	return p
}

// PID is the process id.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Signal sends the process a signal.
func (p *Process) Signal(t *testing.T, sig os.Signal) {
	t.Helper()
	require.NoError(t, p.cmd.Process.Signal(sig), "signal %s", p.Name)
}

// Log returns what the process has said so far.
func (p *Process) Log(t *testing.T) string {
	t.Helper()
	log, err := os.ReadFile(p.log)
	require.NoError(t, err)
	return string(log)
}

// Peak returns the most memory that the process ever had, in bytes; 0 where the system does not tell.
func (p *Process) Peak(t *testing.T) int64 {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.PID()))
	if os.IsNotExist(err) { // no Linux
		return 0
	}
	require.NoError(t, err)
	kilobytes := regexp.MustCompile(`VmHWM:\s+(\d+) kB`).FindSubmatch(status)
	require.NotNil(t, kilobytes)
	n, err := strconv.ParseInt(string(kilobytes[1]), 10, 64)
	require.NoError(t, err)
	return n << 10
}

// Kill ends the process as a crash does.
func (p *Process) Kill() {
	_ = p.cmd.Process.Signal(syscall.SIGKILL)
	<-p.Done
}

// Terminate asks the process to end, and requires that it does so in order.
func (p *Process) Terminate(t *testing.T) {
	t.Helper()
	p.Signal(t, syscall.SIGTERM)
	select {
	case <-p.Done:
		require.NoError(t, p.Err, "%s did not end in order", p.Name)
	case <-time.After(time.Minute):
		p.Signal(t, syscall.SIGQUIT) // it then says in its log where it hangs
		<-p.Done
		require.Fail(t, "does not end", "%s; its log has where it hangs", p.Name)
	}
}

// Running requires that the process has not ended by itself.
func (p *Process) Running(t *testing.T) {
	t.Helper()
	select {
	case <-p.Done:
		require.NoError(t, errors.Join(fmt.Errorf("%s has ended", p.Name), p.Err))
	default:
	}
}

// Says waits until the process has logged something that matches, and returns the match's first group.
func (p *Process) Says(t *testing.T, pattern string) string {
	t.Helper()
	expression := regexp.MustCompile(pattern)
	var found []string
	require.Eventually(t, func() bool {
		p.Running(t)
		found = expression.FindStringSubmatch(p.Log(t))
		return found != nil
	}, 5*time.Minute, 20*time.Millisecond, "%s never says %s", p.Name, pattern)
	return found[len(found)-1]
}
