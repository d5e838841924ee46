//go:build synctests

package pipeline_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"tidemark/internal/chmodel"
)

// simulation plays a schedule of faults, drawn by seed, against members of the pipeline in a world.
type simulation struct {
	*world
	draws   *rand.Rand
	trial   *trial
	live    []*member
	zombies []*member // cut off from Kafka for good: each has a successor of its name
	named   int
	errors  []*kfake.FaultHandle // of Kafka, that may still be to come

	// Guarded by world.mu.
	calm      bool
	spell     chmodel.Fault // what becomes of every write until spellEnds
	spellEnds time.Time
	readsFail time.Time // until when some reads do
}

// steps is how many faults a schedule has.
const steps = 12

func (s *simulation) run() {
	s.model.OnWrite, s.model.OnRead = s.onWrite, s.onRead
	s.model.Through = func() bool { return s.luck(2) == 0 }
	s.model.Delay = func() time.Duration { return time.Duration(s.luck(40_000)) * time.Millisecond }
	s.model.Add, s.model.AnyReplica = s.build.add, s.build.anyReplica
	s.add()
	for range steps {
		s.during(time.Duration(s.draws.IntN(3000)) * time.Millisecond)
		f := s.draw()
		s.count(f.name)
		if os.Getenv("TEST_LOG") != "" {
			fmt.Println(time.Now().UTC().Format("15:04:05.000"), "FAULT", f.name)
		}
		f.do(s)
		s.tend()
	}
	s.end()
}

// draw draws a fault that is possible now, by weight.
func (s *simulation) draw() fault {
	sum := 0
	for _, f := range faultsThereAre {
		sum += f.weight
	}
	for {
		at := s.draws.IntN(sum)
		for _, f := range faultsThereAre {
			if at -= f.weight; at < 0 {
				if f.possible == nil || f.possible(s) {
					return f
				}
				break
			}
		}
	}
}

func (s *simulation) count(what string) { s.countN(what, 1) }

func (s *simulation) countN(what string, n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.trial.counts[what] += n
}

// onWrite decides what becomes of a write: one in three fails, and all do while a spell lasts.
func (s *simulation) onWrite() chmodel.Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	f := chmodel.None
	switch {
	case s.calm:
	case time.Now().Before(s.spellEnds):
		f = s.spell
	case s.faults.IntN(3) == 0:
		usual := []chmodel.Fault{chmodel.Refused, chmodel.Torn, chmodel.Unanswered, chmodel.Late}
		f = usual[s.faults.IntN(len(usual))]
	}
	if f != chmodel.None {
		s.trial.counts["ClickHouse: "+f.String()]++
	}
	return f
}

func (s *simulation) onRead() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.calm || time.Now().After(s.readsFail) || s.faults.IntN(2) == 0 {
		return nil
	}
	s.trial.counts["ClickHouse: read failed"]++
	return chmodel.OutOfMemory.Err()
}

// seconds draws a time.
func (s *simulation) seconds(from, to int) time.Duration {
	return time.Duration(from*1000+s.draws.IntN((to-from)*1000)) * time.Millisecond
}

// during lets time pass, with traffic.
func (s *simulation) during(d time.Duration) {
	for end := time.Now().Add(d); ; {
		s.produce(1 + s.draws.IntN(12))
		left := time.Until(end)
		if left <= 0 {
			return
		}
		time.Sleep(min(left, s.seconds(0, 6)))
	}
}

// add starts another member.
func (s *simulation) add() *member {
	m := s.join(fmt.Sprintf("m%d", s.named))
	s.named++
	s.live = append(s.live, m)
	return m
}

// tend does what an orchestrator does: it starts what has ended anew.
func (s *simulation) tend() {
	for i, m := range s.live {
		if m.ended() {
			s.requireKnown(m)
			s.count("process ended by itself and was started anew")
			s.live[i] = s.join(m.name)
		}
	}
}

// bow lets a member leave in order, if it has not ended by itself.
func (s *simulation) bow(m *member) {
	m.cancel()
	<-m.over
	if m.err != nil {
		s.requireKnown(m)
	}
}

// requireKnown requires that a member that has ended by itself has said why, in one of the ways that are documented.
func (s *simulation) requireKnown(m *member) {
	require.Error(s.t, m.err, "%s has ended by itself", m.name)
	known := strings.Contains(m.err.Error(), "another process uses the instance id") || strings.Contains(m.err.Error(), "created anew")
	require.True(s.t, known, "%s: %v", m.name, m.err)
}

// restore ends all faults that last.
func (s *simulation) restore() {
	s.mu.Lock()
	s.calm = true
	s.mu.Unlock()
	for _, h := range s.errors {
		h.Remove()
	}
	s.errors = nil
	s.model.CatchUp()
}

// end lets the members come to the end of the log without more faults, and compares.
func (s *simulation) end() {
	s.restore()
	for _, z := range s.zombies {
		z.crash()
	}
	s.arrive()
	for _, m := range s.live {
		s.bow(m)
	}
	for s.model.StillToCome() > 0 {
		time.Sleep(time.Second)
	}
	s.trial.rows = s.verify()
	// Whatever is committed is durable: nothing leans on a write that was not acknowledged.
	s.countN("writes lost with the page cache", s.model.PowerCut(func(int) int { return 0 }))
	differences := s.model.Differences(s.truth)
	require.Empty(s.t, differences, "after a power cut %d rows differ", len(differences))
	s.trial.records, s.trial.loads = s.records, s.loads
}

// arrive waits until everything is committed, with the help of a person where that is documented.
func (s *simulation) arrive() {
	for range 6 {
		if s.settle(time.Minute) {
			return
		}
		s.tend()
		for i, m := range s.live {
			for _, why := range stopped(m) {
				require.Contains(s.t, why, "Is this the database, and the replica", "only a replica that lags too long stops a source here")
				s.count("source stopped and was started anew")
				m.crash()
				s.live[i] = s.join(m.name)
				break
			}
		}
	}
	// kfake starts its rebalance timer anew with every JoinGroup, so that members who time out in turn can wait for each
	// other for ever; Kafka's timer runs on. An empty group cures it.
	s.count("group emptied because of kfake's rebalance timer")
	for _, m := range s.live {
		m.crash()
	}
	s.live = nil
	time.Sleep(2 * time.Minute)
	s.add()
	require.True(s.t, s.settle(5*time.Minute), "the rows of the log do not arrive: %d records are not committed", s.left())
}

// errorOf lets the next requests of a kind fail.
func (s *simulation) errorOf(key kmsg.Key, err *kerr.Error, count int) {
	s.errors = append(s.errors, s.kafka.Fault(kfake.Fault{Keys: []kmsg.Key{key}, Err: err, Count: count}))
}
