package forgotten

import (
	"context"
	"sync/atomic"
	"time"
)

// Watch keeps up with the list. A nil Watch, and one that was not begun, know of nobody.
type Watch struct {
	Read   func(context.Context) (*List, error)
	Every  time.Duration // 0: 10 s, for which forgetting waits
	Failed func(error)   // told of each reading that does not work; it is tried again

	list atomic.Pointer[List]
}

// Begin reads the list, trying until that works or ctx ends.
func (w *Watch) Begin(ctx context.Context) error {
	for w.list.Load() == nil {
		w.read(ctx)
		if w.list.Load() == nil && !w.pause(ctx, time.Second) {
			return ctx.Err()
		}
	}
	return nil
}

// Run reads the list again and again until ctx ends.
func (w *Watch) Run(ctx context.Context) {
	every := w.Every
	if every == 0 {
		every = 10 * time.Second
	}
	for w.pause(ctx, every) {
		w.read(ctx)
	}
}

func (w *Watch) read(ctx context.Context) {
	list, err := w.Read(ctx)
	switch {
	case err == nil:
		w.list.Store(list)
	case ctx.Err() == nil:
		w.Failed(err)
	}
}

func (w *Watch) pause(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}

// Len is how many are on the list, which only grows.
func (w *Watch) Len() int {
	if w == nil {
		return 0
	}
	return w.list.Load().Len()
}

// Account says whether an account is forgotten.
func (w *Watch) Account(id string) bool { return w.Len() > 0 && w.list.Load().Account([]byte(id)) }
