package worker

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"tidemark/pipeline/source"
)

func megabyte() []*kgo.Record { return []*kgo.Record{{Value: make([]byte, 1<<20-recordOverhead)}} }

func TestOneSlowSourceLeavesRoomForTheOthers(t *testing.T) {
	room := NewRoom(8 << 20)
	events := []string{}
	source := func(name string) *queue {
		q := newQueue(room, func() { events = append(events, "pause "+name) }, func() { events = append(events, "resume "+name) })
		q.open()
		return q
	}
	slow, other := source("slow"), source("other")
	for range 5 {
		slow.put(megabyte())
	}
	require.Equal(t, []string{"resume slow", "resume other", "pause slow"}, events, "it holds more than half")
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	for range 100 { // the others are read on
		other.put(megabyte())
		room.Wait(t.Context())
		require.Len(t, other.get(), 1)
	}
	for range 3 {
		slow.get()
	}
	require.Equal(t, "resume slow", events[len(events)-1])

	for range 6 {
		other.put(megabyte())
	}
	waited := make(chan struct{})
	go func() { room.Wait(t.Context()); close(waited) }()
	room.Wait(ended) // full, but nobody waits for ever
	select {
	case <-waited:
		t.Fatal("there was no room")
	default:
	}
	slow.close()
	<-waited
	slow.put(megabyte())
	require.Nil(t, slow.get(), "a source that has ended takes no more")
	other.close()
	require.Zero(t, room.used)
}

func TestASourceThatIsBehindFlushesLessOften(t *testing.T) {
	const interval = 500 * time.Millisecond
	w := &Worker{
		Config: Config{FlushInterval: interval, Backlog: NewBacklog(1000)}, core: NewCore(spec(t, Telemetry), 0),
		queue: newQueue(NewRoom(1<<30), func() {}, func() {}),
	}
	start := time.Unix(1_700_000_000, 0)
	folds := 0 // in an interval
	flushes := func() (n int) {
		for i := range 20 {
			w.folded = folds
			if w.due(start.Add(time.Duration(i) * interval)) {
				n++
			}
		}
		return n
	}
	require.Equal(t, 20, flushes(), "nothing is left")
	folds = 2000
	w.end.Store(7999)
	require.Equal(t, 20, flushes(), "what is left is folded in less than four intervals")
	w.end.Store(4000)
	for range 2 { // none of which it folds in
		require.True(t, w.due(start.Add(19*interval)), "as much is left as comes in two intervals, in which it stalled")
	}
	folds = 2000
	w.end.Store(8001)
	require.Equal(t, 2, flushes())
	w.Backlog.add(1000)
	require.Equal(t, 20, flushes(), "as many rows wait as are written without waiting")
	require.Equal(t, 300*time.Millisecond, w.untilTick(start.Add(200*time.Millisecond)), "all sources flush at the same moments")
}

func TestAFullBacklogIsToldOnce(t *testing.T) {
	b := NewBacklog(1000)
	told := func(full <-chan struct{}) bool {
		select {
		case <-full:
			return true
		default:
			return false
		}
	}
	full := b.Full()
	b.add(999)
	require.False(t, told(full) || b.IsFull())
	b.add(1)
	require.True(t, told(full) && b.IsFull() && !b.Over())
	full = b.Full()
	b.add(1000)
	require.False(t, told(full), "who flushes has been told")
	require.True(t, b.Over())
	b.add(-2000)
	b.add(1000)
	require.True(t, told(full))
}

// A round waits for a source that has something to flush and is late, not for one that has nothing, and not for ever.
func TestARoundWaitsForWhoIsLate(t *testing.T) {
	const interval = 400 * time.Millisecond
	of := func(n int32, behind bool) *request {
		return &request{id: source.ID{Topic: "telemetry", Partition: n}, behind: behind}
	}
	for name, c := range map[string]struct {
		waits  []int32 // have something to flush
		late   time.Duration
		behind bool
		round  int
		took   time.Duration
	}{
		"nobody else has anything":          {round: 1},
		"it has folded on itself":           {waits: []int32{0}, round: 1},
		"one is late":                       {waits: []int32{1}, late: 42 * time.Millisecond, round: 2, took: 45 * time.Millisecond},
		"one is too late":                   {waits: []int32{1}, late: 142 * time.Millisecond, round: 1, took: 100 * time.Millisecond},
		"one is late, another does not ask": {waits: []int32{1, 2}, late: 42 * time.Millisecond, round: 2, took: 145 * time.Millisecond},
		"in no hurry":                       {behind: true, late: 142 * time.Millisecond, round: 2, took: 345 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := NewFlusher(nil, nil, interval, NewBacklog(1000), nil, nil, nil)
				for _, n := range c.waits {
					f.backlog.wait(of(n, false).id, true)
				}
				if c.late > 0 {
					time.AfterFunc(c.late, func() {
						second := of(1, c.behind)
						f.in <- second
						f.backlog.wait(second.id, false)
					})
				}
				began := time.Now()
				require.Len(t, f.joining(t.Context(), of(0, c.behind)), c.round)
				require.Equal(t, c.took, time.Since(began))
				time.Sleep(time.Second) // the late one may still be to come
			})
		})
	}
}
