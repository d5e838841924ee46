package rollup

import (
	"slices"

	"github.com/cespare/xxhash/v2"
)

// maxEvicted bounds what is remembered of a tier's evicted windows, at some 5 MB: half a day's minutes of 200 accounts. The
// oldest are forgotten first.
const maxEvicted = 1 << 17

// evicted knows which windows of a tier have rows though they are not in memory, so that a late event's window is loaded
// only where there is something to load.
type evicted struct {
	since   int64 // Unix seconds; of windows that start earlier nothing is known
	windows map[evictedKey]struct{}
}

type evictedKey struct {
	account uint64 // hash; two accounts that share one are loaded in vain now and then
	start   int64
}

func keyOf(account string, start int64) evictedKey {
	return evictedKey{xxhash.Sum64String(account), start}
}

// mayExist reports whether a window that is not in memory may have rows.
func (e *evicted) mayExist(account string, start int64) bool {
	if start < e.since {
		return true
	}
	_, was := e.windows[keyOf(account, start)]
	return was
}

func (e *evicted) add(account string, start int64) {
	if start < e.since {
		return
	}
	if e.windows == nil {
		e.windows = map[evictedKey]struct{}{}
	}
	e.windows[keyOf(account, start)] = struct{}{}
	if len(e.windows) > maxEvicted {
		e.forget()
	}
}

// forget drops the older half.
func (e *evicted) forget() {
	starts := make([]int64, 0, len(e.windows))
	for k := range e.windows {
		starts = append(starts, k.start)
	}
	slices.Sort(starts)
	e.since = starts[len(starts)/2] + 1
	for k := range e.windows {
		if k.start < e.since {
			delete(e.windows, k)
		}
	}
}
