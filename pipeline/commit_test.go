//go:build synctests

package pipeline_test

import (
	"context"
	"maps"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"tidemark/internal/chmodel"
	"tidemark/pipeline/worker"
	"tidemark/sinks/clickhouse"
)

// commits returns what the group has committed.
func (w *world) commits() map[int32]kfake.GroupCommit {
	return maps.Clone(w.kafka.GroupInfo("g").Commits["telemetry"])
}

// gate is a store whose writes wait while it is shut.
type gate struct {
	worker.Store
	shut    atomic.Bool
	waiting chan struct{} // receives when a write waits
	open    chan struct{} // closed: go on
}

func (g *gate) Write(ctx context.Context, b *clickhouse.Batch) error {
	if g.shut.Load() {
		g.waiting <- struct{}{}
		<-g.open
	}
	return g.Store.Write(ctx, b)
}

// TestASourceGivenUpCommitsNothing has a member write for so long that it loses its sources, gets them back and only then comes to its
// commit: its successor has committed further meanwhile.
//
//tidemark:proves "a commit gets through late, when a successor has committed further": 3
func TestASourceGivenUpCommitsNothing(t *testing.T) {
	in(t, func(w *world) {
		t := w.t
		g := &gate{waiting: make(chan struct{}), open: make(chan struct{})}
		w.build.store = func(s worker.Store) worker.Store {
			g.Store = s
			return g
		}
		slow := w.fed("slow", 200)
		w.build.store = nil
		g.shut.Store(true)
		w.produce(50)
		<-g.waiting
		slow.cut()
		other := w.join("other")
		time.Sleep(15 * time.Second) // longer than the session
		w.produce(50)
		require.True(t, w.settle(10*time.Second))
		before := w.commits()
		w.leave(other)
		slow.offKafka.Store(false)
		time.Sleep(20 * time.Second) // it gets them all
		g.shut.Store(false)
		close(g.open)
		time.Sleep(time.Second)
		for n, is := range w.commits() {
			require.GreaterOrEqual(t, is.Offset, before[n].Offset, "the commit of partition %d has moved back", n)
		}
		w.produce(50)
		require.True(t, w.settle(time.Minute))
		w.leave(slow)
		w.verify()
	})
}

// TestACommitThatMovesBackLeavesNoGap moves the commits of a member back while it recovers, as one that came late would: it must fetch
// from where it recovers.
//
//tidemark:proves "a commit gets through late, when a successor has committed further": 1 2 3 5
func TestACommitThatMovesBackLeavesNoGap(t *testing.T) {
	in(t, func(w *world) {
		t := w.t
		m := w.fed("m", 200)
		early := w.commits()
		w.produce(100)
		require.True(t, w.settle(time.Minute))
		w.leave(m)
		var fail atomic.Bool
		fail.Store(true)
		w.model.OnRead = func() error {
			if fail.Load() {
				return chmodel.OutOfMemory.Err()
			}
			return nil
		}
		m = w.join("m")
		time.Sleep(5 * time.Second)
		require.Error(t, m.Ready())

		group := w.kafka.GroupInfo("g")
		require.Len(t, group.Members, 1)
		req := kmsg.NewPtrOffsetCommitRequest()
		req.Group, req.Generation, req.MemberID, req.InstanceID = "g", group.Epoch, group.Members[0].MemberID, group.Members[0].InstanceID
		topic := kmsg.NewOffsetCommitRequestTopic()
		topic.Topic, topic.TopicID = "telemetry", w.kafka.TopicInfo("telemetry").TopicID
		for n, c := range early {
			p := kmsg.NewOffsetCommitRequestTopicPartition()
			p.Partition, p.Offset, p.Metadata = n, c.Offset, kmsg.StringPtr(c.Metadata)
			topic.Partitions = append(topic.Partitions, p)
		}
		req.Topics = append(req.Topics, topic)
		resp, err := req.RequestWith(w.ctx, w.client)
		require.NoError(t, err)
		for _, p := range resp.Topics[0].Partitions {
			require.NoError(t, kerr.ErrorForCode(p.ErrorCode))
		}
		fail.Store(false)
		w.produce(50)
		require.True(t, w.settle(time.Minute))
		w.leave(m)
		w.verify()
	})
}
