package pipeline

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"go.uber.org/zap"
)

// present returns the topics that Kafka has, by the ends of their logs. Those that it has not are noted for Ready, and told
// when they change.
func (p *Pipeline) present(ends kadm.ListedOffsets) (there []string) {
	var absent []string
	for _, name := range p.cfg.TopicNames() {
		const whole = -1 // where kadm tells what is wrong with a topic
		if errors.Is(ends[name][whole].Err, kerr.UnknownTopicOrPartition) {
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
	return there
}

// missing says what to do about topics that Kafka does not have; nil for none.
func missing(topics []string) error {
	if len(topics) == 0 {
		return nil
	}
	return fmt.Errorf("topics %s do not exist: create them with tidemark migrate, or set kafka.topics to those there are; "+
		"they are read as soon as they exist", strings.Join(topics, ", "))
}
