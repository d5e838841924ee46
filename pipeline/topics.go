package pipeline

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kerr"
	"go.uber.org/zap"
)

// present asks Kafka which of the topics it has. Those that it has not are noted for Ready, and told when they change.
func (p *Pipeline) present(ctx context.Context) (there []string, err error) {
	names := make([]string, len(p.cfg.Topics))
	for i, t := range p.cfg.Topics {
		names[i] = t.Name
	}
	all, err := p.broker.Admin.ListTopics(ctx, names...)
	if err != nil {
		return nil, err
	}
	var absent []string
	for _, name := range names {
		if d, ok := all[name]; !ok || errors.Is(d.Err, kerr.UnknownTopicOrPartition) {
			absent = append(absent, name)
		} else {
			there = append(there, name)
		}
	}
	p.mu.Lock()
	news := !slices.Equal(p.absent, absent)
	p.absent = absent
	p.mu.Unlock()
	if err := missing(absent); err != nil && news {
		p.cfg.Log.Error("topics are missing", zap.Error(err))
	}
	return there, nil
}

// missing says what to do about topics that Kafka does not have; nil for none.
func missing(topics []string) error {
	if len(topics) == 0 {
		return nil
	}
	return fmt.Errorf("topics %s do not exist: create them with tidemark migrate, or set kafka.topics to those there are; "+
		"they are read as soon as they exist", strings.Join(topics, ", "))
}
