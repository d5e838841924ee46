package deadletters

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/zap"

	"tidemark/pipeline/source"
	"tidemark/sinks/clickhouse"
)

const (
	copyRecords    = 500
	firstCopyRetry = 100 * time.Millisecond
	lastCopyRetry  = 30 * time.Second
)

// Copier copies letters from the topic into ClickHouse's table dead_letters: of the topics that the pipeline does not read itself. Members of a
// group share the work. Whatever is cut off is done again, to the same rows.
type Copier struct {
	Box            Box
	Group          string
	Instance       string // names this process in the group; optional
	SessionTimeout time.Duration
	Folded         []string // topics of which the pipeline writes the letters
	Store          *clickhouse.Client
	Log            *zap.Logger
}

// Run copies until ctx ends. While ClickHouse or Kafka do not answer it waits.
func (c *Copier) Run(ctx context.Context) error {
	for wait := firstCopyRetry; ctx.Err() == nil; wait = min(2*wait, lastCopyRetry) {
		started := time.Now()
		err := c.session(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if time.Since(started) > time.Minute {
			wait = firstCopyRetry
		}
		c.Log.Warn("copy dead letters to ClickHouse: start over", zap.Error(err), zap.Duration("retry_in", wait))
		select {
		case <-ctx.Done():
		case <-time.After(wait):
		}
	}
	return nil
}

// session copies until ctx ends or something fails; what is not committed then is copied again.
func (c *Copier) session(ctx context.Context) error {
	life, cut := context.WithCancel(context.WithoutCancel(ctx))
	defer cut()
	options := slices.Concat(c.Box.Kafka, []kgo.Opt{
		kgo.WithContext(life), kgo.ConsumerGroup(c.Group), kgo.ConsumeTopics(c.Box.Topic), kgo.Balancers(kgo.CooperativeStickyBalancer()),
		kgo.SessionTimeout(c.SessionTimeout), kgo.HeartbeatInterval(c.SessionTimeout / 5), kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.DisableAutoCommit(), kgo.FetchMaxWait(250 * time.Millisecond),
		kgo.KeepControlRecords(), // so that all of the topic is committed: transactions end in one
	})
	if c.Instance != "" {
		options = append(options, kgo.InstanceID(c.Instance+"/"+c.Box.Topic))
	}
	client, err := kgo.NewClient(options...)
	if err != nil {
		return fmt.Errorf("kafka client: %w", err)
	}
	defer source.Leave(client.Close, cut)
	store := c.Store.OfGeneration(clickhouse.NoGeneration)
	for {
		fetches := client.PollRecords(ctx, copyRecords)
		if ctx.Err() != nil {
			return nil
		}
		if errs := fetches.Errors(); len(errs) > 0 {
			return fmt.Errorf("read %s/%d: %w", c.Box.Topic, errs[0].Partition, errs[0].Err)
		}
		records := fetches.Records()
		if rows := c.rows(records); rows.Rows() > 0 {
			if err := store.Write(ctx, rows); err != nil {
				return fmt.Errorf("write %d dead letters: %w", rows.Rows(), err)
			}
		}
		if err := client.CommitRecords(ctx, records...); err != nil {
			return fmt.Errorf("commit: %w", err)
		}
	}
}

// rows makes rows of the records that are letters of raw topics.
func (c *Copier) rows(records []*kgo.Record) *clickhouse.Batch {
	var b clickhouse.Batch
	d := &b.DeadLetters
	for _, r := range records {
		l, _, ok := parse(r)
		if !ok || l == nil || slices.Contains(c.Folded, l.Topic) {
			continue
		}
		d.Source, d.Offset = append(d.Source, l.Source), append(d.Offset, uint64(l.Offset)) //nolint:gosec // an offset
		d.Reason, d.Detail = append(d.Reason, l.Reason), append(d.Detail, l.Detail)
		d.LogTime, d.Key = append(d.LogTime, l.At.UnixMilli()), append(d.Key, string(l.Key))
		d.Size, d.Field = append(d.Size, uint32(len(l.Value))), append(d.Field, l.Field) //nolint:gosec // below a record's limit
		d.Producer = append(d.Producer, l.Producer)
	}
	return &b
}
