package triggers

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/zap"

	"tidemark/pipeline/source"
)

// Leader finds which of several processes judges: the member of a Kafka consumer group that has partition 0 of a topic. Nothing
// is consumed. A process that dies loses the partition after the session timeout, and another gets it.
type Leader struct {
	Kafka []kgo.Opt // how to reach Kafka, and the session timeout
	Group string
	Topic string // any one that is there
	Log   *zap.Logger
}

// Run calls lead whenever this process has become the leader, with a context that ends when it no longer is, until ctx ends.
// A lead that returns ErrDeposed is called again while the partition is still this process's.
func (l *Leader) Run(ctx context.Context, lead func(context.Context) error) error {
	turns := make(chan bool, 64)
	var once sync.Mutex
	mine := false
	set := func(now bool) {
		once.Lock()
		defer once.Unlock()
		if mine != now {
			mine = now
			select {
			case turns <- now:
			case <-ctx.Done():
			}
		}
	}
	life, cut := context.WithCancel(context.WithoutCancel(ctx))
	defer cut()
	has := func(m map[string][]int32) bool { return slices.Contains(m[l.Topic], 0) }
	client, err := kgo.NewClient(append(slices.Clone(l.Kafka), kgo.WithContext(life),
		kgo.ConsumerGroup(l.Group), kgo.ConsumeTopics(l.Topic), kgo.DisableAutoCommit(), kgo.ConsumeResetOffset(kgo.NewOffset().AtEnd()),
		kgo.OnPartitionsAssigned(func(_ context.Context, _ *kgo.Client, m map[string][]int32) {
			if has(m) {
				set(true)
			}
		}),
		kgo.OnPartitionsRevoked(func(_ context.Context, _ *kgo.Client, m map[string][]int32) {
			if has(m) {
				set(false)
			}
		}),
		kgo.OnPartitionsLost(func(_ context.Context, _ *kgo.Client, m map[string][]int32) {
			if has(m) {
				set(false)
			}
		}),
	)...)
	if err != nil {
		return fmt.Errorf("connect to Kafka: %w", err)
	}
	defer source.Leave(client.Close, cut)
	client.PauseFetchTopics(l.Topic)
	return l.turns(ctx, turns, lead)
}

// turns begins and ends reigns as the partition comes and goes.
func (l *Leader) turns(ctx context.Context, turns <-chan bool, lead func(context.Context) error) error {
	var stop context.CancelFunc = func() {}
	var done chan error
	finish := func() error {
		stop()
		if done == nil {
			return nil
		}
		err := <-done
		done = nil
		if errors.Is(err, ErrDeposed) {
			return nil
		}
		return err
	}
	begin := func() {
		var reign context.Context
		reign, stop = context.WithCancel(ctx) //nolint:gosec // whoever ends the reign calls it
		result := make(chan error, 1)
		done = result
		go func() { result <- lead(reign) }()
	}
	for {
		select {
		case <-ctx.Done():
			return finish()
		case mine := <-turns:
			if err := finish(); err != nil {
				return err
			}
			if mine {
				begin()
			} else {
				l.Log.Info("another process evaluates the rules")
			}
		case err := <-done:
			done = nil
			if ctx.Err() != nil {
				return nil
			}
			if !errors.Is(err, ErrDeposed) {
				stop()
				return err
			}
			l.Log.Warn("another process has taken over though Kafka gave the lead to this one; taking it back")
			begin()
		}
	}
}
