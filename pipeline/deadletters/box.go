package deadletters

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"tidemark/pipeline/source"
)

// Box is the dead-letter topic.
type Box struct {
	Kafka []kgo.Opt // how to reach Kafka
	Topic string
}

// Standing is what became of a letter.
type Standing struct {
	State string // Open, Redriven or Dropped
	By    string // who did it
	At    time.Time
}

// Standings are the letters that are not open any more.
type Standings map[ID]Standing

// Of is what became of the letter.
func (s Standings) Of(id ID) Standing {
	if st, ok := s[id]; ok {
		return st
	}
	return Standing{State: Open}
}

// Each reads the topic to its end and hands each letter that is meant to fn, once, in the order in which they were found. What became
// of each is known by then: the topic is read twice.
func (b *Box) Each(ctx context.Context, f *Filter, fn func(*Letter, Standing) error) error {
	settled, err := b.Standings(ctx)
	if err != nil {
		return err
	}
	seen := map[ID]bool{}
	return b.read(ctx, func(r *kgo.Record) error {
		l, _, ok := parse(r)
		if !ok || l == nil || seen[l.ID] || !f.Means(l) {
			return nil
		}
		seen[l.ID] = true
		return fn(l, settled.Of(l.ID))
	})
}

// Standings reads what became of letters. A letter that was sent again stays so, whatever is said of it later.
func (b *Box) Standings(ctx context.Context) (Standings, error) {
	settled := Standings{}
	err := b.read(ctx, func(r *kgo.Record) error {
		if _, m, ok := parse(r); ok && m != nil && settled[m.id].State != Redriven {
			settled[m.id] = Standing{State: m.state, By: m.by, At: m.at}
		}
		return nil
	})
	return settled, err
}

// read hands every committed record that the topic now has to fn.
func (b *Box) read(ctx context.Context, fn func(*kgo.Record) error) error {
	err := source.ReadTopic(ctx, b.Kafka, b.Topic, fn)
	if errors.Is(err, kerr.UnknownTopicOrPartition) {
		return fmt.Errorf("the topic %s does not exist: tidemark migrate makes it", b.Topic)
	}
	return err
}
