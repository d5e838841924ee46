package worker

import (
	"sync"

	"tidemark/pipeline/source"
)

// Backlog counts the rows that all sources of an instance have to write. When there are as many as are written without
// waiting, all sources flush, so that their rows go into one insert; with twice as many none folds on. It is safe for
// concurrent use.
type Backlog struct {
	most int

	mu    sync.Mutex
	rows  int
	waits map[source.ID]bool // sources that have something to flush that is not on its way
	full  chan struct{}      // closed, and made anew, when there are most
}

// NewBacklog returns an empty backlog for that many rows.
func NewBacklog(most int) *Backlog {
	return &Backlog{most: most, waits: map[source.ID]bool{}, full: make(chan struct{})}
}

// Full returns a channel that is closed when the backlog becomes full the next time.
func (b *Backlog) Full() <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.full
}

// IsFull reports whether there are as many rows as are written without waiting.
func (b *Backlog) IsFull() bool { return b.reaches(b.most) }

// Over reports whether there are so many rows that no more should come.
func (b *Backlog) Over() bool { return b.reaches(2 * b.most) }

// waitsBeside reports whether a source has something to flush that is not on its way, other than those of the requests.
func (b *Backlog) waitsBeside(round []*request) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	n := len(b.waits)
	for _, r := range round {
		if b.waits[r.id] {
			n--
		}
	}
	return n > 0
}

// wait takes note of whether a source has something to flush that is not on its way.
func (b *Backlog) wait(id source.ID, waits bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if waits {
		b.waits[id] = true
	} else {
		delete(b.waits, id)
	}
}

func (b *Backlog) reaches(rows int) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.rows >= rows
}

func (b *Backlog) add(rows int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	before := b.rows
	b.rows += rows
	if before < b.most && b.rows >= b.most {
		close(b.full)
		b.full = make(chan struct{})
	}
}
