package deadletters

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"tidemark/pipeline/decode"
)

const (
	// transactionTimeout is how long readers of the topics wait at most when a process dies inside a transaction.
	transactionTimeout = 15 * time.Second
	// maxBatch bounds a transaction: readers wait for its end.
	maxBatch = 500
)

// Redrive sends letters again.
type Redrive struct {
	Box
	TransactionalID string // whoever has it last settles letters, and nobody else
	Judge           Judge
	Transform       *Transform // nil: as they were
	By              string     // who wants it
	Rate            int        // records a second; 0: as fast as it goes
	DryRun          bool
	Tell            func(Plan) // is told of each letter that is meant; may be nil
}

// Plan is what becomes of a letter.
type Plan struct {
	*Letter
	Fate  Fate
	Why   string // it is left alone
	Key   []byte // of the record that is sent
	Value []byte // likewise
}

// Fate is what Redrive does with a letter.
type Fate string

// Fates.
const (
	Sent     Fate = "sent"
	Settled  Fate = "settled"  // it was sent, or dropped, before
	Refused  Fate = "refused"  // the pipeline would refuse it again
	Unmeant  Fate = "unmeant"  // the transform is not for it
	Unusable Fate = "unusable" // it cannot be sent, or not be transformed
)

// Fates counts letters by what became of them.
type Fates map[Fate]int

// Run sends the letters that are meant, in the order in which they were found, each in the topic and with the timestamp that it had, and
// each once, however often it is run. An error leaves what was counted before it sent.
func (r *Redrive) Run(ctx context.Context, f *Filter) (Fates, error) {
	fates := Fates{}
	if r.DryRun {
		return fates, r.Each(ctx, f, func(l *Letter, s Standing) error {
			p := r.plan(l, s)
			fates[p.Fate]++
			r.tell(p)
			return nil
		})
	}
	s, err := r.open(ctx)
	if err != nil {
		return fates, err
	}
	defer s.client.Close()
	var batch []Plan
	flush := func() error {
		if err := s.send(ctx, batch); err != nil {
			return err
		}
		for _, p := range batch {
			fates[p.Fate]++
			r.tell(p)
		}
		batch = batch[:0]
		return nil
	}
	err = r.Each(ctx, f, func(l *Letter, st Standing) error {
		p := r.plan(l, st)
		if p.Fate == Sent {
			if err := s.known(ctx, l.Topic); err != nil {
				p.Fate, p.Why = Unusable, err.Error()
			}
		}
		if p.Fate != Sent {
			fates[p.Fate]++
			r.tell(p)
			return nil
		}
		if batch = append(batch, p); len(batch) < s.size {
			return nil
		}
		return flush()
	})
	if err == nil && len(batch) > 0 {
		err = flush()
	}
	return fates, err
}

func (r *Redrive) tell(p Plan) {
	if r.Tell != nil {
		r.Tell(p)
	}
}

// plan decides what becomes of a letter.
func (r *Redrive) plan(l *Letter, s Standing) Plan {
	p := Plan{Letter: l, Fate: Sent}
	if s.State != Open {
		p.Fate, p.Why = Settled, fmt.Sprintf("%s by %s at %s", s.State, s.By, s.At.UTC().Format(time.RFC3339))
		return p
	}
	if l.Cut || len(l.Value) == 0 && l.Reason == "oversize" {
		p.Fate, p.Why = Unusable, "it was too large to be kept whole"
		return p
	}
	var meant bool
	var err error
	p.Key, p.Value, meant, err = r.Transform.Apply(l)
	switch {
	case err != nil:
		p.Fate, p.Why = Unusable, "transform: "+err.Error()
	case !meant:
		p.Fate, p.Why = Unmeant, "the transform's condition does not hold"
	default:
		var rejection *decode.Rejection
		if rejection = r.Judge.Refuses(l.Topic, p.Key, p.Value, l.At); rejection != nil {
			p.Fate, p.Why = Refused, rejection.Error()
		}
	}
	return p
}

// session sends in transactions.
type session struct {
	*Redrive
	client     *kgo.Client
	size       int // of a transaction
	partitions map[string]int32
	next       time.Time // when the rate allows for more
}

// open takes the transactional id over: from here on no other process settles letters, and all that others have settled can be read.
func (r *Redrive) open(ctx context.Context) (*session, error) {
	client, err := kgo.NewClient(append(r.Kafka[:len(r.Kafka):len(r.Kafka)],
		kgo.TransactionalID(r.TransactionalID), kgo.TransactionTimeout(transactionTimeout),
		kgo.ProducerLinger(0), kgo.RecordPartitioner(kgo.ManualPartitioner()))...) // no delivery timeout: it would count from a record's own time
	if err != nil {
		return nil, fmt.Errorf("kafka client: %w", err)
	}
	if _, _, err := client.ProducerID(ctx); err != nil {
		client.Close()
		return nil, fmt.Errorf("take over the transactional id %s: %w", r.TransactionalID, err)
	}
	s := &session{Redrive: r, client: client, size: maxBatch, partitions: map[string]int32{}}
	if r.Rate > 0 {
		s.size = max(1, min(maxBatch, r.Rate/2))
	}
	return s, nil
}

// known finds out how many partitions the topic has, and that it leaves records the time that they are given.
func (s *session) known(ctx context.Context, topic string) error {
	if _, ok := s.partitions[topic]; ok {
		return nil
	}
	admin := kadm.NewClient(s.client)
	listed, err := admin.ListTopics(ctx, topic)
	if err != nil {
		return fmt.Errorf("ask kafka for %s: %w", topic, err)
	}
	if err := listed[topic].Err; err != nil || !listed.Has(topic) {
		return fmt.Errorf("the topic %s does not exist any more", topic)
	}
	configs, err := admin.DescribeTopicConfigs(ctx, topic)
	if err != nil {
		return fmt.Errorf("ask kafka for the settings of %s: %w", topic, err)
	}
	for _, c := range configs {
		for _, kv := range c.Configs {
			if kv.Key == "message.timestamp.type" && kv.Value != nil && *kv.Value == "LogAppendTime" {
				return fmt.Errorf("the topic %s has message.timestamp.type=LogAppendTime, so that a record would get another time and might be counted in "+
					"another window: set CreateTime while letters are redriven", topic)
			}
		}
	}
	s.partitions[topic] = int32(len(listed[topic].Partitions)) //nolint:gosec // far fewer
	return nil
}

// record is what is sent: with the time that it had, and in its partition, where its duplicates and its user's account are looked for. With
// another key it goes where that key's records are.
func (s *session) record(p *Plan) *kgo.Record {
	n := s.partitions[p.Topic]
	out := &kgo.Record{Topic: p.Topic, Partition: p.Partition, Key: bytes.Clone(p.Key), Value: bytes.Clone(p.Value), Timestamp: p.At, Headers: p.Headers[:len(p.Headers):len(p.Headers)]}
	if !bytes.Equal(p.Key, p.Letter.Key) || p.Partition >= n {
		out.Partition = int32(kgo.StickyKeyPartitioner(nil).ForTopic(p.Topic).Partition(out, int(n))) //nolint:gosec // below n
	}
	origin := p.Origin
	if origin == "" {
		origin = p.ID.String()
	}
	out.Headers = append(out.Headers, kgo.RecordHeader{Key: HeaderRedriven, Value: []byte(origin)})
	return out
}

// send sends the letters and their marks as one.
func (s *session) send(ctx context.Context, batch []Plan) error {
	if err := s.pace(ctx, len(batch)); err != nil {
		return err
	}
	records := make([]*kgo.Record, 0, 2*len(batch))
	for i := range batch {
		records = append(records, s.record(&batch[i]), markOf(s.Topic, batch[i].Letter, Redriven, s.By))
	}
	return s.transact(ctx, records)
}

func (s *session) transact(ctx context.Context, records []*kgo.Record) error {
	ctx, cancel := context.WithTimeout(ctx, transactionTimeout)
	defer cancel()
	if err := s.client.BeginTransaction(); err != nil {
		return fmt.Errorf("begin transaction: %w", err)
	}
	err := s.client.ProduceSync(ctx, records...).FirstErr()
	if err == nil {
		err = s.client.EndTransaction(ctx, kgo.TryCommit)
	} else {
		ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), transactionTimeout)
		defer cancel()
		err = errors.Join(err, s.client.AbortBufferedRecords(ending), s.client.EndTransaction(ending, kgo.TryAbort))
	}
	switch {
	case errors.Is(err, kerr.InvalidProducerEpoch), errors.Is(err, kerr.ProducerFenced):
		return fmt.Errorf("another process settles dead letters now; what it leaves, a repeat of this does: %w", err)
	case err != nil:
		return fmt.Errorf("settle %d letters; repeat it, nothing is sent twice: %w", len(records), err)
	}
	return nil
}

// pace waits until the rate allows for more.
func (s *session) pace(ctx context.Context, n int) error {
	if s.Rate == 0 {
		return nil
	}
	now := time.Now()
	if wait := s.next.Sub(now); wait > 0 {
		timer := time.NewTimer(wait)
		defer timer.Stop()
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-timer.C:
		}
		now = s.next
	}
	s.next = now.Add(time.Duration(n) * time.Second / time.Duration(s.Rate))
	return nil
}

// Drop settles the open letters that are meant, so that they are not sent again, and returns how many they were.
func (r *Redrive) Drop(ctx context.Context, f *Filter) (dropped int, err error) {
	s, err := r.open(ctx)
	if err != nil {
		return 0, err
	}
	defer s.client.Close()
	var marks []*kgo.Record
	flush := func() error {
		err := s.transact(ctx, marks)
		if err == nil {
			dropped, marks = dropped+len(marks), marks[:0]
		}
		return err
	}
	err = r.Each(ctx, f, func(l *Letter, st Standing) error {
		if st.State != Open {
			return nil
		}
		if marks = append(marks, markOf(r.Topic, l, Dropped, r.By)); len(marks) < maxBatch {
			return nil
		}
		return flush()
	})
	if err == nil && len(marks) > 0 {
		err = flush()
	}
	return dropped, err
}
