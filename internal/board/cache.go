package board

import (
	"context"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"
)

// maxCached bounds the contents that are kept, whatever is asked for: a page of a big table is some 100 KB.
const maxCached = 256

// cache lets viewers of the same panel share what was read, so that ClickHouse's work does not grow with their number.
type cache struct {
	flights singleflight.Group
	slow    chan struct{} // holds the place of the one panel of the slow sort that is read at a time
	mu      sync.Mutex
	entries map[string]cached
}

type cached struct {
	content content
	until   time.Time
}

func newCache() *cache { return &cache{entries: map[string]cached{}, slow: make(chan struct{}, 1)} }

// slowFrom is how seldom a panel is refreshed that counts as slow, and loadTimeout how long any may take, its wait included.
const (
	slowFrom    = time.Minute
	loadTimeout = 2 * time.Minute
)

// get returns what load gave for the key less than fresh ago, or calls it. A caller that leaves does not end it for others. What
// took long is kept for longer, and slow panels are read one at a time, so that a board takes a fraction of ClickHouse at most.
func (c *cache) get(ctx context.Context, key string, fresh time.Duration, load func(context.Context) (content, error)) (content, error) {
	c.mu.Lock()
	e, ok := c.entries[key]
	c.mu.Unlock()
	if ok && time.Now().Before(e.until) {
		return e.content, nil
	}
	result := c.flights.DoChan(key, func() (any, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), loadTimeout)
		defer cancel()
		if fresh >= slowFrom {
			select {
			case c.slow <- struct{}{}:
				defer func() { <-c.slow }()
			case <-ctx.Done():
				return nil, ctx.Err()
			}
		}
		begin := time.Now()
		got, err := load(ctx)
		if err == nil {
			c.put(key, cached{got, time.Now().Add(max(fresh, 3*time.Since(begin)))})
		}
		return got, err
	})
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case r := <-result:
		if r.Err != nil {
			return nil, r.Err
		}
		return r.Val.(content), nil //nolint:forcetypeassert // load returns nothing else
	}
}

func (c *cache) put(key string, e cached) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.entries) >= maxCached {
		now := time.Now()
		for k, old := range c.entries {
			if now.After(old.until) {
				delete(c.entries, k)
			}
		}
		if len(c.entries) >= maxCached {
			clear(c.entries)
		}
	}
	c.entries[key] = e
}
