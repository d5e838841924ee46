package worker

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"
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
	flushes := func() (n int) {
		for i := range 20 {
			if w.due(start.Add(time.Duration(i) * interval)) {
				n++
			}
		}
		return n
	}
	require.Equal(t, 20, flushes(), "nothing is left")
	w.folded = 2000
	w.end.Store(1999)
	require.Equal(t, 20, flushes(), "what is left is folded in less than an interval")
	w.end.Store(2001)
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
