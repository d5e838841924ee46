package board

import (
	"context"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"net/http"
	"sync"
	"time"

	"go.uber.org/zap"
)

// tick tells the pages that something is new, and how far it is complete.
type tick struct {
	CompleteTo map[string]time.Time `json:"complete_to"` // by topic
	Main       string               `json:"main"`        // the topic that most pages are about
	Version    uint32               `json:"version"`     // another when there is anything new; it says no more, to no tenant
}

// beat is how often a stream says that it is alive though nothing is new. Pages take twice as long a silence for a break.
const beat = 5 * time.Second

// hub asks ClickHouse for what is new, once for all viewers and only while there are any.
type hub struct {
	store *store
	main  string
	every time.Duration
	log   *zap.Logger

	mu      sync.Mutex
	last    tick
	viewers map[chan tick]bool
	wake    chan struct{} // the first viewer has come
}

func newHub(s *store, main string, every time.Duration, log *zap.Logger) *hub {
	return &hub{store: s, main: main, every: every, log: log, viewers: map[chan tick]bool{}, wake: make(chan struct{}, 1)}
}

// run asks until ctx ends.
func (h *hub) run(ctx context.Context) {
	for ctx.Err() == nil {
		if h.watched() {
			h.look(ctx)
		}
		wait := time.After(h.every)
		if !h.watched() {
			wait = nil
		}
		select {
		case <-ctx.Done():
		case <-wait:
		case <-h.wake:
		}
	}
}

// version is that of the last tick.
func (h *hub) version() uint32 {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.last.Version
}

func (h *hub) watched() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.viewers) > 0
}

// look reads, and tells every viewer what it read. While ClickHouse does not answer nothing is told, and pages say so.
func (h *hub) look(ctx context.Context) {
	rows, err := read[struct {
		Topic      string    `ch:"topic"`
		CompleteTo time.Time `ch:"complete_to"`
		Positions  uint64    `ch:"positions"`
	}](ctx, h.store, "live", nil)
	if err != nil {
		if ctx.Err() == nil {
			h.log.Warn("the board is not live", zap.Error(err))
		}
		return
	}
	t := tick{CompleteTo: map[string]time.Time{}, Main: h.main}
	seen := fnv.New32a()
	for _, r := range rows {
		t.CompleteTo[r.Topic] = r.CompleteTo
		fmt.Fprintln(seen, r.Topic, r.Positions)
	}
	t.Version = seen.Sum32()
	h.mu.Lock()
	defer h.mu.Unlock()
	h.last = t
	for v := range h.viewers {
		select {
		case v <- t:
		default: // it has not taken the last one yet, and will ask for everything when it does
		}
	}
}

func (h *hub) enter() chan tick {
	ch := make(chan tick, 1)
	h.mu.Lock()
	defer h.mu.Unlock()
	h.viewers[ch] = true
	select {
	case h.wake <- struct{}{}:
	default:
	}
	return ch
}

func (h *hub) leave(ch chan tick) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.viewers, ch)
}

// serve streams: "tick" when something is new, "beat" when ClickHouse was asked and nothing was. A stream that is silent for
// longer is one whose ClickHouse does not answer.
func (h *hub) serve(w http.ResponseWriter, r *http.Request) {
	header := w.Header()
	header.Set("Content-Type", "text/event-stream")
	header.Set("Cache-Control", "no-store")
	header.Set("X-Accel-Buffering", "no") // nginx would gather it
	out := http.NewResponseController(w)
	say := func(event string, data any) error {
		text, err := json.Marshal(data)
		if err != nil {
			return err
		}
		_ = out.SetWriteDeadline(time.Now().Add(2 * beat)) // where it cannot be set, the connection's own end has to do
		if _, err := fmt.Fprintf(w, "event: %s\ndata: %s\n\n", event, text); err != nil {
			return err
		}
		return out.Flush()
	}
	if _, err := fmt.Fprint(w, "retry: 2000\n\n"); err != nil || out.Flush() != nil {
		return
	}
	news := h.enter()
	defer h.leave(news)
	var told tick
	var toldAt time.Time
	for {
		select {
		case <-r.Context().Done():
			return
		case t := <-news:
			event := "tick"
			if !toldAt.IsZero() && t.Version == told.Version {
				if time.Since(toldAt) < beat {
					continue
				}
				event = "beat"
			}
			if say(event, t) != nil {
				return
			}
			told, toldAt = t, time.Now()
		}
	}
}
