// Package forget takes an account or a user out of everything that Tidemark keeps, for good.
//
// First they are entered into the list of those who are forgotten, by which every pipeline leaves out what the logs have of them, now and in
// every replay. When the running pipelines have heard of it, what is known of them in compacted topics is replaced by tombstones, and the rows
// go, until none is left. All of it may be repeated.
package forget

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/twmb/franz-go/pkg/kgo"

	"tidemark/pipeline/forgotten"
)

// Who is to be forgotten: an account, or a user.
type Who struct {
	ID        string
	User      bool
	Anonymous bool // the user's id is an anonymous one
}

func (w Who) identity() string {
	if w.Anonymous {
		return "a:" + w.ID
	}
	return "u:" + w.ID
}

// key is how keys of records name it.
func (w Who) key() string {
	if w.User {
		return w.identity()
	}
	return w.ID
}

func (w Who) entry() forgotten.Entry {
	if w.User {
		return forgotten.User(w.identity())
	}
	return forgotten.Account(w.ID)
}

// Topics are the names of the topics that are looked through.
type Topics struct{ Accounts, Users, Parked, Forgotten string }

// Options are the ways to Kafka and ClickHouse.
type Options struct {
	Kafka  []kgo.Opt
	Topics Topics
	Conn   driver.Conn // as the role eraser
	Quorum bool
	// Settle is how long running pipelines may take to hear of it: they look every 10 seconds, then write what they hold.
	Settle time.Duration
	// Tell is called with what has been done, line by line.
	Tell func(string)
}

// Found is how much there is of somebody in a table or topic.
type Found struct {
	Place string // such as counters_all, or topic users
	Rows  uint64
	How   string // delete, or what is overwritten
}

// rounds bounds how often rows are looked for again. A pipeline that is further behind than that has lost its partitions.
const rounds = 10

// Look says what there is of somebody, and changes nothing. Others are tables that nothing is known of, which somebody else made.
func Look(ctx context.Context, o Options, w Who) (found []Found, others []string, err error) {
	for topic, match := range o.matching(w) {
		records, err := o.tombstones(ctx, topic, match)
		if err != nil {
			return nil, nil, err
		}
		found = append(found, Found{"topic " + topic, uint64(len(records)), "tombstone"})
	}
	slices.SortFunc(found, func(a, b Found) int { return strings.Compare(a.Place, b.Place) })
	steps, err := o.steps(ctx, w)
	if err != nil {
		return nil, nil, err
	}
	for _, s := range steps {
		n, err := o.count(ctx, s)
		if err != nil {
			return nil, nil, err
		}
		found = append(found, Found{s.table, n, how(s.erasure)})
	}
	others, err = unknown(ctx, o.Conn)
	return found, others, err
}

func how(e erasure) string {
	if e.set == "" {
		return "delete"
	}
	what, _, _ := strings.Cut(e.set, " = ")
	return "overwrite " + what
}

// Run forgets somebody. It may be cut short and run again.
func Run(ctx context.Context, o Options, w Who) error {
	client, err := kgo.NewClient(append(slices.Clone(o.Kafka), kgo.RequiredAcks(kgo.AllISRAcks()))...)
	if err != nil {
		return fmt.Errorf("connect to Kafka: %w", err)
	}
	defer client.Close()
	if err := client.ProduceSync(ctx, forgotten.Record(o.Topics.Forgotten, w.entry())).FirstErr(); err != nil {
		return fmt.Errorf("enter it into the topic %s: %w", o.Topics.Forgotten, err)
	}
	o.Tell("entered into the topic " + o.Topics.Forgotten)
	o.Tell(fmt.Sprintf("waiting %s for running pipelines to hear of it", o.Settle))
	if err := wait(ctx, o.Settle); err != nil {
		return err
	}
	// Not before, because a pipeline takes a tombstone for the end of an account, which it notes.
	if err := o.bury(ctx, w); err != nil {
		return err
	}
	for range rounds {
		left, err := o.eraseAll(ctx, w)
		if err != nil || left == 0 {
			return err
		}
		// Once more, because one that was just writing may have brought rows back.
		if err := wait(ctx, o.Settle/2); err != nil {
			return err
		}
	}
	return errors.New("rows come back: a pipeline, or tidemark triggers run, has not heard of it; restart those that do not say so in their logs, and run this again")
}

// bury writes the tombstones.
func (o *Options) bury(ctx context.Context, w Who) error {
	client, err := kgo.NewClient(append(slices.Clone(o.Kafka), kgo.RequiredAcks(kgo.AllISRAcks()), kgo.RecordPartitioner(kgo.ManualPartitioner()))...)
	if err != nil {
		return fmt.Errorf("connect to Kafka: %w", err)
	}
	defer client.Close()
	for topic, match := range o.matching(w) {
		records, err := o.tombstones(ctx, topic, match)
		if err != nil {
			return err
		}
		if err := client.ProduceSync(ctx, records...).FirstErr(); err != nil {
			return fmt.Errorf("write tombstones to %s: %w", topic, err)
		}
		o.Tell(fmt.Sprintf("topic %s: %d tombstones", topic, len(records)))
	}
	return nil
}

// eraseAll takes out what there is and returns how many rows that were.
func (o *Options) eraseAll(ctx context.Context, w Who) (total uint64, err error) {
	steps, err := o.steps(ctx, w)
	if err != nil {
		return 0, err
	}
	for _, s := range steps {
		n, err := o.count(ctx, s)
		if err != nil {
			return total, err
		}
		if n == 0 {
			continue
		}
		if err := o.erase(ctx, s); err != nil {
			return total, err
		}
		total += n
		o.Tell(fmt.Sprintf("%s: %d rows, %s", s.table, n, how(s.erasure)))
	}
	return total, nil
}

func wait(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}
