package clickhouse

import (
	"context"
	"fmt"
	"maps"
	"math"
	"slices"
	"sync"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"golang.org/x/sync/errgroup"
)

// joining is how long a load of open windows waits for another source's to join it. Those of one instance come within
// milliseconds, when its partitions are assigned.
const joining = 50 * time.Millisecond

// openings are the loads of open windows that are not yet asked for. Sources that recover at the same time share one: the
// table's key begins with the account, so a query for one source reads the rows of all.
type openings struct {
	mu   sync.Mutex
	next *opening // that a source may join; nil = there is none
}

// opening is one load of the open windows of some sources.
type opening struct {
	watermarks map[string]int64 // Unix ms, by source
	begin      *time.Timer      // asks, when nobody has joined for a while
	cancel     context.CancelFunc
	waiting    int           // callers; when the last gives up, so does the load
	done       chan struct{} // closed when rows and err are there
	rows       map[string]*Counters
	err        error
}

// OpenCounters loads the counters of a source in every window that holds the watermark, in Unix ms, or starts later.
func (c *Client) OpenCounters(ctx context.Context, source string, watermark int64) (*Counters, error) {
	o := c.join(ctx, source, watermark)
	select {
	case <-o.done:
		if o.err != nil {
			return nil, fmt.Errorf("load the open windows of %s: %w", source, o.err)
		}
		return o.rows[source], nil
	case <-ctx.Done():
		c.openings.mu.Lock()
		defer c.openings.mu.Unlock()
		if o.waiting--; o.waiting == 0 {
			o.cancel()
		}
		return nil, ctx.Err()
	}
}

// join adds a source to the next load.
func (c *Client) join(ctx context.Context, source string, watermark int64) *opening {
	c.openings.mu.Lock()
	defer c.openings.mu.Unlock()
	o := c.openings.next
	if o != nil && o.waiting > 0 && !o.has(source) && o.begin.Stop() {
		o.begin.Reset(joining)
		o.watermarks[source], o.waiting = watermark, o.waiting+1
		return o
	}
	o = &opening{watermarks: map[string]int64{source: watermark}, waiting: 1, done: make(chan struct{})}
	life, cancel := context.WithCancel(context.WithoutCancel(ctx)) // the source that came first may leave
	o.cancel = cancel
	o.begin = time.AfterFunc(joining, func() { c.load(life, o) })
	c.openings.next = o
	return o
}

func (o *opening) has(source string) bool {
	_, ok := o.watermarks[source]
	return ok
}

// load asks for the open windows of all that have joined.
func (c *Client) load(ctx context.Context, o *opening) {
	c.openings.mu.Lock()
	if c.openings.next == o {
		c.openings.next = nil
	}
	c.openings.mu.Unlock()
	defer close(o.done)
	defer o.cancel()
	sources := slices.Sorted(maps.Keys(o.watermarks))
	var tiers [len(Tiers)]map[string]*Counters
	group, ctx := errgroup.WithContext(ctx)
	for i, tier := range Tiers { // at once: to read a million rows takes a core a second
		rows := make(map[string]*Counters, len(sources))
		from, first := make(map[string]int64, len(sources)), int64(math.MaxInt64)
		for s, watermark := range o.watermarks {
			rows[s], from[s] = &Counters{}, tier.Start(max(watermark, 0))
			first = min(first, from[s])
		}
		into := func(source string, start int64) *Counters {
			if start < from[source] {
				return nil
			}
			return rows[source]
		}
		tiers[i] = rows
		group.Go(func() error {
			return c.counters(ctx, sources, tier, into, `window_start >= toDateTime({start:Int64}, 'UTC')`, clickhouse.Named("start", first))
		})
	}
	if o.err = group.Wait(); o.err != nil {
		return
	}
	o.rows = make(map[string]*Counters, len(sources))
	for _, s := range sources {
		o.rows[s] = &Counters{}
		for _, rows := range tiers {
			o.rows[s].appendAll(rows[s])
		}
	}
}
