//go:build synctests

package pipeline_test

import (
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"tidemark/internal/chmodel"
)

// fault is one kind of fault of the schedule; the faults of single writes are beside it.
type fault struct {
	name     string
	weight   int
	do       func(s *simulation)
	possible func(s *simulation) bool // nil = always
}

var faultsThereAre = []fault{
	{name: "member joins", weight: 3, do: func(s *simulation) { s.add() }, possible: func(s *simulation) bool { return len(s.live) < 3 }},
	{name: "member leaves", weight: 2, do: func(s *simulation) {
		s.bow(s.live[0])
		s.live = s.live[1:]
	}, possible: func(s *simulation) bool { return len(s.live) > 1 }},
	{name: "kill", weight: 3, do: func(s *simulation) {
		s.live[0].crash()
		s.live[0] = s.join(s.live[0].name) // as an orchestrator would
	}},
	{name: "zombie beside its successor", weight: 2, do: func(s *simulation) { // longer than the session: it goes on with what it has
		s.zombies = append(s.zombies, s.live[0])
		s.live[0].cut()
		s.live[0] = s.join(s.live[0].name)
		s.during(s.seconds(0, 12))
	}},
	{name: "cut off from Kafka and back", weight: 2, do: func(s *simulation) { // often longer than the session
		s.live[0].cut()
		s.during(s.seconds(1, 18))
		s.live[0].offKafka.Store(false)
	}},
	{name: "pause beyond the session", weight: 3, do: pauseOne},
	{name: "all clocks jump forward", weight: 1, do: func(s *simulation) { // a machine that was suspended: every deadline has passed at once
		for _, m := range s.live {
			m.pause()
		}
		time.Sleep(s.seconds(60, 600))
		for _, m := range s.live {
			m.resume()
		}
	}},
	{name: "producer's clock jumps", weight: 2, do: func(s *simulation) { s.skew = s.seconds(-10_000, 10_000) }},
	{name: "leaders move", weight: 3, do: func(s *simulation) {
		for n := range s.partitions {
			if s.draws.IntN(2) == 0 {
				require.NoError(s.t, s.kafka.MoveTopicPartition("telemetry", n, int32(s.draws.IntN(nodes))))
			}
		}
	}},
	{name: "coordinator moves", weight: 2, do: func(s *simulation) { s.kafka.RehashCoordinators() }},
	{name: "broker answers with errors", weight: 4, do: brokerErrors},
	{name: "connections to the broker are cut", weight: 2, do: func(s *simulation) {
		for _, key := range []kmsg.Key{kmsg.Fetch, kmsg.OffsetCommit, kmsg.Heartbeat} {
			if s.draws.IntN(2) == 0 {
				s.kafka.ControlKey(int16(key), func(kmsg.Request) (kmsg.Response, error, bool) { return nil, errCut, true })
			}
		}
	}},
	{name: "partition added", weight: 1, do: func(s *simulation) {
		// Not CreatePartitions, which lists the topic first and so meets the faults that were set for members.
		updated, err := kadm.NewClient(s.client).UpdatePartitions(s.ctx, int(s.partitions)+1, "telemetry")
		require.NoError(s.t, err)
		require.NoError(s.t, updated.Error())
		s.partitions++
	}, possible: func(s *simulation) bool { return s.partitions < 5 }},
	{name: "topic created anew", weight: 1, do: recreate},
	{name: "dead letters topic down", weight: 2, do: func(s *simulation) {
		down := s.kafka.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Topic: "dead", Err: kerr.NotEnoughReplicas, Count: -1})
		s.during(s.seconds(1, 12))
		down.Remove()
	}},
	{name: "ClickHouse read-only for a while", weight: 1, do: spell(chmodel.ReadOnly, 15)},
	{name: "ClickHouse has too many parts for a while", weight: 1, do: spell(chmodel.TooManyParts, 15)},
	{name: "ClickHouse out of memory for a while", weight: 1, do: spell(chmodel.OutOfMemory, 15)},
	{name: "ClickHouse slow for a while", weight: 1, do: spell(chmodel.Slow, 3)},
	{name: "ClickHouse fails reads for a while", weight: 2, do: func(s *simulation) {
		s.mu.Lock()
		s.readsFail = time.Now().Add(20 * time.Second)
		s.mu.Unlock()
		s.live[0].crash()
		s.live[0] = s.join(s.live[0].name)
	}},
	{name: "power cut", weight: 3, do: func(s *simulation) {
		s.countN("writes lost with the page cache", s.model.PowerCut(func(unsynced int) int { return s.luck(unsynced + 1) }))
	}},
	{name: "stale replica", weight: 3, do: func(s *simulation) {
		s.model.Lag(s.draws.IntN(12))
		if s.draws.IntN(2) == 0 { // someone has to recover from it
			s.live[0].crash()
			s.live[0] = s.join(s.live[0].name)
		}
		s.during(s.seconds(1, 12))
		s.model.CatchUp()
	}},
}

// pauseOne stops a member for longer than its session. Meanwhile others take over: members that are there, or one that an
// orchestrator started under its name. Then it wakes up and writes on.
func pauseOne(s *simulation) {
	m := s.live[0]
	if len(s.live) == 1 {
		s.add()
	}
	m.pause()
	if s.draws.IntN(3) == 0 {
		s.zombies = append(s.zombies, m)
		s.live[0] = s.join(m.name)
	}
	s.during(s.seconds(11, 18))
	m.resume()
}

// brokerErrors lets some requests fail that a failover lets fail; with REQUEST_TIMED_OUT a commit is made all the same.
func brokerErrors(s *simulation) {
	kinds := []struct {
		key kmsg.Key
		err *kerr.Error
	}{
		{kmsg.Fetch, kerr.NotLeaderForPartition},
		{kmsg.Fetch, kerr.UnknownLeaderEpoch},
		{kmsg.ListOffsets, kerr.NotLeaderForPartition},
		{kmsg.Metadata, kerr.LeaderNotAvailable},
		{kmsg.OffsetCommit, kerr.RequestTimedOut},
		{kmsg.OffsetCommit, kerr.NotCoordinator},
		{kmsg.OffsetCommit, kerr.CoordinatorLoadInProgress},
		{kmsg.OffsetFetch, kerr.CoordinatorLoadInProgress},
		{kmsg.OffsetFetch, kerr.NotCoordinator},
		{kmsg.Heartbeat, kerr.CoordinatorNotAvailable},
		{kmsg.JoinGroup, kerr.CoordinatorLoadInProgress},
		{kmsg.Produce, kerr.NotLeaderForPartition},
	}
	for range 1 + s.draws.IntN(3) {
		k := kinds[s.draws.IntN(len(kinds))]
		s.errorOf(k.key, k.err, 1+s.draws.IntN(4))
	}
}

// spell lets all writes fail in one way for up to so many seconds.
func spell(f chmodel.Fault, seconds int) func(*simulation) {
	return func(s *simulation) {
		length := s.seconds(1, seconds)
		s.mu.Lock()
		s.spell, s.spellEnds = f, time.Now().Add(length)
		s.mu.Unlock()
		s.during(length)
	}
}

// recreate deletes the topic and creates it anew under the members that read it. What they had not read of it is gone, so
// it lets them come to its end first.
func recreate(s *simulation) {
	s.restore()
	s.arrive()
	s.straight()
	require.NoError(s.t, s.kafka.DeleteTopic("telemetry"))
	time.Sleep(s.seconds(0, 3))
	require.NoError(s.t, s.kafka.CreateTopic("telemetry", partitions, nil))
	s.partitions = partitions
	s.client.Close() // this one insists on the old topic
	s.client = s.connect()
	s.during(s.seconds(5, 15))
	s.mu.Lock()
	s.calm = false
	s.mu.Unlock()
}
