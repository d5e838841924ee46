//go:build faults

package faults_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"tidemark/internal/devclickhouse/chtest"
	"tidemark/internal/faults"
	"tidemark/internal/realkafka/kafkatest"
)

// steps are where the pipeline kills itself (worker's reach), in the order in which it comes to them.
var steps = []string{
	"recovered", "polled", "folded", "flush begun", "dead letters acknowledged", "rows acknowledged",
	"checkpoints acknowledged", "commit acknowledged",
}

// onTheWire are where it is killed with a message on its way: a request that is sent, or sent by half, or whose answer the
// server has given and the pipeline has not read.
var onTheWire = struct{ store, kafka []faults.Point }{
	store: []faults.Point{
		"counters begun", "counters torn", "counters sent", "counters answered", "member_sets sent", "member_sets answered",
		"facts answered", "dead_letters answered", "checkpoints begun", "checkpoints sent", "checkpoints answered",
	},
	kafka: []faults.Point{"commit begun", "commit sent", "commit answered"},
}

// crashes kills a pipeline at every step, several times, and recounts in between.
func (s *stage) crashes() {
	for _, n := range []int{1, 2, 6} {
		for _, step := range steps {
			s.crashAt(step, n)
		}
		for _, point := range onTheWire.store {
			s.crashOnTheWire(s.store, point, n)
		}
		for _, point := range onTheWire.kafka {
			s.crashOnTheWire(s.kafka, point, n)
		}
		p := s.pipeline("a")
		s.recounted(p)
		p.Kill()
		s.figures.kills++
	}
	require.Equal(s.t, 3*(len(steps)+len(onTheWire.store)+len(onTheWire.kafka)+1), s.figures.kills)
	s.end(s.pipeline("a"))
}

// TestCrashAtEveryStep kills the pipeline at every step between poll and the commit's acknowledgement, the first time it
// comes there and later ones.
//
//tidemark:proves "a pipeline is killed in mid-flow": 1 3 4 5
//tidemark:proves "killed between insert and commit": 1 2 3 4 5
//tidemark:proves "killed in mid-insert": 1 3 4 5
func TestCrashAtEveryStep(t *testing.T) {
	t.Run("embedded Kafka", func(t *testing.T) { newStage(t, startKafka(t).Addrs(), chtest.Shared(t), 2).crashes() })
	t.Run("real Kafka", func(t *testing.T) { newStage(t, kafkatest.Start(t).Brokers(), chtest.Shared(t), 3).crashes() })
}
