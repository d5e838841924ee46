package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const patience = time.Minute

// collector answers as scripted, then takes everything.
type collector struct {
	*httptest.Server
	mu      sync.Mutex
	script  []http.HandlerFunc
	poison  func(body string) bool
	index   bool // say which message is refused
	taken   []string
	calls   []time.Time
	largest int
}

func newCollector(t *testing.T, script ...http.HandlerFunc) *collector {
	c := &collector{script: script}
	c.Server = httptest.NewServer(c)
	t.Cleanup(c.Close)
	return c
}

func (c *collector) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body) // what is missing is no JSON
	c.mu.Lock()
	defer c.mu.Unlock()
	c.calls = append(c.calls, time.Now())
	if len(c.script) > 0 {
		next := c.script[0]
		c.script = c.script[1:]
		next(w, r)
		return
	}
	var batch struct {
		Batch []struct {
			MessageID string `json:"messageId"`
			Event     string `json:"event"`
		} `json:"batch"`
	}
	if user, _, _ := r.BasicAuth(); user != "key" || json.Unmarshal(body, &batch) != nil {
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	var ids []string
	for i, m := range batch.Batch {
		if c.poison != nil && c.poison(m.Event) {
			w.WriteHeader(http.StatusBadRequest)
			answer := map[string]any{"error": "invalid", "message": "poison"}
			if c.index {
				answer["index"] = i
			}
			_ = json.NewEncoder(w).Encode(answer) // the client sees what is missing
			return
		}
		ids = append(ids, m.MessageID)
	}
	c.largest = max(c.largest, len(ids))
	c.taken = append(c.taken, ids...)
}

func (c *collector) got() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.taken)
}

func answers(code int, header ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		for i := 0; i < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(code)
	}
}

func emitter(t *testing.T, url string, change ...func(*Options)) *Emitter {
	t.Helper()
	o := Options{Transport: HTTP(url, "key"), Dir: t.TempDir(), MaxWait: patience, MinBackoff: time.Millisecond, MaxBackoff: 10 * time.Millisecond, Linger: time.Millisecond}
	for _, f := range change {
		f(&o)
	}
	e, err := Open(o)
	require.NoError(t, err)
	return e
}

func send(t *testing.T, e *Emitter, ids ...string) {
	t.Helper()
	for _, id := range ids {
		require.NoError(t, e.Send(t.Context(), Track{Who: Who{UserID: "ada", MessageID: id}, Event: id}))
	}
}

// closed flushes and requires that nothing is left.
func closed(t *testing.T, e *Emitter) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	left, err := e.Close(ctx)
	require.NoError(t, err)
	require.Zero(t, left)
	require.ErrorIs(t, e.Send(ctx, Track{Who: Who{UserID: "ada", AccountID: "acme"}, Event: "A"}), ErrClosed)
	_, err = e.Close(ctx)
	require.ErrorIs(t, err, ErrClosed)
}

func TestEventsArriveInOrderInBatches(t *testing.T) {
	c := newCollector(t)
	e := emitter(t, c.URL, func(o *Options) { o.Linger = patience; o.BatchEvents = 40 }) // Close does not linger
	var ids []string
	for n := range 100 {
		ids = append(ids, fmt.Sprint(n))
	}
	send(t, e, ids...)
	closed(t, e)
	require.Equal(t, ids, c.got())
	require.Equal(t, 40, c.largest)
	s := e.Stats()
	require.Equal(t, Stats{Accepted: 100, Delivered: 100, Refused: 1}, s)
	require.Empty(t, segments(t, e.options.Dir))
}

func TestTroubleIsRepeated(t *testing.T) {
	c := newCollector(t, answers(503, "Retry-After", "1"), answers(429), answers(401), answers(400), // not the collector's own
		answers(502), func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	e := emitter(t, c.URL)
	send(t, e, "a", "b")
	require.Eventually(t, func() bool { return len(c.got()) == 2 }, patience, time.Millisecond)
	closed(t, e)
	require.Equal(t, []string{"a", "b"}, c.got())
	require.GreaterOrEqual(t, c.calls[1].Sub(c.calls[0]), time.Second, "Retry-After is kept")
	require.EqualValues(t, 6, e.Stats().Retries)
	require.Empty(t, e.Stats().LastError)
}

// TestPoison: a message that the collector refuses is dropped, with and without the collector's word on which it is, and the rest arrives.
func TestPoison(t *testing.T) {
	for _, index := range []bool{true, false} {
		t.Run(fmt.Sprint(index), func(t *testing.T) {
			c := newCollector(t)
			c.index, c.poison = index, func(event string) bool { return strings.HasPrefix(event, "bad") }
			var dropped []string
			var reason error
			e := emitter(t, c.URL, func(o *Options) {
				o.Linger = patience
				o.Dropped = func(e Event, why error) { dropped, reason = append(dropped, e.ID), why }
			})
			send(t, e, "bad1", "a", "b", "bad2", "c", "d", "e", "bad3")
			closed(t, e)
			require.Equal(t, []string{"a", "b", "c", "d", "e"}, c.got())
			require.Equal(t, []string{"bad1", "bad2", "bad3"}, dropped)
			require.ErrorContains(t, reason, "poison")
			require.EqualValues(t, 3, e.Stats().Dropped)
			require.EqualValues(t, 5, e.Stats().Delivered)
		})
	}
}

// TestDown: while the collector is down events are spooled until there is no room, Send says so within its bound, Close says what is
// left, and the next emitter sends it.
func TestDown(t *testing.T) {
	c := newCollector(t)
	dir := t.TempDir()
	down := func(o *Options) {
		o.Dir, o.MaxDisk, o.MaxWait = dir, 1<<20, 300*time.Millisecond
	}
	e := emitter(t, "http://127.0.0.1:1", down)
	var accepted []string
	for n := 0; ; n++ {
		id := fmt.Sprint(n)
		err := e.Send(t.Context(), Track{Who: Who{UserID: "ada", MessageID: id}, Event: "A", Properties: map[string]any{"p": strings.Repeat("x", 8<<10)}})
		if err == nil {
			accepted = append(accepted, id)
		} else if require.ErrorIs(t, err, ErrFull); e.Stats().DiskBytes > 1<<20-10<<10 { // a slow disk is another reason
			break
		}
		require.Less(t, n, 10_000)
	}
	require.NotEmpty(t, accepted)
	require.NotZero(t, e.Stats().Refused)
	require.LessOrEqual(t, e.Stats().DiskBytes, int64(1<<20))
	require.Zero(t, e.Stats().MemoryBytes, "what was refused is not kept")
	require.Eventually(t, func() bool { return strings.Contains(e.Stats().LastError, "refused") }, patience, time.Millisecond)
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, e.Send(cancelled, Page{Who: Who{UserID: "ada"}, Properties: map[string]any{"p": strings.Repeat("x", 30<<10)}}), context.Canceled)
	left, err := e.Close(cancelled)
	require.ErrorIs(t, err, context.Canceled)
	require.ErrorContains(t, err, "events are left in "+dir)
	require.GreaterOrEqual(t, left, len(accepted))

	e = emitter(t, c.URL, func(o *Options) { o.Dir = dir })
	closed(t, e)
	require.EqualValues(t, left, e.Stats().Delivered, "the last process's, and nothing else")
	require.Subset(t, c.got(), accepted)
	require.Len(t, c.got(), left)
}

// TestSlow: a collector that does not answer holds up neither Send nor, beyond its context, Close.
func TestSlow(t *testing.T) {
	hung := make(chan struct{})
	c := newCollector(t, func(_ http.ResponseWriter, r *http.Request) { close(hung); <-r.Context().Done() })
	e := emitter(t, c.URL)
	send(t, e, "a")
	<-hung
	send(t, e, "b", "c")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	left, err := e.Close(ctx)
	require.ErrorIs(t, err, context.Canceled)
	require.Equal(t, 3, left)
}

// TestMemoryIsBounded: while the disk does not answer, the memory in front of the spool fills up, and the rest is refused.
func TestMemoryIsBounded(t *testing.T) {
	c := newCollector(t)
	e := emitter(t, c.URL, func(o *Options) { o.MaxMemory = 4 << 10; o.MaxWait = patience })
	e.spool.mu.Lock() // as a write that hangs
	var group sync.WaitGroup
	results := make(chan error, 100)
	ctx, cancel := context.WithCancel(t.Context())
	for range cap(results) {
		group.Go(func() {
			results <- e.Send(ctx, Track{Who: Who{UserID: "ada"}, Event: "A", Properties: map[string]any{"p": strings.Repeat("x", 1<<10)}})
		})
	}
	require.Eventually(t, func() bool { return len(results) >= 90 }, patience, time.Millisecond, "refused at once")
	e.mu.Lock()
	require.LessOrEqual(t, e.memory, int64(4<<10))
	e.mu.Unlock()
	cancel()
	group.Wait()
	e.spool.mu.Unlock()
	close(results)
	for err := range results {
		require.True(t, errors.Is(err, ErrFull) || errors.Is(err, context.Canceled), "%v", err)
	}
	closed(t, e)
}

func TestOptions(t *testing.T) {
	ok := HTTP("http://127.0.0.1:1", "")
	for want, o := range map[string]Options{
		"use HTTP or Kafka": {Dir: t.TempDir()},
		"name a directory":  {Transport: ok},
		"needs 1 MiB":       {Transport: ok, Dir: t.TempDir(), MaxDisk: 5},
		"at most 1 MiB":     {Transport: ok, Dir: t.TempDir(), MaxEvent: 1 << 21},
		"negative":          {Transport: ok, Dir: t.TempDir(), MaxWait: -1},
	} {
		_, err := Open(o)
		require.ErrorContains(t, err, want)
	}
	e := emitter(t, "http://127.0.0.1:1", func(o *Options) { o.MaxEvent = 1000 })
	require.ErrorIs(t, e.Send(t.Context(), Page{Who: Who{UserID: "ada"}, Name: strings.Repeat("x", 1000)}), ErrInvalid)
	require.ErrorIs(t, e.Send(t.Context(), Track{}), ErrInvalid)
	closed(t, e)
}

func TestRetryAfter(t *testing.T) {
	require.Equal(t, 7*time.Second, retryAfter("7"))
	require.Zero(t, retryAfter("soon"))
	require.InDelta(t, time.Hour, retryAfter(time.Now().Add(time.Hour).UTC().Format(http.TimeFormat)), float64(time.Minute))
}
