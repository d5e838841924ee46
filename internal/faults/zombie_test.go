//go:build faults

package faults_test

import (
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tidemark/internal/devclickhouse/chtest"
	"tidemark/internal/faults"
	"tidemark/internal/realkafka/kafkatest"
)

// TestAZombieWritesBesideItsSuccessor stops a pipeline with rows, a checkpoint or a commit on its way, until another
// instance has taken its partitions over and is done with them; then it wakes up, and what it had is written after all.
//
//tidemark:proves "a worker is cut off from Kafka and writes on (a zombie)": 1 2 3 4 5
func TestAZombieWritesBesideItsSuccessor(t *testing.T) {
	s := newStage(t, kafkatest.Start(t).Brokers(), chtest.Shared(t), 5)
	kafka, store := kafkaProxy(t, s.Brokers[0]), clickhouseProxy(t, s.DB.Server.NativeAddr())
	zombie := s.pipeline("zombie", "TIDEMARK_KAFKA_BROKERS="+kafka.Addr(), "TIDEMARK_CLICKHOUSE_ADDR="+store.Addr())
	s.send(2000)
	s.Settle(s.ctx, zombie)
	heir := s.pipeline("heir")
	for _, at := range []struct {
		proxy          *faults.Proxy
		asleep, walked faults.Point
	}{
		{store, "counters begun", "counters answered"},
		{store, "counters torn", "counters answered"},
		{store, "checkpoints begun", "checkpoints answered"},
		{kafka, "commit begun", "commit answered"},
	} {
		asleep, wake, walked := make(chan struct{}), make(chan struct{}), make(chan struct{})
		at.proxy.Trap(at.asleep, 1, func() {
			zombie.Signal(t, syscall.SIGSTOP)
			close(asleep)
			<-wake
			at.proxy.Trap(at.walked, 1, func() { close(walked) })
		})
		for waiting := true; waiting; {
			s.send(200)
			select {
			case <-asleep:
				waiting = false
			case <-time.After(100 * time.Millisecond):
			}
		}
		s.send(500)
		s.Settle(s.ctx, heir) // for which it must have all partitions
		zombie.Signal(t, syscall.SIGCONT)
		close(wake)
		select {
		case <-walked:
		case <-time.After(patience):
			require.Fail(t, "the zombie does not go on", at.asleep)
		}
		s.figures.kills++
		s.recounted(heir, zombie)
	}
	s.end(zombie, heir)
}
