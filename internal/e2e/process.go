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
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// binary builds the tidemark binary once a test binary and returns its path.
var binary = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "tidemark-e2e-")
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "tidemark")
	cmd := exec.Command("go", "build", "-o", path, "tidemark/cmd/tidemark")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build tidemark: %w\n%s", err, out)
	}
	return path, nil
})

// removeBinary removes what binary built, if it did.
func removeBinary() error {
	path, err := binary()
	if err != nil {
		return nil //nolint:nilerr // the tests have told
	}
	return os.RemoveAll(filepath.Dir(path))
}

// process is a running tidemark.
type process struct {
	name string
	cmd  *exec.Cmd
	log  string // file of its standard error
	done chan struct{}
	err  error // valid once done
}

// start starts tidemark with arguments and environment; it is killed at the test's end if it still runs.
func start(t *testing.T, name string, env []string, args ...string) *process {
	t.Helper()
	path, err := binary()
	require.NoError(t, err)
	p := &process{name: name, log: filepath.Join(t.TempDir(), name+".log"), done: make(chan struct{})}
	log, err := os.Create(p.log)
	require.NoError(t, err)
	defer log.Close() //nolint:errcheck // the child has its own descriptor
	p.cmd = exec.Command(path, args...)
	p.cmd.Env = append(os.Environ(), env...)
	p.cmd.Stderr, p.cmd.Stdout = log, log
	require.NoError(t, p.cmd.Start())
	go func() {
		p.err = p.cmd.Wait()
		close(p.done)
	}()
	t.Cleanup(func() {
		p.kill()
		if t.Failed() {
			text, _ := os.ReadFile(p.log)
			t.Logf("%s said, at last:\n%s", name, text[max(0, len(text)-4000):])
		}
	})
	return p
}

// kill ends the process as a crash does.
func (p *process) kill() {
	_ = p.cmd.Process.Signal(syscall.SIGKILL)
	<-p.done
}

// terminate asks the process to end, and requires that it does so in order.
func (p *process) terminate(t *testing.T) {
	t.Helper()
	require.NoError(t, p.cmd.Process.Signal(syscall.SIGTERM))
	select {
	case <-p.done:
		require.NoError(t, p.err, "%s did not end in order", p.name)
	case <-time.After(time.Minute):
		require.Fail(t, "does not end", p.name)
	}
}

// running requires that the process has not ended by itself.
func (p *process) running(t *testing.T) {
	t.Helper()
	select {
	case <-p.done:
		require.NoError(t, errors.Join(fmt.Errorf("%s has ended", p.name), p.err))
	default:
	}
}

// says waits until the process has logged something that matches, and returns the match's first group.
func (p *process) says(t *testing.T, pattern string) string {
	t.Helper()
	expression := regexp.MustCompile(pattern)
	var found [][]byte
	require.Eventually(t, func() bool {
		p.running(t)
		log, err := os.ReadFile(p.log)
		require.NoError(t, err)
		found = expression.FindSubmatch(log)
		return found != nil
	}, time.Minute, 20*time.Millisecond, "%s never says %s", p.name, pattern)
	return string(found[len(found)-1])
}
