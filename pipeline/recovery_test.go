//go:build synctests

package pipeline_test

import (
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"tidemark/internal/chmodel"
)

// in runs a test on a world of its own in virtual time.
func in(t *testing.T, test func(w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t.Context(), t, 1, 1)
		defer w.close()
		test(w)
	})
}

// stopped returns why the member's sources are stopped, by partition.
func stopped(m *member) map[int32]string {
	why := map[int32]string{}
	for _, s := range m.Status() {
		if s.Stopped != "" {
			why[s.ID.Partition] = s.Stopped
		}
	}
	return why
}

func TestRowsAreThereWithinTheFlushInterval(t *testing.T) {
	in(t, func(w *world) {
		t := w.t
		m := w.fed("m", 50)
		for range 20 {
			w.produce(5)
			sent := time.Now()
			require.True(t, w.settle(5*time.Second))
			require.LessOrEqual(t, time.Since(sent), 700*time.Millisecond, "the flush interval of 500 ms, and the polling of this test")
		}
		w.leave(m)
	})
}

//tidemark:proves "a replica does not have the committed rows yet": 1 4 5
func TestRecoveryWaitsForAReplica(t *testing.T) {
	in(t, func(w *world) {
		t := w.t
		m := w.fed("m", 200)
		w.leave(m)
		restore := w.model.Forget(w.sourceOf(1)) // a replica that has not caught up
		m = w.join("m")
		time.Sleep(10 * time.Second)
		require.Error(t, m.Ready())
		require.Empty(t, stopped(m))
		restore()
		time.Sleep(6 * time.Second)
		require.NoError(t, m.Ready())
		w.produce(100)
		require.True(t, w.settle(time.Minute))
		w.leave(m)
		w.verify()
	})
}

//tidemark:proves "it never gets them, or they are gone": 4
func TestRecoveryNeverGuesses(t *testing.T) {
	in(t, func(w *world) {
		t := w.t
		m := w.fed("m", 200)
		w.leave(m)
		w.model.Forget(w.sourceOf(1)) // for good
		m = w.join("m")
		time.Sleep(time.Minute)
		why := stopped(m)
		require.Len(t, why, 1, "the other partitions go on")
		require.Contains(t, why[1], "the checkpoint of the committed offset")
		require.ErrorContains(t, m.Ready(), "stopped")
		w.leave(m)
	})
}

//tidemark:proves "the log was deleted beyond the commit": 5
func TestAnExpiredOffsetStopsThePartition(t *testing.T) {
	in(t, func(w *world) {
		t := w.t
		m := w.fed("m", 200)
		w.leave(m)
		w.produce(200)
		admin := kadm.NewClient(w.client)
		ends, err := admin.ListEndOffsets(w.ctx, "telemetry")
		require.NoError(t, err)
		end, _ := ends.Lookup("telemetry", 2)
		deleted, err := admin.DeleteRecords(w.ctx, kadm.Offsets{"telemetry": {2: {Topic: "telemetry", Partition: 2, At: end.Offset}}})
		require.NoError(t, err)
		require.NoError(t, deleted.Error())
		m = w.join("m")
		time.Sleep(time.Minute)
		why := stopped(m)
		require.Len(t, why, 1, "the other partitions go on")
		require.Contains(t, why[2], "outside the log")
		require.Contains(t, why[2], "accept the loss by setting the group's offset to")
		w.leave(m)

		first, err := admin.ListStartOffsets(w.ctx, "telemetry")
		require.NoError(t, err)
		at, _ := first.Lookup("telemetry", 2)
		time.Sleep(time.Minute) // a static member is a member until its session has run out
		byHand := func(offset int64) {
			require.NoError(t, admin.CommitAllOffsets(w.ctx, "g", kadm.Offsets{"telemetry": {2: {Topic: "telemetry", Partition: 2, At: offset}}}))
		}
		byHand(at.Offset) // the loss is accepted
		w.produce(200)
		m = w.join("m")
		require.True(t, w.settle(time.Minute))
		require.Empty(t, stopped(m))
		w.leave(m)
		ends, err = admin.ListEndOffsets(w.ctx, "telemetry")
		require.NoError(t, err)
		end, _ = ends.Lookup("telemetry", 2)
		time.Sleep(time.Minute)
		byHand(end.Offset - 1) // neither a checkpoint nor the end of a gap
		m = w.join("m")
		time.Sleep(time.Minute)
		require.Contains(t, stopped(m)[2], "neither a checkpoint nor the end of a gap")
		w.leave(m)
		time.Sleep(time.Minute)
		byHand(end.Offset)
		m = w.join("m")
		time.Sleep(time.Minute)
		require.Empty(t, stopped(m))
		w.leave(m)
	})
}

//tidemark:proves "records are deleted under a reader that lags": 5
func TestRecordsDeletedUnderAReaderStopThePartition(t *testing.T) {
	in(t, func(w *world) {
		t := w.t
		m := w.fed("m", 200)
		m.cut()
		w.produce(200)
		admin := kadm.NewClient(w.client)
		ends, err := admin.ListEndOffsets(w.ctx, "telemetry")
		require.NoError(t, err)
		end, _ := ends.Lookup("telemetry", 2)
		_, err = admin.DeleteRecords(w.ctx, kadm.Offsets{"telemetry": {2: {Topic: "telemetry", Partition: 2, At: end.Offset}}})
		require.NoError(t, err)
		m.offKafka.Store(false) // back before its session has run out, so that nothing is recovered
		time.Sleep(time.Minute)
		require.Len(t, stopped(m), 1, "the other partitions go on")
		require.Contains(t, stopped(m)[2], "deleted before they were read")
		w.leave(m)
	})
}

//tidemark:proves "somebody else commits to the group": 3
func TestAForeignCommitStopsThePartition(t *testing.T) {
	in(t, func(w *world) {
		t := w.t
		w.produce(200)
		admin := kadm.NewClient(w.client)
		require.NoError(t, admin.CommitAllOffsets(w.ctx, "g", kadm.Offsets{"telemetry": {0: {Topic: "telemetry", Partition: 0, At: 5, Metadata: "mine"}}}))
		m := w.join("m")
		time.Sleep(time.Minute)
		require.Contains(t, stopped(m)[0], "does another consumer use its group?")
		w.leave(m)
	})
}

//tidemark:proves "a topic is created anew": 1
func TestATopicCreatedAnewIsAnotherLog(t *testing.T) {
	in(t, func(w *world) {
		t := w.t
		m := w.fed("m", 200)
		w.leave(m)
		before := w.sourceOf(0)
		admin := kadm.NewClient(w.client)
		gone, err := admin.DeleteTopics(w.ctx, "telemetry")
		require.NoError(t, err)
		require.NoError(t, gone.Error())
		_, err = admin.CreateTopic(w.ctx, partitions, 1, nil, "telemetry")
		require.NoError(t, err)
		w.client.Close() // this one insists on the old topic
		w.client, err = kgo.NewClient(w.options(w.stack.DialContext)...)
		require.NoError(t, err)
		require.NotEqual(t, before, w.sourceOf(0))
		w.produce(100)
		m = w.join("m")
		require.True(t, w.settle(time.Minute))
		w.leave(m)
		var sources int
		for _, row := range w.model.Final() {
			if strings.HasPrefix(row, "counter ") && strings.Contains(row, "@"+strings.Split(w.sourceOf(0), "@")[1]) {
				sources++
			}
		}
		require.NotZero(t, sources, "the new log has rows of its own")
	})
}

//tidemark:proves "ClickHouse is away for minutes": 1 5
func TestClickHouseAwayForMinutes(t *testing.T) {
	in(t, func(w *world) {
		t := w.t
		var away atomic.Bool
		w.model.OnRead = func() error {
			if away.Load() {
				return errors.New("connection refused")
			}
			return nil
		}
		m := w.fed("m", 300)
		away.Store(true)
		m.offStore.Store(true)
		for range 30 {
			w.produce(100)
			time.Sleep(10 * time.Second)
		}
		require.Empty(t, stopped(m), "an outage stops nothing")
		away.Store(false)
		m.offStore.Store(false)
		require.True(t, w.settle(time.Minute))
		w.leave(m)
		w.verify()
	})
}

//tidemark:proves "a topic is created anew under a running pipeline": 1 5
func TestATopicCreatedAnewUnderAReaderEndsIt(t *testing.T) {
	in(t, func(w *world) {
		t := w.t
		m := w.fed("m", 200)
		w.straight()
		require.NoError(t, w.kafka.DeleteTopic("telemetry"))
		require.NoError(t, w.kafka.CreateTopic("telemetry", partitions, nil))
		w.client.Close() // this one insists on the old topic
		w.client = w.connect()
		time.Sleep(time.Minute)
		require.True(t, m.ended(), "it does not go on as if all were well")
		require.ErrorContains(t, m.err, "telemetry was deleted, or created anew")
		w.produce(100)
		w.leave(w.settled("m"))
		w.verify()
	})
}

// TestTwoProcessesOfOneName: of two members of the same instance id, the one that Kafka fences ends and says so, and the
// other goes on.
//
//tidemark:proves "two processes have the same name in the group": 1 4 5
func TestTwoProcessesOfOneName(t *testing.T) {
	in(t, func(w *world) {
		t := w.t
		first := w.join("m")
		w.produce(200)
		require.True(t, w.settle(time.Minute))
		second := w.join("m")
		for range 20 {
			w.produce(20)
			time.Sleep(time.Second)
		}
		require.True(t, first.ended(), "the one that was there first is fenced")
		require.ErrorContains(t, first.err, "another process uses the instance id m")
		require.ErrorIs(t, first.err, kerr.FencedInstanceID)
		require.False(t, second.ended())
		require.NoError(t, second.Ready())
		require.True(t, w.settle(time.Minute))
		w.leave(second)
		w.verify()
	})
}

// fed joins a member, produces records and waits until it has come to the end of the log.
func (w *world) fed(name string, records int) *member {
	m := w.join(name)
	w.produce(records)
	require.True(w.t, w.settle(time.Minute))
	return m
}

// settled joins a member and waits until it has come to the end of the log.
func (w *world) settled(name string) *member {
	m := w.join(name)
	require.True(w.t, w.settle(time.Minute))
	return m
}

// TestNothingLeansOnWritesThatWereNotAcknowledged: a process dies before ClickHouse has acknowledged anything that it wrote,
// its successor finds those rows and goes on, and the next power cut takes them.
//
//tidemark:proves "a power cut takes what was not acknowledged": 1 3 4
func TestNothingLeansOnWritesThatWereNotAcknowledged(t *testing.T) {
	in(t, func(w *world) {
		t := w.t
		var answers atomic.Bool
		w.model.OnWrite = func() chmodel.Fault {
			if answers.Load() {
				return chmodel.None
			}
			return chmodel.Unanswered
		}
		answers.Store(true)
		w.produce(100)
		first := w.settled("m")
		answers.Store(false)
		w.produce(200)
		time.Sleep(5 * time.Second)
		first.crash()
		answers.Store(true)
		w.leave(w.settled("m"))
		require.NotZero(t, w.model.PowerCut(func(int) int { return 0 }), "something is lost")
		w.verify()
	})
}

// TestEndingWaitsForNoRebalance: a member that ends does not wait for the others, or an operator's grace period would run out.
func TestEndingWaitsForNoRebalance(t *testing.T) {
	in(t, func(w *world) {
		t := w.t
		hung := w.fed("hung", 50)
		hung.pause()
		joins := w.join("joins")
		time.Sleep(time.Second) // by when the group waits for the one that hangs, until its session ends
		began := time.Now()
		w.leave(joins)
		require.Less(t, time.Since(began), 5500*time.Millisecond)
		hung.resume()
		w.leave(hung)
	})
}
