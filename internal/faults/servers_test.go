//go:build faults

package faults_test

import (
	"net"
	"os"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tidemark/internal/devclickhouse"
	"tidemark/internal/devclickhouse/chtest"
)

// engine is a ClickHouse that can be killed: it comes back on the same ports with the same tables.
type engine struct {
	t      *testing.T
	opts   devclickhouse.Options
	server *devclickhouse.Server
}

func startEngine(t *testing.T) *engine {
	t.Helper()
	e := &engine{t: t, opts: devclickhouse.Options{Dir: t.TempDir(), Passwords: map[devclickhouse.Role]string{}}}
	for _, role := range []devclickhouse.Role{devclickhouse.Migrator, devclickhouse.Writer, devclickhouse.Reader} {
		e.opts.Passwords[role] = string(role)
	}
	e.start()
	e.opts.NativePort, e.opts.HTTPPort = portOf(t, e.server.NativeAddr()), portOf(t, e.server.HTTPAddr())
	return e
}

func (e *engine) start() { e.server = chtest.StartWith(e.t, e.opts) }

func (e *engine) kill() {
	e.server.Kill()
	<-e.server.Done()
}

func (e *engine) database() *chtest.Database {
	return &chtest.Database{Name: devclickhouse.Database, Server: e.server}
}

func portOf(t *testing.T, addr string) int {
	t.Helper()
	_, text, err := net.SplitHostPort(addr)
	require.NoError(t, err)
	port, err := strconv.Atoi(text)
	require.NoError(t, err)
	return port
}

// seed is what a random scenario is drawn from; TEST_SEED sets it.
func seed(t *testing.T) uint64 {
	t.Helper()
	n := uint64(1)
	if text := os.Getenv("TEST_SEED"); text != "" {
		var err error
		n, err = strconv.ParseUint(text, 10, 64)
		require.NoError(t, err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("replay: TEST_SEED=%d go test -tags faults ./internal/faults -run %s", n, t.Name())
		}
	})
	return n
}

// flow sends traffic until the returned function is called. What Kafka does not take is not part of the log.
func (s *stage) flow() (stop func()) {
	done := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			_ = s.traffic.Send(s.ctx, 50)
			select {
			case <-done:
				return
			case <-time.After(50 * time.Millisecond):
			}
		}
	})
	return sync.OnceFunc(func() { close(done); wg.Wait() })
}

// pass lets a fault last for a while.
func pass(d time.Duration) { <-time.After(d) }
