package pipeline

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"tidemark/pipeline/worker"
)

// Status returns where the sources of this instance stand, by topic and partition.
func (p *Pipeline) Status() []worker.Status {
	p.mu.Lock()
	defer p.mu.Unlock()
	all := make([]worker.Status, 0, len(p.workers))
	for _, w := range p.workers {
		all = append(all, w.Status())
	}
	slices.SortFunc(all, func(a, b worker.Status) int {
		if c := strings.Compare(a.ID.Topic, b.ID.Topic); c != 0 {
			return c
		}
		return int(a.ID.Partition - b.ID.Partition)
	})
	return all
}

// Ready returns nil once all topics are there, the group has assigned partitions and every one has recovered, else what is missing.
func (p *Pipeline) Ready() error {
	p.mu.Lock()
	err := missing(p.absent)
	p.mu.Unlock()
	if err != nil {
		return err
	}
	all := p.Status()
	if len(all) == 0 {
		return errors.New("no partitions are assigned yet")
	}
	for _, s := range all {
		switch {
		case s.Stopped != "":
			return fmt.Errorf("stopped: %s", s.Stopped)
		case !s.Folding:
			return errors.New("recovering")
		}
	}
	return nil
}
