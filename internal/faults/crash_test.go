package faults_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tidemark/internal/devclickhouse/chtest"
	"tidemark/internal/e2e"
	"tidemark/internal/faults"
)

// crashAt runs a pipeline that kills itself when it comes to the step for the n-th time.
func (s *stage) crashAt(step string, n int) {
	s.t.Helper()
	s.dies(s.pipeline("a", fmt.Sprintf("CRASH_AT=%s:%d", step, n)), step)
}

// crashOnTheWire runs a pipeline that is killed when the proxy sees the point for the n-th time.
func (s *stage) crashOnTheWire(proxy *faults.Proxy, point faults.Point, n int) {
	s.t.Helper()
	p := s.pipeline("a")
	proxy.Trap(point, n, p.Kill)
	s.dies(p, string(point))
}

// dies sends traffic until the process has been killed.
func (s *stage) dies(p *e2e.Process, at string) {
	s.t.Helper()
	began := time.Now()
	deadline := time.After(patience)
	for {
		s.send(100)
		select {
		case <-p.Done:
			require.EqualError(s.t, p.Err, "signal: killed", at)
			s.figures.kills++
			s.t.Logf("%s: killed after %s", at, time.Since(began).Round(time.Millisecond))
			return
		case <-deadline:
			require.Fail(s.t, "the pipeline never comes to "+at, p.Log(s.t))
		case <-time.After(50 * time.Millisecond): // the next batch
		}
	}
}

// TestCrashAtSomeSteps is the part of TestCrashAtEveryStep that is fast enough for make test.
//
//tidemark:proves "a pipeline is killed in mid-flow": 1 3 4 5
//tidemark:proves "killed between insert and commit": 1 2 3 4 5
//tidemark:proves "killed in mid-insert": 1 3 4 5
func TestCrashAtSomeSteps(t *testing.T) {
	s := newStage(t, startKafka(t).Addrs(), chtest.Shared(t), 1)
	s.crashAt("folded", 3)
	s.crashAt("rows acknowledged", 2)
	s.crashOnTheWire(s.store, "counters torn", 2)
	s.crashOnTheWire(s.kafka, "commit sent", 2)
	s.end(s.pipeline("a"))
}
