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
	version func() uint32 // another when there is anything new to read
	flights singleflight.Group
	slow    chan struct{} // holds the place of the one panel of the slow sort that is read at a time
	mu      sync.Mutex
	entries map[string]cached
}

type cached struct {
	content content
	version uint32 // when it was about to be read
	until   time.Time
}

func newCache(version func() uint32) *cache {
	return &cache{version: version, entries: map[string]cached{}, slow: make(chan struct{}, 1)}
}

// slowFrom is how seldom a panel is refreshed that counts as slow, and loadTimeout how long any may take, its wait included.
const (
	slowFrom    = time.Minute
	loadTimeout = 2 * time.Minute
)

// get returns what load gave for the key less than fresh ago, or calls it. A caller that leaves does not end it for others. What
// took long is kept for longer, and slow panels are read one at a time, so that a board takes a fraction of ClickHouse at most. If
// there is news that the content does not have yet, again is after how long it will be read.
func (c *cache) get(ctx context.Context, key string, fresh time.Duration, load func(context.Context) (content, error)) (got content, again time.Duration, err error) {
	c.mu.Lock()
	e, ok := c.entries[key]
	c.mu.Unlock()
	if ok && time.Now().Before(e.until) {
		return e.content, c.after(e), nil
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
		begin, version := time.Now(), c.version()
		got, err := load(ctx)
		if err != nil {
			return nil, err
		}
		e := cached{got, version, time.Now().Add(max(fresh, 3*time.Since(begin)))}
		c.put(key, e)
		return e, nil
	})
	select {
	case <-ctx.Done():
		return nil, 0, ctx.Err()
	case r := <-result:
		if r.Err != nil {
			return nil, 0, r.Err
		}
		e := r.Val.(cached) //nolint:forcetypeassert // the flight returns nothing else
		return e.content, c.after(e), nil
	}
}

// after is how long an entry has left, if there is news that it does not have, and else 0.
func (c *cache) after(e cached) time.Duration {
	if e.version == c.version() {
		return 0
	}
	return max(time.Until(e.until), time.Millisecond)
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
