//go:build synctests

package pipeline_test

import (
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kfake"

	"tidemark/internal/chmodel"
)

// TestManyInstancesShareManyPartitions is docs/scaling.md's check: 64 instances on 256 partitions, in virtual time. They have
// four each; ClickHouse sees a bounded number of inserts, whatever the partitions; eight that die and eight that leave have
// their partitions taken over evenly; and the rows are right.
func TestManyInstancesShareManyPartitions(t *testing.T) {
	const partitions, instances, gone = 256, 64, 8
	synctest.Test(t, func(t *testing.T) {
		w := wide(t, partitions)
		defer w.close()
		var writes atomic.Int64
		w.model.OnWrite = func() chmodel.Fault {
			writes.Add(1)
			return chmodel.None
		}
		for i := range instances {
			w.join("m" + string(rune('0'+i/10)) + string(rune('0'+i%10)))
		}
		w.shared(instances, 5*time.Minute)

		writes.Store(0)
		const seconds = 20
		for range seconds {
			w.produce(partitions)
			time.Sleep(time.Second)
		}
		require.True(t, w.settle(time.Minute))
		// Rows and checkpoints, once an interval of half a second for each instance, and one more for the end.
		require.LessOrEqual(t, writes.Load(), int64(2*instances*(2*seconds+2)))

		for _, m := range w.members[:gone] {
			m.crash()
		}
		for _, m := range w.members[gone : 2*gone] {
			w.leave(m)
		}
		w.produce(4 * partitions)
		w.shared(instances-2*gone, 5*time.Minute)
		w.produce(4 * partitions)
		require.True(t, w.settle(5*time.Minute))
		w.verify()
		for _, m := range w.members[2*gone:] {
			w.leave(m)
		}
	})
}

// wide is a world with so many partitions.
func wide(t *testing.T, partitions int32) *world {
	w := &world{
		t: t, ctx: t.Context(), stack: &kfake.VirtualNetwork{}, model: chmodel.New(), truth: chmodel.New(), partitions: partitions,
		traffic: rand.New(rand.NewPCG(1, 1)), faults: rand.New(rand.NewPCG(1, 2)),
	}
	var err error
	w.kafka, err = kfake.NewCluster(kfake.NumBrokers(1), kfake.Ports(9092), kfake.ListenFn(w.stack.Listen),
		kfake.SeedTopics(partitions, "telemetry"), kfake.SeedTopics(1, "dead"))
	require.NoError(t, err)
	w.client = w.connect()
	return w
}

// shared waits, in virtual time, until so many members have all partitions between them, none more than one more than another.
func (w *world) shared(members int, limit time.Duration) {
	evenly := func() bool {
		g := w.kafka.GroupInfo("g")
		if g == nil || g.State != "Stable" || len(g.Members) != members {
			return false
		}
		all := int32(0)
		for _, m := range g.Members {
			n := int32(len(m.Assignment["telemetry"]))
			if n < w.partitions/int32(members) || n > (w.partitions-1)/int32(members)+1 {
				return false
			}
			all += n
		}
		return all == w.partitions
	}
	for deadline := time.Now().Add(limit); !evenly(); time.Sleep(100 * time.Millisecond) {
		if time.Now().After(deadline) {
			require.Fail(w.t, "the partitions are not shared evenly", "%+v", w.kafka.GroupInfo("g"))
		}
	}
}
